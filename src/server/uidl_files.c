/* uidl_files.c - files in which other servers keep what they call their messages: see uidl.h. Formats as
 * documented by their projects:
 *   dovecot-uidlist       doc.dovecot.org, "Maildir Mailbox Format"
 *   courierpop3dsizelist  head "/VERSION next-uid uidvalidity", a line a message: file size n:uidvalidity[:utf8]
 *   cyrus.index           cyrusimap.org, "Mailbox format"; all numbers in network byte order */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "server/uidl.h"

/* --- the list ------------------------------------------------------------------------------ */

static void row_free(gpointer p)
{
	struct rs_uidl *r = p;

	g_free(r->uid);
	g_free(r->base);
	g_free(r->path);
	g_free(r);
}

void rs_uidl_list_init(struct rs_uidl_list *l)
{
	l->rows = g_ptr_array_new_with_free_func(row_free);
	l->notes = g_ptr_array_new_with_free_func(g_free);
}

void rs_uidl_list_finish(struct rs_uidl_list *l)
{
	if (l->rows)
		g_ptr_array_unref(l->rows);
	if (l->notes)
		g_ptr_array_unref(l->notes);
	*l = (struct rs_uidl_list){.rows = NULL};
}

static char *text_of(struct rs_slice s)
{
	return s.n ? g_strndup((const char *)s.p, s.n) : NULL;
}

struct rs_uidl *rs_uidl_list_add(struct rs_uidl_list *l, struct rs_slice uid, struct rs_slice base)
{
	struct rs_uidl *r = g_new0(struct rs_uidl, 1);

	r->uid = uid.n ? text_of(uid) : g_strdup("");
	r->base = text_of(base);
	r->wire = UINT64_MAX;
	g_ptr_array_add(l->rows, r);
	return r;
}

static void note(struct rs_uidl_list *l, unsigned line, const char *what)
{
	if (l->notes->len < 100)
		g_ptr_array_add(l->notes, g_strdup_printf("line %u %s", line, what));
}

static struct rs_slice line_of(struct rs_slice *rest)
{
	size_t n = rs_slice_find(*rest, '\n');
	struct rs_slice line = rs_slice_sub(*rest, 0, n);

	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static struct rs_slice base_of(struct rs_slice file)
{
	return rs_slice_sub(file, 0, rs_slice_find(file, ':'));
}

/* As restanted mailbox list names it: new/ or cur/ in front. */
static struct rs_slice without_folder(struct rs_slice file)
{
	size_t n = rs_slice_find(file, '/');

