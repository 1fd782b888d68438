/* sizes.c - see sizes.h. How much a file name is believed:
 *
 *   ours (the form in maildir.h)   ,W= is what rs_deliv counted: believed. The file's size is compared
 *                                  with ,S= when it is opened, so a changed file is an error of that
 *                                  message and never a wrong size on the wire.
 *   foreign, ,S= and ,W= there     Dovecot's ,W= leaves out the CRLF that POP3 adds to an
 *                                  unterminated last line: the last octet is read, once.
 *   foreign, without them          the octets are counted, once.
 * "Once": the result is kept in restante.uidl under the base name. */
#include "maildir/sizes.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/dot.h"

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

static int count_octets(int fd, uint64_t size, uint64_t *wire)
{
	uint8_t buf[COUNT_CHUNK];
	struct rs_wire_count count;
	uint64_t got = 0;

	rs_wire_count_init(&count);
	while (got < size) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		rs_wire_count_add(&count, buf, (size_t)n);
		got += (uint64_t)n;
	}
	*wire = rs_wire_count_end(&count);
	return got == size ? 0 : -EIO; /* it is being written to */
}

void rs_sizes_measure(struct rs_maildir *m, const struct rs_maildir_entry *e,
	const struct rs_maildir_name *n, uint64_t *size, uint64_t *wire)
{
	int fd = rs_maildir_read_open(m, e, NULL);
	struct stat st;
	uint8_t last = '\n';
	int rc = -1;

	*size = UINT64_MAX;
	*wire = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		if (n->size == *size && n->wire >= *size && n->wire != UINT64_MAX) {
			rc = st.st_size == 0 || pread(fd, &last, 1, st.st_size - 1) == 1 ? 0 : -1;
			*wire = n->wire + (last == '\n' ? 0 : 2);
		} else {
			rc = count_octets(fd, *size, wire);
		}
	}
	if (rc < 0) {
		*size = UINT64_MAX;
		*wire = 0;
	}
	close(fd);
}
