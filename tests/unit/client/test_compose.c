/* compose: to whom an answer goes, about what, what is quoted; the template; flowed text; the message that is built. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "client/compose.h"
#include "client/flowed.h"
#include "client/header.h"
#include "client/raw_mail.h"
#include "client/template.h"
#include "tests/unit/client/home.h"

static void account_free(void *a)
{
	rs_account_free(a);
}

static GPtrArray *accounts_new(struct home *h)
{
	static const char *const names[] = {"anna", "work"};
	GPtrArray *list = g_ptr_array_new_with_free_func(account_free);

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		struct rs_account *a = rs_account_new();
		g_autofree char *address = g_strdup_printf("%s@example.org", names[i]);

		a->name = g_strdup(names[i]);
		assert_int_equal(rs_account_set(a, "address", address, NULL), 0);
		assert_int_equal(rs_account_set(a, "pop3", "localhost", NULL), 0);
		assert_int_equal(rs_account_set(a, "smtp", "localhost", NULL), 0);
		assert_int_equal(rs_account_complete(&h->p, a, &h->err), 0);
		g_ptr_array_add(list, a);
	}
	assert_int_equal(rs_account_set(list->pdata[0], "full-name", "Anna Schmidt", NULL), 0);
	assert_int_equal(
		rs_account_set(list->pdata[0], "aliases", "me@example.net, x@y.org", NULL), 0);
	assert_int_not_equal(
		rs_account_set(list->pdata[0], "aliases", "me@example.net, x", NULL), 0);
	return list;
}

static int file_of(const char *text)
{
	int fd = rs_file_nameless(NULL);

	assert_true(fd >= 0);
	assert_int_equal(rs_write_all(fd, text, strlen(text), NULL), 0);
	return fd;
}

static char *content_of(int fd)
{
	char *text = g_malloc0(1 << 20);

	assert_true(pread(fd, text, (1 << 20) - 1, 0) >= 0);
	return text;
}

/* --- to whom --------------------------------------------------------------------------------- */

static void compose__an_answer_goes_to_whom_it_should(void **state)
{
	static const struct {
		enum rs_answer kind;
		const char *head;
		const char *from, *to, *cc;
	} rows[] = {
		{RS_REPLY, "From: Bert <bert@b.net>\nTo: anna@example.org\nCc: c@c.net\n",
			"Anna Schmidt <anna@example.org>", "Bert <bert@b.net>", ""},
		{RS_REPLY_ALL,
			"From: Bert <bert@b.net>\nTo: Anna@Example.org, d@d.net\nCc: c@c.net, "
			"bert@b.net\n",
			"Anna Schmidt <anna@example.org>", "Bert <bert@b.net>", "d@d.net, c@c.net"},
		{RS_REPLY, "From: bert@b.net\nReply-To: other@b.net\nTo: work@example.org\n",
			"work@example.org", "other@b.net", ""},
		/* aliases are us */
		{RS_REPLY_ALL, "From: bert@b.net\nTo: me@example.net, x@y.org, work@example.org\n",
			"Anna Schmidt <anna@example.org>", "bert@b.net", ""},
		/* our own: to whom it went */
		{RS_REPLY, "From: anna@example.org\nTo: bert@b.net\nCc: c@c.net\n",
			"Anna Schmidt <anna@example.org>", "bert@b.net", ""},
		{RS_REPLY_ALL, "From: anna@example.org\nTo: bert@b.net\nCc: c@c.net\n",
			"Anna Schmidt <anna@example.org>", "bert@b.net", "c@c.net"},
		/* to ourselves and nobody else */
		{RS_REPLY_ALL, "From: anna@example.org\nTo: anna@example.org\n",
			"Anna Schmidt <anna@example.org>", "anna@example.org", ""},
		/* lists */
		{RS_REPLY_ALL,
			"From: b@b.net\nTo: list@l.org\nMail-Followup-To: list@l.org\nCc: "
			"c@c.net\n",
			"Anna Schmidt <anna@example.org>", "list@l.org", ""},
		{RS_REPLY_LIST,
			"From: b@b.net\nTo: list@l.org\nList-Post: <mailto:list%2Bx@l.org?x=y>\n",
			"Anna Schmidt <anna@example.org>", "list+x@l.org", ""},
		{RS_REPLY_ALL, "From: b@b.net\nTo: Team: d@d.net, anna@example.org;, e@e.net\n",
			"Anna Schmidt <anna@example.org>", "b@b.net", "d@d.net, e@e.net"},
	};
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);

	for (gsize i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *text = g_strdup_printf("%sSubject: x\n\nHello\n", rows[i].head);
		struct rs_answer_how how = {.accounts = accounts, .kind = rows[i].kind};
		struct rs_draft *d = NULL;
		int fd = file_of(text);

		print_message("# row %zu\n", i);
		assert_int_equal(rs_draft_answer(&how, fd, &d, &h->err), 0);
		assert_string_equal(d->from, rows[i].from);
		assert_string_equal(d->to, rows[i].to);
		assert_string_equal(d->cc, rows[i].cc);
		assert_string_equal(d->subject, "Re: x");
		rs_draft_free(d);
		close(fd);
	}
}

