/* downgrade_field.c - one header field with UTF-8 in it as ASCII: RFC 6857 section 3.2, by the field's name. */
#include "proto/downgrade_priv.h"

#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

/* --- pieces of structured fields ----------------------------------------------------------- */

static bool space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct rs_slice trim(struct rs_slice s)
{
	while (s.n && space(s.p[0]))
		s = rs_slice_sub(s, 1, s.n);
	while (s.n && space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Octets of the quoted string or comment that begins at s.p[0]; the rest of `s` when it has no end. */
static size_t quoted_n(struct rs_slice s)
{
	bool comment = s.p[0] == '(';
	unsigned depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\\')
			i++;
		else if (comment && c == '(')
			depth++;
		else if (comment && c == ')' && --depth == 0)
			return i + 1;
		else if (!comment && c == '"' && i > 0)
			return i + 1;
	}
	return s.n;
}

/* Place of the first of `marks` outside quoted strings, comments and <>; s.n when there is none. */
static size_t outside(struct rs_slice s, const char *marks)
{
	bool angle = false;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '"' || c == '(')
			i += quoted_n(rs_slice_sub(s, i, s.n)) - 1;
		else if (!angle && ascii_mark(marks, c))
			return i;
		else if (c == '<' || c == '>')
			angle = c == '<';
	}
	return s.n;
}

