/* smtpc.c - the SMTP client engine: lifecycle, input, commands, the message. Contract: smtpc.h.
 *
 *   GREETING --220--> EHLO --250--> [STARTTLS --220--> WAIT_TLS --tls_up--> EHLO] --> [AUTH --235--] --> READY
 *   EHLO --5xx--> HELO --250--> as behind EHLO, without extensions
 *   READY --DATA, 354--> BODY --rs_smtpc_end--> READY ;  READY --rs_smtpc_quit--> QUIT --221--> CLOSED
 *   RS_SMTPC_SASL: instead of AUTH, LOGIN --_auth--> AUTH --334--> SASL --_sasl--> AUTH ; LOGIN --_no_auth--> READY
 *   refused before READY, 421, an answer in the middle of BODY: --> CLOSED ;  not SMTP, a ceiling, octets held
 *   at the handshake, an end in the middle: --> FAILED
 *
 * Facts (asserted by check()): the queue is empty but in READY and QUIT; WAIT_TLS, LOGIN and SASL use no input. */
#include "proto/smtpc_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

#define TEXT_MAX  400u
#define MECHS_MAX 400u

/* line_max   512 by RFC 5321 4.5.3.1.5; real servers tell stories
 * lines_max  EHLO of the largest has 20
 * depth_max  MAIL and some recipients; the owner waits for answers anyway */
const struct rs_smtpc_limits rs_smtpc_limits_default = {
	.line_max = 2048,
	.lines_max = 100,
	.out_max = 65536,
	.depth_max = 32,
};

static void check(const struct rs_smtpc *c)
{
	bool owner = c->state == SMTPC_READY || c->state == SMTPC_QUIT ||
		     c->state == SMTPC_CLOSED || c->state == SMTPC_FAILED;

	assert(owner || c->queued == 0);
}

enum rs_step smtpc_fail(struct rs_smtpc *c, enum rs_err_kind kind, const char *why)
{
	if (c->state != SMTPC_FAILED)
		(void)rs_err_set(&c->err, kind, "%s", why);
	c->state = SMTPC_FAILED;
	return RS_FAILED;
}

void smtpc_say(struct rs_smtpc *c, const char *verb, struct rs_slice arg)
{
	if (rs_buf_add_str(&c->out, verb) < 0 || rs_buf_add(&c->out, arg.p, arg.n) < 0 ||
		rs_buf_add_str(&c->out, "\r\n") < 0)
		(void)smtpc_fail(c, RS_ENOMEM, "no memory or no room for a command");
}

int rs_smtpc_create(const struct rs_smtpc_cfg *cfg, struct rs_smtpc **out)
{
	const struct rs_smtpc_limits *l = &cfg->limits;
	struct rs_smtpc *c;

	if (l->line_max < 64 || l->lines_max == 0 || l->out_max < 4096 || l->depth_max == 0 ||
		!cfg->hostname || (cfg->user && !cfg->password))
		return -RS_EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -RS_ENOMEM;
	c->queue = calloc(l->depth_max, sizeof(*c->queue));
	if (!c->queue) {
		free(c);
		return -RS_ENOMEM;
	}
	c->cfg = cfg;
	c->tls = (cfg->flags & RS_SMTPC_TLS) != 0;
	rs_buf_init(&c->line, l->line_max);
	rs_buf_init(&c->out, l->out_max);
	rs_buf_init(&c->reply.text, TEXT_MAX);
	rs_buf_init(&c->reply.challenge, l->line_max);
	rs_buf_init(&c->mechs, MECHS_MAX);
	*out = c;
	return 0;
}

void rs_smtpc_destroy(struct rs_smtpc **c)
{
	if (!*c)
		return;
	rs_buf_wipe(&(*c)->out);
	rs_buf_finish(&(*c)->line);
	rs_buf_finish(&(*c)->out);
	rs_buf_finish(&(*c)->reply.text);
	rs_buf_finish(&(*c)->reply.challenge);
	rs_buf_finish(&(*c)->mechs);
	free((*c)->queue);
	free(*c);
	*c = NULL;
}

