/* submit_octets.c - see submit_octets.h */
#include "client/submit_octets.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "client/text.h"

#define PIECE 65536u

gsize rs_head_n(const char *octets, gsize n)
{
	gsize at = 0;

	while (at < n) {
		const char *end = memchr(octets + at, '\n', n - at);
		gsize line = end ? (gsize)(end - octets) + 1 - at : n - at;

		if (end && (line == 1 || (line == 2 && octets[at] == '\r')))
			return at + line;
		at += line;
	}
	return n;
}

/* Is the line the beginning of one of these fields? */
static bool is_field(const char *line, gsize n, const char *const *names)
{
	for (const char *const *name = names; *name; name++) {
		gsize k = strlen(*name);
		gsize at = k;

		if (n <= k || g_ascii_strncasecmp(line, *name, k) != 0)
			continue;
		while (at < n && (line[at] == ' ' || line[at] == '\t'))
			at++;
		if (at < n && line[at] == ':')
			return true;
	}
	return false;
}

GString *rs_head_without(const char *head, gsize n, const char *const *names)
{
	GString *out = g_string_sized_new(n);
	bool left_out = false;

	for (gsize at = 0; at < n;) {
		const char *end = memchr(head + at, '\n', n - at);
		gsize line = end ? (gsize)(end - head) + 1 - at : n - at;
		bool goes_on = head[at] == ' ' || head[at] == '\t';

		if (!goes_on)
			left_out = is_field(head + at, line, names);
		if (!left_out)
			g_string_append_len(out, head + at, (gssize)line);
		at += line;
	}
	return out;
}

/* Octets that CRLF line ends add, and whether all are ASCII; `cr`: the octet before was one. */
static void count(struct rs_octets *o, const char *p, gsize n, bool *cr)
{
	for (gsize i = 0; i < n; i++) {
		o->wire += p[i] == '\n' && !*cr ? 2u : 1u;
		o->eight_bit |= (guchar)p[i] > 127;
		*cr = p[i] == '\r';
	}
}

static ssize_t read_at(int fd, char *to, gsize n, guint64 at)
{
	ssize_t k;

	do {
		k = pread(fd, to, n, (off_t)at);
	} while (k < 0 && errno == EINTR);
	return k;
}

static int read_failed(struct rs_err *err)
{
	return rs_err_set(err, RS_EIO, _("a message cannot be read again: %s"), g_strerror(errno));
}

static int head_look(int fd, char *buf, struct rs_octets *o, struct rs_err *err)
{
	static const char *const secret[] = {"Bcc", "Resent-Bcc", NULL};
	gsize n = 0;
	gsize head;
	ssize_t k;

	do {
		k = read_at(fd, buf + n, RS_SUBMIT_HEAD_MAX - n, n);
		if (k < 0)
			return read_failed(err);
		n += (gsize)k;
		head = rs_head_n(buf, n);
	} while (k > 0 && head == n && n < RS_SUBMIT_HEAD_MAX);
	if (head == RS_SUBMIT_HEAD_MAX)
		return rs_err_set(err, RS_EINVAL,
			_("the header of the message has no end within %u octets"),
			RS_SUBMIT_HEAD_MAX);
	o->head = rs_head_without(buf, head, secret);
	o->body_at = head;
	return 0;
}

int rs_octets_look(int fd, struct rs_octets *out, struct rs_err *err)
{
	g_autofree char *buf = g_malloc(RS_SUBMIT_HEAD_MAX);
	bool cr = false;
	ssize_t k;
	int rc;

	*out = (struct rs_octets){.head = NULL};
	rc = head_look(fd, buf, out, err);
	if (rc < 0)
		return rc;
	count(out, out->head->str, out->head->len, &cr);
	out->utf8_head = out->eight_bit;
	for (guint64 at = out->body_at; (k = read_at(fd, buf, PIECE, at)) > 0; at += (guint64)k)
		count(out, buf, (gsize)k, &cr);
	if (k < 0) {
		rs_octets_finish(out);
		return read_failed(err);
	}
	return 0;
}

void rs_octets_finish(struct rs_octets *o)
{
	if (o->head)
		g_string_free(g_steal_pointer(&o->head), TRUE);
}
