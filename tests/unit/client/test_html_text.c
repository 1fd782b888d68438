/* HTML to text: what a reader sees of it. */
#include "tests/unit/test.h"

#include <glib.h>

#include "base/base.h"
#include "client/html_text.h"

static void html__becomes_what_a_reader_sees(void **state)
{
	static const struct {
		const char *html;
		const char *text;
	} rows[] = {
		{"", ""},
		{"plain", "plain\n"},
		{"<p>a</p><p>b</p>", "a\n\nb\n"},
		{"<div>a</div><div>b</div>", "a\nb\n"},
		{"<div><div><div>a</div></div></div>\n\n<div>b", "a\nb\n"},
		{"a<br>b<br/>c<br></br>", "a\nb\nc\n"},
		{"  much \n\t space\n here ", "much space here\n"},
		{"a <b>b</b><i>c</i> d", "a bc d\n"},
		{"<pre>  two\n    four\n</pre>x", "  two\n    four\n\nx\n"},
		{"<h1>Head</h1>text", "Head\n\ntext\n"},
		{"<ul><li>one<li>two</ul>end", "• one\n• two\n\nend\n"},
		{"<ol><li>one</li><li>two</li></ol>", "1. one\n2. two\n"},
		{"<ul><li>a<ol><li>b</ol><li>c</ul>", "• a\n  1. b\n• c\n"},
		{"<blockquote>a<br>b<blockquote>c</blockquote></blockquote>d",
			"> a\n> b\n\n>> c\n\nd\n"},
		{"<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a b\nc d\n"},
		{"a<hr>b", "a\n────────\nb\n"},
		{"<img alt=\"the logo\"><img src=x><img alt=''>", "[the logo]\n"},
		/* what is not text */
		{"<title>no</title><style>p{}</style>a<script>if (a<b) \"</p>\"</script>b", "ab\n"},
		{"a<!-- <p>no --> b<!doctype x><?php no ?>", "a b\n"},
		{"<!--[if mso]>no<![endif]-->yes<![if !mso]>too<![endif]>", "yestoo\n"},
		{"<div style='color:red; Display : NONE'>no<div>no</div></div>yes", "yes\n"},
		{"<span hidden>no</span>yes", "yes\n"},
		{"<div style=display:none><script>'</div>'</script>no</div>yes", "yes\n"},
		/* hidden and never ended: rather everything than nothing */
		{"<p style='display:none'>a<div>b</div>", "a\nb\n"},
		/* characters by name and number */
		{"&lt;p&gt; &amp;amp; &quot;&apos;&nbsp;&euro;&Auml;&auml;",
			"<p> &amp; \"'\u00a0€Ää\n"},
		{"&#65;&#x42;&#X43;&#128;&#150;", "ABC€–\n"},
		{"&auml &unknown; & &; &#; &#xg; &#99999999999;",
			"ä &unknown; & &; &#; &#xg; &#99999999999;\n"},
		{"&#0;&#xd800;", "\ufffd\ufffd\n"},
		{"AT&T x&y=1", "AT&T x&y=1\n"},
		/* broken */
		{"1 < 2 and 3 > 2 <", "1 < 2 and 3 > 2 <\n"},
		{"a<b", "a\n"},
		{"a</p", "a\n"},
		{"<p <b>a</b>", "a\n"},
		{"<a b='>'>x</a>", "x\n"},
		{"a<!-- never ended", "a\n"},
		{"a<script>never ended", "a\n"},
		{"</ul></ol></blockquote></pre></a></li>x", "x\n"},
		{"\xff\xfe<p>x", "\ufffd\ufffd\n\nx\n"},
		/* links */
		{"<a href=\"https://a.example/\">here</a> and <a "
		 "href='https://a.example/'>there</a>.",
			"here [1] and there [1].\n\n[1] https://a.example/\n"},
		{"<a href=https://a.example/x?a=1&amp;b=2>x</a>",
			"x [1]\n\n[1] https://a.example/x?a=1&b=2\n"},
		{"<a href='https://a.example'>https://a.example</a>", "https://a.example\n"},
		{"<a href='mailto:a@b.example'>a@b.example</a>", "a@b.example\n"},
		{"<a href='javascript:x()'>a</a><a href='#x'>b</a><a name=c>c</a>", "abc\n"},
		{"<a href='https://evil.example'>https://good.example</a>",
			"https://good.example [1]\n\n[1] https://evil.example\n"},
		{"<a href='https://a.example'><img></a>", "[1]\n\n[1] https://a.example\n"},
		{"<a href='https://a.example'>one <a href='https://b.example'>two",
			"one [1] two [2]\n\n[1] https://a.example\n[2] https://b.example\n"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *text = rs_html_text(rows[i].html, strlen(rows[i].html));

		if (strcmp(text, rows[i].text) != 0)
			print_message("# row %zu: %s\n", i, rows[i].html);
		assert_string_equal(text, rows[i].text);
	}
}

/* Every beginning of a difficult text, so that each place where it can end is tried. */
static void html__may_end_anywhere(void **state)
{
	static const char html[] = "<!doctype html><html><body style='x'><p class=\"a\" hidden>x"
				   "</p><a href='https://a.example/?q=&auml;'>&#x41;&amp;</a>"
				   "<ul><li>1<ol><li>2</ol></ul><blockquote>\xc3\xa4<pre>\n a"
				   "</pre></blockquote><script>x</script><!-- y --><img alt=z>";

	for (size_t n = 0; n <= sizeof(html) - 1; n++) {
		char *input = g_memdup2(html, n ? n : 1); /* no NUL behind it */
		g_autofree char *text = rs_html_text(input, n);

		assert_true(g_utf8_validate(text, -1, NULL));
		g_free(input);
	}
}

static void html__deep_nesting_is_only_flat(void **state)
{
	GString *html = g_string_new(NULL);
	g_autofree char *text = NULL;

	for (int i = 0; i < 100000; i++)
		g_string_append(html, "<blockquote><ul><li><pre><div>");
	g_string_append(html, "x");
	text = rs_html_text(html->str, html->len);
	assert_non_null(strstr(text, "x\n"));
	assert_true(strlen(text) < 100);
	g_string_free(html, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(html__becomes_what_a_reader_sees),
		cmocka_unit_test(html__may_end_anywhere),
		cmocka_unit_test(html__deep_nesting_is_only_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
