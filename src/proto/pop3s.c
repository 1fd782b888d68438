/* pop3s.c - the POP3 server engine: lifecycle, lines, states, output. Contract: pop3s.h.
 *
 *                       create: banner
 *                          |
 *    +--- CHALLENGE --> AUTHORIZATION <------------------ refuse ----------------+
 *    |   (challenge)    |    |      \                                            |
 *    |                  |    STLS    USER+PASS, APOP, AUTH (pop3s_auth.c)        |
 *    |                QUIT   |        \                                          |
 *    |                  |  WAIT_TLS    `--> WAIT_LOGIN --- login_ok ---> TRANSACTION <--+
 *    |                  |    | tls_up          ^ |                       |     |  |      |
 *   SASL <- challenge --|----|-----------------|-'                   RETR,TOP  |  QUIT   |
 *    '---- response ----|----|-----------------'                        |      |  |   body_end,
 *                       |    '-> AUTHORIZATION                       WAIT_OPEN |  |   refuse
 *                       v                                               |      |  |      |
 *                    CLOSED <---- committed ---- WAIT_COMMIT <----------|------|--'      |
 *                                                                      BODY ---|---------'
 *    any --> FAILED: injection, broken body, no memory;  any --> CLOSED: eof, abort
 *
 * Facts (asserted by check()):
 *   has_drop exactly in TRANSACTION, WAIT_OPEN, BODY, WAIT_COMMIT (and may linger in CLOSED, FAILED)
 *   a listing is under way only in AUTHORIZATION and TRANSACTION
 *   WAIT_* and BODY use no input; a line is taken only when a full reply fits the output */
#include "proto/pop3s_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/secret.h"

#define OUT_MIN     1024u /* two full reply lines                                        */
#define OUT_IDLE    1024u /* an empty output larger than this gives its memory back       */
#define BODY_CHUNK  65536u
#define PIECE_SMALL 2048u /* octets of a message that come at once                       */
#define MOVED_MAX   4096u /* octets waiting that may be moved to make room               */
#define MECHS_MAX   400u  /* octets of a list of mechanisms                               */
#define TEXT_MAX    200u  /* octets of each other text of the configuration               */

/* line_max   RFC 2449 section 4: a command has at most 255 octets with its CRLF
 * sasl_max   a 16 KiB OAuth token in base64, and the command in front of it
 * out_max    one TLS record of 16 KiB is filled and the next one is begun
 * bad_max    a person at a keyboard mistypes less often, a scanner more often
 * idle       RFC 1939 section 3: at least 10 minutes; before login there is nothing to wait for */
const struct rs_pop3s_limits rs_pop3s_limits_default = {
	.line_max = RS_POP3_LINE_MAX,
	.sasl_max = 24576,
	.out_max = 65536,
	.bad_max = 10,
	.idle_s = 600,
	.idle_pre_s = 60,
};

static void check(const struct rs_pop3s *s)
{
	switch (s->state) {
	case POP3S_AUTHORIZATION:
		assert(!s->has_drop);
		break;
	case POP3S_SASL:
	case POP3S_WAIT_LOGIN:
	case POP3S_WAIT_TLS:
		assert(!s->has_drop && s->listing == POP3S_LIST_NONE);
		break;
	case POP3S_TRANSACTION:
		assert(s->has_drop);
		break;
	case POP3S_WAIT_OPEN:
	case POP3S_BODY:
	case POP3S_WAIT_COMMIT:
		assert(s->has_drop && s->listing == POP3S_LIST_NONE);
		break;
	case POP3S_CLOSED:
	case POP3S_FAILED:
		break;
	}
}

void pop3s_state_set(struct rs_pop3s *s, enum pop3s_state to)
{
	if (s->state == POP3S_FAILED || (s->state == POP3S_CLOSED && to != POP3S_FAILED))
		return; /* both are final */
	s->state = to;
	if (to == POP3S_CLOSED || to == POP3S_FAILED)
		s->listing = POP3S_LIST_NONE;
	check(s);
}

static void fail(struct rs_pop3s *s, enum rs_err_kind kind, const char *why)
{
	if (s->state == POP3S_FAILED)
		return;
	s->err = kind;
	s->err_why = why;
	pop3s_state_set(s, POP3S_FAILED);
}

/* --- replies ------------------------------------------------------------------------------- */

const char *pop3s_text(const struct rs_pop3s *s, enum pop3s_text t)
{
	const char *text = pop3s_langs[s->lang].texts[t];

	return text ? text : pop3s_langs[POP3S_EN].texts[t];
}

