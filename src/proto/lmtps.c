/* lmtps.c - the LMTP/SMTP server engine: lifecycle, lines, data, replies. Contract: lmtps.h.
 *
 *   START --LHLO--> READY --MAIL--> (WAIT) --> MAIL --RCPT--> (WAIT) --> MAIL
 *                     ^                          | DATA
 *                     |                        (WAIT) --354--> DATA --CRLF.CRLF--> RESULTS
 *                     '-- every recipient answered --------------------------------'
 *   BDAT: MAIL --(WAIT)--> CHUNK --all of it--> MAIL, or RESULTS behind the last
 *   RSET, LHLO: MAIL --> READY ;  STARTTLS: READY --> WAIT_TLS --> START ;  AUTH: READY --> WAIT/SASL
 *   QUIT, too many refusals, abort: --> CLOSED ;  injection, no memory: --> FAILED
 *
 * Facts (asserted by check()): rcpt_n > 0 in DATA, RESULTS and a CHUNK that is taken; in WAIT `asked` says what the owner
 * has; results_n < rcpt_n in RESULTS (LMTP); WAIT*, RESULTS use no input. */
#include "proto/lmtps_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/secret.h"

#define REPLY_MAX 512u /* RFC 5321 section 4.5.3.1.5 */
#define OUT_MIN   1024u
#define RCPTS_MAX 10000u

/* line_max  512 by RFC 5321 4.5.3.1.4, and what SIZE, BODY, SMTPUTF8, ORCPT add
 * rcpt_max  RFC 5321 4.5.3.1.8: at least 100; Postfix sends 50
 * size_max  what large providers accept
 * bad_max   an MTA that is refused each of 100 recipients is no attacker */
const struct rs_lmtps_limits rs_lmtps_limits_default = {
	.line_max = 2048,
	.sasl_max = 24576,
	.out_max = 65536,
	.rcpt_max = 1000,
	.bad_max = 100,
	.size_max = 128u << 20,
	.idle_s = 300,
};

static void check(const struct rs_lmtps *s)
{
	if (s->state == LMTPS_DATA || s->state == LMTPS_RESULTS ||
		(s->state == LMTPS_CHUNK && s->skip_code == 0))
		assert(s->rcpt_n > 0);
	if (s->state == LMTPS_RESULTS)
		assert(s->results_n < s->rcpt_n);
	if (s->state == LMTPS_START || s->state == LMTPS_READY)
		assert(s->rcpt_n == 0);
}

void lmtps_state_set(struct rs_lmtps *s, enum lmtps_state to)
{
	if (s->state == LMTPS_FAILED || (s->state == LMTPS_CLOSED && to != LMTPS_FAILED))
		return;
	if (to == LMTPS_READY || to == LMTPS_START) {
		s->rcpt_n = 0;
		s->chunks = false;
	}
	s->state = to;
	check(s);
}

static void fail(struct rs_lmtps *s, enum rs_err_kind kind, const char *why)
{
	if (s->state != LMTPS_FAILED)
		(void)rs_err_set(&s->err, kind, "%s", why);
	lmtps_state_set(s, LMTPS_FAILED);
}

/* --- replies ------------------------------------------------------------------------------- */

static const char *default_text(unsigned code)
{
	switch (code) {
	case 250:
		return "OK";
	case 354:
		return "Send the message, end with a line that holds only a dot";
	case 421:
		return "Closing";
	case 450:
	case 451:
		return "Temporary failure, try again later";
	case 452:
		return "No space, try again later";
	case 550:
		return "No such mailbox";
	case 552:
		return "Too large";
	default:
		return code < 400 ? "OK" : "Refused";
	}
}

void lmtps_reply(struct rs_lmtps *s, unsigned code, const char *status, const char *text)
{
	char line[REPLY_MAX + 1];
	int n;

	n = snprintf(line, sizeof(line) - 2, "%u %s%s%.400s", code, status ? status : "",
		status ? " " : "", text ? text : default_text(code));
	assert(n > 0 && (size_t)n < sizeof(line) - 2);
	line[n] = '\r';
	line[n + 1] = '\n';
	if (rs_buf_add(&s->out, line, (size_t)n + 2) < 0)
		fail(s, RS_ENOMEM, "no memory or no room for a reply");
}

