/* target_lmtp.c - hand over by LMTP (RFC 2033) or SMTP (RFC 5321) to a server that needs no login: one sender, one
 * recipient, one message at a time; the connection is kept for the next. The message is its own once it has said
 * 250 behind the final dot. */
#include "client/target_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/text.h"
#include "proto/dot.h"

#define REPLY_LINES_MAX 100u

void target_lmtp_close(struct rs_target *t)
{
	rs_net_close(&t->net);
	t->in_n = 0;
}

static const char *place(const struct rs_target *t)
{
	return t->spec.host ? t->spec.host : t->spec.what;
}

static int broke(struct rs_target *t, struct rs_err *err)
{
	return rs_err_set(
		err, RS_ENET, _("%s closed the connection in the middle; try again"), place(t));
}

/* One line without its end into `line`. */
static int line_read(struct rs_target *t, char *line, gsize max, struct rs_err *err)
{
	for (;;) {
		char *end = memchr(t->in, '\n', t->in_n);
		struct rs_net_in in = {.buf = t->in + t->in_n, .max = sizeof(t->in) - t->in_n};
		size_t written;
		int rc;

		if (end) {
			gsize n = (gsize)(end - t->in);
			gsize keep = MIN(n && end[-1] == '\r' ? n - 1 : n, max - 1);

			memcpy(line, t->in, keep);
			line[keep] = '\0';
			memmove(t->in, end + 1, t->in_n - n - 1);
			t->in_n -= n + 1;
			return 0;
		}
		if (in.max == 0)
			return rs_err_set(
				err, RS_ENET, _("%s sent a line that is too long"), place(t));
		rc = rs_net_exchange(t->net, rs_slice(NULL, 0), &written, &in, err);
		if (rc < 0)
			return rc;
		t->in_n += in.got;
		if (in.ended)
			return broke(t, err);
	}
}

/* A reply, all its lines: 0 where its first digit is `want`. */
static int reply(struct rs_target *t, char want, const char *to, struct rs_err *err)
{
	char line[1024];
	guint n = 0;
	int rc;

	do {
		rc = line_read(t, line, sizeof(line), err);
		if (rc < 0)
			return rc;
		if (strlen(line) < 3 || !g_ascii_isdigit(line[0]) || ++n > REPLY_LINES_MAX)
			return rs_err_set(err, RS_ENET,
				_("%s does not speak SMTP or LMTP as it should"), place(t));
	} while (line[3] == '-');
	if (line[0] != want) {
		g_autofree char *said = target_words(line);

		return rs_err_set(err, line[0] == '5' ? RS_EINVAL : RS_ETEMP,
			_("%s refused %s: %s"), place(t), to, said);
	}
	return 0;
}

static int command(struct rs_target *t, const char *text, char want, struct rs_err *err)
{
	g_autofree char *line = g_strdup_printf("%s\r\n", text);
	int rc = rs_net_write(t->net, rs_slice_str(line), err);

	return rc < 0 ? rc : reply(t, want, text, err);
}

static int connect_to(struct rs_target *t, struct rs_err *err)
{
	g_autofree char *hello = g_strdup_printf(
		"%s %s", t->spec.kind == RS_TARGET_LMTP ? "LHLO" : "EHLO", "localhost");
	int rc;

	t->where = (struct rs_net_where){.host = place(t),
		.port = t->spec.port,
		.timeout_s = t->account->timeout_s,
		.cancel = t->cancel};
	rc = rs_net_open(&t->where, &t->net, err);
	if (rc == 0)
		rc = reply(t, '2', _("the connection"), err);
	if (rc == 0)
		rc = command(t, hello, '2', err);
	/* not this message's fault: none will go */
	return rc == -RS_EINVAL || rc == -RS_ETEMP ? rs_err_set(err, RS_ENET, "%s", err->text) : rc;
}

static int body_send(struct rs_target *t, int fd, struct rs_err *err)
{
	struct rs_dot_enc enc;
	uint8_t in[16384];
	uint8_t out[32768];
	int rc = 0;

	rs_dot_enc_init(&enc, -1);
	for (;;) {
		ssize_t k = read(fd, in, sizeof(in));
		size_t at = 0;

		if (k < 0)
			return rs_err_set(err, RS_ENET, _("a message cannot be read again"));
		if (k == 0)
			break;
		while (at < (size_t)k && rc == 0) {
			size_t used;
			size_t n =
				rs_dot_enc(&enc, in + at, (size_t)k - at, &used, out, sizeof(out));

			at += used;
			rc = rs_net_write(t->net, rs_slice(out, n), err);
		}
		if (rc < 0)
			return rc;
	}
	return rs_net_write(t->net, rs_slice(out, rs_dot_enc_end(&enc, out)), err);
}

int target_lmtp_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err)
{
	g_autofree char *from = g_strdup_printf("MAIL FROM:<%s>", m->sender);
	g_autofree char *to = g_strdup_printf("RCPT TO:<%s>", target_recipient(t));
	int rc = t->net ? 0 : connect_to(t, err);

	if (rc == 0)
		rc = command(t, from, '2', err);
	if (rc == 0)
		rc = command(t, to, '2', err);
	if (rc == 0)
		rc = command(t, "DATA", '3', err);
	if (rc == 0)
		rc = body_send(t, m->fd, err);
	if (rc == 0)
		rc = reply(t, '2', _("a message"), err);
	if (rc < 0)
		target_lmtp_close(t); /* the next message begins anew */
	return rc;
}