void pop3s_reply(struct rs_pop3s *s, const char *fmt, ...)
{
	char line[RS_POP3_REPLY_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n > sizeof(line) - 3)
		n = (int)sizeof(line) - 3;
	line[n] = '\r';
	line[n + 1] = '\n';
	if (rs_buf_add(&s->out, line, (size_t)n + 2) < 0)
		fail(s, RS_ENOMEM, "no memory or no room for a reply");
}

/* By hand: ten thousand DELE are answered with it. */
void pop3s_ok(struct rs_pop3s *s, enum pop3s_text t)
{
	const char *text = pop3s_text(s, t);

	if (rs_buf_add(&s->out, "+OK ", 4) < 0 || rs_buf_add_str(&s->out, text) < 0 ||
		rs_buf_add(&s->out, "\r\n", 2) < 0)
		fail(s, RS_ENOMEM, "no memory or no room for a reply");
}

void pop3s_err(struct rs_pop3s *s, enum pop3s_text t)
{
	pop3s_reply(s, "-ERR %s", pop3s_text(s, t));
}

void pop3s_bad(struct rs_pop3s *s, enum pop3s_text t)
{
	if (!s->has_drop && ++s->bad_n > s->cfg->limits.bad_max) {
		pop3s_err(s, POP3S_T_TOO_MANY);
		pop3s_state_set(s, POP3S_CLOSED);
		return;
	}
	pop3s_err(s, t);
}

void pop3s_list_begin(struct rs_pop3s *s, enum pop3s_listing what)
{
	s->listing = what;
	s->list_at = 0;
	pop3s_list_fill(s);
}

/* --- lifecycle ----------------------------------------------------------------------------- */

/* True where `text` is one line of at most `max` octets; NULL is. */
static bool text_fits(const char *text, size_t max)
{
	struct rs_slice s = rs_slice_str(text ? text : "");

	return s.n <= max && rs_slice_find(s, '\r') == s.n && rs_slice_find(s, '\n') == s.n;
}

static int cfg_check(const struct rs_pop3s_cfg *cfg)
{
	const struct rs_pop3s_limits *l = &cfg->limits;

	/* with these the banner fits one line and the CAPA answer an empty output */
	if (!text_fits(cfg->mechs, MECHS_MAX) || !text_fits(cfg->mechs_plain, MECHS_MAX) ||
		!text_fits(cfg->implementation, TEXT_MAX) || !text_fits(cfg->greeting, TEXT_MAX) ||
		!text_fits(cfg->apop_timestamp, TEXT_MAX))
		return -RS_EINVAL;
	if (l->line_max < 16 || l->sasl_max < l->line_max || l->out_max < OUT_MIN)
		return -RS_EINVAL;
	if ((cfg->flags & RS_POP3S_TLS) && (cfg->flags & RS_POP3S_STLS))
		return -RS_EINVAL;
	return 0;
}

int rs_pop3s_create(const struct rs_pop3s_cfg *cfg, struct rs_pop3s **out)
{
	struct rs_pop3s *s;
	int rc = cfg_check(cfg);

	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -RS_ENOMEM;
	s->cfg = cfg;
	s->tls = (cfg->flags & RS_POP3S_TLS) != 0;
	rs_buf_init(&s->line, cfg->limits.sasl_max);
	rs_buf_init(&s->out, cfg->limits.out_max);
	rs_buf_init(&s->user, cfg->limits.sasl_max);
	rs_buf_init(&s->secret, cfg->limits.sasl_max);
	pop3s_reply(s, "+OK %s%s%s", cfg->greeting ? cfg->greeting : pop3s_text(s, POP3S_T_READY),
		cfg->apop_timestamp ? " " : "", cfg->apop_timestamp ? cfg->apop_timestamp : "");
	if (s->state == POP3S_FAILED) {
		rs_pop3s_destroy(&s);
		return -RS_ENOMEM;
	}
	*out = s;
	return 0;
}

void pop3s_wipe_login(struct rs_pop3s *s)
{
	rs_buf_wipe(&s->user);
	rs_buf_wipe(&s->secret);
	rs_buf_shrink(&s->user);
	rs_buf_shrink(&s->secret);
}

void rs_pop3s_destroy(struct rs_pop3s **s)
{
	if (!*s)
		return;
	pop3s_wipe_login(*s);
	if ((*s)->turning)
		rs_downgrade_finish(&(*s)->ascii);
	rs_buf_wipe(&(*s)->line);
	rs_buf_finish(&(*s)->line);
	rs_buf_finish(&(*s)->out);
	free((*s)->marks);
	free(*s);
	*s = NULL;
}

