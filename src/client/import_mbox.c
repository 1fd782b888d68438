/* import_mbox.c - see import_mbox.h. The beginning of each line is held until it is decided what the line is; the rest
 * of a long one passes through. */
#include "client/import_mbox.h"

#include <string.h>

#include "base/err.h"

#define HELD_MAX 512u /* a separator, or a field of status, is shorter */

struct rs_mbox {
	struct rs_mbox_sink sink;
	enum rs_mbox_form form;
	bool in_message;
	bool in_header;
	bool header_ended; /* by the line before */
	bool dropping;     /* the field at hand is one of status: its folded lines, too */
	bool empty_due; /* an empty line came: it is part of the message unless a separator follows */
	bool any;       /* something other than empty lines came */
	bool inside;    /* behind the beginning of a long line */
	bool drop_line; /* … that is left out */
	bool cr;        /* a CR ended the last piece: part of the line end or not */
	unsigned flags;
	char held[HELD_MAX];
	size_t held_n;
};

struct rs_mbox *rs_mbox_new(enum rs_mbox_form form, const struct rs_mbox_sink *sink)
{
	struct rs_mbox *m = g_new0(struct rs_mbox, 1);

	m->sink = *sink;
	m->form = form;
	return m;
}

void rs_mbox_free(struct rs_mbox *m)
{
	g_free(m);
}

/* --- what a line is -------------------------------------------------------------------------------- */

static bool digits(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!g_ascii_isdigit(p[i]))
			return false;
	}
	return true;
}

/* "From ", and somewhere behind it hh:mm and a year. */
static bool is_separator(const char *p, size_t n)
{
	bool time = false;
	bool year = false;

	if (n < 5 || memcmp(p, "From ", 5) != 0)
		return false;
	for (size_t i = 5; i < n; i++) {
		if (i + 5 <= n && digits(p + i, 2) && p[i + 2] == ':' && digits(p + i + 3, 2))
			time = true;
		if (i + 4 <= n && p[i - 1] == ' ' && digits(p + i, 4) &&
			(i + 4 == n || !g_ascii_isdigit(p[i + 4])))
			year = true;
	}
	return time && year;
}

static bool is_quoted_from(const struct rs_mbox *m, const char *p, size_t n)
{
	size_t signs = 0;

	while (signs < n && p[signs] == '>')
		signs++;
	if (m->form == RS_MBOX_SINGLE || !signs || (m->form == RS_MBOX_O && signs > 1))
		return false;
	return n - signs >= 5 && memcmp(p + signs, "From ", 5) == 0;
}

static unsigned letters(const char *p, size_t n)
{
	unsigned flags = 0;

	for (size_t i = 0; i < n; i++) {
		flags |= p[i] == 'R' ? RS_MBOX_SEEN : 0;
		flags |= p[i] == 'A' ? RS_MBOX_ANSWERED : 0;
		flags |= p[i] == 'F' ? RS_MBOX_FLAGGED : 0;
		flags |= p[i] == 'T' ? RS_MBOX_DRAFT : 0;
		flags |= p[i] == 'D' ? RS_MBOX_DELETED : 0;
	}
	return flags;
}

/* Bits as nsMsgMessageFlags has them. */
static unsigned mozilla(const char *p, size_t n)
{
	unsigned bits = 0;
	unsigned flags = 0;

	while (n && g_ascii_isspace(*p)) {
		p++;
		n--;
	}
	for (size_t i = 0; i < n && i < 8 && g_ascii_isxdigit(p[i]); i++)
		bits = bits * 16 + (unsigned)g_ascii_xdigit_value(p[i]);
	flags |= bits & 0x0001 ? RS_MBOX_SEEN : 0;
	flags |= bits & 0x0002 ? RS_MBOX_ANSWERED : 0;
	flags |= bits & 0x0004 ? RS_MBOX_FLAGGED : 0;
	flags |= bits & 0x0008 ? RS_MBOX_DELETED : 0; /* expunged */
	flags |= bits & 0x1000 ? RS_MBOX_PASSED : 0;
	return flags;
}

/* A field of status: noted, and left out. */
static bool status_field(struct rs_mbox *m, const char *p, size_t n)
{
	static const char *const names[] = {"Status:", "X-Status:", "X-Mozilla-Status:",
		"X-Mozilla-Status2:", "X-Mozilla-Keys:"};

	for (size_t i = m->form == RS_MBOX_SINGLE ? 2 : 0; i < G_N_ELEMENTS(names); i++) {
		size_t name_n = strlen(names[i]);

		if (n < name_n || g_ascii_strncasecmp(p, names[i], name_n) != 0)
			continue;
		if (i < 2)
			m->flags |= letters(p + name_n, n - name_n);
		else if (i == 2)
			m->flags |= mozilla(p + name_n, n - name_n);
		return true;
	}
	return false;
}

/* --- what becomes of it ------------------------------------------------------------------------------ */

