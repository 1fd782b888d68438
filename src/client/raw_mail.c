/* raw_mail.c - see raw_mail.h */
#include "client/raw_mail.h"

#include <errno.h>
#include <fcntl.h>
#include <gmime/gmime.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/addresses.h"
#include "client/header.h"
#include "client/submit_octets.h"
#include "client/text.h"

#define PIECE 65536u

/* --- small things -------------------------------------------------------------------------- */

char *rs_message_id_make(const char *address)
{
	const char *sign = strrchr(address, '@');
	g_autofree char *domain = sign ? g_hostname_to_ascii(sign + 1) : NULL;
	guint64 chance[2] = {0};

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		chance[0] = (guint64)g_get_real_time();
	return g_strdup_printf("<%016" G_GINT64_MODIFIER "x%08" G_GINT64_MODIFIER "x@%s>",
		chance[0], chance[1] & 0xffffffffu, domain && *domain ? domain : "localhost");
}

char *rs_date_make(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();

	return g_mime_utils_header_format_date(now);
}

int rs_file_nameless(struct rs_err *err)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	fd = g_file_open_tmp("restante-XXXXXX", &path, &error);
	if (fd < 0)
		return rs_err_set(err, RS_EIO, _("no file can be made in %s: %s"), g_get_tmp_dir(),
			error->message);
	(void)unlink(path);
	return fd;
}

int rs_write_all(int fd, const char *p, gsize n, struct rs_err *err)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return rs_err_set(err, rs_err_kind_of_errno(errno),
				_("cannot write a file in %s: %s"), g_get_tmp_dir(),
				g_strerror(errno));
		p += k;
		n -= (gsize)k;
	}
	return 0;
}

/* --- the input ----------------------------------------------------------------------------- */

struct input {
	int fd;
	bool dot_ends;
	bool ended;
	bool line_start; /* the next octet begins a line */
	GString *held;   /* "." or ".\r" that may be the end */
};

/* Octets up to a line "." where that ends it. Appends to `out`. */
static void dot_cut(struct input *in, const char *p, gsize n, GString *out)
{
	for (gsize i = 0; i < n && !in->ended; i++) {
		bool dot = in->line_start && p[i] == '.' && !in->held->len;

		if (in->held->len && p[i] == '\n') {
			in->ended = true;
			break;
		}
		if (dot || (in->held->len == 1 && p[i] == '\r')) {
			g_string_append_c(in->held, p[i]);
			in->line_start = false;
			continue;
		}
		g_string_append_len(out, in->held->str, (gssize)in->held->len);
		g_string_truncate(in->held, 0);
		g_string_append_c(out, p[i]);
		in->line_start = p[i] == '\n';
	}
}

/* The next piece, appended to `out`. At the end in->ended. */
static int input_read(struct input *in, GString *out, struct rs_err *err)
{
	g_autofree char *buf = g_malloc(PIECE);
	ssize_t k;

	do {
		k = read(in->fd, buf, PIECE);
	} while (k < 0 && errno == EINTR);
	if (k < 0)
		return rs_err_set(
			err, RS_EIO, _("the message cannot be read: %s"), g_strerror(errno));
	if (!in->dot_ends)
		g_string_append_len(out, buf, k);
	else
		dot_cut(in, buf, (gsize)k, out);
	if (k == 0 && !in->ended) { /* a lone dot in the last line, without its end */
		in->ended = true;
		if (in->held->len > 1)
			g_string_append_len(out, in->held->str, (gssize)in->held->len);
	}
	return 0;
}

/* --- the header ---------------------------------------------------------------------------- */

