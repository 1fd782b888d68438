/* schedule.c - see schedule.h */
#include "client/schedule.h"

#define SOON_FROM_MS 2000u
#define SOON_TO_MS   6000u
#define ASLEEP_MS    1000

void rs_schedule_begin(struct rs_schedule *s, guint every_s, gint64 now_ms)
{
	*s = (struct rs_schedule){.every_s = every_s, .due_ms = now_ms};
}

/* A tenth up or down. */
static gint64 about(gint64 ms, guint32 chance)
{
	return ms - ms / 10 + (gint64)(chance % (guint32)MAX(ms / 5, 1));
}

static guint doubled(guint s, guint times, guint max)
{
	for (; times && s < max; times--)
		s *= 2;
	return MIN(s, max);
}

void rs_schedule_ended(
	struct rs_schedule *s, enum rs_schedule_how how, gint64 now_ms, guint32 chance)
{
	guint wait_s = s->every_s;

	s->failed_n = how == RS_SCHEDULE_WELL || how != s->how ? 0 : s->failed_n;
	switch (how) {
	case RS_SCHEDULE_WELL:
		break;
	case RS_SCHEDULE_FAILED:
		wait_s = doubled(s->every_s, s->failed_n++, RS_SCHEDULE_FAILED_MAX_S);
		break;
	case RS_SCHEDULE_REFUSED:
		wait_s = doubled(RS_SCHEDULE_REFUSED_S, s->failed_n++, RS_SCHEDULE_REFUSED_MAX_S);
		break;
	}
	s->how = how;
	s->ended_ms = now_ms;
	s->due_ms = now_ms + about((gint64)MAX(wait_s, s->every_s) * 1000, chance);
}

void rs_schedule_soon(struct rs_schedule *s, gint64 now_ms, guint32 chance)
{
	gint64 due = now_ms + SOON_FROM_MS + chance % (SOON_TO_MS - SOON_FROM_MS);

	if (s->how == RS_SCHEDULE_REFUSED)
		return;
	if (s->ended_ms)
		due = MAX(due, s->ended_ms + RS_SCHEDULE_APART_S * 1000);
	s->due_ms = MIN(s->due_ms, due);
	s->failed_n = 0;
}

void rs_schedule_now(struct rs_schedule *s, gint64 now_ms)
{
	s->due_ms = now_ms;
	s->failed_n = 0;
}

gint64 rs_asleep_ms(struct rs_asleep *a, gint64 monotonic_ms, gint64 boottime_ms)
{
	gint64 ahead = boottime_ms - monotonic_ms;
	gint64 slept = a->known ? ahead - a->ahead_ms : 0;

	if (a->known && slept < ASLEEP_MS)
		return 0; /* the two are read one after the other; small steps add up */
	a->known = true;
	a->ahead_ms = ahead;
	return slept;
}
