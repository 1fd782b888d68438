/* pop3c_reply.c - what a line of the server means. Forgiving: "+" and "-" decide, numbers that
 * cannot be read are told as such and never fail the session (docs/QUIRKS.md). */
#include "proto/pop3c_priv.h"

#include "base/num.h"

/* --- numbers in rows ----------------------------------------------------------------------- */

static uint32_t lenient_u32(struct rs_slice s)
{
	uint32_t v;

	return rs_num_u32(s, UINT32_MAX, &v) < 0 ? 0 : v;
}

static uint64_t lenient_u64(struct rs_slice s)
{
	uint64_t v;

	return rs_num_u64(s, UINT64_MAX - 1, &v) < 0 ? UINT64_MAX : v;
}

/* "number size …" of LIST, and "count octets" of STAT. */
static void row_size(struct rs_slice text, struct rs_pop3c_event *ev)
{
	struct rs_slice rest = rs_slice_trim(text);

	ev->num = lenient_u32(rs_slice_word(&rest));
	ev->size = lenient_u64(rs_slice_word(&rest));
}

/* "number uid". The UID is what stands behind the blanks; one of blanks only stays as it is. */
static void row_uid(struct rs_slice text, struct rs_pop3c_event *ev)
{
	size_t end;
	struct rs_slice uid;

	while (text.n && text.p[0] == ' ')
		text = rs_slice_sub(text, 1, text.n);
	end = rs_slice_find(text, ' ');
	ev->num = lenient_u32(rs_slice_sub(text, 0, end));
	uid = rs_slice_sub(text, end + 1, text.n);
	ev->text = rs_slice_trim(uid).n ? rs_slice_trim(uid) : uid;
}

/* --- status lines -------------------------------------------------------------------------- */

static struct rs_slice find_timestamp(struct rs_slice text)
{
	size_t from = rs_slice_find(text, '<');
	struct rs_slice rest = rs_slice_sub(text, from, text.n);
	size_t end = rs_slice_find(rest, '>');
	struct rs_slice stamp = rs_slice_sub(rest, 0, end + 1);

	/* RFC 1939 section 7: a msg-id, so there is an "@" in it */
	return end < rest.n && rs_slice_find(stamp, '@') < stamp.n ? stamp : rs_slice(NULL, 0);
}

/* Text behind "+OK" or "-ERR"; with a server that says "+" or "-ERROR" behind the first word. */
static struct rs_slice reply_text(struct rs_slice line)
{
	size_t end = rs_slice_find(line, ' ');

	return rs_slice_sub(line, end + 1, line.n);
}

static enum rs_step greeting(struct rs_pop3c *c, bool ok, struct rs_pop3c_event *ev)
{
	ev->kind = ok ? RS_C_GREETING : RS_C_ERR;
	ev->apop = ok ? find_timestamp(ev->text) : rs_slice(NULL, 0);
	pop3c_state_set(c, ok ? POP3C_REPLY : POP3C_CLOSED);
	return RS_EVENT;
}

static bool is_multi(const struct pop3c_cmd *cmd)
{
	const struct rs_pop3_verb_row *row = &rs_pop3_verbs[cmd->verb];

	return row->multi || (row->multi_if_no_arg && !cmd->has_arg);
}

/* "+OK" to the current command: what follows, and what is in its text. */
static void accepted(struct rs_pop3c *c, const struct pop3c_cmd *cmd, struct rs_pop3c_event *ev)
{
	enum rs_pop3_verb v = cmd->verb;

	if (is_multi(cmd)) {
		bool is_body = v == RS_POP3_RETR || v == RS_POP3_TOP;

		if (v == RS_POP3_CAPA) {
			pop3c_caps_reset(c);
			c->caps = RS_CAP_KNOWN;
		}
		rs_dot_dec_init(&c->dec, c->bare_lf);
		c->lines_n = 0;
		pop3c_state_set(c, is_body ? POP3C_BODY : POP3C_LINES);
		return;
	}
	if (v == RS_POP3_STAT || v == RS_POP3_LIST)
		row_size(ev->text, ev);
	else if (v == RS_POP3_UIDL)
		row_uid(ev->text, ev);
	pop3c_answered(c);
	if (v == RS_POP3_STLS) {
		ev->kind = RS_C_START_TLS;
		pop3c_state_set(c, POP3C_WAIT_TLS);
	} else if (v == RS_POP3_QUIT) {
		pop3c_state_set(c, POP3C_CLOSED);
	}
}

static enum rs_step refused(struct rs_pop3c *c, enum rs_pop3_verb v, struct rs_pop3c_event *ev)
{
	ev->kind = RS_C_ERR;
	pop3c_answered(c);
	pop3c_state_set(c, v == RS_POP3_QUIT ? POP3C_CLOSED : POP3C_REPLY);
	return RS_EVENT;
}

enum rs_step pop3c_status_line(struct rs_pop3c *c, struct rs_slice line, struct rs_pop3c_event *ev)
{
	const struct pop3c_cmd *cmd = pop3c_current(c);
	bool ok = line.n && line.p[0] == '+';
	enum rs_pop3_verb v = cmd ? cmd->verb : RS_POP3_NONE;

	if (!ok && (line.n == 0 || line.p[0] != '-'))
		return pop3c_fail(c, RS_EPROTO, "the server's answer is not POP3");
	ev->verb = v;
	ev->tag = cmd ? cmd->tag : 0;
	if (ok && v == RS_POP3_AUTH && !rs_slice_istarts(line, "+OK"))
		return pop3c_challenge(c, rs_slice_sub(line, 1, line.n), ev);
	ev->text = reply_text(line);
	ev->code = rs_pop3_code_of(&ev->text);
	if (!cmd)
		return greeting(c, ok, ev);
	if (v == RS_POP3_AUTH)
		rs_buf_wipe(&c->initial);
	if (!ok)
		return refused(c, v, ev);
	ev->kind = RS_C_OK;
	accepted(c, cmd, ev);
	return RS_EVENT;
}

/* --- lines of a listing -------------------------------------------------------------------- */

enum rs_step pop3c_list_line(struct rs_pop3c *c, struct rs_slice line, struct rs_pop3c_event *ev)
{
	const struct pop3c_cmd *cmd = pop3c_current(c);

	ev->verb = cmd->verb;
	ev->tag = cmd->tag;
	if (rs_slice_eq_str(line, ".")) {
		ev->kind = RS_C_END;
		pop3c_answered(c);
		pop3c_state_set(c, POP3C_REPLY);
		return RS_EVENT;
	}
	if (++c->lines_n > c->lim.lines_max)
		return pop3c_fail(c, RS_ELIMIT, "the server's listing does not end");
	if (line.n && line.p[0] == '.')
		line = rs_slice_sub(line, 1, line.n);
	ev->kind = RS_C_LINE;
	ev->text = line;
	if (cmd->verb == RS_POP3_LIST)
		row_size(line, ev);
	else if (cmd->verb == RS_POP3_UIDL)
		row_uid(line, ev);
	else if (cmd->verb == RS_POP3_CAPA)
		pop3c_caps_line(c, line);
	return RS_EVENT;
}