/* The text of a phrase as a person reads it: without quotes and without the backslashes in them. */
static void put_phrase(struct ascii_out *o, struct rs_slice s)
{
	struct rs_buf text;
	bool quoted = false;

	rs_buf_init(&text, s.n + 1);
	for (size_t i = 0; i < s.n && o->rc == 0; i++) {
		if (s.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		o->rc = rs_buf_add(&text, &s.p[i], 1);
	}
	downgrade_put_words(o, rs_buf_slice(&text));
	rs_buf_finish(&text);
}

/* --- addresses ----------------------------------------------------------------------------- */

/* An address with ASCII in front of its '@' and a domain that can be turned: "a@b", or "<a@b>". False, and nothing
 * is written, for any other; `o` NULL: only asked. */
static bool put_turned(struct ascii_out *o, struct rs_slice addr)
{
	uint8_t domain[DOWNGRADE_DOMAIN_MAX];
	size_t at = addr.n;
	size_t end = addr.n && addr.p[addr.n - 1] == '>' ? addr.n - 1 : addr.n;
	size_t n;

	while (at && addr.p[at - 1] != '@')
		at--;
	if (at == 0 || at > end || !rs_ascii_only(rs_slice_sub(addr, 0, at)))
		return false;
	n = downgrade_domain(rs_slice_sub(addr, at, end - at), domain);
	if (n && o) {
		downgrade_put(o, rs_slice_sub(addr, 0, at));
		downgrade_put(o, rs_slice(domain, n));
		downgrade_put(o, rs_slice_sub(addr, end, addr.n));
	}
	return n > 0;
}

/* An address that can only be shown: an empty group with its text for a name (RFC 6857 section 3.1.8). */
static void put_shown(struct ascii_out *o, struct rs_slice text)
{
	downgrade_put_words(o, trim(text));
	downgrade_put_str(o, " :;");
}

/* "name <address>", or an address with comments; without the blanks around it. */
static void put_mailbox(struct ascii_out *o, struct rs_slice s)
{
	size_t open = outside(s, "<");
	struct rs_slice name = trim(rs_slice_sub(s, 0, open));
	struct rs_slice rest = rs_slice_sub(s, open, s.n);
	size_t close = rs_slice_find(rest, '>');
	struct rs_slice addr = rs_slice_sub(rest, 0, close + 1);
	struct rs_slice behind = rs_slice_sub(rest, addr.n, rest.n);

	if (open == s.n) {
		size_t comment = outside(s, " \t\n\r");

		/* the address, then perhaps a comment */
		addr = trim(rs_slice_sub(s, 0, comment));
		behind = rs_slice_sub(s, comment, s.n);
		name = rs_slice(NULL, 0);
	}
	if (!rs_ascii_only(addr) && !put_turned(NULL, addr)) {
		struct rs_slice bare = addr;

		if (name.n) {
			put_phrase(o, name);
			downgrade_put_str(o, " ");
		}
		if (bare.n >= 2 && bare.p[0] == '<')
			bare = rs_slice_sub(bare, 1, bare.n - 2);
		put_shown(o, bare);
		return; /* comments behind it: there is no place for them */
	}
	if (rs_ascii_only(name))
		downgrade_put(o, name);
	else
		put_phrase(o, name);
	if (name.n)
		downgrade_put_str(o, " ");
	if (rs_ascii_only(addr))
		downgrade_put(o, addr);
	else
		(void)put_turned(o, addr);
	downgrade_put_text(o, behind, "()");
}

/* Does an address of this list, and not only a name, have UTF-8 in it? */
static bool has_high_address(struct rs_slice s)
{
	while (s.n) {
		size_t n = outside(s, ",;");
		struct rs_slice m = rs_slice_sub(s, 0, n);
		size_t open = outside(m, "<");
		struct rs_slice addr = open < m.n ? rs_slice_sub(m, open, m.n) : m;

		if (!rs_ascii_only(addr) && !put_turned(NULL, trim(addr)))
			return true;
		s = rs_slice_sub(s, n + 1, s.n);
	}
	return false;
}

/* A group from its name to its ';'. One with an address that is not ASCII is shown as a whole. */
static void put_group(struct ascii_out *o, struct rs_slice s, size_t colon)
{
	struct rs_slice name = trim(rs_slice_sub(s, 0, colon));
	struct rs_slice list = rs_slice_sub(s, colon + 1, s.n);

	list = rs_slice_sub(list, 0, outside(list, ";"));
	if (has_high_address(list)) {
		put_phrase(o, name);
		if (name.n)
			downgrade_put_str(o, " ");
		put_shown(o, list);
		return;
	}
	if (rs_ascii_only(name))
		downgrade_put(o, name);
	else
		put_phrase(o, name);
	downgrade_put_str(o, ":");
	for (bool first = true; list.n; first = false) {
		size_t n = outside(list, ",");

		downgrade_put_str(o, first ? " " : ",\n ");
		put_mailbox(o, trim(rs_slice_sub(list, 0, n)));
		list = rs_slice_sub(list, n + 1, list.n);
	}
	downgrade_put_str(o, ";");
}

/* Octets of the first element of an address list, up to its comma: a group goes on to its ';'. */
static size_t element_n(struct rs_slice s, size_t *colon)
{
	size_t n = outside(s, ",:");

	*colon = n < s.n && s.p[n] == ':' ? n : SIZE_MAX;
	if (*colon == SIZE_MAX)
		return n;
	n += 1 + outside(rs_slice_sub(s, n + 1, s.n), ";");
	return n < s.n ? n + outside(rs_slice_sub(s, n, s.n), ",") : n;
}

static void put_addresses(struct ascii_out *o, struct rs_slice s)
{
	for (bool first = true; s.n && o->rc == 0; first = false) {
		size_t colon;
		size_t n = element_n(s, &colon);
		struct rs_slice e = rs_slice_sub(s, 0, n);

		if (!first)
			downgrade_put_str(o, ",");
		if (rs_ascii_only(e)) {
			downgrade_put(o, e);
		} else {
			downgrade_put_str(o, o->column > 50 ? "\n " : " ");
			if (colon != SIZE_MAX)
				put_group(o, e, colon);
			else
				put_mailbox(o, trim(e));
		}
		s = rs_slice_sub(s, n + 1, s.n);
	}
}

/* --- MIME fields --------------------------------------------------------------------------- */

static void put_mime_part(struct ascii_out *o, struct rs_slice part)
{
	size_t eq = outside(part, "=");
	struct rs_slice name = trim(rs_slice_sub(part, 0, eq));
	struct rs_slice value = trim(rs_slice_sub(part, eq + 1, part.n));

	if (eq == part.n || name.n == 0 || !rs_slice_graphic(name)) {
		downgrade_put_text(o, part, "()");
		return;
	}
	while (name.n > 1 && name.p[name.n - 1] == '*')
		name.n--;
	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		value = rs_slice_sub(value, 1, value.n - 2);
	downgrade_put_param(o, name, value);
}

static void put_mime(struct ascii_out *o, struct rs_slice s)
{
	for (bool first = true; s.n && o->rc == 0; first = false) {
		size_t n = outside(s, ";");
		struct rs_slice part = rs_slice_sub(s, 0, n);

		if (!first)
			downgrade_put_str(o, ";");
		if (rs_ascii_only(part))
			downgrade_put(o, part);
		else
			put_mime_part(o, part);
		s = rs_slice_sub(s, n + 1, s.n);
	}
}

/* --- the others ---------------------------------------------------------------------------- */

/* Octets of the word at s.p[0] up to a blank outside comments. */
static size_t item_n(struct rs_slice s)
{
	size_t n = 0;

	while (n < s.n && space(s.p[n]))
		n++;
	return n + outside(rs_slice_sub(s, n, s.n), " \t\n\r;");
}

/* RFC 6857 section 3.2.6: a FOR clause that is not ASCII is left out. */
static void put_received(struct ascii_out *o, struct rs_slice s)
{
	while (s.n && o->rc == 0) {
		size_t n = item_n(s);
		struct rs_slice item = rs_slice_sub(s, 0, n ? n : 1);

		s = rs_slice_sub(s, item.n, s.n);
		if (rs_slice_ieq_str(trim(item), "for")) {
			size_t of = item_n(s);

			if (!rs_ascii_only(rs_slice_sub(s, 0, of))) {
				s = rs_slice_sub(s, of, s.n);
				continue;
			}
		}
		if (rs_ascii_only(item))
			downgrade_put(o, item);
		else
			downgrade_put_text(o, item, "()");
	}
}

static void put_comments(struct ascii_out *o, struct rs_slice s)
{
	downgrade_put_text(o, s, "()");
}

static void put_unstructured(struct ascii_out *o, struct rs_slice s)
{
	downgrade_put_text(o, s, "");
}

/* The value as a whole, in a field that says that it is not the real one. */
static void put_wrapped(struct ascii_out *o, struct rs_slice s)
{
	downgrade_put_str(o, " ");
	downgrade_put_words(o, trim(s));
}

struct kind {
	const char *name;
	bool wrapped; /* "Downgraded-" in front of the name */
	void (*put)(struct ascii_out *o, struct rs_slice value);
};

static const struct kind kinds[] = {
	{"From", false, put_addresses},
	{"Sender", false, put_addresses},
	{"Reply-To", false, put_addresses},
	{"To", false, put_addresses},
	{"Cc", false, put_addresses},
	{"Bcc", false, put_addresses},
	{"Resent-From", false, put_addresses},
	{"Resent-Sender", false, put_addresses},
	{"Resent-Reply-To", false, put_addresses},
	{"Resent-To", false, put_addresses},
	{"Resent-Cc", false, put_addresses},
	{"Resent-Bcc", false, put_addresses},
	{"Return-Path", false, put_addresses},
	{"Delivered-To", false, put_addresses},
	{"Disposition-Notification-To", false, put_addresses},
	{"Message-ID", true, put_wrapped},
	{"Resent-Message-ID", true, put_wrapped},
	{"In-Reply-To", true, put_wrapped},
	{"References", true, put_wrapped},
	{"Original-Recipient", true, put_wrapped},
	{"Final-Recipient", true, put_wrapped},
	{"Content-Type", false, put_mime},
	{"Content-Disposition", false, put_mime},
	{"Received", false, put_received},
	{"Date", false, put_comments},
	{"Resent-Date", false, put_comments},
	{"MIME-Version", false, put_comments},
	{"Content-ID", false, put_comments},
	{"Content-Transfer-Encoding", false, put_comments},
	{"Content-Language", false, put_comments},
	{"Accept-Language", false, put_comments},
	{"Auto-Submitted", false, put_comments},
};

static const struct kind other = {"", false, put_unstructured};

static const struct kind *kind_of(struct rs_slice name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (rs_slice_ieq_str(name, kinds[i].name))
			return &kinds[i];
	}
	return &other;
}

int downgrade_field(struct rs_slice field, struct rs_buf *out)
{
	struct ascii_out o = {.buf = out};
	size_t end_n = 0;
	size_t colon = rs_slice_find(field, ':');
	struct rs_slice name = rs_slice_sub(field, 0, colon);
	struct rs_slice value;
	const struct kind *kind;

	if (field.n && field.p[field.n - 1] == '\n')
		end_n = field.n > 1 && field.p[field.n - 2] == '\r' ? 2 : 1;
	/* a line that is no field (of an mbox, or broken) is text as a whole */
	if (colon == field.n || !rs_slice_graphic(rs_slice_trim(name)))
		name = rs_slice(NULL, 0);
	kind = kind_of(rs_slice_trim(name));
	value = rs_slice_sub(field, name.p ? colon + 1 : 0, field.n);
	value.n -= end_n;
	if (kind->wrapped)
		downgrade_put_str(&o, "Downgraded-");
	if (name.p) {
		downgrade_put(&o, name);
		downgrade_put_str(&o, ":");
	}
	kind->put(&o, value);
	downgrade_put(&o, rs_slice_sub(field, field.n - end_n, end_n));
	return o.rc;
}
