/* compose_build.c - the MIME message of a draft, its envelope, and its place among the drafts. GMime builds. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "client/addresses.h"
#include "client/compose.h"
#include "client/flowed.h"
#include "client/header.h"
#include "client/raw_mail.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define SNIFF_N 4096 /* octets by which a type is found */

/* --- addresses ----------------------------------------------------------------------------- */

/* Names in UTF-8, domains as the DNS has them; -RS_EINVAL for what is no address. */
static int one_check(InternetAddress *one, const char *field, struct rs_err *err)
{
	InternetAddressMailbox *box;
	const char *address;
	const char *sign;
	g_autofree char *domain = NULL;

	internet_address_set_charset(one, "utf-8");
	if (!INTERNET_ADDRESS_IS_MAILBOX(one))
		return rs_err_set(err, RS_EINVAL,
			_("%s: groups of addresses cannot be sent to; name the people"), field);
	box = INTERNET_ADDRESS_MAILBOX(one);
	address = internet_address_mailbox_get_addr(box);
	if (!address || !rs_address_ok(address))
		return rs_err_set(err, RS_EINVAL,
			_("%s: '%s' is not a mail address such as anna@example.org"), field,
			address ? address : "");
	sign = strrchr(address, '@');
	domain = g_hostname_to_ascii(sign + 1);
	if (domain && !g_str_is_ascii(sign + 1)) {
		g_autofree char *wire =
			g_strdup_printf("%.*s@%s", (int)(sign - address), address, domain);

		internet_address_mailbox_set_addr(box, wire);
	}
	return 0;
}

/* The addresses of a field into the message's, and into the envelope where there is one. */
static int addresses_add(GMimeMessage *m, GMimeAddressType type, const char *field,
	const char *typed, struct rs_envelope *e, struct rs_err *err)
{
	InternetAddressList *list = *typed ? internet_address_list_parse(NULL, typed) : NULL;
	int n = list ? internet_address_list_length(list) : 0;
	int rc = 0;

	if (*typed && n == 0)
		rc = rs_err_set(err, RS_EINVAL,
			_("%s: '%s' is not a mail address such as anna@example.org"), field, typed);
	for (int i = 0; i < n && rc == 0; i++) {
		InternetAddress *one = internet_address_list_get_address(list, i);

		rc = one_check(one, field, err);
		if (rc < 0)
			break;
		internet_address_list_add(g_mime_message_get_addresses(m, type), one);
		if (e && e->rcpts->len >= RS_ENVELOPE_RCPTS_MAX)
			rc = rs_err_set(err, RS_ELIMIT, _("more than %u recipients of one message"),
				RS_ENVELOPE_RCPTS_MAX);
		else if (e)
			rs_envelope_add(e,
				internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one)));
	}
	if (list)
		g_object_unref(list);
	return rc;
}

/* --- parts --------------------------------------------------------------------------------- */

static GMimeObject *text_part(const char *text)
{
	g_autofree char *flowed = rs_flowed_make(text);
	GMimeTextPart *part = g_mime_text_part_new_with_subtype("plain");
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(flowed, strlen(flowed));
	GMimeDataWrapper *content =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));

	/* not g_mime_text_part_set_text: it would choose a smaller charset where one will do */
	g_mime_part_set_content(GMIME_PART(part), content);
	g_mime_content_type_set_parameter(type, "charset", "utf-8");
	g_mime_content_type_set_parameter(type, "format", "flowed");
	g_mime_object_encode(GMIME_OBJECT(part), GMIME_ENCODING_CONSTRAINT_7BIT);
	g_object_unref(content);
	g_object_unref(stream);
	return GMIME_OBJECT(part);
}

/* Of the file: by its name and its first octets. Owned. */
static char *type_find(const char *name, int fd)
{
	guchar octets[SNIFF_N];
	ssize_t n = pread(fd, octets, sizeof(octets), 0);
	g_autofree char *content = g_content_type_guess(name, octets, n > 0 ? (gsize)n : 0, NULL);
	char *mime = g_content_type_get_mime_type(content);

	if (mime && strchr(mime, '/') && !g_str_has_prefix(mime, "multipart/") &&
		!g_str_has_prefix(mime, "message/"))
		return mime;
	g_free(mime);
	return g_strdup("application/octet-stream");
}

/* Names of files in UTF-8 (RFC 2231). */
static void names_in_utf8(GMimeParamList *list)
{
	for (int i = 0; list && i < g_mime_param_list_length(list); i++)
		g_mime_param_set_charset(g_mime_param_list_get_parameter_at(list, i), "utf-8");
}

