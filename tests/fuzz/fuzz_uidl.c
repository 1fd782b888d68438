/* fuzz_uidl.c - what other servers keep and tell of UIDs: files of Dovecot, Courier, Cyrus, our own list, formats,
 * headers. Any octets are taken apart without harm; whatever comes out is a text without NUL. */
#include "server/uidl.h"
#include "tests/fuzz/fuzz.h"

static void check(struct rs_uidl_list *l)
{
	for (guint i = 0; i < l->rows->len; i++) {
		const struct rs_uidl *r = g_ptr_array_index(l->rows, i);

		FUZZ_LAW(r->uid != NULL);
		FUZZ_LAW(!r->base || *r->base);
	}
	rs_uidl_list_finish(l);
}

static void format(struct rs_slice in)
{
	g_autofree char *text = g_strndup((const char *)in.p, in.n);
	struct rs_uidl_list l;

	if (rs_uidl_format_wrong(text))
		return;
	rs_uidl_list_init(&l);
	FUZZ_LAW(
		rs_uidl_dovecot(rs_slice_str("3 V7 N9\n8 W1 :1.a,S=2:2,S\n"), text, &l, NULL) == 0);
	FUZZ_LAW(l.rows->len == 1);
	check(&l);
}

static void head(struct rs_slice in)
{
	struct rs_uidl_head a = {.there = false};
	struct rs_uidl_head b = {.there = false};
	g_autoptr(GString) more = g_string_new_len((const char *)in.p, (gssize)in.n);

	/* what follows the empty line does not count */
	g_string_append(more, "\n\n");
	rs_uidl_head_of(rs_slice(more->str, more->len), &a);
	g_string_append(more, "body: x\n");
	rs_uidl_head_of(rs_slice(more->str, more->len), &b);
	FUZZ_LAW(memcmp(a.whole, b.whole, sizeof(a.whole)) == 0);
	FUZZ_LAW(memcmp(a.core, b.core, sizeof(a.core)) == 0);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);
	struct rs_uidl_list l;
	struct rs_err err;
	int rc = 0;

	if (what % 6 == 4)
		format(in);
	else if (what % 6 == 5)
		head(in);
	if (what % 6 >= 4)
		return 0;
	rs_uidl_list_init(&l);
	if (what % 6 == 0)
		rc = rs_uidl_dovecot(in, NULL, &l, &err);
	else if (what % 6 == 1)
		rc = rs_uidl_courier(in, &l, &err);
	else if (what % 6 == 2)
		rc = rs_uidl_cyrus(in, NULL, &l, &err);
	else
		rc = rs_uidl_file(in, &l, &err);
	FUZZ_LAW(rc == 0 || *err.text);
	check(&l);
	return 0;
}
