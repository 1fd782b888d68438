/* pop3c.c - the POP3 client engine: lifecycle, commands, input. Contract: pop3c.h.
 *
 *   GREETING --"+"--> REPLY --"+OK" of a listing--> LINES --"."--> REPLY
 *      |"-"            | |  --"+OK" of RETR, TOP--> BODY  --"."--> REPLY
 *      v               | |  --"+" of AUTH---------> WAIT_SASL --rs_pop3c_sasl--> REPLY
 *   CLOSED <--QUIT-----' '--"+OK" of STLS---------> WAIT_TLS --rs_pop3c_tls_up--> REPLY
 *   any --> FAILED: not POP3, a ceiling, octets held at the handshake, an end in the middle
 *
 * Facts (asserted by check()):
 *   in LINES, BODY and WAIT_SASL the first command of the queue is the one answered
 *   in GREETING and WAIT_TLS the queue is empty; barrier only while the queue is not empty
 *   WAIT_* use no input */
#include "proto/pop3c_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/secret.h"

/* line_max   512 by RFC 2449, real servers send longer ones (CAPA, errors with whole stories)
 * depth_max  as deep as a server may read ahead; the owner bounds octets in flight
 * lines_max  a mailbox of 16 million messages; each line costs the owner memory */
const struct rs_pop3c_limits rs_pop3c_limits_default = {
	.line_max = 8192,
	.depth_max = 1024,
	.out_max = 1u << 20,
	.body_max = UINT64_MAX,
	.lines_max = 16000000,
};

static void check(const struct rs_pop3c *c)
{
	switch (c->state) {
	case POP3C_GREETING:
	case POP3C_WAIT_TLS:
		assert(c->queued == 0);
		break;
	case POP3C_LINES:
	case POP3C_BODY:
	case POP3C_WAIT_SASL:
		assert(c->queued > 0);
		break;
	case POP3C_REPLY:
		assert(!c->barrier || c->queued > 0);
		break;
	case POP3C_CLOSED:
	case POP3C_FAILED:
		break;
	}
}

void pop3c_state_set(struct rs_pop3c *c, enum pop3c_state to)
{
	c->state = to;
	check(c);
}

enum rs_step pop3c_fail(struct rs_pop3c *c, enum rs_err_kind kind, const char *why)
{
	if (c->state != POP3C_FAILED) {
		(void)rs_err_set(&c->err, kind, "%s", why);
		c->state = POP3C_FAILED;
	}
	return RS_FAILED;
}

int rs_pop3c_create(const struct rs_pop3c_limits *lim, struct rs_pop3c **out)
{
	struct rs_pop3c *c;

	if (lim->line_max < 16 || lim->depth_max == 0 || lim->out_max < RS_POP3_LINE_MAX)
		return -RS_EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -RS_ENOMEM;
	c->queue = calloc(lim->depth_max, sizeof(*c->queue));
	if (!c->queue) {
		free(c);
		return -RS_ENOMEM;
	}
	c->lim = *lim;
	rs_buf_init(&c->line, lim->line_max);
	rs_buf_init(&c->out, lim->out_max);
	rs_buf_init(&c->initial, lim->out_max);
	rs_buf_init(&c->decoded, lim->line_max);
	rs_buf_init(&c->mechs, lim->line_max);
	*out = c;
	return 0;
}

void rs_pop3c_destroy(struct rs_pop3c **c)
{
	if (!*c)
		return;
	rs_buf_wipe(&(*c)->out);
	rs_buf_wipe(&(*c)->initial);
	rs_buf_finish(&(*c)->line);
	rs_buf_finish(&(*c)->out);
	rs_buf_finish(&(*c)->initial);
	rs_buf_finish(&(*c)->decoded);
	rs_buf_finish(&(*c)->mechs);
	free((*c)->queue);
	free(*c);
	*c = NULL;
}

/* --- commands ------------------------------------------------------------------------------ */

const struct pop3c_cmd *pop3c_current(const struct rs_pop3c *c)
{
	return c->queued ? &c->queue[c->first] : NULL;
}

void pop3c_answered(struct rs_pop3c *c)
{
	assert(c->queued > 0);
	c->first = (c->first + 1) % c->lim.depth_max;
	c->queued--;
	if (c->queued == 0)
		c->barrier = false;
}