static int attachment_part(const struct rs_attachment *a, GMimeMultipart *to, struct rs_err *err)
{
	int fd = a->path ? open(a->path, O_RDONLY | O_CLOEXEC) : fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
	g_autofree char *type = NULL;
	GMimeDataWrapper *content;
	GMimeStream *stream;
	GMimePart *part;
	bool is_message;

	if (fd < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot attach %s: %s"),
			a->path ? a->path : a->name, g_strerror(errno));
	type = a->type ? g_strdup(a->type) : type_find(a->name, fd);
	is_message = g_ascii_strcasecmp(type, "message/rfc822") == 0;
	part = g_mime_part_new();
	g_mime_object_set_content_type(GMIME_OBJECT(part), g_mime_content_type_parse(NULL, type));
	g_mime_object_set_disposition(GMIME_OBJECT(part), "attachment");
	g_mime_part_set_filename(part, a->name);
	names_in_utf8(g_mime_content_type_get_parameters(
		g_mime_object_get_content_type(GMIME_OBJECT(part))));
	names_in_utf8(g_mime_content_disposition_get_parameters(
		g_mime_object_get_content_disposition(GMIME_OBJECT(part))));
	stream = g_mime_stream_fs_new_with_bounds(fd, 0, -1);
	content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	g_mime_part_set_content(part, content);
	/* RFC 2046 section 5.2.1: a message in a message is never encoded */
	g_mime_part_set_content_encoding(
		part, is_message ? GMIME_CONTENT_ENCODING_8BIT : GMIME_CONTENT_ENCODING_BASE64);
	g_mime_multipart_add(to, GMIME_OBJECT(part));
	g_object_unref(part);
	g_object_unref(content);
	g_object_unref(stream);
	return 0;
}

static int body_build(GMimeMessage *m, const struct rs_draft *d, struct rs_err *err)
{
	GMimeObject *text = text_part(d->text);
	GMimeMultipart *mixed;
	int rc = 0;

	if (d->attachments->len == 0) {
		g_mime_message_set_mime_part(m, text);
		g_object_unref(text);
		return 0;
	}
	mixed = g_mime_multipart_new_with_subtype("mixed");
	g_mime_multipart_add(mixed, text);
	for (guint i = 0; i < d->attachments->len && rc == 0; i++)
		rc = attachment_part(d->attachments->pdata[i], mixed, err);
	g_mime_message_set_mime_part(m, GMIME_OBJECT(mixed));
	g_object_unref(mixed);
	g_object_unref(text);
	return rc;
}

/* --- the message --------------------------------------------------------------------------- */

static void header_set(GMimeMessage *m, const char *name, const char *value)
{
	if (value && *value)
		g_mime_object_set_header(GMIME_OBJECT(m), name, value, "utf-8");
}

static int fields_build(
	GMimeMessage *m, const struct rs_draft *d, struct rs_envelope *e, struct rs_err *err)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autoptr(GPtrArray) from = rs_addresses_of(d->from);
	g_autofree char *id = rs_message_id_make(from->len ? from->pdata[0] : "");
	int rc = addresses_add(m, GMIME_ADDRESS_TYPE_FROM, "From", d->from, NULL, err);

	if (rc == 0)
		rc = addresses_add(
			m, GMIME_ADDRESS_TYPE_REPLY_TO, "Reply-To", d->reply_to, NULL, err);
	if (rc == 0)
		rc = addresses_add(m, GMIME_ADDRESS_TYPE_TO, "To", d->to, e, err);
	if (rc == 0)
		rc = addresses_add(m, GMIME_ADDRESS_TYPE_CC, "Cc", d->cc, e, err);
	if (rc == 0)
		rc = addresses_add(m, GMIME_ADDRESS_TYPE_BCC, "Bcc", d->bcc, e, err);
	if (rc < 0)
		return rc;
	g_mime_message_set_subject(m, d->subject, "utf-8");
	g_mime_message_set_date(m, now);
	id[strlen(id) - 1] = '\0'; /* GMime puts the brackets */
	g_mime_message_set_message_id(m, id + 1);
	header_set(m, "In-Reply-To", d->in_reply_to);
	header_set(m, "References", d->references);
	return 0;
}

/* Who sends: the account of From, else the one the draft was begun with. */
static const struct rs_account *sender_of(
	const struct rs_draft *d, const GPtrArray *accounts, char **address, struct rs_err *err)
{
	g_autoptr(GPtrArray) from = rs_addresses_of(d->from);
	const struct rs_account *a;

	if (from->len != 1 || !rs_address_ok(from->pdata[0])) {
		(void)rs_err_set(err, RS_EINVAL,
			_("From: '%s' is not one mail address such as anna@example.org"), d->from);
		return NULL;
	}
	a = rs_address_account(accounts, from->pdata[0]);
	if (!a)
		a = rs_accounts_find(accounts, d->account);
	if (!a)
		a = rs_account_that_sends(accounts);
	if (!a)
		(void)rs_err_set(err, RS_ECONFIG,
			_("no account can send mail: none has a server for it (restante account "
			  "edit NAME --smtp HOST)"));
	else
		*address = g_strdup(from->pdata[0]);
	return a;
}

