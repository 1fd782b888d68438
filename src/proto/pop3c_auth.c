/* pop3c_auth.c - AUTH as the client sends it: RFC 5034. Responses are opaque here. */
#include "proto/pop3c_priv.h"

#include <stdio.h>

#include "base/b64.h"

#define MECH_MAX 40u /* octets of a mechanism's name, RFC 4422: 20 */

/* `head` and the base64 of `raw` as one line into the output. */
static int add_line(struct rs_pop3c *c, const char *head, struct rs_slice raw)
{
	size_t head_n = strlen(head);
	size_t n = head_n + rs_b64_enc_n(raw.n) + 2;
	uint8_t *to;
	int rc = rs_buf_reserve(&c->out, n, &to);

	if (rc < 0)
		return rc;
	memcpy(to, head, head_n);
	n = head_n + rs_b64_enc(raw, to + head_n);
	to[n++] = '\r';
	to[n++] = '\n';
	rs_buf_added(&c->out, n);
	return 0;
}

static bool mech_ok(const char *mech)
{
	size_t n = strlen(mech);

	for (size_t i = 0; i < n; i++) {
		bool upper = mech[i] >= 'A' && mech[i] <= 'Z';
		bool digit = mech[i] >= '0' && mech[i] <= '9';

		if (!upper && !digit && mech[i] != '-' && mech[i] != '_')
			return false;
	}
	return n > 0 && n <= MECH_MAX;
}

int rs_pop3c_auth(struct rs_pop3c *c, uint32_t tag, const char *mech, struct rs_slice initial)
{
	bool fits = strlen(mech) + rs_b64_enc_n(initial.n) + 8 <= RS_POP3_LINE_MAX;
	size_t before = rs_buf_n(&c->out);
	char head[MECH_MAX + 8];
	int rc;

	if (!mech_ok(mech))
		return -RS_EINVAL;
	rc = pop3c_may_send(c); /* before `initial` is touched: another AUTH may wait for it */
	if (rc < 0)
		return rc;
	rs_buf_wipe(&c->initial);
	if (initial.p && !fits) { /* RFC 5034 section 4: then it waits for the empty challenge */
		rc = rs_buf_add(&c->initial, initial.p, initial.n);
		if (rc < 0)
			return rc;
	}
	rc = pop3c_auth_queue(c, tag);
	if (rc < 0)
		return rc;
	(void)snprintf(head, sizeof(head), "AUTH %s%s%s", mech, initial.p && fits ? " " : "",
		initial.p && initial.n == 0 ? "=" : "");
	rc = add_line(c, head, initial.p && fits ? initial : rs_slice(NULL, 0));
	if (rc < 0 && rs_buf_n(&c->out) == before)
		(void)pop3c_fail(c, RS_ENOMEM, "no room for the login");
	return rc;
}

enum rs_step pop3c_challenge(struct rs_pop3c *c, struct rs_slice text, struct rs_pop3c_event *ev)
{
	uint8_t *to;
	size_t n;

	if (c->queued > 1)
		return pop3c_fail(
			c, RS_EPROTO, "the server asks for more at the login than it used to");
	text = rs_slice_trim(text);
	rs_buf_clear(&c->decoded);
	if (text.n == 0 && rs_buf_n(&c->initial)) {
		int rc = add_line(c, "", rs_buf_slice(&c->initial));

		rs_buf_wipe(&c->initial);
		return rc < 0 ? pop3c_fail(c, RS_ENOMEM, "no room for the login") : RS_MORE;
	}
	if (rs_buf_reserve(&c->decoded, rs_b64_dec_max(text.n) + 1, &to) < 0)
		return pop3c_fail(c, RS_ENOMEM, "no memory for a challenge");
	if (rs_b64_dec(text, to, &n) < 0)
		n = 0; /* words instead of base64: an empty challenge is meant */
	rs_buf_added(&c->decoded, n);
	ev->kind = RS_C_CHALLENGE;
	ev->text = rs_buf_slice(&c->decoded);
	pop3c_state_set(c, POP3C_WAIT_SASL);
	return RS_EVENT;
}

int rs_pop3c_sasl(struct rs_pop3c *c, struct rs_slice raw)
{
	int rc;

	if (c->state != POP3C_WAIT_SASL)
		return -RS_EBUSY;
	rc = raw.p ? add_line(c, "", raw) : rs_buf_add(&c->out, "*\r\n", 3);
	if (rc == 0)
		pop3c_state_set(c, POP3C_REPLY);
	return rc;
}