/* Does a header begin here? If not the input is all body. */
static bool is_field(const char *p, gsize n)
{
	gsize i = 0;

	while (i < n && p[i] > 0x20 && p[i] < 0x7f && p[i] != ':')
		i++;
	while (i && i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i > 0 && i < n && p[i] == ':';
}

/* The header alone into `head`, what follows stays in `text`. */
static void header_take(GString *text, GString *head)
{
	gsize from = 0;
	gsize n;

	if (g_str_has_prefix(text->str, "From ")) /* of an mbox */
		from = strcspn(text->str, "\n") + 1;
	from = MIN(from, text->len);
	g_string_erase(text, 0, (gssize)from);
	if (!is_field(text->str, text->len)) {
		if (text->str[0] == '\n' || text->str[0] == '\r') /* an empty header */
			g_string_erase(text, 0, (gssize)strcspn(text->str, "\n") + 1);
		return;
	}
	n = rs_head_n(text->str, text->len);
	g_string_append_len(head, text->str, (gssize)n);
	g_string_erase(text, 0, (gssize)n);
	/* without the empty line, but with a line end */
	while (head->len && (head->str[head->len - 1] == '\n' || head->str[head->len - 1] == '\r'))
		g_string_truncate(head, head->len - 1);
	g_string_append_c(head, '\n');
}

static bool has_field(const GString *head, const char *name)
{
	g_autofree char *raw = rs_header_get(head->str, head->len, name);

	return raw != NULL;
}

/* Name and address as a field has it. */
static char *mailbox(const char *name, const char *address)
{
	InternetAddress *one = internet_address_mailbox_new(name, address);
	char *text;

	internet_address_set_charset(one, "utf-8");
	text = internet_address_to_string(one, NULL, TRUE);

	g_object_unref(one);
	return text;
}

static void complete(GString *head, const struct rs_raw_how *how, const struct rs_account *a)
{
	if (!has_field(head, "From")) {
		g_autofree char *from = mailbox(how->name, a->address);

		g_string_append_printf(head, "From: %s\n", from);
	}
	if (!has_field(head, "Date")) {
		g_autofree char *date = rs_date_make();

		g_string_append_printf(head, "Date: %s\n", date);
	}
	if (!has_field(head, "Message-ID")) {
		g_autofree char *id = rs_message_id_make(a->address);

		g_string_append_printf(head, "Message-ID: %s\n", id);
	}
	g_string_append_c(head, '\n');
}

/* --- the envelope -------------------------------------------------------------------------- */

static int rcpt_add(struct rs_envelope *e, const char *address, struct rs_err *err)
{
	if (!rs_address_ok(address))
		return rs_err_set(err, RS_EINVAL,
			_("'%s' is not a mail address such as anna@example.org"), address);
	if (e->rcpts->len >= RS_ENVELOPE_RCPTS_MAX)
		return rs_err_set(err, RS_ELIMIT, _("more than %u recipients of one message"),
			RS_ENVELOPE_RCPTS_MAX);
	rs_envelope_add(e, address);
	return 0;
}

static int field_add(
	struct rs_envelope *e, const GString *head, const char *name, struct rs_err *err)
{
	g_autofree char *raw = rs_header_get(head->str, head->len, name);
	g_autoptr(GPtrArray) list = rs_addresses_of(raw);
	int rc = 0;

	for (guint i = 0; i < list->len && rc == 0; i++)
		rc = rcpt_add(e, list->pdata[i], err);
	return rc;
}

static int rcpts(struct rs_envelope *e, const GString *head, const struct rs_raw_how *how,
	struct rs_err *err)
{
	static const char *const fields[] = {"To", "Cc", "Bcc"};
	int rc = 0;

	for (const char *const *r = how->rcpts; r && *r && rc == 0; r++) {
		g_autoptr(GPtrArray) list = rs_addresses_of(*r);

		if (list->len == 0)
			rc = rcpt_add(e, *r, err);
		for (guint i = 0; i < list->len && rc == 0; i++)
			rc = rcpt_add(e, list->pdata[i], err);
	}
	for (guint i = 0; how->from_header && i < G_N_ELEMENTS(fields) && rc == 0; i++)
		rc = field_add(e, head, fields[i], err);
	if (rc == 0 && e->rcpts->len == 0)
		rc = rs_err_set(err, RS_EINVAL,
			how->from_header ? _("the message has no recipient in To, Cc or Bcc")
					 : _("no recipient was given; -t reads them from the "
					     "message"));
	return rc;
}

static const struct rs_account *account_for(const struct rs_raw_how *how, const char *sender)
{
	const struct rs_account *a = how->account;

	if (!a && sender)
		a = rs_address_account(how->accounts, sender);
	return a ? a : rs_account_that_sends(how->accounts);
}

static int envelope(const GString *head, const struct rs_raw_how *how, const struct rs_account **by,
	struct rs_envelope **out, struct rs_err *err)
{
	g_autofree char *raw = rs_header_get(head->str, head->len, "From");
	g_autoptr(GPtrArray) from = rs_addresses_of(raw);
	const char *author = from->len ? from->pdata[0] : NULL;
	const char *sender = how->sender && strcmp(how->sender, "<>") == 0 ? "" : how->sender;
	const struct rs_account *a = account_for(
		how, sender && rs_address_account(how->accounts, sender) ? sender : author);
	struct rs_envelope *e;
	int rc = 0;

	if (!a)
		return rs_err_set(err, RS_ECONFIG,
			how->accounts->len ? _("no account can send mail: none has a server for it "
					       "(restante account edit NAME --smtp HOST)")
					   : _("there is no account yet; add one with: restante "
					       "account add"));
	if (!sender)
		sender = author ? author : a->address;
	if (*sender && !rs_address_ok(sender))
		return rs_err_set(err, RS_EINVAL,
			_("'%s' is not a mail address such as anna@example.org"), sender);
	e = rs_envelope_new(a->name, sender);
	rc = rcpts(e, head, how, err);
	if (rc < 0) {
		rs_envelope_free(e);
		return rc;
	}
	*by = a;
	*out = e;
	return 0;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int rest_copy(struct input *in, GString *text, int fd, struct rs_err *err)
{
	int rc = rs_write_all(fd, text->str, text->len, err);

	while (rc == 0 && !in->ended) {
		g_string_truncate(text, 0);
		rc = input_read(in, text, err);
		if (rc == 0)
			rc = rs_write_all(fd, text->str, text->len, err);
	}
	return rc;
}

static int head_read(struct input *in, GString *text, struct rs_err *err)
{
	int rc = 0;

	while (rc == 0 && !in->ended && rs_head_n(text->str, text->len) == text->len) {
		if (text->len > RS_SUBMIT_HEAD_MAX && is_field(text->str, text->len))
			return rs_err_set(err, RS_EINVAL,
				_("the header of the message has no end within %u octets"),
				RS_SUBMIT_HEAD_MAX);
		if (text->len > RS_SUBMIT_HEAD_MAX)
			break;
		rc = input_read(in, text, err);
	}
	return rc;
}

int rs_raw_mail(int in_fd, const struct rs_raw_how *how, int *out_fd, struct rs_envelope **out,
	struct rs_err *err)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GString) head = g_string_new(NULL);
	g_autoptr(GString) held = g_string_new(NULL);
	struct input in = {
		.fd = in_fd, .dot_ends = how->dot_ends, .line_start = true, .held = held};
	const struct rs_account *a = NULL;
	struct rs_envelope *e = NULL;
	int fd = -1;
	int rc;

	rs_mime_init();
	rc = head_read(&in, text, err);
	if (rc < 0)
		return rc;
	header_take(text, head);
	rc = envelope(head, how, &a, &e, err);
	if (rc < 0)
		return rc;
	complete(head, how, a);
	fd = rs_file_nameless(err);
	rc = fd < 0 ? fd : rs_write_all(fd, head->str, head->len, err);
	if (rc == 0)
		rc = rest_copy(&in, text, fd, err);
	if (rc < 0) {
		rs_envelope_free(e);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out_fd = fd;
	*out = e;
	return 0;
}
