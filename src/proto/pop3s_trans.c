/* pop3s_trans.c - the TRANSACTION state: STAT, LIST, UIDL, RETR, TOP, DELE, NOOP, RSET, QUIT.
 * RFC 1939 sections 5 to 7. Answers come from the frozen table and the marks alone. */
#include "proto/pop3s_priv.h"

#include "base/num.h"

/* A message number of the wire (from 1) as a row that is not marked; else the refusal is out. */
static bool row_of(struct rs_pop3s *s, struct rs_slice arg, uint32_t *row)
{
	uint32_t num;

	if (rs_num_u32(arg, UINT32_MAX, &num) < 0 || num == 0 || num > rs_drop_n(&s->drop)) {
		pop3s_reply(s, "-ERR %s (1..%u)", pop3s_text(s, POP3S_T_NO_MESSAGE),
			rs_drop_n(&s->drop));
		return false;
	}
	if (rs_marks_get(s->marks, num - 1)) {
		pop3s_err(s, POP3S_T_DELETED_ALREADY);
		return false;
	}
	*row = num - 1;
	return true;
}

const struct rs_drop_ascii *pop3s_downgraded(const struct rs_pop3s *s, uint32_t row)
{
	if (s->utf8 || !(s->cfg->flags & RS_POP3S_UTF8) || s->drop.head->ascii_n == 0)
		return NULL;
	return rs_drop_ascii(&s->drop, row);
}

uint64_t pop3s_octets(const struct rs_pop3s *s, uint32_t row)
{
	const struct rs_drop_ascii *a = pop3s_downgraded(s, row);

	return a && a->octets != RS_DROP_NO_ASCII ? a->octets : rs_drop_octets(&s->drop, row);
}

uint64_t pop3s_octets_all(const struct rs_pop3s *s)
{
	return s->utf8 || !(s->cfg->flags & RS_POP3S_UTF8) ? s->drop.head->octets
							   : s->drop.head->ascii;
}

static uint32_t left_n(const struct rs_pop3s *s)
{
	return rs_drop_n(&s->drop) - s->marked_n;
}

static unsigned long long left_octets(const struct rs_pop3s *s)
{
	return (unsigned long long)(pop3s_octets_all(s) - s->marked_octets);
}

static void cmd_list(struct rs_pop3s *s, struct rs_slice arg)
{
	uint32_t row;

	if (arg.n == 0) {
		pop3s_reply(s, "+OK %u %s (%llu %s)", left_n(s), pop3s_text(s, POP3S_T_MESSAGES),
			left_octets(s), pop3s_text(s, POP3S_T_OCTETS));
		pop3s_list_begin(s, POP3S_LIST_SIZES);
	} else if (row_of(s, arg, &row)) {
		pop3s_reply(s, "+OK %u %llu", row + 1, (unsigned long long)pop3s_octets(s, row));
	}
}

static void cmd_uidl(struct rs_pop3s *s, struct rs_slice arg)
{
	uint32_t row;

	if (arg.n == 0) {
		pop3s_reply(s, "+OK %u %s", left_n(s), pop3s_text(s, POP3S_T_UIDS));
		pop3s_list_begin(s, POP3S_LIST_UIDS);
	} else if (row_of(s, arg, &row)) {
		struct rs_slice uid = rs_drop_uid(&s->drop, row);

		pop3s_reply(s, "+OK %u %.*s", row + 1, (int)uid.n, (const char *)uid.p);
	}
}

static void cmd_dele(struct rs_pop3s *s, struct rs_slice arg)
{
	uint32_t row;

	if (!row_of(s, arg, &row))
		return;
	rs_marks_set(s->marks, row);
	s->marked_n++;
	s->marked_octets += pop3s_octets(s, row);
	pop3s_ok(s, POP3S_T_DELETED);
}

static bool open_event(struct rs_pop3s *s, uint32_t row, int64_t top, struct rs_pop3s_event *ev)
{
	const struct rs_drop_ascii *a = pop3s_downgraded(s, row);

	if (a && a->octets == RS_DROP_NO_ASCII) {
		pop3s_err(s, POP3S_T_NEED_UTF8);
		return false;
	}
	rs_dot_enc_init(&s->enc, top);
	s->open_row = row;
	ev->kind = RS_S_OPEN;
	ev->msg = row;
	ev->top = top;
	pop3s_state_set(s, POP3S_WAIT_OPEN);
	return true;
}

static bool cmd_retr(struct rs_pop3s *s, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	uint32_t row;

	return row_of(s, arg, &row) && open_event(s, row, -1, ev);
}

static bool cmd_top(struct rs_pop3s *s, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	struct rs_slice num = rs_slice_word(&arg);
	uint64_t lines;
	uint32_t row;

	if (rs_num_u64(arg, INT64_MAX, &lines) < 0) {
		pop3s_err(s, POP3S_T_ARGS);
		return false;
	}
	return row_of(s, num, &row) && open_event(s, row, (int64_t)lines, ev);
}

static void cmd_rset(struct rs_pop3s *s)
{
	memset(s->marks, 0, rs_marks_n(rs_drop_n(&s->drop)));
	s->marked_n = 0;
	s->marked_octets = 0;
	pop3s_ok(s, POP3S_T_RSET);
}

static bool cmd_quit(struct rs_pop3s *s, struct rs_pop3s_event *ev)
{
	ev->kind = RS_S_COMMIT;
	pop3s_state_set(s, POP3S_WAIT_COMMIT);
	return true;
}

bool pop3s_transaction(
	struct rs_pop3s *s, enum rs_pop3_verb v, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	const struct rs_pop3_verb_row *row = &rs_pop3_verbs[v];

	arg = rs_slice_trim(arg);
	if ((row->args_max == 0 && arg.n) || (row->args_min && arg.n == 0)) {
		pop3s_err(s, POP3S_T_ARGS);
		return false;
	}
	if (v == RS_POP3_RETR)
		return cmd_retr(s, arg, ev);
	if (v == RS_POP3_TOP)
		return cmd_top(s, arg, ev);
	if (v == RS_POP3_QUIT)
		return cmd_quit(s, ev);
	if (v == RS_POP3_STAT)
		pop3s_reply(s, "+OK %u %llu", left_n(s), left_octets(s));
	else if (v == RS_POP3_LIST)
		cmd_list(s, arg);
	else if (v == RS_POP3_UIDL)
		cmd_uidl(s, arg);
	else if (v == RS_POP3_DELE)
		cmd_dele(s, arg);
	else if (v == RS_POP3_RSET)
		cmd_rset(s);
	else if (v == RS_POP3_CAPA)
		pop3s_capa(s);
	else if (v == RS_POP3_LANG)
		pop3s_lang(s, arg);
	else /* NOOP: the table lets nothing else in */
		pop3s_ok(s, POP3S_T_NOOP);
	return false;
}