/* --- input --------------------------------------------------------------------------------- */

/* Longest line allowed now: AUTH and what follows it may be long (RFC 5034 section 4). */
static size_t line_max(const struct rs_pop3s *s)
{
	struct rs_slice held = rs_buf_slice(&s->line);

	if (s->state == POP3S_SASL)
		return s->cfg->limits.sasl_max;
	if (s->state == POP3S_AUTHORIZATION && rs_slice_istarts(held, "AUTH "))
		return s->cfg->limits.sasl_max;
	return s->cfg->limits.line_max;
}

/* Append to the line; past its ceiling the rest is swallowed and the line is refused whole. */
static void line_add(struct rs_pop3s *s, const uint8_t *p, size_t n)
{
	while (n && !s->line_long) {
		/* in two steps, so that the ceiling is asked for again behind "AUTH " */
		size_t take = rs_buf_n(&s->line) < 5 ? RS_MIN(n, 5 - rs_buf_n(&s->line)) : n;
		size_t max = line_max(s);

		if (rs_buf_n(&s->line) + take > max || rs_buf_add(&s->line, p, take) < 0) {
			s->line_long = true;
			rs_buf_wipe(&s->line);
			break;
		}
		p += take;
		n -= take;
	}
}

/* Take octets up to and with the next LF; true when a line is complete. */
static bool line_take(struct rs_pop3s *s, const uint8_t *in, size_t n, size_t *used)
{
	size_t end = rs_slice_find(rs_slice(in, n), '\n');
	bool whole = end < n;

	if (whole)
		end++;
	line_add(s, in, end);
	*used += end;
	return whole;
}

/* A line that is in the input whole needs no copy; empty: it is not, or it is a long one. */
static struct rs_slice line_whole(const struct rs_pop3s *s, struct rs_slice in)
{
	size_t end;

	if (rs_buf_n(&s->line) || s->line_long)
		return rs_slice(NULL, 0);
	in = rs_slice_sub(in, 0, s->cfg->limits.line_max);
	end = rs_slice_find(in, '\n');
	if (end == in.n)
		return rs_slice(NULL, 0);
	return rs_slice_sub(in, 0, end + 1);
}

static bool has_control(struct rs_slice line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] < 0x20 || line.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool command(struct rs_pop3s *s, struct rs_slice line, struct rs_pop3s_event *ev)
{
	enum rs_pop3_verb v;
	struct rs_slice arg = line;
	unsigned here = s->has_drop ? RS_POP3_IN_TRANSACTION : RS_POP3_IN_AUTHORIZATION;
	size_t verb_n = rs_slice_find(line, ' ');

	v = rs_pop3_verb_of(rs_slice_sub(line, 0, verb_n));
	arg = rs_slice_sub(line, verb_n + 1, line.n);
	if (v != RS_POP3_PASS && has_control(line))
		pop3s_bad(s, POP3S_T_CONTROL);
	else if (v == RS_POP3_NONE)
		pop3s_bad(s, POP3S_T_UNKNOWN);
	else if (!(rs_pop3_verbs[v].states & here))
		pop3s_bad(s, POP3S_T_NOT_NOW);
	else if (s->has_drop)
		return pop3s_transaction(s, v, arg, ev);
	else
		return pop3s_authorization(s, v, arg, ev);
	return false;
}

/* One whole line with its LF. True when *ev was filled. */
static bool line_do(struct rs_pop3s *s, struct rs_slice line, struct rs_pop3s_event *ev)
{
	line.n--; /* LF */
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return s->state == POP3S_SASL ? pop3s_sasl_line(s, line, ev) : command(s, line, ev);
}

/* The same of one that came in pieces (or was swallowed): it is in s->line. */
static bool line_held_do(struct rs_pop3s *s, struct rs_pop3s_event *ev)
{
	bool event = false;

	if (s->line_long) {
		s->line_long = false;
		if (s->state == POP3S_SASL)
			pop3s_state_set(s, POP3S_AUTHORIZATION);
		pop3s_bad(s, POP3S_T_LINE_TOO_LONG);
	} else {
		event = line_do(s, rs_buf_slice(&s->line), ev);
	}
	rs_buf_wipe(&s->line); /* it may have held a password */
	rs_buf_shrink(&s->line);
	return event;
}

