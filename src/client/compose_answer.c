/* compose_answer.c - drafts that answer or forward a message: to whom, about what, what is quoted. RFC 5322 section 3.6.4
 * (threads), RFC 2369 (List-Post); Mail-Followup-To and Mail-Reply-To as mailing lists know them. */
#include <errno.h>
#include <fcntl.h>
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "client/addresses.h"
#include "client/clean.h"
#include "client/compose.h"
#include "client/header.h"
#include "client/message.h"
#include "client/raw_mail.h"
#include "client/submit_octets.h"
#include "client/text.h"

#define HEAD_MAX       (256u * 1024)
#define QUOTE_COLUMNS  72u
#define REFERENCES_END 20u

/* --- subject, quote, references ------------------------------------------------------------ */

/* Octets of one "Re:", "AW:", "Fwd[2]:" … at the beginning; 0: there is none. */
static gsize mark_n(const char *subject)
{
	static const char *const marks[] = {"re", "aw", "antw", "antwort", "sv", "vs", "odp", "ref",
		"rif", "fwd", "fw", "wg", "i", "tr", "doorst"};

	for (gsize i = 0; i < G_N_ELEMENTS(marks); i++) {
		gsize n = strlen(marks[i]);
		const char *at = subject + n;

		if (g_ascii_strncasecmp(subject, marks[i], n) != 0)
			continue;
		if (*at == '[' || *at == '(') {
			at += 1 + strspn(at + 1, "0123456789");
			if (*at != ']' && *at != ')')
				continue;
			at++;
		}
		if (*at != ':')
			continue;
		at++;
		return (gsize)(at - subject) + strspn(at, " ");
	}
	return 0;
}

char *rs_subject_answer(const char *subject, const char *mark)
{
	gsize n;

	subject += strspn(subject, " ");
	while ((n = mark_n(subject)) > 0)
		subject += n;
	return g_strdup_printf("%s: %s", mark, subject);
}

char *rs_quote(const char *text)
{
	g_autofree char *folded = rs_columns_fold(text, QUOTE_COLUMNS);
	GString *out = g_string_new(NULL);
	const char *end = strstr(folded, "\n-- \n");
	gsize n = end ? (gsize)(end - folded) : strlen(folded);

	while (n && g_ascii_isspace(folded[n - 1]))
		n--;
	folded[n] = '\0';
	for (const char *line = folded; *line;) {
		gsize k = strcspn(line, "\n");

		g_string_append(out, *line == '>' || k == 0 ? ">" : "> ");
		g_string_append_len(out, line, (gssize)k);
		g_string_append_c(out, '\n');
		line += k + (line[k] == '\n');
	}
	return g_string_free(out, FALSE);
}

/* Each "<…>" of a field. */
static void ids_take(const char *raw, GPtrArray *out)
{
	while (raw && (raw = strchr(raw, '<')) != NULL) {
		gsize n = strcspn(raw + 1, "<> \t\r\n");

		if (n && raw[n + 1] == '>')
			g_ptr_array_add(out, g_strndup(raw, n + 2));
		raw++;
	}
}

char *rs_references(const char *references, const char *in_reply_to, const char *message_id)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	GString *out = g_string_new(NULL);

	ids_take(references, ids);
	if (ids->len == 0) {
		ids_take(in_reply_to, ids);
		if (ids->len > 1) /* RFC 5322: then nobody knows which is the parent */
			g_ptr_array_set_size(ids, 0);
	}
	ids_take(message_id, ids);
	for (guint i = 0; i < ids->len; i++) {
		if (i && i + REFERENCES_END < ids->len)
			continue;
		if (out->len)
			g_string_append_c(out, ' ');
		g_string_append(out, ids->pdata[i]);
	}
	return g_string_free(out, ids->len == 0);
}

/* --- who ----------------------------------------------------------------------------------- */

struct original {
	char *head;
	gsize n;
	struct rs_message *read;
};

static char *field(const struct original *o, const char *name)
{
	return rs_header_get(o->head, o->n, name);
}

/* The address as a field shows it, decoded. */
static InternetAddressList *parsed(const struct original *o, const char *name)
{
	g_autofree char *raw = field(o, name);
	InternetAddressList *list = raw ? internet_address_list_parse(NULL, raw) : NULL;

	return list ? list : internet_address_list_new();
}

static bool is_ours(const GPtrArray *accounts, const char *address)
{
	return address && rs_address_account(accounts, address) != NULL;
}

static const char *address_at(InternetAddressList *list, int i)
{
	InternetAddress *one = internet_address_list_get_address(list, i);

	return INTERNET_ADDRESS_IS_MAILBOX(one)
		       ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one))
		       : NULL;
}

static bool holds(InternetAddressList *list, const char *address)
{
	for (int i = 0; i < internet_address_list_length(list); i++) {
		if (rs_address_same(address_at(list, i), address))
			return true;
	}
	return false;
}

