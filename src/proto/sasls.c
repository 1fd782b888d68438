/* sasls.c - see sasls.h
 *
 *   HELLO --VERSION--> OPEN --not the protocol, a ceiling--> FAILED ;  any --end--> CLOSED
 *   a request:  (none) --AUTH--> ASKED --challenge--> CHALLENGED --CONT--> ASKED --ok, fail--> (none)
 *               ASKED, CHALLENGED --CANCEL--> (none)
 *
 * Facts (asserted by check()): an id is under way once; at most RS_SASLS_REQUESTS_MAX are. */
#include "proto/sasls.h"

#include <assert.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/secret.h"

#define CHALLENGE_MAX 16384u

enum state { HELLO, OPEN, CLOSED, FAILED };
enum request_state { ASKED, CHALLENGED };

struct request {
	uint32_t id;
	enum request_state state;
};

struct rs_sasls {
	const struct rs_sasls_cfg *cfg; /* lent */
	enum state state;
	bool given; /* an event lent out what is in line and response */
	struct request requests[RS_SASLS_REQUESTS_MAX];
	uint32_t requests_n;
	struct rs_buf line;
	struct rs_buf response;
	struct rs_buf out;
	struct rs_err err;
};

/* line_max  a token of 16 KiB in base64, and the parameters
 * out_max   an MTA reads its answers; one that does not is made to wait */
const struct rs_sasls_limits rs_sasls_limits_default = {.line_max = 24576, .out_max = 65536};

static void check(const struct rs_sasls *s)
{
	assert(s->requests_n <= RS_SASLS_REQUESTS_MAX);
	for (uint32_t i = 0; i + 1 < s->requests_n; i++)
		assert(s->requests[i].id != s->requests[s->requests_n - 1].id);
}

static enum rs_step fail(struct rs_sasls *s, enum rs_err_kind kind, const char *why)
{
	if (s->state != FAILED)
		(void)rs_err_set(&s->err, kind, "%s", why);
	s->state = FAILED;
	return RS_FAILED;
}

/* --- requests ------------------------------------------------------------------------------ */

static struct request *find(struct rs_sasls *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->requests_n; i++) {
		if (s->requests[i].id == id)
			return &s->requests[i];
	}
	return NULL;
}

static void forget(struct rs_sasls *s, struct request *r)
{
	*r = s->requests[--s->requests_n];
}

/* --- the beginning ------------------------------------------------------------------------- */

/* What a mechanism is, for an MTA that has a policy about it. */
static const char *properties(struct rs_slice mech)
{
	if (rs_slice_ieq_str(mech, "PLAIN") || rs_slice_ieq_str(mech, "LOGIN"))
		return "\tplaintext";
	if (rs_slice_istarts(mech, "SCRAM-"))
		return "\tmutual-auth";
	return "";
}

/* With channel binding and by certificate: both are about a TLS connection that is not here. */
static bool is_of_channel(struct rs_slice mech)
{
	return rs_slice_ieq_str(mech, "EXTERNAL") ||
	       (mech.n > 5 && rs_slice_ieq_str(rs_slice_sub(mech, mech.n - 5, 5), "-PLUS"));
}

static int hello(struct rs_sasls *s)
{
	struct rs_slice rest = rs_slice_str(s->cfg->mechs);
	int rc = rs_buf_add_str(&s->out, "VERSION\t1\t1\n");

	while (rc == 0 && rest.n) {
		struct rs_slice mech = rs_slice_word(&rest);

		if (!is_of_channel(mech))
			rc = rs_buf_addf(&s->out, "MECH\t%.*s%s\n", (int)mech.n,
				(const char *)mech.p, properties(mech));
	}
	if (rc < 0)
		return rc;
	return rs_buf_addf(&s->out, "SPID\t%llu\nCUID\t%llu\nCOOKIE\t%s\nDONE\n",
		(unsigned long long)s->cfg->pid, (unsigned long long)s->cfg->connection,
		s->cfg->cookie);
}

int rs_sasls_create(const struct rs_sasls_cfg *cfg, struct rs_sasls **out)
{
	struct rs_sasls *s;
	int rc;

	if (cfg->limits.line_max < 64 || cfg->limits.out_max < 1024 || !cfg->mechs)
		return -RS_EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -RS_ENOMEM;
	s->cfg = cfg;
	rs_buf_init(&s->line, cfg->limits.line_max);
	rs_buf_init(&s->response, cfg->limits.line_max);
	/* one answer for each that is under way has room, whatever is held */
	rs_buf_init(
		&s->out, cfg->limits.out_max + (size_t)RS_SASLS_REQUESTS_MAX * 2 * CHALLENGE_MAX);
	rc = hello(s);
	if (rc < 0)
		rs_sasls_destroy(&s);
	else
		*out = s;
	return rc;
}