/* May a command be queued now? */
int pop3c_may_send(const struct rs_pop3c *c)
{
	uint32_t depth = c->pipelining ? c->lim.depth_max : 1;

	if (c->state == POP3C_CLOSED || c->state == POP3C_FAILED)
		return -RS_ECLOSED;
	if (c->state == POP3C_GREETING || c->state == POP3C_WAIT_TLS || c->barrier)
		return -RS_EBUSY;
	return c->queued < depth ? 0 : -RS_EBUSY;
}

/* May other commands go out behind it unanswered, where the owner knows the server? */
static bool may_follow(const struct rs_pop3c *c, enum rs_pop3_verb v)
{
	return v == RS_POP3_UTF8 || v == RS_POP3_PASS ||
	       (v == RS_POP3_AUTH && rs_buf_n(&c->initial) == 0);
}

static void enqueue(struct rs_pop3c *c, enum rs_pop3_verb v, uint32_t tag, bool has_arg)
{
	struct pop3c_cmd *cmd = &c->queue[(c->first + c->queued) % c->lim.depth_max];

	*cmd = (struct pop3c_cmd){.verb = v, .tag = tag, .has_arg = has_arg};
	c->queued++;
	c->barrier = rs_pop3_verbs[v].barrier && !(c->assumed && may_follow(c, v));
}

int rs_pop3c_send(struct rs_pop3c *c, enum rs_pop3_verb v, uint32_t tag, const char *arg)
{
	const struct rs_pop3_verb_row *row = &rs_pop3_verbs[v];
	struct rs_slice a = rs_slice_str(arg);
	int rc = pop3c_may_send(c);

	if (rc < 0)
		return rc;
	if (v == RS_POP3_NONE || v == RS_POP3_AUTH)
		return -RS_EINVAL;
	if ((row->args_min && a.n == 0) || (row->args_max == 0 && a.n))
		return -RS_EINVAL;
	if (rs_slice_find(a, '\r') != a.n || rs_slice_find(a, '\n') != a.n)
		return -RS_EINVAL;
	if (strlen(row->name) + (a.n ? 1 : 0) + a.n + 2 > RS_POP3_LINE_MAX)
		return -RS_EINVAL;
	rc = rs_buf_addf(&c->out, "%s%s%s\r\n", row->name, a.n ? " " : "", a.n ? arg : "");
	if (rc == -RS_ELIMIT)
		return -RS_EBUSY;
	if (rc < 0)
		return rc;
	enqueue(c, v, tag, a.n > 0);
	return 0;
}

void rs_pop3c_pipelining(struct rs_pop3c *c, bool on)
{
	c->pipelining = on;
}

void rs_pop3c_assume(struct rs_pop3c *c, uint32_t caps)
{
	pop3c_caps_reset(c);
	c->caps = caps;
	c->assumed = true;
	c->pipelining = (caps & RS_CAP_PIPELINING) != 0;
}

/* AUTH has a line of its own (pop3c_auth.c). */
int pop3c_auth_queue(struct rs_pop3c *c, uint32_t tag)
{
	int rc = pop3c_may_send(c);

	if (rc == 0)
		enqueue(c, RS_POP3_AUTH, tag, true);
	return rc;
}

/* --- input --------------------------------------------------------------------------------- */

/* Gather one line; true when it is whole (in c->line, with its LF). */
static bool line_take(
	struct rs_pop3c *c, const uint8_t *in, size_t n, size_t *used, enum rs_step *step)
{
	size_t end = rs_slice_find(rs_slice(in, n), '\n');
	bool whole = end < n;
	int rc;

	if (whole)
		end++;
	*step = RS_MORE;
	rc = rs_buf_add(&c->line, in, end);
	if (rc < 0) {
		*step = pop3c_fail(c, rc == -RS_ELIMIT ? RS_EPROTO : RS_ENOMEM,
			"the server sent a line that is too long");
		return false;
	}
	*used += end;
	return whole;
}

static enum rs_step line_do(struct rs_pop3c *c, struct rs_pop3c_event *ev)
{
	struct rs_slice line = rs_buf_slice(&c->line);
	bool bare = true;