/* Those of `from` (taken) that are in neither list yet, nor addresses of `not_these`. */
static void add(InternetAddressList *to, InternetAddressList *besides, InternetAddressList *from,
	const GPtrArray *not_these)
{
	for (int i = 0; i < internet_address_list_length(from); i++) {
		InternetAddress *one = internet_address_list_get_address(from, i);
		const char *address = address_at(from, i);

		if (INTERNET_ADDRESS_IS_GROUP(one)) {
			InternetAddressList *members =
				internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one));

			add(to, besides, g_object_ref(members), not_these);
			continue;
		}
		if (!address || !*address || holds(to, address) ||
			(besides && holds(besides, address)) ||
			(not_these && is_ours(not_these, address)))
			continue;
		internet_address_list_add(to, one);
	}
	g_object_unref(from);
}

static char *shown(InternetAddressList *list)
{
	g_autofree char *text = internet_address_list_to_string(list, NULL, FALSE);
	char *clean = rs_clean_line(text ? text : "");

	g_object_unref(list);
	return clean;
}

/* Whose address it was sent to, and then the order of rs_answer_how. NULL: there is no account. */
static const struct rs_account *account_for(
	const struct rs_answer_how *how, const struct original *o)
{
	static const char *const fields[] = {"To", "Cc", "Delivered-To", "X-Original-To", "From"};
	const struct rs_account *a = how->account;

	for (guint i = 0; !a && i < G_N_ELEMENTS(fields); i++) {
		g_autofree char *raw = field(o, fields[i]);
		g_autoptr(GPtrArray) list = rs_addresses_of(raw);

		for (guint j = 0; !a && j < list->len; j++)
			a = rs_address_account(how->accounts, list->pdata[j]);
	}
	if (!a && how->folder_account)
		a = rs_accounts_find(how->accounts, how->folder_account);
	if (!a)
		a = rs_account_that_sends(how->accounts);
	return a ? a : how->accounts->len ? how->accounts->pdata[0] : NULL;
}

static bool from_us(const struct rs_answer_how *how, const struct original *o)
{
	g_autofree char *raw = field(o, "From");
	g_autoptr(GPtrArray) from = rs_addresses_of(raw);

	return from->len && is_ours(how->accounts, from->pdata[0]);
}

/* The first of these fields that names anybody. */
static InternetAddressList *first_of(const struct original *o, const char *const *names)
{
	for (; *names; names++) {
		InternetAddressList *list = parsed(o, *names);

		if (internet_address_list_length(list) || !names[1])
			return list;
		g_object_unref(list);
	}
	return internet_address_list_new();
}

static int to_list(const struct original *o, struct rs_draft *d, struct rs_err *err)
{
	g_autofree char *raw = field(o, "List-Post");
	const char *at = raw ? strstr(raw, "<mailto:") : NULL;
	g_autofree char *escaped = at ? g_strndup(at + 8, strcspn(at + 8, ">?")) : NULL;
	g_autofree char *address = escaped ? g_uri_unescape_string(escaped, NULL) : NULL;

	if (!address || !rs_address_ok(address))
		return rs_err_set(err, RS_ENOENT,
			_("the message is of no list that takes answers (it has no List-Post)"));
	rs_draft_set(&d->to, address);
	return 0;
}

static void to_people(const struct rs_answer_how *how, const struct original *o, struct rs_draft *d)
{
	static const char *const author[] = {"Mail-Reply-To", "Reply-To", "From", NULL};
	static const char *const followup[] = {"Mail-Followup-To", NULL};
	static const char *const addressed[] = {"To", NULL};
	const GPtrArray *ours = how->accounts;
	bool all = how->kind == RS_REPLY_ALL;
	bool own = from_us(how, o);
	InternetAddressList *to = internet_address_list_new();
	InternetAddressList *cc = internet_address_list_new();
	InternetAddressList *asked = all ? first_of(o, followup) : internet_address_list_new();

	if (internet_address_list_length(asked)) {
		add(to, NULL, g_object_ref(asked), ours);
	} else {
		add(to, NULL, first_of(o, own ? addressed : author), own ? ours : NULL);
		if (all && !own)
			add(cc, to, parsed(o, "To"), ours);
		if (all)
			add(cc, to, parsed(o, "Cc"), ours);
	}
	g_object_unref(asked);
	/* somebody must get it, and be it ourselves */
	if (!internet_address_list_length(to) && !internet_address_list_length(cc))
		add(to, NULL, first_of(o, own ? addressed : author), NULL);
	g_free(d->to);
	d->to = shown(to);
	g_free(d->cc);
	d->cc = shown(cc);
}

/* --- answers ------------------------------------------------------------------------------- */

static char *when(const struct original *o)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(o->read->date_s);

	return date ? g_date_time_format(date, _("%e %B %Y, %H:%M")) : g_strdup("?");
}

