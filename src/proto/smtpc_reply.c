/* smtpc_reply.c - replies of a server: lines, enhanced codes, what EHLO announces. RFC 5321 sections 4.2, 4.1.1.1;
 * RFC 2034 section 4. */
#include "proto/smtpc_priv.h"

#include "base/b64.h"
#include "base/num.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "5.1.1 " at the start of `text`; the rest behind it. */
static struct rs_slice status_of(struct rs_slice text, unsigned code, char out[12])
{
	struct rs_slice rest = text;
	struct rs_slice word = rs_slice_word(&rest);
	unsigned dots = 0;

	if (word.n < 5 || word.n > 9 || word.p[0] != '0' + code / 100 || word.p[1] != '.' ||
		!is_digit(word.p[word.n - 1]))
		return text;
	for (size_t i = 1; i < word.n; i++) {
		if (!is_digit(word.p[i]) && (word.p[i] != '.' || word.p[i - 1] == '.'))
			return text;
		dots += word.p[i] == '.';
	}
	if (dots != 2 || rs_slice_copy(word, out, 12) < 0)
		return text;
	return rest;
}

/* All names are kept for the owner; what does not fit any more is left out. */
static void mechanism(struct rs_smtpc *c, struct rs_slice word)
{
	if (word.n && rs_slice_graphic(word) && rs_buf_room(&c->mechs) > word.n + 1 &&
		(rs_buf_n(&c->mechs) == 0 || rs_buf_add(&c->mechs, " ", 1) == 0) &&
		rs_buf_add(&c->mechs, word.p, word.n) < 0)
		rs_buf_clear(&c->mechs);
	if (rs_slice_ieq_str(word, "PLAIN"))
		c->caps |= RS_SMTPC_CAP_PLAIN;
	else if (rs_slice_ieq_str(word, "LOGIN"))
		c->caps |= RS_SMTPC_CAP_LOGIN;
}

/* A line of the answer to EHLO, but for the first, which is a name. */
static void capability(struct rs_smtpc *c, struct rs_slice text)
{
	static const struct {
		const char *word;
		uint32_t cap;
	} rows[] = {
		{"PIPELINING", RS_SMTPC_CAP_PIPELINING},
		{"8BITMIME", RS_SMTPC_CAP_8BITMIME},
		{"SMTPUTF8", RS_SMTPC_CAP_SMTPUTF8},
		{"SIZE", RS_SMTPC_CAP_SIZE},
		{"STARTTLS", RS_SMTPC_CAP_STARTTLS},
	};
	bool old_auth = rs_slice_istarts(text, "AUTH="); /* of servers older than RFC 4954 */
	struct rs_slice rest = old_auth ? rs_slice_sub(text, 5, text.n) : text;
	struct rs_slice word = old_auth ? rs_slice_str("AUTH") : rs_slice_word(&rest);

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		if (rs_slice_ieq_str(word, rows[i].word))
			c->caps |= rows[i].cap;
	}
	if (rs_slice_ieq_str(word, "SIZE") &&
		rs_num_u64(rs_slice_word(&rest), UINT64_MAX, &c->size_max) < 0)
		c->size_max = 0;
	while (rs_slice_ieq_str(word, "AUTH") && rest.n)
		mechanism(c, rs_slice_word(&rest));
}

/* What does not fit any more is left out; the words are for a person. */
static void text_add(struct smtpc_reply *r, struct rs_slice text)
{
	size_t room = rs_buf_room(&r->text);

	if (text.n == 0 || room < 2)
		return;
	if (rs_buf_n(&r->text) && rs_buf_add(&r->text, " ", 1) < 0)
		return;
	if (rs_buf_add(&r->text, text.p, RS_MIN(text.n, rs_buf_room(&r->text))) < 0)
		return; /* no memory: no words either */
}

/* 334: what the mechanism says. Where that is not base64 the server does not speak SMTP. */
static int challenge(struct smtpc_reply *r, struct rs_slice text)
{
	size_t n = rs_b64_dec_max(text.n);
	uint8_t *to;
	int rc;

	rs_buf_clear(&r->challenge);
	rc = n ? rs_buf_reserve(&r->challenge, n, &to) : 0;
	if (rc == 0 && n)
		rc = rs_b64_dec(text, to, &n);
	if (rc == 0 && n)
		rs_buf_added(&r->challenge, n);
	return text.n && n == 0 ? -RS_EINVAL : rc;
}

/* Not one, or one that can be read: it has a single line. */
static bool challenge_ok(struct rs_smtpc *c, uint32_t code, struct rs_slice text, bool last)
{
	if (c->state != SMTPC_AUTH || c->auth != SMTPC_AUTH_OWNER || code != 334)
		return true;
	return last && challenge(&c->reply, rs_slice_trim(text)) == 0;
}

enum rs_step smtpc_reply_line(struct rs_smtpc *c, struct rs_slice line)
{
	struct smtpc_reply *r = &c->reply;
	struct rs_slice text = rs_slice_sub(line, 4, line.n);
	char status[12];
	uint32_t code;
	bool last = line.n == 3 || (line.n > 3 && line.p[3] == ' ');

	if (rs_num_u32(rs_slice_sub(line, 0, 3), 599, &code) < 0 || code < 200 ||
		(!last && (line.n < 4 || line.p[3] != '-')) || (r->code && r->code != code))
		return smtpc_fail(c, RS_EPROTO, "the server does not speak SMTP");
	if (++r->lines_n > c->cfg->limits.lines_max)
		return smtpc_fail(c, RS_EPROTO, "the server sent a reply that is too long");
	r->code = code;
	if (c->state == SMTPC_EHLO && r->lines_n > 1 && code == 250)
		capability(c, text);
	if (!challenge_ok(c, code, text, last))
		return smtpc_fail(c, RS_EPROTO, "the server's challenge cannot be read");
	text = status_of(text, code, r->status[0] ? status : r->status);
	text_add(r, rs_slice_trim(text));
	return last ? RS_EVENT : RS_MORE;
}

void smtpc_reply_forget(struct rs_smtpc *c)
{
	c->reply.code = 0;
	c->reply.lines_n = 0;
	c->reply.status[0] = '\0';
	rs_buf_clear(&c->reply.text);
}
