/* fuzz_autoconfig.c - any octets as a request to the autoconfig listener: always one whole answer, well-formed where
 * it is XML; what was said of the first octets stays true when more come. */
#include "server/autoconfig.h"
#include "tests/fuzz/fuzz.h"

static struct rs_conf *the_conf(void)
{
	static struct rs_conf *c;
	static const char text[] =
		"[server]\nhostname = mail.example.org\nstate-dir = /s\nrun-dir = /r\n"
		"[tls]\ncertificate = /c\nkey = /k\n[auth]\nusers = passwd-file:/u\n[store]\n"
		"path = /m/%u\n[listen]\npop3s = 0.0.0.0:995\n[autoconfig]\nname = A & B\n"
		"submissions = smtp.example.org:465\n";
	struct rs_err err;

	if (!c)
		FUZZ_LAW(rs_conf_parse("fuzz", rs_slice_str(text), &c, &err) == 0);
	return c;
}

static void answer_is_whole(const GString *out)
{
	const char *body = strstr(out->str, "\r\n\r\n");
	const char *length = strstr(out->str, "Content-Length: ");

	FUZZ_LAW(body && length && length < body);
	body += 4;
	if (*body) /* not HEAD */
		FUZZ_LAW(g_ascii_strtoull(length + 16, NULL, 10) == strlen(body));
	if (*body == '<') {
		static const GMarkupParser parser;
		g_autoptr(GMarkupParseContext) c =
			g_markup_parse_context_new(&parser, (GMarkupParseFlags)0, NULL, NULL);

		FUZZ_LAW(g_markup_parse_context_parse(c, body, -1, NULL));
		FUZZ_LAW(g_markup_parse_context_end_parse(c, NULL));
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	struct rs_http_req req;
	enum rs_http_step last = rs_http_read(in, &req);
	g_autoptr(GString) out = g_string_new(NULL);

	for (gsize k = 0; k < n; k += 1 + n / 64) {
		struct rs_http_req part;
		enum rs_http_step now = rs_http_read(rs_slice_sub(in, 0, k), &part);

		FUZZ_LAW(now == RS_HTTP_MORE || now == last);
	}
	if (last == RS_HTTP_MORE)
		return 0;
	FUZZ_LAW(rs_autoconfig_answer(the_conf(), last, &req, out) >= 200);
	FUZZ_LAW(strlen(out->str) == out->len);
	answer_is_whole(out);
	return 0;
}