void rs_sasls_destroy(struct rs_sasls **s)
{
	if (!*s)
		return;
	rs_buf_wipe(&(*s)->line);
	rs_buf_wipe(&(*s)->response);
	rs_buf_finish(&(*s)->line);
	rs_buf_finish(&(*s)->response);
	rs_buf_finish(&(*s)->out);
	free(*s);
	*s = NULL;
}

/* --- lines --------------------------------------------------------------------------------- */

/* The next field; *rest moves behind its tab. */
static struct rs_slice field(struct rs_slice *rest)
{
	size_t end = rs_slice_find(*rest, '\t');
	struct rs_slice f = rs_slice_sub(*rest, 0, end);

	*rest = rs_slice_sub(*rest, end + 1, rest->n);
	return f;
}

/* "rip=…": *value is what stands behind. */
static bool key(struct rs_slice f, const char *name, struct rs_slice *value)
{
	if (!rs_slice_istarts(f, name))
		return false;
	*value = rs_slice_sub(f, strlen(name), f.n);
	return true;
}

static bool decode(struct rs_sasls *s, struct rs_slice text, struct rs_sasls_event *ev)
{
	uint8_t *to;
	size_t n;

	rs_buf_wipe(&s->response);
	if (rs_buf_reserve(&s->response, rs_b64_dec_max(text.n) + 1, &to) < 0 ||
		rs_b64_dec(text, to, &n) < 0)
		return false;
	rs_buf_added(&s->response, n);
	ev->response = rs_buf_slice(&s->response);
	ev->has_response = true;
	return true;
}

static bool offered(const struct rs_sasls *s, struct rs_slice mech)
{
	struct rs_slice rest = rs_slice_str(s->cfg->mechs);
	char name[24];

	if (rs_slice_copy(mech, name, sizeof(name)) < 0 || is_of_channel(mech))
		return false;
	while (rest.n) {
		if (rs_slice_ieq_str(rs_slice_word(&rest), name))
			return true;
	}
	return false;
}

/* True: *ev is filled. */
static bool auth(struct rs_sasls *s, uint32_t id, struct rs_slice rest, struct rs_sasls_event *ev)
{
	struct rs_slice value;

	if (find(s, id)) {
		(void)fail(s, RS_EPROTO, "a request has the number of one that is under way");
		return false;
	}
	if (s->requests_n == RS_SASLS_REQUESTS_MAX) {
		if (rs_buf_addf(&s->out, "FAIL\t%u\ttemp\n", id) < 0)
			(void)fail(s, RS_ENOMEM, "no memory");
		return false;
	}
	s->requests[s->requests_n++] = (struct request){.id = id, .state = ASKED};
	ev->kind = RS_A_AUTH;
	ev->id = id;
	ev->mech = field(&rest);
	if (!offered(s, ev->mech)) {
		rs_sasls_fail(s, id, NULL, false);
		return false;
	}
	while (rest.n) {
		struct rs_slice f = field(&rest);

		if (rs_slice_eq_str(f, "secured"))
			ev->secured = true;
		else if (key(f, "service=", &value))
			ev->service = value;
		else if (key(f, "rip=", &value))
			ev->peer = value;
		else if (key(f, "resp=", &value) && !decode(s, value, ev)) {
			rs_sasls_fail(s, id, NULL, false);
			return false;
		}
	}
	return true;
}

static bool cont(struct rs_sasls *s, uint32_t id, struct rs_slice rest, struct rs_sasls_event *ev)
{
	struct request *r = find(s, id);

	if (!r || r->state != CHALLENGED) {
		(void)fail(s, RS_EPROTO, "an answer to a challenge that was not given");
		return false;
	}
	r->state = ASKED;
	ev->kind = RS_A_CONT;
	ev->id = id;
	if (decode(s, field(&rest), ev))
		return true;
	rs_sasls_fail(s, id, NULL, false);
	return false;
}

static bool cancel(struct rs_sasls *s, uint32_t id, struct rs_sasls_event *ev)
{
	struct request *r = find(s, id);

	if (!r)
		return false; /* its answer is on the way already */
	forget(s, r);
	ev->kind = RS_A_CANCEL;
	ev->id = id;
	return true;
}