enum rs_step rs_pop3s_recv(
	struct rs_pop3s *s, const uint8_t *in, size_t n, size_t *used, struct rs_pop3s_event *ev)
{
	struct rs_slice line;
	bool event;

	*used = 0;
	for (;;) {
		check(s);
		switch (s->state) {
		case POP3S_CLOSED:
			return RS_CLOSED;
		case POP3S_FAILED:
			return RS_FAILED;
		case POP3S_WAIT_LOGIN:
		case POP3S_WAIT_TLS:
		case POP3S_WAIT_OPEN:
		case POP3S_BODY:
		case POP3S_WAIT_COMMIT:
			return RS_BLOCKED;
		case POP3S_AUTHORIZATION:
		case POP3S_SASL:
		case POP3S_TRANSACTION:
			break;
		}
		pop3s_list_fill(s);
		if (s->listing != POP3S_LIST_NONE || rs_buf_room(&s->out) < RS_POP3_REPLY_MAX)
			return RS_BLOCKED;
		*ev = (struct rs_pop3s_event){.top = -1};
		line = line_whole(s, rs_slice(in + *used, n - *used));
		if (line.n) {
			*used += line.n;
			event = line_do(s, line, ev);
		} else if (line_take(s, in + *used, n - *used, used)) {
			event = line_held_do(s, ev);
		} else {
			return RS_MORE;
		}
		if (event && s->state != POP3S_FAILED)
			return RS_EVENT;
	}
}

enum rs_step rs_pop3s_eof(struct rs_pop3s *s)
{
	pop3s_state_set(s, POP3S_CLOSED);
	return s->state == POP3S_FAILED ? RS_FAILED : RS_CLOSED;
}

enum rs_step rs_pop3s_tls_up(struct rs_pop3s *s, size_t held)
{
	if (s->state != POP3S_WAIT_TLS || held) {
		fail(s, RS_EPROTO,
			held ? "octets were sent behind STLS, before the handshake"
			     : "a handshake that nobody asked for");
		return RS_FAILED;
	}
	/* RFC 2595 section 4: nothing learnt in the clear survives. */
	pop3s_wipe_login(s);
	rs_buf_clear(&s->out);
	s->tls = true;
	s->utf8 = false;
	s->lang = POP3S_EN;
	pop3s_state_set(s, POP3S_AUTHORIZATION);
	return RS_MORE;
}

/* --- answers of the owner ------------------------------------------------------------------ */

/* The session ended while the owner's answer was under way: it goes nowhere. */
static bool over(const struct rs_pop3s *s)
{
	return s->state == POP3S_CLOSED || s->state == POP3S_FAILED;
}

int rs_pop3s_login_ok(struct rs_pop3s *s, const struct rs_drop *drop)
{
	size_t marks_n = rs_marks_n(rs_drop_n(drop));

	if (over(s))
		return -RS_EBUSY;
	assert(s->state == POP3S_WAIT_LOGIN);
	pop3s_wipe_login(s);
	s->marks = calloc(1, marks_n ? marks_n : 1);
	if (!s->marks) {
		rs_pop3s_refuse(s, RS_POP3_CODE_SYS_TEMP, NULL);
		return -RS_ENOMEM;
	}
	s->drop = *drop;
	s->has_drop = true;
	pop3s_state_set(s, POP3S_TRANSACTION);
	pop3s_reply(s, "+OK %s %u", pop3s_text(s, POP3S_T_LOGIN_OK), rs_drop_n(drop));
	return 0;
}

static enum pop3s_text code_text(enum rs_pop3_code code)
{
	switch (code) {
	case RS_POP3_CODE_AUTH:
		return POP3S_T_CODE_AUTH;
	case RS_POP3_CODE_IN_USE:
		return POP3S_T_CODE_IN_USE;
	case RS_POP3_CODE_LOGIN_DELAY:
		return POP3S_T_CODE_LOGIN_DELAY;
	case RS_POP3_CODE_SYS_TEMP:
		return POP3S_T_CODE_SYS_TEMP;
	case RS_POP3_CODE_SYS_PERM:
		return POP3S_T_CODE_SYS_PERM;
	case RS_POP3_CODE_NONE:
	case RS_POP3_CODE_UTF8:
	case RS_POP3_CODE_OTHER:
		break;
	}
	return POP3S_T_CODE_OTHER;
}

