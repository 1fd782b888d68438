/* target.c - see target.h: what is common to the targets. */
#include "client/target_priv.h"

#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/text.h"

#define HEAD_MAX    65536u
#define ADDRESS_MAX 254u

char *target_words(const char *said)
{
	g_autofree char *valid = g_utf8_make_valid(said, -1);
	g_autofree char *line = rs_clean_line(valid);

	return g_strndup(line, MIN(strlen(line), 200));
}

const char *target_recipient(const struct rs_target *t)
{
	return t->account->recipient ? t->account->recipient : t->account->address;
}

/* --- the message -------------------------------------------------------------------------------- */

/* "<anna@example.org>" without its brackets; "" where it cannot stand in a command as it is. */
static char *sender_of(const char *head, gsize n)
{
	g_autofree char *raw = rs_header_get(head, n, "Return-Path");
	char *from = raw ? strchr(raw, '<') : NULL;
	char *to = from ? strchr(from, '>') : NULL;

	if (!to || (gsize)(to - from) > ADDRESS_MAX)
		return g_strdup("");
	*to = '\0';
	for (const char *c = from + 1; *c; c++) {
		if (*c <= 0x20 || *c >= 0x7f)
			return g_strdup("");
	}
	return g_strdup(from + 1);
}

/* Only one that can be quoted and asked for. */
static char *message_id_of(const char *head, gsize n)
{
	g_autofree char *raw = rs_header_get(head, n, "Message-ID");
	char *id = raw ? g_strstrip(raw) : NULL;

	if (!id || !*id || strlen(id) > 400)
		return NULL;
	for (const char *c = id; *c; c++) {
		if (*c <= 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
			return NULL;
	}
	return g_strdup(id);
}

static gint64 arrived(const char *head, gsize n)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	g_autofree char *date = rs_header_get(head, n, "Date");
	g_autofree char *received = rs_header_get(head, n, "Received");
	const char *at = received ? strrchr(received, ';') : NULL;

	return rs_header_date(at ? at + 1 : NULL, rs_header_date(date, now_s));
}

void rs_target_mail_read(int fd, guint64 wire, struct rs_target_mail *out)
{
	char *head = g_malloc(HEAD_MAX + 1);
	gsize n = 0;

	while (n < HEAD_MAX) {
		ssize_t k = pread(fd, head + n, HEAD_MAX - n, (off_t)n);

		if (k <= 0)
			break;
		n += (gsize)k;
	}
	head[n] = '\0';
	*out = (struct rs_target_mail){.fd = fd,
		.wire = wire,
		.head = head,
		.sender = sender_of(head, n),
		.message_id = message_id_of(head, n),
		.arrived_s = arrived(head, n)};
}

void rs_target_mail_finish(struct rs_target_mail *m)
{
	g_clear_pointer(&m->sender, g_free);
	g_clear_pointer(&m->message_id, g_free);
	g_free((char *)(guintptr)m->head);
	m->head = NULL;
}

/* --- the target --------------------------------------------------------------------------------- */

int rs_target_create(const struct rs_places *places, const struct rs_account *a,
	GCancellable *cancel, struct rs_target **out, struct rs_err *err)
{
	struct rs_target *t = g_new0(struct rs_target, 1);
	const char *why = rs_target_parse(a->deliver_to, &t->spec);

	if (why) {
		g_free(t);
		return rs_err_set(err, RS_ECONFIG, _("account '%s': deliver-to = %s %s"), a->name,
			a->deliver_to, why);
	}
	t->places = places;
	t->account = a;
	t->cancel = cancel;
	*out = t;
	return 0;
}

void rs_target_destroy(struct rs_target **t)
{
	if (!*t)
		return;
	target_lmtp_close(*t);
	target_imap_close(*t);
	rs_target_spec_finish(&(*t)->spec);
	g_free(*t);
	*t = NULL;
}

int rs_target_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err)
{
	if (lseek(m->fd, 0, SEEK_SET) < 0)
		return rs_err_set(err, RS_EIO, _("a message cannot be read again"));
	switch (t->spec.kind) {
	case RS_TARGET_MDA:
		return target_mda_deliver(t, m, err);
	case RS_TARGET_LMTP:
	case RS_TARGET_SMTP:
		return target_lmtp_deliver(t, m, err);
	case RS_TARGET_IMAP:
		return target_imap_deliver(t, m, err);
	case RS_TARGET_MAILDIR:
		break;
	}
	return rs_err_set(err, RS_ECONFIG, "no target");
}

int rs_target_has(struct rs_target *t, const char *message_id, struct rs_err *err)
{
	return t->spec.kind == RS_TARGET_IMAP ? target_imap_has(t, message_id, err) : -RS_EINVAL;
}
