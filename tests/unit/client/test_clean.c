/* text of strangers: harmless, in columns, folded; flowed text. */
#include "tests/unit/test.h"

#include <glib.h>

#include "base/base.h"
#include "client/clean.h"
#include "client/flowed.h"

static void clean__nothing_can_steer_a_terminal(void **state)
{
	static const struct {
		const char *text;
		const char *clean;
	} rows[] = {
		{"\033]0;title\007", "␛]0;title␇"},
		{"\033[2J\033[1;1H", "␛[2J␛[1;1H"},
		{"\xc2\x9b\x32J", "\ufffd2J"}, /* CSI as one C1 character */
		{"\x9b\x32J", "\ufffd2J"},     /* and as one octet        */
		{"a\bb\x7f", "a␈b␡"},
		{"evil\u202efdp.exe\u202c", "evil\ufffdfdp.exe\ufffd"},
		{"\u2066x\u2069", "\ufffdx\ufffd"},
		{"zero\u200bwidth\ufeff\u00ad", "zerowidth"},
		{"pay\U000e0041pal", "paypal"},
		{"family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"},
		{"Grüße, Ελλάδα, 日本", "Grüße, Ελλάδα, 日本"},
		{"\xff\xc3", "\ufffd\ufffd"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *line = rs_clean_line(rows[i].text);
		g_autofree char *text = rs_clean_text(rows[i].text, strlen(rows[i].text));

		assert_string_equal(line, rows[i].clean);
		assert_string_equal(text, rows[i].clean);
	}
}

/* Every C0 and C1 control, alone: none comes out. */
static void clean__no_control_character_passes(void **state)
{
	for (gunichar c = 0; c < 0xa0; c++) {
		char utf8[7] = "";
		gsize n = (gsize)g_unichar_to_utf8(c, utf8);
		g_autofree char *text = rs_clean_text(utf8, n);

		for (const char *at = text; *at; at = rs_utf8_next(at)) {
			gunichar out = g_utf8_get_char(at);

			assert_true(!g_unichar_iscntrl(out) || out == '\n' || out == '\t');
		}
	}
}

static void clean__text_keeps_lines_and_tabs_a_line_does_not(void **state)
{
	g_autofree char *text = rs_clean_text("a\r\nb\rc\n\td\u2028e\0f", 15);
	g_autofree char *line = rs_clean_line(" a\r\n\tb \u00a0 c\n");

	assert_string_equal(text, "a\nb\nc\n\td\ne\ufffdf");
	assert_string_equal(line, "a b c");
}

static void columns__wide_and_combining_characters_are_counted(void **state)
{
	assert_int_equal(rs_columns("abc"), 3);
	assert_int_equal(rs_columns("日本"), 4);
	assert_int_equal(rs_columns("e\u0301"), 1);
	assert_int_equal(rs_columns("☕🎁"), 4);
}

static void columns__cutting_never_passes_the_edge(void **state)
{
	static const struct {
		const char *text;
		guint columns;
		const char *cut;
	} rows[] = {
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "abcd…"},
		{"abcdef", 1, "…"},
		{"abcdef", 0, ""},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"", 3, ""},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *cut = rs_columns_cut(rows[i].text, rows[i].columns);

		assert_string_equal(cut, rows[i].cut);
		assert_true(rs_columns(cut) <= rows[i].columns);
	}
}

static void columns__folding_breaks_at_blanks_only(void **state)
{
	static const struct {
		const char *text;
		const char *folded; /* at 24 columns */
	} rows[] = {
		{"short\n\nlines\n", "short\n\nlines\n"},
		{"no end", "no end\n"},
		{"", ""},
		{"one two three four five six seven", "one two three four five\nsix seven\n"},
		{"> quoted text that is too long", "> quoted text that is\n> too long\n"},
		{">> > deep quoted text that is long",
			">> > deep quoted text\n>> > that is long\n"},
		{"see https://example.org/a/very/long/address/indeed now",
			"see\nhttps://example.org/a/very/long/address/indeed\nnow\n"},
		{"    indentedwordthatistoolongforaline",
			"    indentedwordthatistoolongforaline\n"},
		{"äöü äöü äöü äöü äöü äöü äöü", "äöü äöü äöü äöü äöü äöü\näöü\n"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *folded = rs_columns_fold(rows[i].text, 24);

		assert_string_equal(folded, rows[i].folded);
	}
}

/* RFC 3676 section 4 */
static void flowed__paragraphs_are_joined(void **state)
{
	static const struct {
		const char *text;
		bool delsp;
		const char *joined;
	} rows[] = {
		{"a \nb \nc\nd\n", false, "a b c\nd\n"},
		{"a \nb\n", true, "ab\n"},
		{"> a \n> b\n>> c \nd\n", false, "> a b\n>> c \nd\n"},
		{" >not quoted\n  two\n", false, ">not quoted\n two\n"},
		{"text \n-- \nAnna\n", false, "text \n-- \nAnna\n"},
		{"a \n\nb\n", false, "a \nb\n"},
		{"a \r\nb\r\n", false, "a b\n"},
		{"a ", false, "a \n"},
		{"", false, ""},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *joined = rs_flowed_text(rows[i].text, rows[i].delsp);

		assert_string_equal(joined, rows[i].joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean__nothing_can_steer_a_terminal),
		cmocka_unit_test(clean__no_control_character_passes),
		cmocka_unit_test(clean__text_keeps_lines_and_tabs_a_line_does_not),
		cmocka_unit_test(columns__wide_and_combining_characters_are_counted),
		cmocka_unit_test(columns__cutting_never_passes_the_edge),
		cmocka_unit_test(columns__folding_breaks_at_blanks_only),
		cmocka_unit_test(flowed__paragraphs_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