static void compose__no_list_no_answer_to_it(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);
	struct rs_answer_how how = {.accounts = accounts, .kind = RS_REPLY_LIST};
	struct rs_draft *d = NULL;
	int fd = file_of("From: b@b.net\n\nx\n");

	assert_int_equal(rs_draft_answer(&how, fd, &d, &h->err), -RS_ENOENT);
	close(fd);
}

/* --- about what ------------------------------------------------------------------------------ */

static void compose__subject_has_one_mark(void **state)
{
	static const char *const rows[][2] = {{"x", "Re: x"}, {"Re: x", "Re: x"},
		{"RE: AW: Fwd: x", "Re: x"}, {"Re[3]: x", "Re: x"}, {"Antwort: x", "Re: x"},
		{"", "Re: "}, {"Reply: x", "Re: Reply: x"}, {"re x", "Re: re x"}};

	(void)state;
	for (gsize i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *got = rs_subject_answer(rows[i][0], "Re");

		assert_string_equal(got, rows[i][1]);
	}
}

static void compose__quote_leaves_the_signature_out(void **state)
{
	g_autofree char *got = rs_quote("Hello\n\n> older\nyou\n-- \nBert\nBoss\n");

	(void)state;
	assert_string_equal(got, "> Hello\n>\n>> older\n> you\n");
}

static void compose__references_follow_the_thread(void **state)
{
	g_autofree char *a = rs_references("<a@x> <b@x>", NULL, "<c@x>");
	g_autofree char *b = rs_references(NULL, "<b@x>", "<c@x>");
	g_autofree char *c = rs_references(NULL, "<a@x> <b@x>", "<c@x>");
	g_autofree char *d = rs_references(NULL, "no id", NULL);
	GString *many = g_string_new("<first@x>");
	g_autofree char *cut = NULL;

	(void)state;
	assert_string_equal(a, "<a@x> <b@x> <c@x>");
	assert_string_equal(b, "<b@x> <c@x>");
	assert_string_equal(c, "<c@x>");
	assert_null(d);
	for (guint i = 0; i < 100; i++)
		g_string_append_printf(many, " <%u@x>", i);
	cut = rs_references(many->str, NULL, "<last@x>");
	assert_true(g_str_has_prefix(cut, "<first@x> <81@x> "));
	assert_true(g_str_has_suffix(cut, "<99@x> <last@x>"));
	g_string_free(many, TRUE);
}

/* --- flowed ----------------------------------------------------------------------------------- */