static void err_code(struct rs_pop3s *s, enum rs_pop3_code code, const char *why)
{
	const char *name = rs_pop3_code_name(code);

	if (!why)
		why = pop3s_text(s, code_text(code));
	else
		why = pop3s_translated(s->lang, why);
	pop3s_reply(s, "-ERR %s%s%s%.400s", *name ? "[" : "", name, *name ? "] " : "", why);
}

void rs_pop3s_refuse(struct rs_pop3s *s, enum rs_pop3_code code, const char *why)
{
	if (over(s))
		return;
	assert(s->state == POP3S_WAIT_LOGIN || s->state == POP3S_WAIT_OPEN);
	pop3s_wipe_login(s);
	err_code(s, code, why);
	if (s->state == POP3S_WAIT_OPEN) {
		pop3s_state_set(s, POP3S_TRANSACTION);
		return;
	}
	pop3s_state_set(
		s, ++s->bad_n > s->cfg->limits.bad_max ? POP3S_CLOSED : POP3S_AUTHORIZATION);
}

/* "+OK 1234 octets", by hand: it stands in front of every message. */
static void retr_ok(struct rs_pop3s *s)
{
	uint8_t line[32] = "+OK ";
	size_t n = 4 + rs_num_put(pop3s_octets(s, s->open_row), line + 4);

	line[n++] = ' ';
	if (rs_buf_add(&s->out, line, n) < 0 ||
		rs_buf_add_str(&s->out, pop3s_text(s, POP3S_T_OCTETS)) < 0 ||
		rs_buf_add(&s->out, "\r\n", 2) < 0)
		fail(s, RS_ENOMEM, "no memory or no room for a reply");
}

void rs_pop3s_body_begin(struct rs_pop3s *s)
{
	if (over(s))
		return;
	assert(s->state == POP3S_WAIT_OPEN);
	if (s->enc.lines < 0)
		retr_ok(s);
	else
		pop3s_ok(s, POP3S_T_TOP);
	s->turning = pop3s_downgraded(s, s->open_row) != NULL;
	if (s->turning)
		rs_downgrade_init(&s->ascii);
	pop3s_state_set(s, POP3S_BODY);
}

/* Where a lot is waiting already, only what fits behind it: it would have to be moved. */
static size_t body_room(const struct rs_pop3s *s, size_t n)
{
	size_t room =
		rs_buf_n(&s->out) > MOVED_MAX ? s->out.max - s->out.tail : rs_buf_room(&s->out);

	room = RS_MIN(room, BODY_CHUNK);
	/* small pieces need at most twice their octets, a CR and a stuffed dot; to larger ones a whole
	 * buffer is given at once, which is cheaper than to let one grow */
	return n < PIECE_SMALL ? RS_MIN(room, n * 2 + 8) : room;
}

/* Octets of the message as they go out, dot-stuffed. Returns how many were taken. */
static size_t body_encode(struct rs_pop3s *s, const uint8_t *p, size_t n)
{
	size_t taken = 0;

	while (taken < n) {
		size_t room = body_room(s, n - taken);
		size_t used;
		uint8_t *to;

		if (s->enc.done)
			return n;
		if (room < 8)
			break;
		if (rs_buf_reserve(&s->out, room, &to) < 0) {
			fail(s, RS_ENOMEM, "no memory for a message on its way out");
			return n;
		}
		rs_buf_added(&s->out, rs_dot_enc(&s->enc, p + taken, n - taken, &used, to, room));
		taken += used;
	}
	return taken;
}

/* What the filter has ready. False: no room for all of it. */
static bool ascii_drain(struct rs_pop3s *s)
{
	struct rs_slice out = rs_downgrade_out(&s->ascii);

	if (out.n)
		rs_downgrade_fetched(&s->ascii, body_encode(s, out.p, out.n));
	return rs_downgrade_out(&s->ascii).n == 0;
}

static void ascii_end(struct rs_pop3s *s)
{
	if (s->turning)
		rs_downgrade_finish(&s->ascii);
	s->turning = false;
}

/* The same through the filter, as long as the header lasts. */
static size_t body_ascii(struct rs_pop3s *s, const uint8_t *p, size_t n)
{
	size_t taken = 0;

	while (ascii_drain(s) && !s->enc.done && s->state == POP3S_BODY) {
		size_t used;

		if (rs_downgrade_in_body(&s->ascii)) {
			ascii_end(s);
			return taken + body_encode(s, p + taken, n - taken);
		}
		if (taken == n)
			break;
		if (rs_downgrade_header(&s->ascii, p + taken, n - taken, &used) < 0)
			fail(s, RS_EIO, "a message is not what it was when its size was told");
		taken += used;
	}
	return s->enc.done || s->state != POP3S_BODY ? n : taken;
}