	line.n--; /* LF */
	if (line.n && line.p[line.n - 1] == '\r') {
		line.n--;
		bare = false;
	}
	c->line_given = true;
	if (c->state == POP3C_LINES)
		return pop3c_list_line(c, line, ev);
	c->bare_lf = bare;
	return pop3c_status_line(c, line, ev);
}

static enum rs_step body(
	struct rs_pop3c *c, const uint8_t *in, size_t n, size_t *used, struct rs_pop3c_event *ev)
{
	const struct pop3c_cmd *cmd = pop3c_current(c);
	struct rs_slice span;
	enum rs_dot_step step = rs_dot_dec(&c->dec, in, n, used, &span);

	if (step == RS_DOT_MORE)
		return RS_MORE;
	ev->verb = cmd->verb;
	ev->tag = cmd->tag;
	ev->octets = c->dec.octets;
	if (c->dec.octets > c->lim.body_max)
		return pop3c_fail(c, RS_ELIMIT, "the server sent a message that is too large");
	if (step == RS_DOT_END) {
		ev->kind = RS_C_END;
		pop3c_answered(c);
		pop3c_state_set(c, POP3C_REPLY);
	} else {
		ev->kind = RS_C_BODY;
		ev->text = span;
	}
	return RS_EVENT;
}

enum rs_step rs_pop3c_recv(
	struct rs_pop3c *c, const uint8_t *in, size_t n, size_t *used, struct rs_pop3c_event *ev)
{
	enum rs_step step;

	*used = 0;
	check(c);
	*ev = (struct rs_pop3c_event){.size = UINT64_MAX};
	if (c->line_given)
		rs_buf_clear(&c->line);
	c->line_given = false;
	switch (c->state) {
	case POP3C_CLOSED:
		return RS_CLOSED;
	case POP3C_FAILED:
		return RS_FAILED;
	case POP3C_WAIT_SASL:
	case POP3C_WAIT_TLS:
		return RS_BLOCKED;
	case POP3C_BODY:
		return body(c, in, n, used, ev);
	case POP3C_GREETING:
	case POP3C_REPLY:
	case POP3C_LINES:
		break;
	}
	if (n && c->state == POP3C_REPLY && c->queued == 0)
		return pop3c_fail(c, RS_EPROTO, "the server sent something that nobody asked for");
	do { /* a line may be answered by the engine itself: no event, the next one */
		if (c->line_given)
			rs_buf_clear(&c->line);
		c->line_given = false;
		if (!line_take(c, in + *used, n - *used, used, &step))
			return step;
		step = line_do(c, ev);
	} while (step == RS_MORE);
	return step;
}

enum rs_step rs_pop3c_eof(struct rs_pop3c *c)
{
	if (c->state == POP3C_CLOSED)
		return RS_CLOSED;
	return pop3c_fail(c, RS_ECLOSED, "the server closed the connection in the middle");
}

enum rs_step rs_pop3c_tls_up(struct rs_pop3c *c, size_t held)
{
	if (c->state != POP3C_WAIT_TLS || held)
		return pop3c_fail(c, RS_EPROTO,
			held ? "octets came behind the answer to STLS, before the handshake: "
			       "somebody is tampering with the connection"
			     : "a handshake that nobody asked for");
	pop3c_caps_reset(c);
	rs_buf_wipe(&c->out);
	rs_buf_wipe(&c->initial);
	c->pipelining = false;
	c->assumed = false;
	c->barrier = false;
	pop3c_state_set(c, POP3C_REPLY);
	return RS_MORE;
}

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_pop3c_out(const struct rs_pop3c *c)
{
	return rs_buf_slice(&c->out);
}

void rs_pop3c_sent(struct rs_pop3c *c, size_t n)
{
	assert(n <= rs_buf_n(&c->out));
	if (n)
		rs_wipe(c->out.p + c->out.head, n); /* it may have been a password */
	rs_buf_consume(&c->out, n);
}

uint32_t rs_pop3c_pending(const struct rs_pop3c *c)
{
	return c->queued;
}

uint32_t rs_pop3c_caps(const struct rs_pop3c *c)
{
	return c->caps;
}

uint32_t rs_pop3c_login_delay_s(const struct rs_pop3c *c)
{
	return c->login_delay_s;
}

const struct rs_err *rs_pop3c_error(const struct rs_pop3c *c)
{
	return &c->err;
}