/* --- input --------------------------------------------------------------------------------- */

/* A whole reply, from READY on. */
static enum rs_step answered(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	struct smtpc_cmd cmd;

	if (c->state == SMTPC_BODY) { /* the server does not want the rest */
		if (ev->code < 400)
			return smtpc_fail(
				c, RS_EPROTO, "the server answered in the middle of a message");
		ev->kind = RS_M_DONE;
		c->state = SMTPC_CLOSED;
		return RS_EVENT;
	}
	if (c->queued == 0) {
		if (ev->code == 421 || c->state == SMTPC_QUIT) {
			c->state = SMTPC_CLOSED;
			return RS_CLOSED;
		}
		return smtpc_fail(c, RS_EPROTO, "the server sent something that nobody asked for");
	}
	cmd = c->queue[c->first];
	c->first = (c->first + 1) % c->cfg->limits.depth_max;
	c->queued--;
	ev->kind = cmd.kind;
	ev->tag = cmd.tag;
	if (ev->code == 421)
		c->state = SMTPC_CLOSED;
	else if (cmd.kind == RS_M_DATA && ev->code == 354)
		c->state = SMTPC_BODY;
	else if (ev->code / 100 == 3)
		return smtpc_fail(c, RS_EPROTO, "the server asks for more where nothing follows");
	return RS_EVENT;
}

static enum rs_step line_do(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	struct rs_slice line = rs_buf_slice(&c->line);
	enum rs_step step;

	line.n--; /* LF */
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	step = smtpc_reply_line(c, line);
	rs_buf_clear(&c->line);
	if (step != RS_EVENT)
		return step;
	c->given = true;
	ev->code = c->reply.code;
	ev->status = rs_slice_str(c->reply.status);
	ev->text = rs_buf_slice(&c->reply.text);
	if (c->state == SMTPC_READY || c->state == SMTPC_BODY || c->state == SMTPC_QUIT)
		return answered(c, ev);
	step = smtpc_begin(c, ev);
	return c->state == SMTPC_FAILED ? RS_FAILED : step;
}

/* Gather one line; true when it is whole (in c->line, with its LF). */
static bool line_take(
	struct rs_smtpc *c, const uint8_t *in, size_t n, size_t *used, enum rs_step *step)
{
	size_t end = rs_slice_find(rs_slice(in, n), '\n');
	bool whole = end < n;

	if (whole)
		end++;
	*step = RS_MORE;
	if (rs_buf_add(&c->line, in, end) < 0) {
		*step = smtpc_fail(c, RS_EPROTO, "the server sent a line that is too long");
		return false;
	}
	*used += end;
	return whole;
}

enum rs_step rs_smtpc_recv(
	struct rs_smtpc *c, const uint8_t *in, size_t n, size_t *used, struct rs_smtpc_event *ev)
{
	enum rs_step step;

	*used = 0;
	do {
		check(c);
		*ev = (struct rs_smtpc_event){.code = 0};
		if (c->given)
			smtpc_reply_forget(c);
		c->given = false;
		if (c->state == SMTPC_CLOSED)
			return RS_CLOSED;
		if (c->state == SMTPC_FAILED)
			return RS_FAILED;
		if (c->state == SMTPC_WAIT_TLS || c->state == SMTPC_LOGIN || c->state == SMTPC_SASL)
			return RS_BLOCKED;
		if (!line_take(c, in + *used, n - *used, used, &step))
			return step;
		step = line_do(c, ev);
	} while (step == RS_MORE);
	return step;
}

enum rs_step rs_smtpc_eof(struct rs_smtpc *c)
{
	bool idle = c->state == SMTPC_QUIT || (c->state == SMTPC_READY && c->queued == 0);

	if (c->state == SMTPC_CLOSED || (idle && c->reply.code == 0)) {
		c->state = SMTPC_CLOSED;
		return RS_CLOSED;
	}
	return smtpc_fail(c, RS_ECLOSED, "the server closed the connection in the middle");
}

