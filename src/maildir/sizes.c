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

/* Read the file to its end, or (`header_only`) to that of its header; what was counted stays in *count. */
static int read_through(int fd, uint64_t size, bool header_only, struct rs_ascii_size *z,
	struct rs_wire_count *count)
{
	uint8_t buf[COUNT_CHUNK];
	uint64_t got = 0;

	while (got < size && !(header_only && z->over)) {
		ssize_t n = pread(fd, buf, sizeof(buf), (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO; /* it is being written to */
		if (got == 0 && rs_header_is_ascii(buf, (size_t)n))
			z->over = true;
		rs_ascii_size_add(z, buf, (size_t)n);
		if (!header_only)
			rs_wire_count_add(count, buf, (size_t)n);
		got += (uint64_t)n;
	}
	return got <= size ? 0 : -EIO;
}

/* Of a readable file of out->size octets. */
static int measure(int fd, const struct rs_maildir_name *n, struct rs_sizes *out)
{
	bool told = n->size == out->size && n->wire >= out->size && n->wire != UINT64_MAX;
	struct rs_wire_count count;
	struct rs_ascii_size z;
	uint8_t last = '\n';
	int rc;

	rs_wire_count_init(&count);
	rs_ascii_size_init(&z);
	rc = read_through(fd, out->size, told, &z, &count);
	if (rc == 0 && told && out->size)
		rc = pread(fd, &last, 1, (off_t)out->size - 1) == 1 ? 0 : -EIO;
	out->wire = told ? n->wire + (last == '\n' ? 0 : 2) : rs_wire_count_end(&count);
	out->ascii = ascii_of(&z, out->wire);
	rs_ascii_size_finish(&z);
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
