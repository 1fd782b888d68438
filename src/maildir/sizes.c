/* sizes.c - see sizes.h. How much a file name is believed:
 *
 *   ours (the form in maildir.h)   ,W= is what rs_deliv counted: believed. The file's size is compared
 *                                  with ,S= when it is opened, so a changed file is an error of that
 *                                  message and never a wrong size on the wire.
 *   foreign, ,S= and ,W= there     Dovecot's ,W= leaves out the CRLF that POP3 adds to an
 *                                  unterminated last line: the last octet is read, once, and the header.
 *   foreign, without them          the octets are counted, once.
 * Whether there is UTF-8 in the header only our own names tell (,U=).
 * "Once": the result is kept in restante.uidl under the base name. */
#include "maildir/sizes.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/downgrade.h"

#define COUNT_CHUNK 16384u

/* Octets at *p that are digits, at least `min` and at most `max`; moves behind them. */
static bool some(struct rs_slice *p, bool hex, size_t min, size_t max)
{
	size_t n = 0;

	while (n < p->n && n < max && (hex ? g_ascii_isxdigit(p->p[n]) : g_ascii_isdigit(p->p[n])))
		n++;
	*p = rs_slice_sub(*p, n, p->n);
	return n >= min;
}

static bool literal(struct rs_slice *p, const char *text)
{
	bool is = rs_slice_istarts(*p, text);

	*p = rs_slice_sub(*p, strlen(text), p->n);
	return is;
}

/* <seconds>.M<6 digits>P<pid>Q<counter>R<8 hex digits>.<host> */
bool rs_sizes_ours(const struct rs_maildir_name *n)
{
	struct rs_slice p = n->unique;

	if (n->size == UINT64_MAX || n->wire == UINT64_MAX)
		return false;
	return some(&p, false, 1, 20) && literal(&p, ".M") && some(&p, false, 6, 6) &&
	       literal(&p, "P") && some(&p, false, 1, 20) && literal(&p, "Q") &&
	       some(&p, false, 1, 20) && literal(&p, "R") && some(&p, true, 8, 8) &&
	       literal(&p, ".");
}

/* What rs_ascii_size_end says, as it is written down. */
static uint64_t ascii_of(struct rs_ascii_size *z, uint64_t wire)
{
	uint64_t n = rs_ascii_size_end(z, wire);

	if (n == RS_DOWNGRADE_NONE)
		return 0;
	return n == wire ? UINT64_MAX : n;
}

/* A file on its way through the counters. */
struct measuring {
	int fd;
	uint64_t size;
	uint64_t got; /* octets read from its beginning */
	struct rs_wire_count count;
	struct rs_ascii_size ascii;
	uint8_t last; /* the last of them */
};

/* To the end of the file, or (`header_only`) to that of its header. */
static int read_through(struct measuring *m, bool header_only)
{
	uint8_t buf[COUNT_CHUNK];

	while (m->got < m->size && !(header_only && m->ascii.over)) {
		ssize_t n = pread(m->fd, buf, sizeof(buf), (off_t)m->got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO; /* it is being written to */
		if (m->got == 0 && rs_header_is_ascii(buf, (size_t)n))
			m->ascii.over = true;
		rs_ascii_size_add(&m->ascii, buf, (size_t)n);
		if (!header_only)
			rs_wire_count_add(&m->count, buf, (size_t)n);
		m->got += (uint64_t)n;
		m->last = buf[n - 1];
	}
	return m->got <= m->size ? 0 : -EIO;
}

/* Of a readable file of out->size octets. */
static int measure(int fd, const struct rs_maildir_name *n, struct rs_sizes *out)
{
	bool told = n->size == out->size && n->wire >= out->size && n->wire != UINT64_MAX;
	struct measuring m = {.fd = fd, .size = out->size, .last = '\n'};
	int rc;

	rs_wire_count_init(&m.count);
	rs_ascii_size_init(&m.ascii);
	rc = read_through(&m, told);
	if (rc == 0 && m.got < m.size) /* a small file has been read whole */
		rc = pread(fd, &m.last, 1, (off_t)m.size - 1) == 1 ? 0 : -EIO;
	out->wire = told ? n->wire + (m.last == '\n' ? 0 : 2) : rs_wire_count_end(&m.count);
	out->ascii = ascii_of(&m.ascii, out->wire);
	rs_ascii_size_finish(&m.ascii);
	return rc;
}

void rs_sizes_measure(struct rs_maildir *m, const struct rs_maildir_entry *e,
	const struct rs_maildir_name *n, struct rs_sizes *out)
{
	int fd = rs_maildir_read_open(m, e, NULL);
	struct stat st;
	int rc = -1;

	*out = (struct rs_sizes){.size = UINT64_MAX, .ascii = UINT64_MAX};
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		out->size = (uint64_t)st.st_size;
		rc = measure(fd, n, out);
	}
	if (rc < 0)
		*out = (struct rs_sizes){.size = UINT64_MAX, .ascii = UINT64_MAX};
	close(fd);
}