enum rs_step rs_smtpc_tls_up(struct rs_smtpc *c, size_t held)
{
	if (c->state != SMTPC_WAIT_TLS || held)
		return smtpc_fail(c, RS_EPROTO,
			held ? "octets came behind the answer to STARTTLS, before the handshake: "
			       "somebody is tampering with the connection"
			     : "a handshake that nobody asked for");
	c->tls = true;
	rs_buf_clear(&c->out);
	smtpc_ehlo(c); /* RFC 3207 section 4.2: what was learnt before is forgotten */
	return c->state == SMTPC_FAILED ? RS_FAILED : RS_MORE;
}

/* --- commands ------------------------------------------------------------------------------ */

static int may_send(const struct rs_smtpc *c)
{
	uint32_t depth = c->caps & RS_SMTPC_CAP_PIPELINING ? c->cfg->limits.depth_max : 1;

	if (c->state == SMTPC_CLOSED || c->state == SMTPC_FAILED || c->state == SMTPC_QUIT)
		return -RS_ECLOSED;
	if (c->state != SMTPC_READY || c->queued >= depth)
		return -RS_EBUSY;
	/* nothing goes behind DATA before it is answered */
	if (c->queued) {
		uint32_t last = (c->first + c->queued - 1) % c->cfg->limits.depth_max;

		if (c->queue[last].kind == RS_M_DATA || c->queue[last].kind == RS_M_DONE)
			return -RS_EBUSY;
	}
	return rs_buf_room(&c->out) < 2048 ? -RS_EBUSY : 0;
}

static void enqueue(struct rs_smtpc *c, enum rs_smtpc_kind kind, uint32_t tag)
{
	c->queue[(c->first + c->queued) % c->cfg->limits.depth_max] =
		(struct smtpc_cmd){.kind = kind, .tag = tag};
	c->queued++;
}

/* May it stand between < and >? */
static bool path_ok(struct rs_slice address)
{
	for (size_t i = 0; i < address.n; i++) {
		if (address.p[i] < 0x20 || address.p[i] == 0x7f)
			return false;
	}
	return address.n <= 512;
}

static int fresh(const struct rs_smtpc *c)
{
	return c->state == SMTPC_FAILED ? -RS_ENOMEM : 0;
}

int rs_smtpc_mail(struct rs_smtpc *c, struct rs_slice sender, uint32_t flags, uint64_t size)
{
	int rc = may_send(c);
	char told[32] = "";

	if (rc < 0)
		return rc;
	if (!path_ok(sender) || (flags & RS_SMTPC_UTF8 && !(c->caps & RS_SMTPC_CAP_SMTPUTF8)) ||
		(flags & RS_SMTPC_8BIT && !(c->caps & RS_SMTPC_CAP_8BITMIME)))
		return -RS_EINVAL;
	if (size && c->caps & RS_SMTPC_CAP_SIZE)
		(void)snprintf(told, sizeof(told), " SIZE=%llu", (unsigned long long)size);
	if (rs_buf_add_str(&c->out, "MAIL FROM:<") < 0 ||
		rs_buf_add(&c->out, sender.p, sender.n) < 0 ||
		rs_buf_addf(&c->out, ">%s%s%s\r\n", told,
			flags & RS_SMTPC_8BIT ? " BODY=8BITMIME" : "",
			flags & RS_SMTPC_UTF8 ? " SMTPUTF8" : "") < 0)
		(void)smtpc_fail(c, RS_ENOMEM, "no memory");
	else
		enqueue(c, RS_M_MAIL, 0);
	return fresh(c);
}

int rs_smtpc_rcpt(struct rs_smtpc *c, uint32_t tag, struct rs_slice address)
{
	int rc = may_send(c);

	if (rc < 0)
		return rc;
	if (!path_ok(address) || address.n == 0)
		return -RS_EINVAL;
	if (rs_buf_add_str(&c->out, "RCPT TO:<") < 0 ||
		rs_buf_add(&c->out, address.p, address.n) < 0 ||
		rs_buf_add_str(&c->out, ">\r\n") < 0)
		(void)smtpc_fail(c, RS_ENOMEM, "no memory");
	else
		enqueue(c, RS_M_RCPT, tag);
	return fresh(c);
}

