/* fetch_open.c - connect and log in. What is remembered of the server saves turns; where it turns out to
 * be wrong the slow way is taken at once, and for a month. A server that asked us to wait is not asked
 * before its time, over all runs of the program. */
#include "client/fetch_priv.h"

#include <string.h>
#include <sys/random.h>

#include "client/oauth.h"
#include "client/text.h"

#define DAY_S          86400
#define CAPS_S         (7 * DAY_S)
#define SLOW_S         (30 * DAY_S)
#define WAIT_FIRST_S   30u
#define WAIT_MAX_S     900u
#define WAIT_DELAY_S   60u   /* [LOGIN-DELAY] of a server that does not say how long */
#define WAIT_BELIEVE_S 7200u /* a longer one is a clock that was set, or nonsense */

/* --- who asked us to wait ---------------------------------------------------------------------- */

static char *wait_key(const struct rs_account *a)
{
	g_autofree char *host = g_ascii_strdown(a->pop3_host, -1);

	return g_strdup_printf("%s@%s", a->pop3_user, host);
}

/* A quarter up or down, so that those who were refused together do not come back together. */
static guint32 jitter(guint32 s)
{
	guint32 chance = 0;

	(void)!getrandom(&chance, sizeof(chance), 0);
	return s - s / 4 + (s / 2 ? chance % (s / 2) : 0);
}

static int wait_put(struct fetch_run *r, const char *key, const struct rs_ledger_wait *w)
{
	struct rs_err ignored; /* a wait that is not remembered costs one more refusal */
	int rc = rs_ledger_begin(r->ledger, &ignored);

	if (rc == 0)
		rc = rs_ledger_wait_put(r->ledger, key, w, &ignored);
	return fetch_ledger_end(r, rc, "wait", &ignored);
}

static void wait_note(struct fetch_run *r, const char *key, struct rs_ledger_wait w)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	guint32 s = 0;

	if (r->told.code == RS_POP3_CODE_IN_USE)
		s = jitter(MIN(WAIT_FIRST_S << MIN(w.tries, 5u), WAIT_MAX_S));
	else if (r->told.code == RS_POP3_CODE_LOGIN_DELAY)
		s = MIN(MAX(r->told.login_delay_s, WAIT_DELAY_S), WAIT_BELIEVE_S) + jitter(8);
	if (!s)
		return;
	w.until_s = now_s + s;
	w.tries++;
	(void)wait_put(r, key, &w);
}

static int wait_check(
	struct fetch_run *r, const char *key, struct rs_ledger_wait *w, struct rs_err *err)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	int rc = rs_ledger_wait_get(r->ledger, key, w, err);

	if (rc < 0 || r->f->at_once || w->until_s <= now_s || w->until_s - now_s > WAIT_BELIEVE_S)
		return rc;
	return rs_err_set(err, RS_ETEMP,
		_("%s asked us to wait: the next attempt is due in %u s (restante check --now "
		  "makes "
		  "it at once)"),
		r->f->account->pop3_host, (guint)(w->until_s - now_s));
}

/* --- opening ----------------------------------------------------------------------------------- */

static int attempt(struct fetch_run *r, guint32 caps, bool no_capa, struct rs_err *err)
{
	struct rs_session_how how = {
		.caps = caps, .no_capa = no_capa, .uidl = true, .list = fetch_wants_sizes(r)};
	int rc;

	rs_session_close(&r->session);
	g_array_set_size(r->listing, 0);
	rc = rs_session_open(r->f->account, r->renewed ? r->renewed : r->f->password, r->f->cancel,
		&how, &r->session, &r->told, err);
	fetch_progress(r, RS_FETCH_LISTING);
	return rc == 0 ? fetch_listing_read(r, err) : rc;
}

/* The connection or the protocol broke, which a slower way may cure; a refusal it does not. */
static bool broke(int rc)
{
	return rc == -RS_ENET || rc == -RS_EPROTO;
}

static int by_ways(struct fetch_run *r, struct rs_err *err)
{
	bool fresh = r->now_s - r->known.caps_s < CAPS_S && r->now_s >= r->known.slow_s;
	int rc = attempt(r, fresh ? r->known.caps : 0, false, err);

	if (r->told.flown && broke(rc)) {
		r->known.slow_s = r->now_s + SLOW_S;
		r->known_changed = true;
		rc = attempt(r, 0, false, err);
	}
	if (rc < 0 && r->told.hung_at_capa)
		rc = attempt(r, 0, true, err);
	if (rc == -RS_EAUTH && r->told.flown) { /* asked anew the next time */
		r->known.caps = 0;
		r->known_changed = true;
	}
	return rc;
}

/* A token that the server would not take, although it is not over: one more is got, once. */
static int renewed(struct fetch_run *r, struct rs_err *err)
{
	struct rs_err why;

	if (!r->f->account->oauth2 ||
		rs_oauth_token(r->f->places, r->f->account, r->f->password, &r->renewed, &why) < 0)
		return -RS_EAUTH;
	return by_ways(r, err);
}

int fetch_open(struct fetch_run *r, struct rs_err *err)
{
	g_autofree char *key = wait_key(r->f->account);
	struct rs_ledger_wait w;
	int rc = wait_check(r, key, &w, err);

	if (rc < 0)
		return rc;
	fetch_progress(r, RS_FETCH_CONNECT);
	rc = by_ways(r, err);
	if (rc == -RS_EAUTH)
		rc = renewed(r, err);
	if (rc < 0) {
		wait_note(r, key, w);
		return rc;
	}
	if (w.until_s) {
		w = (struct rs_ledger_wait){.until_s = 0};
		(void)wait_put(r, key, &w);
	}
	if (!r->told.flown) {
		guint32 caps = rs_session_caps(r->session);

		r->known_changed = true;
		r->known.caps = caps;
		r->known.caps_s = r->now_s;
	}
	return 0;
}