static int write_out(GMimeMessage *m, int *fd, struct rs_err *err)
{
	GMimeStream *stream;
	int to = rs_file_nameless(err);
	bool ok;

	if (to < 0)
		return to;
	stream = g_mime_stream_fs_new(to);
	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	errno = 0;
	ok = g_mime_object_write_to_stream(GMIME_OBJECT(m), NULL, stream) >= 0 &&
	     g_mime_stream_flush(stream) == 0;
	g_object_unref(stream);
	if (!ok) {
		close(to);
		return rs_err_set(err, rs_err_kind_of_errno(errno ? errno : EIO),
			_("cannot write a file in %s: %s"), g_get_tmp_dir(),
			g_strerror(errno ? errno : EIO));
	}
	*fd = to;
	return 0;
}

int rs_draft_build(const struct rs_draft *d, const GPtrArray *accounts, int *fd,
	struct rs_envelope **out, struct rs_err *err)
{
	g_autofree char *address = NULL;
	const struct rs_account *a = NULL;
	struct rs_envelope *e = NULL;
	GMimeMessage *m;
	int rc = 0;

	rs_mime_init();
	if (out) {
		a = sender_of(d, accounts, &address, err);
		if (!a)
			return -(int)err->kind;
		e = rs_envelope_new(a->name, address);
	}
	m = g_mime_message_new(TRUE);
	rc = fields_build(m, d, e, err);
	if (rc == 0 && e && e->rcpts->len == 0)
		rc = rs_err_set(err, RS_EINVAL, _("the message has no recipient"));
	if (rc == 0)
		rc = body_build(m, d, err);
	if (rc == 0)
		rc = write_out(m, fd, err);
	g_object_unref(m);
	if (rc < 0)
		rs_envelope_free(e);
	else if (out)
		*out = e;
	return rc;
}

/* --- drafts -------------------------------------------------------------------------------- */

static char *drafts_path(const struct rs_places *p)
{
	return g_build_filename(p->mail_dir, "Drafts", NULL);
}

static int copy(int fd, struct rs_deliv *d, struct rs_err *err)
{
	char buf[16384];
	off_t at = 0;
	ssize_t k;
	int rc = 0;

	while (rc == 0 && (k = pread(fd, buf, sizeof(buf), at)) > 0) {
		rc = rs_deliv_write(d, buf, (size_t)k, err);
		at += k;
	}
	return rc;
}

/* From new/ to cur/ with the flags of a draft; that it is in new/ does no harm. */
static void mark(const char *path, const char *name)
{
	g_autofree char *from = g_build_filename(path, "new", name, NULL);
	g_autofree char *to = g_strdup_printf("%s/cur/%s:2,DS", path, name);

	(void)g_rename(from, to);
}

int rs_draft_save(const struct rs_places *p, int fd, char **unique, struct rs_err *err)
{
	g_autofree char *path = drafts_path(p);
	struct rs_maildir *folder = NULL;
	struct rs_deliv *d = NULL;
	int rc = rs_maildir_open(rs_fs_posix(), path, RS_MAILDIR_CREATE, &folder, err);

	if (rc == 0)
		rc = rs_deliv_begin(folder, NULL, &d, err);
	if (rc == 0)
		rc = copy(fd, d, err);
	if (rc == 0)
		rc = rs_deliv_finish(d, err);
	if (rc == 0)
		rc = rs_deliv_sync(d, err);
	if (rc == 0)
		rc = rs_deliv_publish(d, err);
	if (rc == 0)
		rc = rs_maildir_sync(folder, err);
	if (rc == 0) {
		const char *name = rs_deliv_name(d);

		mark(path, name);
		if (*unique)
			rs_draft_forget(p, *unique);
		g_free(*unique);
		*unique = g_strndup(name, strcspn(name, ","));
	}
	rs_deliv_destroy(&d);
	rs_maildir_destroy(&folder);
	return rc;
}

void rs_draft_forget(const struct rs_places *p, const char *unique)
{
	static const char *const subs[] = {"new", "cur"};
	g_autofree char *path = drafts_path(p);

	for (guint i = 0; i < 2; i++) {
		g_autofree char *sub = g_build_filename(path, subs[i], NULL);
		g_autoptr(GDir) dir = g_dir_open(sub, 0, NULL);
		const char *name;

		while (dir && (name = g_dir_read_name(dir)) != NULL) {
			g_autofree char *file = g_build_filename(sub, name, NULL);

			if (g_str_has_prefix(name, unique) && strchr(",:", name[strlen(unique)]))
				(void)g_unlink(file);
		}
	}
}