static int plain_command(struct rs_smtpc *c, const char *line, enum rs_smtpc_kind kind)
{
	int rc = may_send(c);

	if (rc < 0)
		return rc;
	smtpc_say(c, line, rs_slice(NULL, 0));
	enqueue(c, kind, 0);
	return fresh(c);
}

int rs_smtpc_data(struct rs_smtpc *c)
{
	int rc = plain_command(c, "DATA", RS_M_DATA);

	if (rc == 0) {
		rs_dot_enc_init(&c->enc, -1);
		c->cr = false;
	}
	return rc;
}

int rs_smtpc_reset(struct rs_smtpc *c)
{
	return plain_command(c, "RSET", RS_M_RESET);
}

int rs_smtpc_quit(struct rs_smtpc *c)
{
	int rc = may_send(c);

	if (rc < 0)
		return rc;
	if (c->queued)
		return -RS_EBUSY;
	smtpc_say(c, "QUIT", rs_slice(NULL, 0));
	if (c->state == SMTPC_READY)
		c->state = SMTPC_QUIT;
	return fresh(c);
}

/* --- the message --------------------------------------------------------------------------- */

/* Through the dot-stuffing; octets of `p` taken. */
static size_t encode(struct rs_smtpc *c, const uint8_t *p, size_t n)
{
	size_t room = rs_buf_room(&c->out);
	uint8_t *to;
	size_t used;

	room = RS_MIN(room, 2 * n + 8);
	if (room < 8)
		return 0;
	if (rs_buf_reserve(&c->out, room, &to) < 0) {
		(void)smtpc_fail(c, RS_ENOMEM, "no memory");
		return 0;
	}
	rs_buf_added(&c->out, rs_dot_enc(&c->enc, p, n, &used, to, room));
	return used;
}

/* The LF that a CR lacks. */
static bool finish_cr(struct rs_smtpc *c)
{
	if (encode(c, (const uint8_t *)"\n", 1) == 0)
		return false;
	c->cr = false;
	return true;
}

size_t rs_smtpc_body(struct rs_smtpc *c, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (c->state == SMTPC_BODY && at < n) {
		size_t end = at + rs_slice_find(rs_slice(p + at, n - at), '\r');
		size_t used;

		if (c->cr && p[at] != '\n' && !finish_cr(c))
			break;
		end += end < n; /* the CR too */
		used = encode(c, p + at, end - at);
		if (used == 0)
			break;
		at += used;
		c->cr = p[at - 1] == '\r';
	}
	return at;
}

bool rs_smtpc_end(struct rs_smtpc *c)
{
	uint8_t *to;

	if (c->state != SMTPC_BODY)
		return true; /* the answer has come already */
	if (rs_buf_room(&c->out) < 64 || (c->cr && !finish_cr(c)))
		return false;
	if (rs_buf_reserve(&c->out, 5, &to) < 0) {
		(void)smtpc_fail(c, RS_ENOMEM, "no memory");
		return true;
	}
	rs_buf_added(&c->out, rs_dot_enc_end(&c->enc, to));
	c->state = SMTPC_READY;
	enqueue(c, RS_M_DONE, 0);
	return true;
}

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_smtpc_out(const struct rs_smtpc *c)
{
	return rs_buf_slice(&c->out);
}

void rs_smtpc_sent(struct rs_smtpc *c, size_t n)
{
	assert(n <= rs_buf_n(&c->out));
	if (n)
		rs_wipe(c->out.p + c->out.head, n); /* it may have been a password */
	rs_buf_consume(&c->out, n);
	rs_buf_shrink(&c->out);
}

uint32_t rs_smtpc_caps(const struct rs_smtpc *c)
{
	return c->caps;
}

uint64_t rs_smtpc_size_max(const struct rs_smtpc *c)
{
	return c->size_max;
}

bool rs_smtpc_idle(const struct rs_smtpc *c)
{
	return c->state == SMTPC_READY && c->queued == 0;
}

const struct rs_err *rs_smtpc_error(const struct rs_smtpc *c)
{
	return &c->err;
}
