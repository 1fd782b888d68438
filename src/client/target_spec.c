/* target_spec.c - see target_spec.h */
#include "client/target_spec.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define PORT_IMAP  143u
#define PORT_IMAPS 993u

void rs_target_spec_finish(struct rs_target_spec *s)
{
	g_clear_pointer(&s->what, g_free);
	g_clear_pointer(&s->host, g_free);
	g_clear_pointer(&s->user, g_free);
	g_clear_pointer(&s->folder, g_free);
}

static const char *server_parse(const char *text, bool may_be_socket, struct rs_target_spec *out)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool v6 = text[0] == '[';
	uint32_t port;

	if (may_be_socket && text[0] == '/') {
		out->what = g_strdup(text);
		return NULL;
	}
	if (n == 0 || strcspn(text, " \t/@") < strlen(text) ||
		(v6 && (n < 3 || text[n - 1] != ']')) || (!v6 && memchr(text, ':', n)))
		return _("needs HOST:PORT");
	if (rs_num_u32(rs_slice_str(colon + 1), 65535, &port) < 0 || port == 0)
		return _("has a port that is not a number from 1 to 65535");
	out->host = v6 ? g_strndup(text + 1, n - 2) : g_strndup(text, n);
	out->port = (guint16)port;
	return NULL;
}

/* Why user or folder cannot be sent to the server; NULL where they can. */
static const char *imap_words_refused(const struct rs_target_spec *s)
{
	for (const char *c = s->folder; *c; c++) {
		if ((guchar)*c < 0x20 || (guchar)*c >= 0x7f || *c == '"' || *c == '\\')
			return _("has a folder that is not plain ASCII; write its name as the "
				 "server "
				 "does (modified UTF-7)");
	}
	for (const char *c = s->user; *c; c++) {
		if ((guchar)*c < 0x20)
			return _("has a control character in the user");
	}
	return NULL;
}

static const char *imap_parse(const char *text, struct rs_target_spec *out)
{
	g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_NONE, NULL);
	const char *user = uri ? g_uri_get_userinfo(uri) : NULL;
	const char *path = uri ? g_uri_get_path(uri) : NULL;
	gint port = uri ? g_uri_get_port(uri) : -1;

	if (!uri || !g_uri_get_host(uri) || !*g_uri_get_host(uri) || port == 0)
		return _("needs a form such as imaps://anna@mail.example.org/INBOX");
	if (!user || !*user)
		return _("needs the user in front of the host: "
			 "imaps://anna@mail.example.org/INBOX");
	if (strchr(user, ':'))
		return _("must not hold a password; see deliver-password-command");
	out->tls = strcmp(g_uri_get_scheme(uri), "imaps") == 0;
	out->host = g_strdup(g_uri_get_host(uri));
	out->user = g_strdup(user);
	out->port = (guint16)(port > 0 ? port : (gint)(out->tls ? PORT_IMAPS : PORT_IMAP));
	out->folder = g_strdup(path[0] == '/' && path[1] ? path + 1 : "INBOX");
	return imap_words_refused(out);
}

const char *rs_target_parse(const char *text, struct rs_target_spec *out)
{
	static const struct {
		const char *scheme;
		enum rs_target_kind kind;
	} rows[] = {
		{"maildir:", RS_TARGET_MAILDIR},
		{"mda:", RS_TARGET_MDA},
		{"lmtp:", RS_TARGET_LMTP},
		{"smtp:", RS_TARGET_SMTP},
		{"imap://", RS_TARGET_IMAP},
		{"imaps://", RS_TARGET_IMAP},
	};
	const char *why = _("must be maildir:DIR, mda:COMMAND, lmtp:HOST:PORT, lmtp:/SOCKET, "
			    "smtp:HOST:PORT or imaps://USER@HOST/FOLDER");

	*out = (struct rs_target_spec){.kind = RS_TARGET_MAILDIR};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *rest = text + strlen(rows[i].scheme);

		if (!g_str_has_prefix(text, rows[i].scheme) || !*rest)
			continue;
		out->kind = rows[i].kind;
		if (out->kind == RS_TARGET_IMAP)
			why = imap_parse(text, out);
		else if (out->kind == RS_TARGET_LMTP || out->kind == RS_TARGET_SMTP)
			why = server_parse(rest, out->kind == RS_TARGET_LMTP, out);
		else
			why = NULL;
		if (out->kind == RS_TARGET_MAILDIR || out->kind == RS_TARGET_MDA)
			out->what = g_strdup(rest);
		break;
	}
	if (why)
		rs_target_spec_finish(out);
	return why;
}