void lmtps_bad(struct rs_lmtps *s, unsigned code, const char *status, const char *text)
{
	if (++s->bad_n > s->cfg->limits.bad_max) {
		lmtps_reply(s, 421, "4.7.0", "Too many refused commands");
		lmtps_state_set(s, LMTPS_CLOSED);
		return;
	}
	lmtps_reply(s, code, status, text);
}

bool lmtps_ask(struct rs_lmtps *s, enum rs_lmtps_kind what, struct rs_lmtps_event *ev)
{
	ev->kind = what;
	ev->rcpt = s->rcpt_n;
	s->before = s->state;
	s->asked = what;
	lmtps_state_set(s, LMTPS_WAIT);
	return true;
}

/* --- lifecycle ----------------------------------------------------------------------------- */

int rs_lmtps_create(const struct rs_lmtps_cfg *cfg, struct rs_lmtps **out)
{
	const struct rs_lmtps_limits *l = &cfg->limits;
	struct rs_lmtps *s;

	if (l->line_max < 64 || l->sasl_max < l->line_max || l->out_max < OUT_MIN)
		return -RS_EINVAL;
	if (l->rcpt_max == 0 || l->rcpt_max > RCPTS_MAX || !cfg->hostname)
		return -RS_EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -RS_ENOMEM;
	s->cfg = cfg;
	s->tls = (cfg->flags & RS_LMTPS_TLS) != 0;
	rs_buf_init(&s->line, l->sasl_max);
	rs_buf_init(&s->out, l->out_max);
	rs_buf_init(&s->secret, l->sasl_max);
	if (rs_buf_addf(&s->out, "220 %.255s %s Restante\r\n", cfg->hostname,
		    cfg->flags & RS_LMTPS_SMTP ? "ESMTP" : "LMTP") < 0) {
		rs_lmtps_destroy(&s);
		return -RS_ENOMEM;
	}
	*out = s;
	return 0;
}

void rs_lmtps_destroy(struct rs_lmtps **s)
{
	if (!*s)
		return;
	rs_buf_wipe(&(*s)->line);
	rs_buf_wipe(&(*s)->secret);
	rs_buf_finish(&(*s)->line);
	rs_buf_finish(&(*s)->out);
	rs_buf_finish(&(*s)->secret);
	free(*s);
	*s = NULL;
}

/* --- input --------------------------------------------------------------------------------- */

static size_t line_max(const struct rs_lmtps *s)
{
	bool auth = rs_slice_istarts(rs_buf_slice(&s->line), "AUTH ");

	return s->state == LMTPS_SASL || auth ? s->cfg->limits.sasl_max : s->cfg->limits.line_max;
}

/* Append to the line; past its ceiling the rest is swallowed and the line is refused whole. */
static void line_add(struct rs_lmtps *s, const uint8_t *p, size_t n)
{
	while (n && !s->line_long) {
		size_t held = rs_buf_n(&s->line);
		size_t take = held < 5 ? RS_MIN(n, 5 - held) : n;

		if (held + take > line_max(s) || rs_buf_add(&s->line, p, take) < 0) {
			s->line_long = true;
			rs_buf_wipe(&s->line);
		}
		p += take;
		n -= take;
	}
}

static bool line_take(struct rs_lmtps *s, const uint8_t *in, size_t n, size_t *used)
{
	size_t end = rs_slice_find(rs_slice(in, n), '\n');
	bool whole = end < n;

	if (whole)
		end++;
	line_add(s, in, end);
	*used += end;
	return whole;
}

