/* template.c - see template.h */
#include "client/template.h"

#include <fcntl.h>
#include <string.h>

#include "base/num.h"
#include "client/header.h"
#include "client/text.h"

/* Fields of the template and where they go; NULL: Attach. */
static const struct {
	const char *name;
	gsize at;
	bool list; /* several of them are one */
} fields[] = {
	{"From", offsetof(struct rs_draft, from), false},
	{"To", offsetof(struct rs_draft, to), true},
	{"Cc", offsetof(struct rs_draft, cc), true},
	{"Bcc", offsetof(struct rs_draft, bcc), true},
	{"Reply-To", offsetof(struct rs_draft, reply_to), true},
	{"Subject", offsetof(struct rs_draft, subject), false},
};

#define ATTACH G_N_ELEMENTS(fields)

static char **field_of(struct rs_draft *d, gsize i)
{
	return (char **)(void *)((char *)d + fields[i].at);
}

static const char *value_of(const struct rs_draft *d, gsize i)
{
	return *(char *const *)(const void *)((const char *)d + fields[i].at);
}

/* --- print --------------------------------------------------------------------------------- */

/* Hints of the language, each line behind a mark. */
static void hints(GString *out)
{
	g_auto(GStrv) lines = g_strsplit(
		_("Fields, an empty line, then the text. Several addresses: a comma between, or\n"
		  "several lines. A file is attached with: Attach: ~/photo.jpg"),
		"\n", -1);

	for (char **line = lines; *line; line++)
		g_string_append_printf(out, "# %s\n", *line);
}

char *rs_template_print(const struct rs_draft *d)
{
	GString *out = g_string_new(NULL);

	hints(out);
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		const char *value = value_of(d, i);

		if (*value || strcmp(fields[i].name, "Reply-To") != 0)
			g_string_append_printf(
				out, "%s:%s%s\n", fields[i].name, *value ? " " : "", value);
	}
	for (guint i = 0; i < d->attachments->len; i++) {
		const struct rs_attachment *a = d->attachments->pdata[i];

		if (a->path)
			g_string_append_printf(out, "Attach: %s\n", a->path);
		else
			g_string_append_printf(out, "Attach: @%u %s\n", i + 1, a->name);
	}
	g_string_append_c(out, '\n');
	g_string_append(out, d->text);
	return g_string_free(out, FALSE);
}

/* --- parse --------------------------------------------------------------------------------- */

struct parse {
	struct rs_draft *draft; /* as it was            */
	struct rs_draft *fresh; /* as it becomes        */
	GString *value;         /* of the field so far  */
	gsize field;            /* G_MAXSIZE: none open */
	guint line;             /* from 1               */
	guint field_line;
	guint seen[ATTACH + 1];
	struct rs_err *err;
};

/* One that the message had. */
static int held_take(struct parse *p, const char *word)
{
	uint32_t n;
	struct rs_slice digits = rs_slice(word + 1, strcspn(word + 1, " \t"));
	const struct rs_attachment *from;
	struct rs_attachment *a;

	if (rs_num_u32(digits, p->draft->attachments->len, &n) < 0 || n == 0)
		return rs_err_set(p->err, RS_EINVAL, _("line %u: the message has no attachment %s"),
			p->field_line, word);
	from = p->draft->attachments->pdata[n - 1];
	if (from->path)
		return rs_draft_attach(p->fresh, from->path, p->err);
	a = g_new0(struct rs_attachment, 1);
	*a = (struct rs_attachment){.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0),
		.name = g_strdup(from->name),
		.type = g_strdup(from->type)};
	g_ptr_array_add(p->fresh->attachments, a);
	return 0;
}

static int attach(struct parse *p)
{
	struct rs_err why;

	if (!*p->value->str)
		return 0;
	if (p->value->str[0] == '@')
		return held_take(p, p->value->str);
	if (rs_draft_attach(p->fresh, p->value->str, &why) < 0)
		return rs_err_set(p->err, why.kind, _("line %u: %s"), p->field_line, why.text);
	return 0;
}