static void compose__flowed_text_comes_back_as_it_was(void **state)
{
	static const char *const rows[] = {"", "short\n",
		"From here\n stuffed\n> quoted\n>> deeper\n",
		"one word and another and so on until the line is longer than any line may be and "
		"then "
		"some more of it\n",
		"> a quoted line that is longer than what fits into seventy-two columns of a line, "
		"so it "
		"is folded\n",
		"x\n\n-- \nAnna\n",
		"ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé\n",
		"averyveryverylongwordthatcannotbefoldedanywherebecauseithasnoblankandgoesonandonan"
		"don\n"};

	(void)state;
	for (gsize i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *made = rs_flowed_make(rows[i]);
		g_autofree char *back = rs_flowed_text(made, false);

		assert_string_equal(back, rows[i]);
		for (const char *line = made; *line; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") < 160);
	}
}

/* --- the template ----------------------------------------------------------------------------- */

static struct rs_draft *draft_of(struct home *h, const GPtrArray *accounts, const char *typed)
{
	struct rs_draft *d = rs_draft_new(accounts->pdata[0]);
	int rc = rs_template_parse(d, typed, strlen(typed), &h->err);

	if (rc == 0)
		return d;
	rs_draft_free(d);
	return NULL;
}

static void compose__template_comes_back(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);
	struct rs_draft *d = draft_of(h, accounts,
		"# a hint\nTo: a@b.c\nsubject :  x y \nTo: d@e.f,\n g@h.i\nBcc:\nFrom: "
		"anna@example.org\n"
		"  \nText\n\nTo: none\n");
	g_autofree char *printed = NULL;

	assert_non_null(d);
	assert_string_equal(d->to, "a@b.c, d@e.f, g@h.i");
	assert_string_equal(d->subject, "x y");
	assert_string_equal(d->bcc, "");
	assert_string_equal(d->text, "Text\n\nTo: none\n");
	printed = rs_template_print(d);
	assert_int_equal(rs_template_parse(d, printed, strlen(printed), &h->err), 0);
	assert_string_equal(d->to, "a@b.c, d@e.f, g@h.i");
	assert_string_equal(d->text, "Text\n\nTo: none\n");
	rs_draft_free(d);
}

static void compose__template_names_the_line_that_is_wrong(void **state)
{
	static const struct {
		const char *typed;
		const char *told;
	} rows[] = {
		{"To: a@b.c\nHello Bert\n", "line 2 "},
		{"Subject: x\nSubject: y\n\n", "line 2"},
		{"Attach: /no/such/file\n\n", "line 1"},
		{"To: a@b.c\nAttach: @1 x\n\n", "line 2"},
		{"X-Mine: y\n\n", "X-Mine"},
	};
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);

	for (gsize i = 0; i < RS_ARRAY_N(rows); i++) {
		assert_null(draft_of(h, accounts, rows[i].typed));
		assert_non_null(strstr(h->err.text, rows[i].told));
	}
}

/* --- the message ------------------------------------------------------------------------------- */

static char *built(
	struct home *h, const GPtrArray *accounts, const char *typed, struct rs_envelope **e)
{
	struct rs_draft *d = draft_of(h, accounts, typed);
	char *text;
	int fd = -1;
	int rc;

	assert_non_null(d);
	rc = rs_draft_build(d, accounts, &fd, e, &h->err);
	rs_draft_free(d);
	if (rc < 0)
		return NULL;
	text = content_of(fd);
	close(fd);
	return text;
}