static bool line_do(struct rs_lmtps *s, struct rs_lmtps_event *ev)
{
	struct rs_slice line = rs_buf_slice(&s->line);

	if (s->line_long) {
		s->line_long = false;
		if (s->state == LMTPS_SASL)
			lmtps_state_set(s, LMTPS_READY);
		lmtps_bad(s, 500, "5.5.2", "Line too long");
		return false;
	}
	line.n--; /* LF */
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return s->state == LMTPS_SASL ? lmtps_sasl_line(s, line, ev) : lmtps_command(s, line, ev);
}

/* The message has ended: RESULTS, or the refusal of one that was too large. */
static enum rs_step data_end(struct rs_lmtps *s, struct rs_lmtps_event *ev)
{
	uint32_t n = s->cfg->flags & RS_LMTPS_SMTP ? 1 : s->rcpt_n;

	if (!s->too_big) {
		s->results_n = 0;
		lmtps_state_set(s, LMTPS_RESULTS);
		ev->kind = RS_L_END;
		return RS_EVENT;
	}
	/* Replies of many recipients may not fit at once; they are short and bounded by rcpt_max, so
	 * the ceiling of the output is lifted for them. */
	s->out.max = s->cfg->limits.out_max + (size_t)n * REPLY_MAX;
	for (uint32_t i = 0; i < n; i++)
		lmtps_reply(s, 552, "5.3.4", "The message is larger than is accepted here");
	lmtps_state_set(s, LMTPS_READY);
	return RS_MORE;
}

/* DATA: events BODY and TOO_BIG, then the end. RS_MORE with octets left means: go on. */
static enum rs_step data(
	struct rs_lmtps *s, const uint8_t *in, size_t n, size_t *used, struct rs_lmtps_event *ev)
{
	uint64_t max = s->cfg->limits.size_max;
	struct rs_slice span;
	size_t taken = 0;
	enum rs_dot_step step = rs_dot_dec(&s->dec, in, n, &taken, &span);

	*used += taken;
	if (step == RS_DOT_MORE)
		return RS_MORE;
	if (step == RS_DOT_END)
		return data_end(s, ev);
	if (max && s->dec.octets > max) {
		if (s->too_big)
			return RS_MORE;
		s->too_big = true;
		ev->kind = RS_L_TOO_BIG;
		return RS_EVENT;
	}
	ev->kind = RS_L_BODY;
	ev->text = span;
	return RS_EVENT;
}

/* All octets of a chunk are there. */
static enum rs_step chunk_end(struct rs_lmtps *s, struct rs_lmtps_event *ev)
{
	if (s->skip_code) {
		lmtps_state_set(s, s->before);
		lmtps_bad(s, s->skip_code, s->skip_status[0] ? s->skip_status : NULL, NULL);
		return RS_MORE;
	}
	if (s->chunk_last)
		return data_end(s, ev);
	lmtps_state_set(s, LMTPS_MAIL);
	if (s->too_big)
		lmtps_reply(s, 552, "5.3.4", "The message is larger than is accepted here");
	else
		lmtps_reply(s, 250, "2.0.0", NULL);
	return RS_MORE;
}

/* CHUNK: events BODY and TOO_BIG. RS_MORE: go on, or there are no more octets. */
static enum rs_step chunk(
	struct rs_lmtps *s, const uint8_t *in, size_t n, size_t *used, struct rs_lmtps_event *ev)
{
	size_t take = n < s->chunk_left ? n : (size_t)s->chunk_left;
	uint64_t max = s->cfg->limits.size_max;

	if (s->chunk_left == 0)
		return chunk_end(s, ev);
	s->chunk_left -= take;
	*used += take;
	if (take == 0 || s->skip_code || s->too_big)
		return RS_MORE;
	s->octets += take;
	if (max && s->octets > max) {
		s->too_big = true;
		ev->kind = RS_L_TOO_BIG;
		return RS_EVENT;
	}
	ev->kind = RS_L_BODY;
	ev->text = rs_slice(in, take);
	return RS_EVENT;
}

