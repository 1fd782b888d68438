/* fuzz_import.c - files of other mail programs: configurations, files of UIDs, an mbox. Nothing is so broken that it
 * harms; what is taken can be an account and a UID; an mbox gives the same under every split. */
#include "client/import_mbox.h"
#include "client/import_priv.h"
#include "tests/fuzz/fuzz.h"

static void law_taken(const struct rs_import *i)
{
	for (guint n = 0; n < i->accounts->len; n++) {
		const struct rs_import_account *a = i->accounts->pdata[n];

		for (const char *const *key = rs_account_keys(); *key; key++) {
			g_autofree char *value = rs_account_get(a->account, *key);

			FUZZ_LAW(!value || rs_account_set(a->account, *key, value, NULL) == 0);
		}
		for (guint u = 0; u < a->uids->len; u++) {
			const char *uid = g_array_index(a->uids, struct rs_import_uid, u).uid;

			FUZZ_LAW(*uid && strlen(uid) <= IMPORT_UID_MAX && !strpbrk(uid, " \t\r\n"));
		}
	}
}

static void config(guint8 which, const char *text)
{
	static int (*const readers[])(
		struct rs_import * i, const char *path, const char *text, struct rs_err *err) = {
		import_fetchmail, import_getmail, import_mpop, import_claws, import_thunderbird};
	struct rs_import *i = import_new(RS_IMPORT_ANY);
	struct rs_err err;
	int rc = readers[which % G_N_ELEMENTS(readers)](i, "/nowhere/there/file", text, &err);

	FUZZ_LAW(rc == 0 || rc == -RS_ECONFIG || rc == -RS_EINVAL);
	law_taken(i);
	rs_import_free(i);
}

static void uids(const char *text, gsize n)
{
	struct rs_import *i = import_new(RS_IMPORT_ANY);
	struct rs_import_account *a = import_account_add(i);

	import_fetchids(a, text, "anna", "host");
	import_uidls(a, text, "anna", "host");
	import_claws_uidl(a, text);
	import_popstate(a, text);
	import_oldmail(a, text, n);
	law_taken(i);
	rs_import_free(i);
}

static int note_begin(void *arg)
{
	g_string_append(arg, "<");
	return 0;
}

static int note_octets(void *arg, const char *p, size_t n)
{
	g_string_append_len(arg, p, (gssize)n);
	return 0;
}

static int note_end(void *arg, unsigned flags)
{
	g_string_append_printf(arg, "%x>", flags);
	return 0;
}

static GString *apart(enum rs_mbox_form form, struct rs_slice in, size_t piece)
{
	GString *out = g_string_new(NULL);
	const struct rs_mbox_sink sink = {note_begin, note_octets, note_end, out};
	struct rs_mbox *m = rs_mbox_new(form, &sink);
	int rc = 0;

	for (size_t at = 0; at < in.n && rc == 0; at += piece)
		rc = rs_mbox_feed(m, (const char *)in.p + at, MIN(piece, in.n - at));
	if (rc == 0)
		rc = rs_mbox_end(m);
	FUZZ_LAW(rc == 0 || (rc == -RS_EINVAL && form != RS_MBOX_SINGLE));
	rs_mbox_free(m);
	return out;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);
	g_autofree char *text = g_strndup(in.n ? (const char *)in.p : "", in.n);
	g_autofree char *whole = g_malloc0(in.n + 1);

	if (in.n)
		memcpy(whole, in.p, in.n);
	if (what % 8 < 5) {
		config(what % 8, text);
	} else if (what % 8 == 5) {
		uids(whole, in.n);
	} else {
		enum rs_mbox_form form = (enum rs_mbox_form)(what / 8 % 3);
		g_autoptr(GString) one = apart(form, in, in.n + 1);
		g_autoptr(GString) other = apart(form, in, 1 + what / 24u);

		FUZZ_LAW(g_string_equal(one, other));
		FUZZ_LAW(one->len <= 3 * in.n + 16);
	}
	return 0;
}