static void compose__message_is_ascii_whatever_was_typed(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);
	g_autofree char *file = g_build_filename(h->dir, "Büro.png", NULL);
	g_autofree char *typed = g_strdup_printf("From: Änna <anna@example.org>\nTo: \"Bert, Dr.\" "
						 "<bert@bücher.example>\nBcc: c@c.net\n"
						 "Subject: Grüße\nAttach: %s\n\nHallo Wört\n",
		file);
	struct rs_envelope *e = NULL;
	g_autofree char *text = NULL;

	assert_true(g_file_set_contents(file, "\x89PNG\r\n\x1a\n....", 12, NULL));
	text = built(h, accounts, typed, &e);
	assert_non_null(text);
	assert_true(g_str_is_ascii(text));
	assert_non_null(strstr(text, "=?UTF-8?"));
	assert_non_null(strstr(text, "bert@xn--bcher-kva.example"));
	assert_non_null(strstr(text, "charset=utf-8; format=flowed"));
	assert_non_null(strstr(text, "image/png"));
	assert_non_null(strstr(text, "filename*=UTF-8''B%C3%BCro.png"));
	assert_non_null(strstr(text, "Message-Id: <"));
	assert_true(strstr(text, "Hallo W=C3=B6rt") || strstr(text, "SGFsbG8gV8O2cnQK"));
	assert_string_equal(e->sender, "anna@example.org");
	assert_string_equal(e->account, "anna");
	assert_int_equal(e->rcpts->len, 2);
	rs_envelope_free(e);
}

static void compose__what_is_no_address_is_told_with_its_field(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);
	struct rs_envelope *e = NULL;

	assert_null(built(h, accounts, "From: anna@example.org\nTo: bert\n\nx\n", &e));
	assert_true(g_str_has_prefix(h->err.text, "To: "));
	assert_null(built(h, accounts, "From: anna\nTo: b@b.net\n\nx\n", &e));
	assert_true(g_str_has_prefix(h->err.text, "From: "));
	assert_null(built(h, accounts, "From: anna@example.org\n\nx\n", &e));
}

static void compose__forward_takes_the_attachments_along(void **state)
{
	static const char original[] =
		"From: b@b.net\nTo: anna@example.org\nSubject: x\nMIME-Version: 1.0\n"
		"Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: "
		"text/plain\n\nHello\n"
		"--q\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: "
		"base64\n"
		"Content-Disposition: attachment; filename=a.pdf\n\nJVBERg==\n--q--\n";
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new(h);

	for (int whole = 0; whole < 2; whole++) {
		struct rs_answer_how how = {
			.accounts = accounts, .kind = whole ? RS_FORWARD_ATTACHED : RS_FORWARD};
		struct rs_draft *d = NULL;
		int from = file_of(original);
		g_autofree char *printed = NULL;
		g_autofree char *text = NULL;
		int fd;

		assert_int_equal(rs_draft_answer(&how, from, &d, &h->err), 0);
		assert_string_equal(d->subject, "Fwd: x");
		assert_int_equal(d->attachments->len, 1);
		printed = rs_template_print(d);
		assert_non_null(strstr(printed, whole ? "Attach: @1 x.eml" : "Attach: @1 a.pdf"));
		assert_int_equal(rs_template_parse(d, printed, strlen(printed), &h->err), 0);
		assert_int_equal(rs_draft_build(d, accounts, &fd, NULL, &h->err), 0);
		text = content_of(fd);
		assert_non_null(strstr(text, "JVBERg=="));
		assert_true(whole == (strstr(text, original) != NULL));
		close(fd);
		close(from);
		rs_draft_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(compose__an_answer_goes_to_whom_it_should),
		HOME_TEST(compose__no_list_no_answer_to_it),
		cmocka_unit_test(compose__subject_has_one_mark),
		cmocka_unit_test(compose__quote_leaves_the_signature_out),
		cmocka_unit_test(compose__references_follow_the_thread),
		cmocka_unit_test(compose__flowed_text_comes_back_as_it_was),
		HOME_TEST(compose__template_comes_back),
		HOME_TEST(compose__template_names_the_line_that_is_wrong),
		HOME_TEST(compose__message_is_ascii_whatever_was_typed),
		HOME_TEST(compose__what_is_no_address_is_told_with_its_field),
		HOME_TEST(compose__forward_takes_the_attachments_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
