/* What other servers keep of UIDLs: values, order, what is left out; headers that are the same although
 * servers have added to them. */
#include "tests/unit/test.h"

#include <glib.h>
#include <string.h>

#include "server/uidl.h"

/* "uid base wire|…" of a list; wire "-" where it is not known. */
static char *text_of(const struct rs_uidl_list *l)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < l->rows->len; i++) {
		const struct rs_uidl *r = g_ptr_array_index(l->rows, i);

		g_string_append_printf(
			text, "%s%s %s ", i ? "|" : "", r->uid, r->base ? r->base : "-");
		if (r->wire == UINT64_MAX)
			g_string_append_c(text, '-');
		else
			g_string_append_printf(text, "%" G_GUINT64_FORMAT, r->wire);
	}
	return g_string_free(text, FALSE);
}

static void dovecot(const char *file, const char *format, const char *want, guint notes)
{
	struct rs_uidl_list l;
	struct rs_err err;
	g_autofree char *got = NULL;

	rs_uidl_list_init(&l);
	assert_int_equal(rs_uidl_dovecot(rs_slice_str(file), format, &l, &err), 0);
	got = text_of(&l);
	assert_string_equal(got, want);
	assert_int_equal(l.notes->len, notes);
	rs_uidl_list_finish(&l);
}

static void dovecot__uid_and_validity_in_hexadecimal(void **state)
{
	dovecot("3 V1275660208 N25022 G3085\n25006 W1394 :a,S=1,W=2:2,S\n25017 :b:2,F\n", NULL,
		"000061ae4c0907b0 a,S=1,W=2 1394|000061b94c0907b0 b -", 0);
	/* fields of the head in any order; uid order, whatever that of the file */
	dovecot("3 N9 Gx V16\n3 :c\n1 :a\n", NULL, "0000000100000010 a -|0000000300000010 c -", 0);
}

static void dovecot__version_1_is_couriers_form(void **state)
{
	dovecot("1 1275660208 25022\n7 a:2,S\n", "%u.%v", "7.1275660208 a -", 0);
}

static void dovecot__uidls_and_order_of_a_server_before(void **state)
{
	dovecot("3 V1 N9\n1 Pzz O3 :a\n2 :b\n3 O1 :c\n4 Pyy :d\n", "%u",
		"3 c -|zz a -|2 b -|yy d -", 0);
}

static void dovecot__lines_that_are_none_are_told(void **state)
{
	dovecot("3 V1 N9\n1 :a\n2\nx :b\n3 :\n\n4 Ox :d\n5 :e\n", "%u", "1 a -|5 e -", 5);
}

static void dovecot__a_file_that_is_none_is_refused(void **state)
{
	static const char *const files[] = {"", "2 V1 N1\n", "3 N1 Gx\n", "3 Vx N1\n", "x\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		struct rs_uidl_list l;
		struct rs_err err;

		rs_uidl_list_init(&l);
		assert_int_equal(
			rs_uidl_dovecot(rs_slice_str(files[i]), NULL, &l, &err), -RS_EINVAL);
		assert_non_null(strstr(err.text, "dovecot-uidlist"));
		rs_uidl_list_finish(&l);
	}
}

static void formats__widths_and_letters(void **state)
{
	static const struct {
		const char *format;
		const char *want;
	} rows[] = {{"%u", "10"}, {"%v", "255"}, {"%Xu", "a"}, {"%04u", "0010"}, {"%4Xv", "  ff"},
		{"%08Xu%08Xv", "0000000a000000ff"}, {"%f", "1.h,S=3"}, {"%g", "1.h"},
		{"u%%%u", "u%10"}};
	static const char *const wrong[] = {"%", "%q", "%m", "fixed", "%08", "%0", ""};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *want = g_strdup_printf("%s 1.h,S=3 -", rows[i].want);

		assert_null(rs_uidl_format_wrong(rows[i].format));
		dovecot("3 V255 N11\n10 :1.h,S=3:2,S\n", rows[i].format, want, 0);
	}
	dovecot("3 V255 N11\n10 Gguid :1.h,S=3:2,S\n", "%g", "guid 1.h,S=3 -", 0);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_non_null(rs_uidl_format_wrong(wrong[i]));
}

