/* http.c - see http.h */
#include "server/http.h"

#include <string.h>

#include "base/err.h"
#include "base/num.h"

/* --- request ------------------------------------------------------------------------------- */

static bool token_char(uint8_t c)
{
	return g_ascii_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool token(struct rs_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!token_char(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* "/path?query", or the absolute form of it (RFC 9112 section 3.2.2). */
static bool target(struct rs_slice t, struct rs_http_req *out)
{
	size_t query;

	if (rs_slice_istarts(t, "http://") || rs_slice_istarts(t, "https://")) {
		t = rs_slice_sub(t, rs_slice_find(t, ':') + 3, t.n);
		t = rs_slice_sub(t, rs_slice_find(t, '/'), t.n);
	}
	query = rs_slice_find(t, '?');
	out->path = rs_slice_sub(t, 0, query);
	out->query = rs_slice_sub(t, query + 1, t.n);
	return t.n && t.p[0] == '/' && rs_slice_graphic(t);
}

static bool request_line(struct rs_slice line, struct rs_http_req *out)
{
	size_t end = rs_slice_find(line, ' ');
	struct rs_slice rest = rs_slice_sub(line, end + 1, line.n);
	size_t version = rs_slice_find(rest, ' ');

	out->method = rs_slice_sub(line, 0, end);
	if (!token(out->method) || !target(rs_slice_sub(rest, 0, version), out))
		return false;
	rest = rs_slice_sub(rest, version + 1, rest.n);
	return rs_slice_eq_str(rest, "HTTP/1.1") || rs_slice_eq_str(rest, "HTTP/1.0");
}

struct fields {
	bool has_length;
	bool coded; /* Transfer-Encoding */
	uint64_t length;
};

/* "Name: value". A folded line is none (RFC 9112 section 5.2). */
static bool field(struct rs_slice line, struct fields *f)
{
	size_t colon = rs_slice_find(line, ':');
	struct rs_slice name = rs_slice_sub(line, 0, colon);
	struct rs_slice value = rs_slice_trim(rs_slice_sub(line, colon + 1, line.n));

	if (colon == line.n || !token(name))
		return false;
	for (size_t i = 0; i < value.n; i++) {
		if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f)
			return false;
	}
	if (rs_slice_ieq_str(name, "Transfer-Encoding"))
		f->coded = true;
	if (!rs_slice_ieq_str(name, "Content-Length"))
		return true;
	if (f->has_length || rs_num_u64(value, UINT32_MAX, &f->length) < 0)
		return false;
	f->has_length = true;
	return true;
}

/* All lines of the head, which ends in an empty one. */
static bool head(struct rs_slice in, struct rs_http_req *out, struct fields *f)
{
	for (bool first = true;; first = false) {
		const uint8_t *end = memmem(in.p, in.n, "\r\n", 2);
		struct rs_slice line = rs_slice_sub(in, 0, end ? (size_t)(end - in.p) : in.n);

		if (!end)
			return false;
		if (line.n == 0)
			return !first;
		if (!(first ? request_line(line, out) : field(line, f)))
			return false;
		in = rs_slice_sub(in, line.n + 2, in.n);
	}
}

enum rs_http_step rs_http_read(struct rs_slice in, struct rs_http_req *out)
{
	size_t look = RS_MIN(in.n, RS_HTTP_HEAD_MAX);
	const uint8_t *end = look ? memmem(in.p, look, "\r\n\r\n", 4) : NULL;
	struct fields f = {.has_length = false};
	struct rs_http_req req;
	size_t head_n;

	if (!end)
		return look < RS_HTTP_HEAD_MAX ? RS_HTTP_MORE : RS_HTTP_BAD;
	head_n = (size_t)(end - in.p) + 4;
	if (!head(rs_slice_sub(in, 0, head_n), &req, &f))
		return RS_HTTP_BAD;
	if (f.coded)
		return RS_HTTP_UNSUPPORTED;
	if (f.length > RS_HTTP_BODY_MAX)
		return RS_HTTP_TOO_LARGE;
	if (in.n - head_n < f.length)
		return RS_HTTP_MORE;
	req.body = rs_slice_sub(in, head_n, (size_t)f.length);
	*out = req;
	return RS_HTTP_REQUEST;
}

/* --- query --------------------------------------------------------------------------------- */

/* One octet of an encoded text; moves behind it. -1: badly encoded. */
static int decoded(struct rs_slice *s)
{
	uint8_t c = s->p[0];
	int high;
	int low;

	if (c != '%') {
		*s = rs_slice_sub(*s, 1, s->n);
		return c == '+' ? ' ' : c;
	}
	high = s->n > 2 ? g_ascii_xdigit_value((char)s->p[1]) : -1;
	low = s->n > 2 ? g_ascii_xdigit_value((char)s->p[2]) : -1;
	*s = rs_slice_sub(*s, 3, s->n);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static int decode(struct rs_slice s, char *out, size_t out_n)
{
	size_t n = 0;

	while (s.n) {
		int c = decoded(&s);

		if (c < 0x20 || c == 0x7f || n + 1 >= out_n)
			return -RS_EINVAL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

int rs_http_query(struct rs_slice query, const char *name, char *out, size_t out_n)
{
	int rc = -RS_ENOENT;

	while (query.n) {
		struct rs_slice part = rs_slice_sub(query, 0, rs_slice_find(query, '&'));
		size_t eq = rs_slice_find(part, '=');

		query = rs_slice_sub(query, part.n + 1, query.n);
		if (!rs_slice_ieq_str(rs_slice_sub(part, 0, eq), name))
			continue;
		if (rc == 0)
			return -RS_EINVAL;
		rc = decode(rs_slice_sub(part, eq + 1, part.n), out, out_n);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* --- answer -------------------------------------------------------------------------------- */

static const char *reason(guint status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 501:
		return "Not Implemented";
	default:
		return "Bad Request";
	}
}

void rs_http_answer(GString *out, const struct rs_http_answer *a)
{
	g_string_append_printf(out,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %" G_GSIZE_FORMAT
		"\r\n%sX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
		a->status, reason(a->status), a->type, a->body.n, a->field ? a->field : "");
	if (!a->head)
		g_string_append_len(out, (const char *)a->body.p, (gssize)a->body.n);
}