bool lmtps_chunk(struct rs_lmtps *s, uint64_t n, bool last, struct rs_lmtps_event *ev)
{
	s->chunk_left = n;
	s->chunk_last = last;
	s->skip_code = 0;
	s->before = s->state;
	if (s->rcpt_n && !s->chunks) {
		s->chunks = true;
		s->octets = 0;
		return lmtps_ask(s, RS_L_DATA, ev);
	}
	if (s->rcpt_n == 0) {
		s->skip_code = 503;
		memcpy(s->skip_status, "5.5.1", 6);
	}
	lmtps_state_set(s, LMTPS_CHUNK);
	return false;
}

/* True while a reply fits; many results of one message may have filled the output. */
static bool room(const struct rs_lmtps *s)
{
	return rs_buf_n(&s->out) + REPLY_MAX * 2 <= s->cfg->limits.out_max;
}

/* Does the state take a line now? Else *step says why not. */
static bool takes_line(const struct rs_lmtps *s, enum rs_step *step)
{
	switch (s->state) {
	case LMTPS_CLOSED:
		*step = RS_CLOSED;
		return false;
	case LMTPS_FAILED:
		*step = RS_FAILED;
		return false;
	case LMTPS_START:
	case LMTPS_READY:
	case LMTPS_MAIL:
	case LMTPS_SASL:
		*step = RS_BLOCKED;
		return room(s);
	case LMTPS_WAIT:
	case LMTPS_WAIT_TLS:
	case LMTPS_RESULTS:
	case LMTPS_DATA:
	case LMTPS_CHUNK:
		break;
	}
	*step = RS_BLOCKED;
	return false;
}

/* What an event lent out of the line is kept until the next call: now it is over. */
static void line_forget(struct rs_lmtps *s)
{
	struct rs_slice held = rs_buf_slice(&s->line);

	if (held.n && held.p[held.n - 1] == '\n')
		rs_buf_wipe(&s->line);
}

enum rs_step rs_lmtps_recv(
	struct rs_lmtps *s, const uint8_t *in, size_t n, size_t *used, struct rs_lmtps_event *ev)
{
	enum rs_step step;

	*used = 0;
	rs_buf_wipe(&s->secret);
	for (;;) {
		check(s);
		*ev = (struct rs_lmtps_event){.rcpt = 0};
		if (s->reset_due) {
			s->reset_due = false;
			ev->kind = RS_L_RESET;
			return RS_EVENT;
		}
		if (s->state == LMTPS_DATA) {
			if (data(s, in + *used, n - *used, used, ev) == RS_EVENT)
				return RS_EVENT;
			if (*used == n && s->state != LMTPS_FAILED)
				return RS_MORE;
			continue;
		}
		if (s->state == LMTPS_CHUNK) {
			if (chunk(s, in + *used, n - *used, used, ev) == RS_EVENT)
				return RS_EVENT;
			if (s->state == LMTPS_CHUNK && s->chunk_left && *used == n)
				return RS_MORE;
			continue;
		}
		if (!takes_line(s, &step))
			return step;
		line_forget(s);
		if (!line_take(s, in + *used, n - *used, used))
			return RS_MORE;
		if (line_do(s, ev))
			return RS_EVENT;
	}
}

enum rs_step rs_lmtps_eof(struct rs_lmtps *s)
{
	lmtps_state_set(s, LMTPS_CLOSED);
	return s->state == LMTPS_FAILED ? RS_FAILED : RS_CLOSED;
}

enum rs_step rs_lmtps_tls_up(struct rs_lmtps *s, size_t held)
{
	if (s->state != LMTPS_WAIT_TLS || held) {
		fail(s, RS_EPROTO,
			held ? "octets were sent behind STARTTLS, before the handshake"
			     : "a handshake that nobody asked for");
		return RS_FAILED;
	}
	rs_buf_clear(&s->out);
	s->tls = true;
	s->authed = false;
	lmtps_state_set(s, LMTPS_START); /* RFC 3207 section 4.2: from the beginning */
	return RS_MORE;
}

/* --- answers of the owner ------------------------------------------------------------------ */