size_t rs_pop3s_body(struct rs_pop3s *s, const uint8_t *p, size_t n)
{
	if (s->state != POP3S_BODY)
		return n;
	return s->turning ? body_ascii(s, p, n) : body_encode(s, p, n);
}

bool rs_pop3s_body_last(struct rs_pop3s *s)
{
	if (s->state != POP3S_BODY || !s->turning || s->enc.done)
		return true;
	if (!ascii_drain(s))
		return false;
	if (rs_downgrade_end(&s->ascii) < 0)
		fail(s, RS_EIO, "a message is not what it was when its size was told");
	return ascii_drain(s);
}

bool rs_pop3s_body_enough(const struct rs_pop3s *s)
{
	return s->state != POP3S_BODY || s->enc.done;
}

bool rs_pop3s_body_end(struct rs_pop3s *s)
{
	uint8_t end[5];

	if (s->state != POP3S_BODY)
		return true;
	if (!rs_pop3s_body_last(s) || rs_buf_room(&s->out) < sizeof(end))
		return false;
	ascii_end(s);
	if (rs_buf_add(&s->out, end, rs_dot_enc_end(&s->enc, end)) < 0)
		fail(s, RS_ENOMEM, "no memory for the end of a message");
	pop3s_state_set(s, POP3S_TRANSACTION);
	return true;
}

uint64_t rs_pop3s_body_octets(const struct rs_pop3s *s)
{
	return rs_dot_enc_octets(&s->enc);
}

uint64_t rs_pop3s_body_told(const struct rs_pop3s *s)
{
	return pop3s_octets(s, s->open_row);
}

void rs_pop3s_body_broken(struct rs_pop3s *s)
{
	fail(s, RS_EIO, "a message broke off while it was sent");
}

void rs_pop3s_committed(struct rs_pop3s *s, uint32_t not_removed, enum rs_pop3_code code)
{
	const char *name =
		rs_pop3_code_name(code == RS_POP3_CODE_NONE ? RS_POP3_CODE_SYS_TEMP : code);

	if (over(s))
		return;
	assert(s->state == POP3S_WAIT_COMMIT);
	if (not_removed == 0)
		pop3s_ok(s, POP3S_T_BYE);
	else if (not_removed >= s->marked_n)
		pop3s_reply(s, "-ERR [%s] %s", name, pop3s_text(s, POP3S_T_NONE_REMOVED));
	else
		pop3s_reply(s, "-ERR [%s] %u %s", name, not_removed,
			pop3s_text(s, POP3S_T_NOT_REMOVED));
	pop3s_state_set(s, POP3S_CLOSED);
}

void rs_pop3s_abort(struct rs_pop3s *s, enum rs_pop3_code code, const char *why)
{
	/* In a listing or a body a line of ours would be taken for a part of it. */
	bool inside = s->state == POP3S_BODY || s->listing != POP3S_LIST_NONE;

	if (over(s))
		return;
	if (!inside && s->state != POP3S_WAIT_TLS && rs_buf_room(&s->out) >= RS_POP3_REPLY_MAX)
		err_code(s, code, why);
	pop3s_state_set(s, POP3S_CLOSED);
}

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_pop3s_out(const struct rs_pop3s *s)
{
	return rs_buf_slice(&s->out);
}

void rs_pop3s_sent(struct rs_pop3s *s, size_t n)
{
	rs_buf_consume(&s->out, n);
	pop3s_list_fill(s);
	if (s->out.cap > OUT_IDLE && s->state != POP3S_BODY)
		rs_buf_shrink(&s->out);
}

size_t rs_pop3s_out_room(const struct rs_pop3s *s)
{
	return rs_buf_room(&s->out);
}

const uint8_t *rs_pop3s_marks(const struct rs_pop3s *s, uint32_t *marked_n)
{
	*marked_n = s->marked_n;
	return s->marks;
}

bool rs_pop3s_in_transaction(const struct rs_pop3s *s)
{
	return s->has_drop;
}

uint32_t rs_pop3s_idle_s(const struct rs_pop3s *s)
{
	return s->has_drop ? s->cfg->limits.idle_s : s->cfg->limits.idle_pre_s;
}

enum rs_err_kind rs_pop3s_error(const struct rs_pop3s *s, const char **why)
{
	if (why)
		*why = s->err_why;
	return s->err;
}