static void courier(const char *file, const char *want, guint notes)
{
	struct rs_uidl_list l;
	struct rs_err err;
	g_autofree char *got = NULL;

	rs_uidl_list_init(&l);
	assert_int_equal(rs_uidl_courier(rs_slice_str(file), &l, &err), 0);
	got = text_of(&l);
	assert_string_equal(got, want);
	assert_int_equal(l.notes->len, notes);
	rs_uidl_list_finish(&l);
}

static void courier__three_generations_of_uidls(void **state)
{
	courier("/3 9 1700000000\na:2,S 5 1:1700000000:0\nb 7 2:0:1\n",
		"UID1-1700000000 a 5|UID2 b 7", 0);
	courier("/2 9 1700000000\na 5 1:1700000000\n", "UID1-1700000000 a 5", 0);
	/* the oldest: the name itself, with what a UIDL cannot hold as +XX */
	courier("/3 9 1\n1.a b'c+d\":2, 5 0:0:0\n", "1.a+20b+27c+2Bd+22 1.a b'c+d\" 5", 0);
	courier("/3 9 1\nno\nx y z\n:2,S 5 1:1:0\n", "", 3);
}

static void courier__a_file_that_is_none_is_refused(void **state)
{
	struct rs_uidl_list l;
	struct rs_err err;

	rs_uidl_list_init(&l);
	assert_int_equal(rs_uidl_courier(rs_slice_str("/1 9\n"), &l, &err), -RS_EINVAL);
	assert_int_equal(rs_uidl_courier(rs_slice_str("3 V1\n"), &l, &err), -RS_EINVAL);
	rs_uidl_list_finish(&l);
}

static void put32(GByteArray *b, gsize at, guint32 v)
{
	guint32 big = GUINT32_TO_BE(v);

	memcpy(b->data + at, &big, sizeof(big));
}

/* A cyrus.index: UIDVALIDITY 1700000000, UIDs 1, 5 (expunged), 7 (unlinked), 300. */
static GByteArray *cyrus_index(guint32 version, guint start, guint size, bool new_uidl)
{
	static const struct {
		guint32 uid;
		guint32 flags;
	} rows[] = {{1, 1}, {5, 1u << 31}, {7, 1u << 30}, {300, 16}};
	GByteArray *b = g_byte_array_new();

	g_byte_array_set_size(b, start + size * (guint)G_N_ELEMENTS(rows));
	memset(b->data, 0, b->len);
	put32(b, 8, version);
	put32(b, 12, start);
	put32(b, 16, size);
	put32(b, 20, G_N_ELEMENTS(rows));
	put32(b, version == 20 ? 92 : 44, 1700000000);
	put32(b, version >= 19 ? 64 : 60, new_uidl);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		gsize at = start + i * size;

		put32(b, at, rows[i].uid);
		put32(b, at + (version == 20 ? 28 : 12), 100);
		put32(b, at + (version == 20 ? 36 : 32), rows[i].flags);
	}
	return b;
}

static void cyrus__every_version_that_there_was(void **state)
{
	static const struct {
		guint32 version, start, size;
	} forms[] = {{6, 76, 60}, {8, 92, 80}, {9, 96, 80}, {10, 96, 88}, {12, 128, 96},
		{13, 128, 104}, {15, 160, 104}, {17, 160, 112}, {19, 160, 112}, {20, 192, 144}};

	for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
		for (int new_uidl = 0; new_uidl < 2; new_uidl++) {
			GByteArray *b = cyrus_index(
				forms[i].version, forms[i].start, forms[i].size, new_uidl);
			g_autofree char *got = NULL;
			struct rs_uidl_list l;
			struct rs_err err;

			rs_uidl_list_init(&l);
			assert_int_equal(
				rs_uidl_cyrus(rs_slice(b->data, b->len), NULL, &l, &err), 0);
			got = text_of(&l);
			assert_string_equal(
				got, new_uidl ? "1700000000.1 1. 100|1700000000.300 300. 100"
					      : "1 1. 100|300 300. 100");
			rs_uidl_list_finish(&l);
			g_byte_array_unref(b);
		}
	}
}

