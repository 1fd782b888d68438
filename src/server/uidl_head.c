/* uidl_head.c - a header as it can be compared: see uidl.h. Two copies of a message that came by different
 * ways differ in what was put on top of them and in what IMAP and mbox servers note in them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server/uidl.h"

#define DIGEST_N 32

static const char *const added[] = {"return-path", "delivered-to", "received", "status", "x-status",
	"x-uid", "x-uidl", "x-keywords", "x-imap", "x-imapbase", "content-length", "lines",
	"envelope-to", "delivery-date", "x-original-to", "x-getmail-retrieved-from-mailbox",
	"x-restante-folder"};

static bool is_added(struct rs_slice name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(added); i++) {
		if (rs_slice_ieq_str(name, added[i]))
			return true;
	}
	return false;
}

static void sum_end(GChecksum *sum, uint8_t out[DIGEST_N])
{
	gsize n = DIGEST_N;

	g_checksum_get_digest(sum, out, &n);
	g_checksum_free(sum);
}

static void update(GChecksum *sum, struct rs_slice line)
{
	if (line.n)
		g_checksum_update(sum, line.p, (gssize)line.n);
	g_checksum_update(sum, (const guchar *)"\n", 1);
}

void rs_uidl_head_of(struct rs_slice octets, struct rs_uidl_head *out)
{
	GChecksum *whole = g_checksum_new(G_CHECKSUM_SHA256);
	GChecksum *core = g_checksum_new(G_CHECKSUM_SHA256);
	bool skip = false;

	octets = rs_slice_sub(octets, 0, RS_UIDL_HEAD_MAX);
	while (octets.n) {
		size_t end = rs_slice_find(octets, '\n');
		struct rs_slice line = rs_slice_sub(octets, 0, end);

		octets = rs_slice_sub(octets, end + 1, octets.n);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		if (line.p[0] != ' ' && line.p[0] != '\t')
			skip = is_added(rs_slice_sub(line, 0, rs_slice_find(line, ':')));
		update(whole, line);
		if (!skip)
			update(core, line);
	}
	out->there = true;
	sum_end(whole, out->whole);
	sum_end(core, out->core);
}

/* Does it hold the empty line? */
static bool complete(const GByteArray *b)
{
	return g_strstr_len((const char *)b->data, b->len, "\n\n") ||
	       g_strstr_len((const char *)b->data, b->len, "\n\r\n");
}

int rs_uidl_head_read(int fd, struct rs_uidl_head *out)
{
	g_autoptr(GByteArray) b = g_byte_array_new();
	uint8_t buf[8192];

	while (b->len < RS_UIDL_HEAD_MAX) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -RS_EIO;
		if (n == 0)
			break;
		g_byte_array_append(b, buf, (guint)n);
		if (complete(b))
			break;
	}
	rs_uidl_head_of(rs_slice(b->data, b->len), out);
	return 0;
}
