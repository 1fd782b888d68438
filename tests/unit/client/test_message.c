/* headers and messages, well-formed and not: all of them can be shown. */
#include "tests/unit/test.h"

#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/header.h"
#include "client/message.h"

/* --- headers --------------------------------------------------------------------------------- */

static void header__is_found_in_the_header_only(void **state)
{
	static const char head[] = "Subject : one\r\n two\nX-Date: no\nDATE:\n\tlater\nEmpty:\n"
				   "\nDate: body\n";
	static const struct {
		const char *name;
		const char *value;
	} rows[] = {{"Subject", "one two"}, {"Date", "later"}, {"Empty", ""}, {"Dat", NULL},
		{"Missing", NULL}};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *value = rs_header_get(head, sizeof(head) - 1, rows[i].name);

		assert_true(g_strcmp0(value, rows[i].value) == 0);
	}
}

static void header__text_is_decoded_whatever_it_is(void **state)
{
	static const struct {
		const char *raw;
		const char *text;
	} rows[] = {
		{"plain", "plain"},
		{"=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
		{"=?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_aus?=", "Grüße aus"},
		{"=?iso-8859-1*de?q?K=F6ln?=", "Köln"},
		{"raw Grüße", "raw Grüße"},
		{"raw Gr\xfc\xdf"
		 "e",
			"raw Grüße"},
		{"=?x-nobody-knows?q?abc?=", "abc"},
		{"=?utf-8?q?broken", "=?utf-8?q?broken"},
		{"=?utf-8?b?!!!?=", ""},
		{"=?utf-8?q?=1B[2J=E2=80=AEx?=", "␛[2J\ufffdx"},
		{"=?utf-8?q?two=0D=0Alines?=", "two lines"},
		{"", ""},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *text = rs_header_text(rows[i].raw);

		assert_true(g_utf8_validate(text, -1, NULL));
		if (*rows[i].text)
			assert_string_equal(text, rows[i].text);
	}
}

static void header__a_person_has_a_name_or_an_address(void **state)
{
	static const struct {
		const char *raw;
		const char *name;
		const char *address;
	} rows[] = {
		{"Anna <anna@example.org>", "Anna", "anna@example.org"},
		{"anna@example.org", "anna@example.org", "anna@example.org"},
		{"\"Beispiel, Anna\" <a@example.org>, b@example.org", "Beispiel, Anna",
			"a@example.org"},
		{"=?utf-8?q?M=C3=BC=C3=9Fig?= <m@example.org>", "Müßig", "m@example.org"},
		{"Zoë <z@example.org>", "Zoë", "z@example.org"},
		{"\"\\033[2J\" <z@example.org>", "033[2J", "z@example.org"},
		{"a@example.org (Anna)", "Anna", "a@example.org"},
		{"undisclosed-recipients:;", "undisclosed-recipients", ""},
		{"", "", ""},
		{NULL, "", ""},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *address = NULL;
		g_autofree char *name = rs_header_person(rows[i].raw, &address);

		assert_string_equal(name, rows[i].name);
		assert_string_equal(address, rows[i].address);
	}
}

static void header__absurd_dates_give_way_to_the_arrival(void **state)
{
	const gint64 arrived = 1767225600; /* 2026-01-01 */

	assert_int_equal(rs_header_date("Wed, 31 Dec 2025 23:00:00 +0100", arrived), 1767218400);
	assert_int_equal(rs_header_date("Fri, 1 Jan 2038 00:00:00 +0000", arrived), arrived);
	assert_int_equal(rs_header_date("yesterday", arrived), arrived);
	assert_int_equal(rs_header_date("", arrived), arrived);
	assert_int_equal(rs_header_date(NULL, arrived), arrived);
	assert_int_equal(rs_header_date("Thu, 1 Jan 1970 00:00:00 +0000", arrived), arrived);
}

static void charset__never_fails(void **state)
{
	static const struct {
		const char *octets;
		const char *charset;
		const char *utf8;
	} rows[] = {
		{"Gr\xfc\xdf"
		 "e \x80",
			"iso-8859-1", "Grüße €"},
		{"Grüße", NULL, "Grüße"},
		{"Gr\xfc\xdf"
		 "e",
			"us-ascii", "Grüße"},
		{"Gr\xfc\xdf"
		 "e",
			"nobody-knows", "Grüße"},
		{"Grüße", "nobody-knows", "Grüße"},
		{"\x82\xa0x\x82", "shift_jis", "あx\ufffd"},
		{"+AOQ-", "utf-7", "ä"},
		{"\xff", "utf-8", "ÿ"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *utf8 =
			rs_charset_to_utf8(rows[i].octets, strlen(rows[i].octets), rows[i].charset);

		assert_string_equal(utf8, rows[i].utf8);
	}
}

/* --- messages -------------------------------------------------------------------------------- */

static int file_of(const char *octets, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(write(fd, octets, n) == (ssize_t)n);
	return fd;
}

static struct rs_message *message_of(const char *text)
{
	int fd = file_of(text, strlen(text));
	struct rs_message *m = NULL;
	struct rs_err err;

	assert_int_equal(rs_message_read(fd, &m, &err), 0);
	close(fd);
	return m;
}

#define MIXED                                                                                  \
	"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"    \
	"Content-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\n" \
	"plain\n--c\nContent-Type: text/html\n\n<p>html</p>\n--c--\n--b\n"                     \
	"Content-Type: image/png; name=\"../a\033b.png\"\nContent-Disposition: attachment\n"   \
	"Content-Transfer-Encoding: base64\n\nAAEC\n--b--\n"

static void message__text_is_preferred_and_parts_are_numbered(void **state)
{
	struct rs_message *m = message_of(MIXED);
	const struct rs_part *png = m->parts->pdata[2];

	assert_string_equal(m->text, "plain\n");
	assert_int_equal(m->parts->len, 3);
	assert_int_equal(png->number, 3);
	assert_string_equal(png->type, "image/png");
	assert_string_equal(png->name, "../a␛b.png");
	assert_false(png->shown);
	assert_true(((struct rs_part *)m->parts->pdata[0])->shown);
	assert_true(((struct rs_part *)m->parts->pdata[1])->alternative);
	rs_message_destroy(&m);
}

static void message__empty_text_beside_html_gives_way(void **state)
{
	struct rs_message *m = message_of(
		"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=c\n\n--c\n"
		"Content-Type: text/plain\n\n \n--c\nContent-Type: text/html; "
		"charset=iso-8859-1\n\n"
		"<p>Gr\xfc\xdf"
		"e</p>\n--c--\n");

	assert_string_equal(m->text, "Grüße\n");
	rs_message_destroy(&m);
}

static void message__broken_ones_are_shown_as_far_as_they_go(void **state)
{
	static const struct {
		const char *text;
		const char *shows;
	} rows[] = {
		{"", ""},
		{"\n", ""},
		{"\n\nbody only\n", "body only"},
		{"no header at all\nsecond line\n", ""},
		{"Subject: x", ""},
		{"Subject: x\n\nbody", "body"},
		{"Content-Type: multipart/mixed\n\nno boundary named\n", ""},
		{"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever closed\n",
			"never closed"},
		{"Content-Type: text/plain; charset=\"\"\n\nx\xff\n", "xÿ"},
		{"Content-Transfer-Encoding: base64\n\nSGVs!bG8=\n", "Hello"},
		{"Content-Transfer-Encoding: quoted-printable\n\na=3=ZZ\n", "a=3=ZZ"},
		{"Content-Type: nonsense\n\nx\n", "x"},
		{"Content-Type: text/html\n\n<p>\033[2J<b>x", "␛[2Jx"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_message *m = message_of(rows[i].text);

		assert_non_null(m->text);
		if (!strstr(m->text, rows[i].shows))
			print_message("# row %zu: %s\n", i, m->text);
		assert_non_null(strstr(m->text, rows[i].shows));
		rs_message_destroy(&m);
	}
}

/* Every beginning of a message with all kinds of parts. */
static void message__may_end_anywhere(void **state)
{
	static const char text[] = MIXED;

	for (size_t n = 0; n < sizeof(text); n++) {
		g_autofree char *cut = g_strndup(text, n);
		struct rs_message *m = message_of(cut);

		rs_message_destroy(&m);
	}
}

static void message__nesting_has_an_end(void **state)
{
	GString *text = g_string_new("MIME-Version: 1.0\n");
	struct rs_message *m;

	for (int i = 0; i < 300; i++)
		g_string_append_printf(
			text, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	g_string_append(text, "Content-Type: text/plain\n\ndeep\n");
	m = message_of(text->str);
	assert_null(strstr(m->text, "deep"));
	rs_message_destroy(&m);
	g_string_free(text, TRUE);
}

static void message__text_has_a_ceiling(void **state)
{
	GString *text = g_string_new("Subject: x\n\n");
	struct rs_message *m;

	while (text->len < RS_MESSAGE_TEXT_MAX + 100000)
		g_string_append(text, "line after line after line\n");
	m = message_of(text->str);
	assert_true(strlen(m->text) < RS_MESSAGE_TEXT_MAX + 200);
	assert_non_null(strstr(m->text, "[the text is longer"));
	rs_message_destroy(&m);
	g_string_free(text, TRUE);
}

static void message__a_part_is_saved_decoded(void **state)
{
	int fd = file_of(MIXED, strlen(MIXED));
	int to = file_of("", 0);
	struct rs_err err;
	char octets[8];

	assert_int_equal(rs_message_part_save(fd, 3, to, &err), 0);
	assert_int_equal(pread(to, octets, sizeof(octets), 0), 3);
	assert_memory_equal(octets, "\0\1\2", 3);
	assert_int_equal(rs_message_part_save(fd, 4, to, &err), -RS_ENOENT);
	assert_int_equal(rs_message_part_save(fd, 0, to, &err), -RS_ENOENT);
	close(fd);
	close(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header__is_found_in_the_header_only),
		cmocka_unit_test(header__text_is_decoded_whatever_it_is),
		cmocka_unit_test(header__a_person_has_a_name_or_an_address),
		cmocka_unit_test(header__absurd_dates_give_way_to_the_arrival),
		cmocka_unit_test(charset__never_fails),
		cmocka_unit_test(message__text_is_preferred_and_parts_are_numbered),
		cmocka_unit_test(message__empty_text_beside_html_gives_way),
		cmocka_unit_test(message__broken_ones_are_shown_as_far_as_they_go),
		cmocka_unit_test(message__may_end_anywhere),
		cmocka_unit_test(message__nesting_has_an_end),
		cmocka_unit_test(message__text_has_a_ceiling),
		cmocka_unit_test(message__a_part_is_saved_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