static void cyrus__what_is_cut_or_unknown_is_refused(void **state)
{
	GByteArray *b = cyrus_index(17, 160, 112, true);
	struct rs_uidl_list l;
	struct rs_err err;

	rs_uidl_list_init(&l);
	for (guint n = 0; n < b->len; n++)
		assert_int_equal(rs_uidl_cyrus(rs_slice(b->data, n), NULL, &l, &err), -RS_EINVAL);
	put32(b, 16, 8); /* records shorter than their fields */
	assert_int_equal(rs_uidl_cyrus(rs_slice(b->data, b->len), NULL, &l, &err), -RS_EINVAL);
	for (guint32 v = 0; v < 30; v++) {
		put32(b, 8, v);
		put32(b, 16, 112);
		if (v < 6 || v == 11 || v > 20)
			assert_int_equal(rs_uidl_cyrus(rs_slice(b->data, b->len), NULL, &l, &err),
				-RS_EINVAL);
	}
	assert_int_equal(l.rows->len, 0);
	rs_uidl_list_finish(&l);
	g_byte_array_unref(b);
}

static void file__uids_and_names_in_order(void **state)
{
	struct rs_uidl_list l;
	struct rs_err err;
	g_autofree char *got = NULL;

	rs_uidl_list_init(&l);
	assert_int_equal(rs_uidl_file(rs_slice_str("# x\n\nb 1.h:2,S\r\n a \n"), &l, &err), 0);
	got = text_of(&l);
	assert_string_equal(got, "b 1.h -|a - -");
	assert_int_equal(rs_uidl_file(rs_slice_str("ok x\n\x01 y\n"), &l, &err), -RS_EINVAL);
	assert_non_null(strstr(err.text, "line 2"));
	rs_uidl_list_finish(&l);
}

static void heads__line_ends_and_additions_do_not_count(void **state)
{
	static const char plain[] = "From: a\nSubject: x\n y\n\nbody";
	static const char crlf[] = "From: a\r\nSubject: x\r\n y\r\n\r\nother body";
	static const char added[] = "Return-Path: <b>\nReceived: from c\n\tby d; now\nFrom: a\n"
				    "Subject: x\n y\nX-UID: 7\nStatus: RO\n\n";
	static const char other[] = "From: a\nSubject: z\n y\n\nbody";
	struct rs_uidl_head h[4];

	rs_uidl_head_of(rs_slice_str(plain), &h[0]);
	rs_uidl_head_of(rs_slice_str(crlf), &h[1]);
	rs_uidl_head_of(rs_slice_str(added), &h[2]);
	rs_uidl_head_of(rs_slice_str(other), &h[3]);
	assert_memory_equal(h[0].whole, h[1].whole, sizeof(h[0].whole));
	assert_memory_not_equal(h[0].whole, h[2].whole, sizeof(h[0].whole));
	assert_memory_equal(h[0].core, h[2].core, sizeof(h[0].core));
	assert_memory_not_equal(h[0].core, h[3].core, sizeof(h[0].core));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dovecot__uid_and_validity_in_hexadecimal),
		cmocka_unit_test(dovecot__version_1_is_couriers_form),
		cmocka_unit_test(dovecot__uidls_and_order_of_a_server_before),
		cmocka_unit_test(dovecot__lines_that_are_none_are_told),
		cmocka_unit_test(dovecot__a_file_that_is_none_is_refused),
		cmocka_unit_test(formats__widths_and_letters),
		cmocka_unit_test(courier__three_generations_of_uidls),
		cmocka_unit_test(courier__a_file_that_is_none_is_refused),
		cmocka_unit_test(cyrus__every_version_that_there_was),
		cmocka_unit_test(cyrus__what_is_cut_or_unknown_is_refused),
		cmocka_unit_test(file__uids_and_names_in_order),
		cmocka_unit_test(heads__line_ends_and_additions_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