static void reply_fill(const struct original *o, struct rs_draft *d)
{
	g_autofree char *raw = field(o, "From");
	g_autofree char *person = rs_header_person(raw, NULL);
	g_autofree char *quoted = rs_quote(o->read->text);
	g_autofree char *date = when(o);
	g_autofree char *id = field(o, "Message-ID");
	g_autofree char *references = field(o, "References");
	g_autofree char *parent = field(o, "In-Reply-To");
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	char *text;

	g_strstrip(date);
	ids_take(id, ids);
	if (ids->len)
		d->in_reply_to = g_strdup(ids->pdata[0]);
	d->references = rs_references(references, parent, d->in_reply_to);
	g_free(d->subject);
	d->subject = rs_subject_answer(o->read->subject, "Re");
	text = g_strdup_printf(_("On %s, %s wrote:\n%s\n%s"), date, person, quoted, d->text);
	g_free(d->text);
	d->text = text;
}

/* Octets that go with a draft: held in a file without a name. */
static int hold(struct rs_draft *d, int fd, const char *name, const char *type)
{
	struct rs_attachment *a = g_new0(struct rs_attachment, 1);

	*a = (struct rs_attachment){.fd = fd, .name = g_strdup(name), .type = g_strdup(type)};
	g_ptr_array_add(d->attachments, a);
	return 0;
}

static int copy(int from, int to, struct rs_err *err)
{
	char buf[16384];
	off_t at = 0;
	ssize_t k;
	int rc = 0;

	while (rc == 0 && (k = pread(from, buf, sizeof(buf), at)) > 0) {
		rc = rs_write_all(to, buf, (gsize)k, err);
		at += k;
	}
	return rc;
}

static int forward_whole(const struct original *o, int fd, struct rs_draft *d, struct rs_err *err)
{
	g_autofree char *name =
		g_strdup_printf("%.60s.eml", *o->read->subject ? o->read->subject : _("message"));
	int held = rs_file_nameless(err);
	int rc = held < 0 ? held : copy(fd, held, err);

	if (rc < 0) {
		if (held >= 0)
			close(held);
		return rc;
	}
	g_strdelimit(name, "/\\", '-');
	return hold(d, held, name, "message/rfc822");
}

/* What is neither shown as text nor another form of it goes along. */
static int forward_parts(const struct original *o, int fd, struct rs_draft *d, struct rs_err *err)
{
	for (guint i = 0; i < o->read->parts->len; i++) {
		const struct rs_part *part = o->read->parts->pdata[i];
		int held;
		int rc;

		if (part->shown || part->alternative || g_str_has_prefix(part->type, "multipart/"))
			continue;
		held = rs_file_nameless(err);
		rc = held < 0 ? held : rs_message_part_save(fd, part->number, held, err);
		if (rc < 0) {
			if (held >= 0)
				close(held);
			return rc;
		}
		(void)hold(d, held, *part->name ? part->name : _("part"), part->type);
	}
	return 0;
}

static int forward_fill(const struct rs_answer_how *how, const struct original *o, int fd,
	struct rs_draft *d, struct rs_err *err)
{
	const struct rs_message *m = o->read;
	g_autofree char *date = when(o);
	char *text;

	g_free(d->subject);
	d->subject = rs_subject_answer(m->subject, "Fwd");
	if (how->kind == RS_FORWARD_ATTACHED)
		return forward_whole(o, fd, d, err);
	g_strstrip(date);
	text = g_strdup_printf(_("%s\n-------- Forwarded message --------\nFrom: %s\nDate: %s\nTo: "
				 "%s\nSubject: %s\n\n%s"),
		d->text, m->from, date, m->to, m->subject, m->text);
	g_free(d->text);
	d->text = text;
	return forward_parts(o, fd, d, err);
}

static int original_read(int fd, struct original *o, struct rs_err *err)
{
	ssize_t n;
	int rc = rs_message_read(fd, &o->read, err);

	if (rc < 0)
		return rc;
	o->head = g_malloc(HEAD_MAX);
	n = pread(fd, o->head, HEAD_MAX, 0);
	o->n = n > 0 ? rs_head_n(o->head, (gsize)n) : 0;
	return 0;
}

int rs_draft_answer(
	const struct rs_answer_how *how, int fd, struct rs_draft **out, struct rs_err *err)
{
	struct original o = {.head = NULL};
	const struct rs_account *a;
	struct rs_draft *d = NULL;
	int rc;

	rs_mime_init();
	rc = original_read(fd, &o, err);
	if (rc < 0)
		return rc;
	a = account_for(how, &o);
	if (!a)
		rc = rs_err_set(err, RS_ECONFIG,
			_("there is no account yet; add one with: restante account add"));
	if (rc == 0)
		d = rs_draft_new(a);
	if (rc == 0 && (how->kind == RS_FORWARD || how->kind == RS_FORWARD_ATTACHED)) {
		rc = forward_fill(how, &o, fd, d, err);
	} else if (rc == 0) {
		reply_fill(&o, d);
		if (how->kind == RS_REPLY_LIST)
			rc = to_list(&o, d, err);
		else
			to_people(how, &o, d);
	}
	rs_message_destroy(&o.read);
	g_free(o.head);
	if (rc < 0)
		rs_draft_free(d);
	else
		*out = d;
	return rc;
}
