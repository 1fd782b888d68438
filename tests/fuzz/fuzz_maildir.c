/* fuzz_maildir.c - what stands on disk: file names, the UID list, the intent record. Any octets are
 * taken apart without harm; what was written is read back the same. */
#include "maildir/intent.h"
#include "maildir/maildir.h"
#include "maildir/uidlist.h"
#include "proto/drop.h"
#include "tests/fuzz/fuzz.h"

static void name(struct rs_slice in)
{
	struct rs_maildir_name m;

	rs_maildir_name_parse(in, &m);
	FUZZ_LAW(m.unique.n <= m.base.n && m.base.n <= in.n);
}

static void uidlist(struct rs_slice in)
{
	struct rs_uidlist l;
	g_autoptr(GString) text = g_string_new(NULL);

	rs_uidlist_parse(&l, g_strndup((const char *)in.p, in.n), in.n);
	rs_uidlist_text_begin(text);
	for (guint i = 0; i < l.rows->len; i++) {
		const struct rs_uidlist_row *row = &g_array_index(l.rows, struct rs_uidlist_row, i);

		FUZZ_LAW(row->uid.n == 0 || rs_drop_uid_ok(row->uid));
		FUZZ_LAW(rs_uidlist_find(&l, row->base) != NULL);
		rs_uidlist_text_row(text, row);
	}
	rs_uidlist_text_end(text, l.rows->len);
	if (l.rows->len) { /* what was good is written as it was */
		struct rs_uidlist again;

		rs_uidlist_parse(&again, g_strdup(text->str), text->len);
		FUZZ_LAW(again.rows->len == l.rows->len);
		rs_uidlist_finish(&again);
	}
	rs_uidlist_finish(&l);
}

static void intent(struct rs_slice in)
{
	struct rs_intent i;

	if (rs_intent_parse(in, &i)) {
		GString *text = rs_intent_text(&i);

		FUZZ_LAW(rs_slice_eq(rs_slice(text->str, text->len), in));
		g_string_free(text, TRUE);
		rs_intent_finish(&i);
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);

	if (what % 3 == 0)
		name(in);
	else if (what % 3 == 1)
		uidlist(in);
	else
		intent(in);
	return 0;
}