	return n < file.n ? rs_slice_sub(file, n + 1, file.n) : file;
}

/* --- how UIDs are made --------------------------------------------------------------------- */

struct values {
	uint32_t uid;
	uint32_t validity;
	struct rs_slice file;
	struct rs_slice guid;
};

/* One "%…" at *f, which stands behind the '%'. False: not one of ours. */
static bool format_one(const char **f, const struct values *v, GString *out)
{
	char number[32];
	unsigned width = 0;
	bool zero = **f == '0';
	bool hex = false;

	while (g_ascii_isdigit(**f) && width < 10)
		width = width * 10 + (unsigned)(*(*f)++ - '0');
	if (**f == 'X') {
		hex = true;
		(*f)++;
	}
	switch (*(*f)++) {
	case 'u':
	case 'v':
		(void)g_snprintf(number, sizeof(number), hex ? "%x" : "%u",
			(*f)[-1] == 'u' ? v->uid : v->validity);
		for (size_t n = strlen(number); n < width; n++)
			g_string_append_c(out, zero ? '0' : ' ');
		g_string_append(out, number);
		return true;
	case 'f':
		g_string_append_len(out, (const char *)v->file.p, (gssize)v->file.n);
		return true;
	case 'g':
		g_string_append_len(out, (const char *)v->guid.p, (gssize)v->guid.n);
		return true;
	case '%':
		g_string_append_c(out, '%');
		return true;
	default:
		return false;
	}
}

/* `out` is replaced. False: the format is not one. */
static bool format_uid(const char *format, const struct values *v, GString *out)
{
	g_string_truncate(out, 0);
	while (*format) {
		if (*format != '%') {
			g_string_append_c(out, *format++);
			continue;
		}
		format++;
		if (!*format || !format_one(&format, v, out))
			return false;
	}
	return true;
}

const char *rs_uidl_format_wrong(const char *format)
{
	const struct values v = {.uid = 1, .file = rs_slice_str("f"), .guid = rs_slice_str("g")};
	g_autoptr(GString) out = g_string_new(NULL);

	if (!format_uid(format, &v, out))
		return "knows %u %v %f %g %%, a width in front of them, and X for hexadecimal";
	return strchr(format, '%') ? NULL : "gives all messages the same UID";
}

/* --- Dovecot ------------------------------------------------------------------------------- */

struct dovecot_row {
	uint32_t uid;
	uint32_t order; /* UINT32_MAX: none */
	struct rs_slice uidl;
	struct rs_slice guid;
	struct rs_slice file;
	uint64_t wire;
};

static gint dovecot_compare(gconstpointer a, gconstpointer b)
{
	const struct dovecot_row *x = a;
	const struct dovecot_row *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* "3 V<validity> N<next> G<guid>" or "1 <validity> <next>". */
static bool dovecot_head(struct rs_slice line, unsigned *version, uint32_t *validity)
{
	struct rs_slice word = rs_slice_word(&line);
	uint32_t v;

	if (rs_num_u32(word, 9, &v) < 0 || (v != 1 && v != 3))
		return false;
	*version = v;
	while (line.n) {
		word = rs_slice_word(&line);
		if (v == 3 && (word.n == 0 || word.p[0] != 'V'))
			continue;
		return rs_num_u32(rs_slice_sub(word, v == 3, word.n), UINT32_MAX, validity) == 0;
	}
	return false;
}

/* The letters between the UID and ":file". */
static bool dovecot_field(struct rs_slice word, struct dovecot_row *r)
{
	struct rs_slice value = rs_slice_sub(word, 1, word.n);

	switch (word.p[0]) {
	case 'P':
		r->uidl = value;
		return true;
	case 'O':
		return rs_num_u32(value, UINT32_MAX - 1, &r->order) == 0;
	case 'G':
		r->guid = value;
		return true;
	case 'W':
		return rs_num_u64(value, UINT64_MAX - 1, &r->wire) == 0;
	default:
		return true; /* sizes and what later versions add */
	}
}

static bool dovecot_row(struct rs_slice line, unsigned version, struct dovecot_row *r)
{
	struct rs_slice word = rs_slice_word(&line);

	*r = (struct dovecot_row){.order = UINT32_MAX, .wire = UINT64_MAX};
	if (rs_num_u32(word, UINT32_MAX, &r->uid) < 0)
		return false;
	while (version == 3 && line.n && line.p[0] != ':') {
		word = rs_slice_word(&line);
		if (word.n == 0 || !dovecot_field(word, r))
			return false;
	}
	r->file = base_of(rs_slice_sub(line, version == 3, line.n));
	return r->file.n > 0;
}

static void dovecot_add(const struct dovecot_row *r, uint32_t validity, const char *format,
	GString *uid, struct rs_uidl_list *out)
{
	struct rs_slice unique = rs_slice_sub(r->file, 0, rs_slice_find(r->file, ','));
	const struct values v = {.uid = r->uid,
		.validity = validity,
		.file = r->file,
		.guid = r->guid.n ? r->guid : unique};

	(void)format_uid(format, &v, uid);
	rs_uidl_list_add(out, r->uidl.n ? r->uidl : rs_slice(uid->str, uid->len), r->file)->wire =
		r->wire;
}

int rs_uidl_dovecot(
	struct rs_slice text, const char *format, struct rs_uidl_list *out, struct rs_err *err)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct dovecot_row));
	g_autoptr(GString) uid = g_string_new(NULL);
	uint32_t validity = 0;
	unsigned version = 0;
	unsigned n = 1;

	if (!dovecot_head(line_of(&text), &version, &validity))
		return rs_err_set(err, RS_EINVAL,
			"dovecot-uidlist: does not begin as one of version 1 or 3 does");
	while (text.n) {
		struct dovecot_row row;

		n++;
		if (dovecot_row(line_of(&text), version, &row))
			g_array_append_val(rows, row);
		else
			note(out, n, "of dovecot-uidlist is not one, and was left out");
	}
	g_array_sort(rows, dovecot_compare);
	for (guint i = 0; i < rows->len; i++)
		dovecot_add(&g_array_index(rows, struct dovecot_row, i), validity,
			format ? format : RS_UIDL_FORMAT_DOVECOT, uid, out);
	return 0;
}