/* True: *ev is filled. */
static bool line_do(struct rs_sasls *s, struct rs_slice line, struct rs_sasls_event *ev)
{
	struct rs_slice command = field(&line);
	uint32_t id;

	if (s->state == HELLO) {
		if (!rs_slice_eq_str(command, "VERSION") || !rs_slice_eq_str(field(&line), "1"))
			(void)fail(s, RS_EPROTO, "not version 1 of the authentication protocol");
		else
			s->state = OPEN;
		return false;
	}
	if (!rs_slice_eq_str(command, "AUTH") && !rs_slice_eq_str(command, "CONT") &&
		!rs_slice_eq_str(command, "CANCEL"))
		return false; /* CPID, and what versions to come may say */
	if (rs_num_u32(field(&line), UINT32_MAX, &id) < 0) {
		(void)fail(s, RS_EPROTO, "a request without a number");
		return false;
	}
	if (command.n == 6)
		return cancel(s, id, ev);
	return command.p[0] == 'A' ? auth(s, id, line, ev) : cont(s, id, line, ev);
}

static bool line_take(
	struct rs_sasls *s, const uint8_t *in, size_t n, size_t *used, enum rs_step *step)
{
	size_t end = rs_slice_find(rs_slice(in, n), '\n');
	bool whole = end < n;

	if (whole)
		end++;
	*step = RS_MORE;
	if (rs_buf_add(&s->line, in, end) < 0) {
		*step = fail(s, RS_EPROTO, "a line that is too long");
		return false;
	}
	*used += end;
	return whole;
}

enum rs_step rs_sasls_recv(
	struct rs_sasls *s, const uint8_t *in, size_t n, size_t *used, struct rs_sasls_event *ev)
{
	enum rs_step step;

	*used = 0;
	for (;;) {
		struct rs_slice line;

		check(s);
		*ev = (struct rs_sasls_event){.id = 0};
		if (s->given) {
			rs_buf_wipe(&s->line);
			rs_buf_wipe(&s->response);
		}
		s->given = false;
		if (s->state == CLOSED)
			return RS_CLOSED;
		if (s->state == FAILED)
			return RS_FAILED;
		if (rs_buf_n(&s->out) > s->cfg->limits.out_max)
			return RS_BLOCKED;
		if (!line_take(s, in + *used, n - *used, used, &step))
			return step;
		line = rs_buf_slice(&s->line);
		s->given = true;
		if (line_do(s, rs_slice(line.p, line.n - 1), ev))
			return RS_EVENT;
	}
}

enum rs_step rs_sasls_eof(struct rs_sasls *s)
{
	if (s->state != FAILED)
		s->state = CLOSED;
	return s->state == FAILED ? RS_FAILED : RS_CLOSED;
}

/* --- answers ------------------------------------------------------------------------------- */

/* May this name stand in a field? */
static bool name_ok(const char *name)
{
	for (const char *c = name; c && *c; c++) {
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return name && *name && strlen(name) < 1024;
}

static void end(
	struct rs_sasls *s, uint32_t id, const char *word, const char *user, const char *how)
{
	struct request *r = find(s, id);
	bool named = name_ok(user);

	if (!r || s->state == FAILED || s->state == CLOSED)
		return;
	forget(s, r);
	if (rs_buf_addf(&s->out, "%s\t%u%s%s%s\n", word, id, named ? "\tuser=" : "",
		    named ? user : "", how) < 0)
		(void)fail(s, RS_ENOMEM, "no memory");
}

void rs_sasls_ok(struct rs_sasls *s, uint32_t id, const char *user)
{
	end(s, id, "OK", user, "");
}

void rs_sasls_fail(struct rs_sasls *s, uint32_t id, const char *user, bool temporary)
{
	end(s, id, "FAIL", user, temporary ? "\ttemp" : "");
}

void rs_sasls_challenge(struct rs_sasls *s, uint32_t id, struct rs_slice challenge)
{
	struct request *r = find(s, id);
	size_t n = rs_b64_enc_n(challenge.n);
	uint8_t *to;

	if (!r || s->state == FAILED || s->state == CLOSED)
		return;
	if (challenge.n > CHALLENGE_MAX) {
		rs_sasls_fail(s, id, NULL, true);
		return;
	}
	r->state = CHALLENGED;
	if (rs_buf_addf(&s->out, "CONT\t%u\t", id) < 0 || rs_buf_reserve(&s->out, n + 1, &to) < 0) {
		(void)fail(s, RS_ENOMEM, "no memory");
		return;
	}
	n = rs_b64_enc(challenge, to);
	to[n] = '\n';
	rs_buf_added(&s->out, n + 1);
}

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_sasls_out(const struct rs_sasls *s)
{
	return rs_buf_slice(&s->out);
}

void rs_sasls_sent(struct rs_sasls *s, size_t n)
{
	rs_buf_consume(&s->out, n);
	rs_buf_shrink(&s->out);
}

uint32_t rs_sasls_pending(const struct rs_sasls *s)
{
	return s->requests_n;
}

const struct rs_err *rs_sasls_error(const struct rs_sasls *s)
{
	return &s->err;
}