/* The open field is whole. */
static int field_end(struct parse *p)
{
	char **to;

	if (p->field == G_MAXSIZE)
		return 0;
	g_strstrip(p->value->str);
	p->value->len = strlen(p->value->str);
	if (p->field == ATTACH)
		return attach(p);
	to = field_of(p->fresh, p->field);
	if (p->seen[p->field]++ && !fields[p->field].list)
		return rs_err_set(p->err, RS_EINVAL, _("line %u: a second %s; one is enough"),
			p->field_line, fields[p->field].name);
	if (**to && p->value->len) {
		char *both = g_strdup_printf("%s, %s", *to, p->value->str);

		g_free(*to);
		*to = both;
	} else if (p->value->len) {
		rs_draft_set(to, p->value->str);
	}
	return 0;
}

static gsize field_named(const char *name, gsize n)
{
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (strlen(fields[i].name) == n &&
			g_ascii_strncasecmp(fields[i].name, name, n) == 0)
			return i;
	}
	if ((n == 6 && g_ascii_strncasecmp("Attach", name, n) == 0) ||
		(n == 10 && g_ascii_strncasecmp("Attachment", name, n) == 0))
		return ATTACH;
	return G_MAXSIZE;
}

static int head_line(struct parse *p, const char *line)
{
	const char *colon = strchr(line, ':');
	gsize n = colon ? (gsize)(colon - line) : 0;
	int rc;

	if (line[0] == '#')
		return 0;
	if ((line[0] == ' ' || line[0] == '\t') && p->field != G_MAXSIZE) {
		g_string_append_printf(p->value, " %s", line + strspn(line, " \t"));
		return 0;
	}
	rc = field_end(p);
	if (rc < 0)
		return rc;
	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	p->field = field_named(line, n);
	p->field_line = p->line;
	if (p->field == G_MAXSIZE)
		return rs_err_set(p->err, RS_EINVAL,
			_("line %u is no field (From, To, Cc, Bcc, Reply-To, Subject, Attach): "
			  "%.60s; an "
			  "empty line stands in front of the text"),
			p->line, line);
	g_string_assign(p->value, colon + 1);
	return 0;
}

static bool is_empty(const char *line)
{
	return line[strspn(line, " \t")] == '\0';
}

/* All lines up to the text, which *text is then. */
static int head(struct parse *p, char *at, const char **text)
{
	int rc = 0;

	*text = "";
	while (rc == 0 && *at) {
		char *end = strchr(at, '\n');
		char *line = at;

		p->line++;
		at = end ? end + 1 : at + strlen(at);
		if (end)
			*end = '\0';
		if (is_empty(line)) {
			*text = at;
			break;
		}
		rc = head_line(p, line);
	}
	return rc == 0 ? field_end(p) : rc;
}

/* UTF-8 with LF line ends, without NUL and other control characters but tab. */
static char *normal(const char *text, gsize n)
{
	char *utf8 = rs_charset_to_utf8(text, n, NULL);
	char *to = utf8;

	for (const char *c = utf8; *c; c++) {
		if ((guchar)*c >= 0x20 || *c == '\n' || *c == '\t')
			*to++ = *c;
	}
	*to = '\0';
	return utf8;
}

int rs_template_parse(struct rs_draft *d, const char *text, gsize n, struct rs_err *err)
{
	g_autofree char *typed = NULL;
	g_autoptr(GString) value = g_string_new(NULL);
	struct parse p = {.draft = d, .value = value, .field = G_MAXSIZE, .err = err};
	struct rs_draft old;
	const char *rest;
	int rc;

	if (n > RS_TEMPLATE_MAX)
		return rs_err_set(err, RS_ELIMIT,
			_("the text has more than %u MiB; attach it as a file"),
			RS_TEMPLATE_MAX >> 20);
	typed = normal(text, n);
	p.fresh = rs_draft_new(NULL);
	rc = head(&p, typed, &rest);
	if (rc == 0) {
		rs_draft_set(&p.fresh->text, rest);
		rs_draft_set(&p.fresh->account, d->account);
		p.fresh->in_reply_to = g_strdup(d->in_reply_to);
		p.fresh->references = g_strdup(d->references);
		old = *d;
		*d = *p.fresh;
		*p.fresh = old;
	}
	rs_draft_free(p.fresh);
	return rc;
}
