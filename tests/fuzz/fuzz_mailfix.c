/* fuzz_mailfix.c - the spans joined are the message, and the header ends at the same place under every cut. */
#include "proto/mailfix.h"
#include "tests/fuzz/fuzz.h"

static void take(struct rs_mailfix *f, enum rs_mailfix_step step, struct rs_slice span,
	GString *whole, GString *log)
{
	if (step == RS_MAILFIX_INSERT) {
		g_string_append_printf(log, "%zu %d %d %d %d ", whole->len, f->blank, f->cut,
			f->has_date, f->has_id);
	} else {
		FUZZ_LAW(span.n > 0);
		g_string_append_len(whole, (const char *)span.p, (gssize)span.n);
	}
}

static void run(struct rs_slice in, gsize chunk, GString *whole, GString *log)
{
	struct rs_mailfix f;
	struct rs_slice span;
	enum rs_mailfix_step step;

	rs_mailfix_init(&f);
	for (gsize at = 0; at < in.n; at += chunk) {
		const guint8 *p = in.p + at;
		gsize n = MIN(chunk, in.n - at);
		gsize used;

		while ((step = rs_mailfix(&f, p, n, &used, &span)) != RS_MAILFIX_MORE) {
			FUZZ_LAW(used <= n);
			take(&f, step, span, whole, log);
			p += used;
			n -= used;
		}
		FUZZ_LAW(used == n);
	}
	while ((step = rs_mailfix_end(&f, &span)) != RS_MAILFIX_MORE)
		take(&f, step, span, whole, log);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 chunk = fuzz_choice(&in);
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GString) cut = g_string_new(NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	g_autoptr(GString) cut_log = g_string_new(NULL);

	run(in, in.n ? in.n : 1, whole, log);
	run(in, 1u + chunk % 17u, cut, cut_log);
	FUZZ_LAW(whole->len == in.n &&
		 memcmp(whole->str, in.n ? (const char *)in.p : "", in.n) == 0);
	FUZZ_LAW(g_string_equal(whole, cut));
	FUZZ_LAW(g_string_equal(log, cut_log)); /* one INSERT, at one place */
	return 0;
}