static int give(struct rs_mbox *m, const char *p, size_t n)
{
	return n ? m->sink.octets(m->sink.arg, p, n) : 0;
}

static int message_end(struct rs_mbox *m)
{
	bool was = m->in_message;

	m->in_message = false;
	m->empty_due = false;
	return was ? m->sink.end(m->sink.arg, m->flags) : 0;
}

static int message_begin(struct rs_mbox *m)
{
	m->in_message = true;
	m->in_header = true;
	m->dropping = false;
	m->flags = 0;
	m->any = true;
	return m->sink.begin(m->sink.arg);
}

static int separator(struct rs_mbox *m)
{
	int rc = message_end(m);

	m->drop_line = true;
	return rc ? rc : message_begin(m);
}

/* An empty line that waited was none in front of a separator. */
static int empty_give(struct rs_mbox *m)
{
	bool due = m->empty_due;

	m->empty_due = false;
	return due ? give(m, "\n", 1) : 0;
}

static int empty_line(struct rs_mbox *m)
{
	int rc;

	if (!m->in_message)
		return 0;
	if (m->in_header) { /* ends the header; never part of a separator */
		m->in_header = false;
		m->header_ended = true;
		return give(m, "\n", 1);
	}
	m->header_ended = false;
	rc = empty_give(m);
	m->empty_due = true;
	return rc;
}

/* The beginning of a line, without its end; what is to be done with the rest is in m->drop_line. */
static int line_begin(struct rs_mbox *m, const char *p, size_t n)
{
	bool may_separate =
		m->form != RS_MBOX_SINGLE &&
		(!m->any || m->empty_due || m->header_ended || (m->in_message && m->in_header));
	int rc;

	m->drop_line = false;
	m->header_ended = false;
	if (may_separate && is_separator(p, n))
		return separator(m);
	if (!m->in_message)
		return -RS_EINVAL;
	rc = empty_give(m);
	if (rc)
		return rc;
	if (m->in_header) {
		if (p[0] != ' ' && p[0] != '\t')
			m->dropping = status_field(m, p, n);
		m->drop_line = m->dropping;
		if (m->drop_line)
			return 0;
	}
	return is_quoted_from(m, p, n) ? give(m, p + 1, n - 1) : give(m, p, n);
}

/* The held octets are a whole line, without its LF. */
static int line_whole(struct rs_mbox *m)
{
	size_t n = m->held_n;
	int rc;

	m->held_n = 0;
	if (n && m->held[n - 1] == '\r')
		n--;
	if (!n)
		return empty_line(m);
	rc = line_begin(m, m->held, n);
	return rc || m->drop_line ? rc : give(m, "\n", 1);
}

/* The rest of a long line: `n` octets of it, `ended`: with LF behind. A CR at their end waits. */
static int line_rest(struct rs_mbox *m, const char *p, size_t n, bool ended)
{
	int rc = 0;

	if (m->cr && n && !m->drop_line)
		rc = give(m, "\r", 1);
	m->cr = n ? p[n - 1] == '\r' : m->cr;
	if (rc == 0 && n && !m->drop_line)
		rc = give(m, p, n - m->cr);
	if (!ended)
		return rc;
	m->inside = false;
	m->cr = false;
	return rc || m->drop_line ? rc : give(m, "\n", 1);
}

/* HELD_MAX octets are a beginning. */
static int line_long(struct rs_mbox *m)
{
	size_t n = m->held_n;
	int rc;

	m->cr = m->held[n - 1] == '\r';
	m->held_n = 0;
	m->inside = true;
	rc = line_begin(m, m->held, n - m->cr);
	return rc;
}

int rs_mbox_feed(struct rs_mbox *m, const char *p, size_t n)
{
	int rc = m->form == RS_MBOX_SINGLE && !m->any ? message_begin(m) : 0;

	while (n && rc == 0) {
		const char *lf = memchr(p, '\n', n);
		size_t line_n = lf ? (size_t)(lf - p) : n;
		size_t used;

		if (m->inside) {
			rc = line_rest(m, p, line_n, lf != NULL);
			used = line_n + (lf != NULL);
		} else {
			used = MIN(line_n, HELD_MAX - m->held_n);
			memcpy(m->held + m->held_n, p, used);
			m->held_n += used;
			if (used == line_n && lf) {
				rc = line_whole(m);
				used++;
			} else if (m->held_n == HELD_MAX) {
				rc = line_long(m);
			}
		}
		p += used;
		n -= used;
	}
	return rc;
}

int rs_mbox_end(struct rs_mbox *m)
{
	int rc = 0;

	if (m->inside)
		rc = line_rest(m, "", 0, true);
	else if (m->held_n)
		rc = line_whole(m);
	if (rc == 0 && m->form == RS_MBOX_SINGLE)
		rc = empty_give(m);
	return rc ? rc : message_end(m);
}