/* --- Courier ------------------------------------------------------------------------------- */

/* Last word of `line`, which loses it and the blank in front. */
static struct rs_slice last_word(struct rs_slice *line)
{
	size_t at = line->n;
	struct rs_slice word;

	while (at > 0 && line->p[at - 1] != ' ')
		at--;
	word = rs_slice_sub(*line, at, line->n);
	line->n = at > 0 ? at - 1 : 0;
	return word;
}

/* Without a number the file name is the UIDL, with what a UIDL cannot hold as +XX. */
static void courier_from_name(struct rs_slice base, GString *uid)
{
	for (size_t i = 0; i < base.n; i++) {
		uint8_t c = base.p[i];

		if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+')
			g_string_append_printf(uid, "+%02X", c);
		else
			g_string_append_c(uid, (char)c);
	}
}

static bool courier_row(struct rs_slice line, GString *uid, struct rs_uidl_list *out)
{
	struct rs_slice id = last_word(&line);
	struct rs_slice size = last_word(&line);
	struct rs_slice base = base_of(line);
	size_t colon = rs_slice_find(id, ':');
	struct rs_slice validity = rs_slice_sub(id, colon + 1, id.n);
	uint64_t wire;
	uint64_t v;
	uint64_t n;

	validity.n = rs_slice_find(validity, ':');
	if (base.n == 0 || rs_num_u64(size, UINT64_MAX - 1, &wire) < 0 ||
		rs_num_u64(rs_slice_sub(id, 0, colon), UINT64_MAX, &n) < 0 ||
		rs_num_u64(validity, UINT64_MAX, &v) < 0)
		return false;
	g_string_truncate(uid, 0);
	if (n == 0)
		courier_from_name(base, uid);
	else if (v)
		g_string_printf(uid, "UID%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, n, v);
	else
		g_string_printf(uid, "UID%" G_GUINT64_FORMAT, n);
	rs_uidl_list_add(out, rs_slice(uid->str, uid->len), base)->wire = wire;
	return true;
}

int rs_uidl_courier(struct rs_slice text, struct rs_uidl_list *out, struct rs_err *err)
{
	g_autoptr(GString) uid = g_string_new(NULL);
	struct rs_slice head = line_of(&text);
	struct rs_slice version = rs_slice_word(&head);
	unsigned n = 1;

	if (!rs_slice_eq_str(version, "/2") && !rs_slice_eq_str(version, "/3"))
		return rs_err_set(err, RS_EINVAL,
			"courierpop3dsizelist: does not begin as one of version 2 or 3 does; one "
			"log-in "
			"to a Courier of this century makes it one");
	while (text.n) {
		n++;
		if (!courier_row(line_of(&text), uid, out))
			note(out, n, "of courierpop3dsizelist is not one, and was left out");
	}
	return 0;
}

/* --- Cyrus --------------------------------------------------------------------------------- */

#define CYRUS_NEW_UIDL 1u          /* option bit: UIDL is UIDVALIDITY.UID, else UID alone */
#define CYRUS_GONE     0xc0000000u /* flags of records that are expunged or unlinked */
#define CYRUS_HEAD_MIN 76u
#define CYRUS_HEAD_20  96u

static uint32_t u32(struct rs_slice s, size_t at)
{
	return (uint32_t)s.p[at] << 24 | (uint32_t)s.p[at + 1] << 16 | (uint32_t)s.p[at + 2] << 8 |
	       s.p[at + 3];
}

/* Where the fields are; they moved twice. */
struct cyrus_form {
	size_t validity_at, options_at;       /* in the head */
	size_t size_at, flags_at, record_min; /* in a record */
	bool size_64;
};

static bool cyrus_form(uint32_t version, struct cyrus_form *f)
{
	if (version < 6 || version > 20 || version == 11)
		return false;
	*f = (struct cyrus_form){44, version < 19 ? 60 : 64, 12, 32, 60, false};
	if (version == 20)
		*f = (struct cyrus_form){92, 64, 24, 36, 140, true};
	return true;
}

static void cyrus_record(struct rs_slice r, const struct cyrus_form *f, const char *format,
	uint32_t validity, struct rs_uidl_list *out)
{
	const struct values v = {.uid = u32(r, 0), .validity = validity};
	g_autoptr(GString) uid = g_string_new(NULL);
	g_autofree char *file = g_strdup_printf("%u.", v.uid);

	if (v.uid == 0 || (u32(r, f->flags_at) & CYRUS_GONE))
		return;
	(void)format_uid(format, &v, uid);
	rs_uidl_list_add(out, rs_slice(uid->str, uid->len), rs_slice_str(file))->wire =
		f->size_64 ? (uint64_t)u32(r, f->size_at) << 32 | u32(r, f->size_at + 4)
			   : u32(r, f->size_at);
}

int rs_uidl_cyrus(
	struct rs_slice octets, const char *format, struct rs_uidl_list *out, struct rs_err *err)
{
	uint32_t version = octets.n >= CYRUS_HEAD_MIN ? u32(octets, 8) : 0;
	struct cyrus_form f;
	uint32_t validity;
	uint32_t start;
	uint32_t size;
	uint32_t n;

	if (!cyrus_form(version, &f) || (version == 20 && octets.n < CYRUS_HEAD_20))
		return rs_err_set(err, RS_EINVAL,
			"cyrus.index: is not of a version that is known (6 to 10, 12 to 20); take "
			"the UIDs "
			"from the running server with --from pop3s://");
	validity = u32(octets, f.validity_at);
	start = u32(octets, 12);
	size = u32(octets, 16);
	n = u32(octets, 20);
	if (size < f.record_min || start < CYRUS_HEAD_MIN || start > octets.n ||
		(octets.n - start) / size < n)
		return rs_err_set(err, RS_EINVAL,
			"cyrus.index: is cut off: it tells of %u records that are not there", n);
	if (!format)
		format = u32(octets, f.options_at) & CYRUS_NEW_UIDL ? "%v.%u" : "%u";
	for (uint32_t i = 0; i < n; i++)
		cyrus_record(rs_slice_sub(octets, start + (size_t)i * size, size), &f, format,
			validity, out);
	return 0;
}

/* --- our own file -------------------------------------------------------------------------- */

int rs_uidl_file(struct rs_slice text, struct rs_uidl_list *out, struct rs_err *err)
{
	unsigned n = 0;

	while (text.n) {
		struct rs_slice line = line_of(&text);
		struct rs_slice uid;

		n++;
		line = rs_slice_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		uid = rs_slice_word(&line);
		if (!rs_slice_graphic(uid) || rs_slice_find(line, 0) != line.n)
			return rs_err_set(err, RS_EINVAL,
				"line %u is not 'UID' or 'UID FILE': a UID holds visible ASCII "
				"only",
				n);
		(void)rs_uidl_list_add(out, uid, base_of(without_folder(line)));
	}
	return 0;
}