static void accepted(struct rs_lmtps *s)
{
	if (s->asked == RS_L_MAIL) {
		lmtps_state_set(s, LMTPS_MAIL);
	} else if (s->asked == RS_L_RCPT) {
		s->rcpt_n++;
		lmtps_state_set(s, LMTPS_MAIL);
	} else {
		rs_dot_dec_init(&s->dec, false); /* never lenient: that is how smuggling begins */
		s->too_big = false;
		lmtps_state_set(s, s->chunks ? LMTPS_CHUNK : LMTPS_DATA);
	}
}

void rs_lmtps_reply(struct rs_lmtps *s, unsigned code, const char *status, const char *text)
{
	if (s->state != LMTPS_WAIT)
		return;
	if (s->asked != RS_L_AUTH && code < 400) {
		if (code != 354 || !s->chunks)
			lmtps_reply(s, code, code == 354 ? NULL : status, text);
		accepted(s);
		return;
	}
	if (s->asked == RS_L_DATA && s->chunks) { /* the octets come all the same */
		s->chunks = false;
		s->skip_code = code;
		s->skip_status[0] = '\0';
		if (status && rs_slice_copy(rs_slice_str(status), s->skip_status,
				      sizeof(s->skip_status)) < 0)
			s->skip_status[0] = '\0';
		lmtps_state_set(s, LMTPS_CHUNK);
		return;
	}
	lmtps_state_set(s, s->before);
	lmtps_bad(s, code, status, text);
}

void rs_lmtps_auth_ok(struct rs_lmtps *s)
{
	if (s->state != LMTPS_WAIT)
		return;
	s->authed = true;
	lmtps_reply(s, 235, "2.7.0", "Logged in");
	lmtps_state_set(s, LMTPS_READY);
}

int rs_lmtps_challenge(struct rs_lmtps *s, struct rs_slice challenge)
{
	size_t n = rs_b64_enc_n(challenge.n);
	uint8_t *to;
	int rc;

	if (s->state != LMTPS_WAIT)
		return -RS_EBUSY;
	rc = rs_buf_reserve(&s->out, n + 6, &to);
	if (rc < 0)
		return rc;
	memcpy(to, "334 ", 4);
	n = rs_b64_enc(challenge, to + 4);
	memcpy(to + 4 + n, "\r\n", 2);
	rs_buf_added(&s->out, n + 6);
	lmtps_state_set(s, LMTPS_SASL);
	return 0;
}

void rs_lmtps_result(
	struct rs_lmtps *s, uint32_t rcpt, unsigned code, const char *status, const char *text)
{
	uint32_t n = s->cfg->flags & RS_LMTPS_SMTP ? 1 : s->rcpt_n;

	if (s->state != LMTPS_RESULTS)
		return;
	assert(rcpt == s->results_n);
	s->out.max = s->cfg->limits.out_max + (size_t)n * REPLY_MAX;
	lmtps_reply(s, code, status, text);
	if (++s->results_n == n) {
		s->bad_n =
			0; /* an MTA keeps its session; refused recipients of old messages are forgotten */
		lmtps_state_set(s, LMTPS_READY);
	}
}

void rs_lmtps_abort(struct rs_lmtps *s, const char *text)
{
	if (s->state == LMTPS_CLOSED || s->state == LMTPS_FAILED)
		return;
	if (s->state != LMTPS_WAIT_TLS && rs_buf_room(&s->out) >= REPLY_MAX)
		lmtps_reply(s, 421, "4.3.2", text);
	lmtps_state_set(s, LMTPS_CLOSED);
}

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_lmtps_out(const struct rs_lmtps *s)
{
	return rs_buf_slice(&s->out);
}

void rs_lmtps_sent(struct rs_lmtps *s, size_t n)
{
	rs_buf_consume(&s->out, n);
	rs_buf_shrink(&s->out);
}

uint32_t rs_lmtps_rcpt_n(const struct rs_lmtps *s)
{
	return s->rcpt_n;
}

uint32_t rs_lmtps_idle_s(const struct rs_lmtps *s)
{
	return s->cfg->limits.idle_s;
}

const struct rs_err *rs_lmtps_error(const struct rs_lmtps *s)
{
	return &s->err;
}
