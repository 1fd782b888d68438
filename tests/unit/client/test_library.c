/* listings: order, numbers and ids, marks. */
#include "tests/unit/test.h"

#include "client/library.h"
#include "tests/unit/client/home.h"

/* An account `name` with mail folder mail/NAME, in `accounts`. */
static struct rs_account *account_add(struct home *h, GPtrArray *accounts, const char *name)
{
	struct rs_account *a = rs_account_new();
	g_autofree char *address = g_strdup_printf("%s@example.org", name);

	a->name = g_strdup(name);
	assert_int_equal(rs_account_set(a, "address", address, NULL), 0);
	assert_int_equal(rs_account_set(a, "pop3", "localhost", NULL), 0);
	assert_int_equal(rs_account_complete(&h->p, a, &h->err), 0);
	g_ptr_array_add(accounts, a);
	return a;
}

static void account_free(void *a)
{
	rs_account_free(a);
}

static GPtrArray *accounts_new(void)
{
	return g_ptr_array_new_with_free_func(account_free);
}

static void put(const char *maildir, const char *sub, const char *name, const char *text)
{
	static const char *const subs[] = {"tmp", "new", "cur"};
	g_autofree char *file = g_build_filename(maildir, sub, name, NULL);

	for (size_t i = 0; i < RS_ARRAY_N(subs); i++) {
		g_autofree char *dir = g_build_filename(maildir, subs[i], NULL);

		assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
	}
	assert_true(g_file_set_contents(file, text, -1, NULL));
}

static struct rs_library *opened(struct home *h, const GPtrArray *accounts)
{
	struct rs_library *l = NULL;

	assert_int_equal(rs_library_open(&h->p, accounts, &l, &h->err), 0);
	return l;
}

static GPtrArray *listed(struct home *h, struct rs_library *l, const char *folder)
{
	GPtrArray *list = NULL;

	assert_int_equal(
		rs_library_list(l, &(struct rs_list_how){.folder = folder}, &list, &h->err), 0);
	for (guint i = 0; i < list->len; i++)
		rs_library_fill(l, list->pdata[i]);
	return list;
}

static const struct rs_entry *at(const GPtrArray *list, guint i)
{
	return list->pdata[i];
}

static void library__an_account_without_mail_is_an_empty_inbox(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	struct rs_library *l;

	(void)account_add(h, accounts, "anna");
	l = opened(h, accounts);
	list = listed(h, l, NULL);
	assert_int_equal(list->len, 0);
	rs_library_close(&l);
}

static void library__newest_first_over_all_inboxes(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GPtrArray) one = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	const char *bert = account_add(h, accounts, "bert")->maildir;
	struct rs_library *l = opened(h, accounts);

	put(anna, "new", "1767225600.M1P1Q1.h,S=10",
		"Date: Mon, 1 Dec 2025 10:00:00 +0000\nSubject: a1\nFrom: A <a@x.example>\n\n");
	put(bert, "cur", "1767225600.M2P1Q1.h:2,RS",
		"Date: Wed, 3 Dec 2025 10:00:00 +0000\nSubject: b3\n\n");
	put(anna, "cur", "1767225600.M3P1Q1.h:2,",
		"Date: Tue, 2 Dec 2025 10:00:00 +0000\nSubject: =?utf-8?q?=C3=A42?=\n\n");
	put(anna, "new", "1767225600.M9P1Q1.h", "Subject: no date: arrived\n\n");
	put(anna, "new", "1767225600.M10P1Q1.h", "Subject: the same second, later\n\n");
	list = listed(h, l, NULL);
	assert_int_equal(list->len, 5);
	assert_string_equal(at(list, 0)->subject, "the same second, later");
	assert_string_equal(at(list, 1)->subject, "no date: arrived");
	assert_string_equal(at(list, 2)->subject, "b3");
	assert_string_equal(at(list, 3)->subject, "ä2");
	assert_string_equal(at(list, 4)->subject, "a1");
	assert_string_equal(at(list, 4)->from, "A");
	assert_string_equal(at(list, 4)->from_address, "a@x.example");
	assert_int_equal(at(list, 4)->size, 72); /* of the file, whatever its name says */
	assert_true(at(list, 4)->unread && at(list, 3)->unread && !at(list, 2)->unread);
	assert_true(at(list, 2)->answered);
	one = listed(h, l, "bert@example.org");
	assert_int_equal(one->len, 1);
	rs_library_close(&l);
}

static void library__ids_stay_when_a_message_is_renamed_and_moved(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) before = NULL;
	g_autoptr(GPtrArray) after = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	struct rs_library *l = opened(h, accounts);
	g_autofree char *from = g_build_filename(anna, "new", "17.M1P1Q1.h,S=3", NULL);
	g_autofree char *other = g_build_filename(h->p.mail_dir, "other", NULL);

	put(anna, "new", "17.M1P1Q1.h,S=3", "x\n\n");
	before = listed(h, l, NULL);
	assert_int_equal(g_unlink(from), 0);
	put(other, "cur", "17.M1P1Q1.h,S=3,W=4:2,FS", "x\n\n");
	after = listed(h, l, "other");
	assert_string_equal(at(before, 0)->id, at(after, 0)->id);
	assert_int_equal(strspn(at(after, 0)->id, "bcdfghjkmnpqrstvwxz"), RS_ENTRY_ID_N);
	rs_library_close(&l);
}

static void library__a_number_means_the_last_listing(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	struct rs_library *l = opened(h, accounts);
	struct rs_entry *e = NULL;

	put(anna, "new", "1767225600.M1P1Q1.h", "Subject: first\n\n");
	assert_int_equal(rs_library_find(l, "1", &e, &h->err), -RS_ENOENT);
	list = listed(h, l, NULL);
	rs_library_remember(l, list);
	put(anna, "new", "1767225700.M1P1Q1.h", "Subject: second\n\n");
	assert_int_equal(rs_library_find(l, "1", &e, &h->err), 0);
	rs_library_fill(l, e);
	assert_string_equal(e->subject, "first");
	rs_entry_free(e);
	e = NULL;
	assert_int_equal(rs_library_find(l, "2", &e, &h->err), -RS_ENOENT);
	assert_int_equal(rs_library_find(l, "0", &e, &h->err), -RS_ENOENT);
	assert_int_equal(rs_library_find(l, "99999999999999999999999", &e, &h->err), -RS_ENOENT);
	rs_library_close(&l);
}

static void library__an_id_is_found_by_its_beginning_if_only_one_has_it(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	const char *bert = account_add(h, accounts, "bert")->maildir;
	struct rs_library *l = opened(h, accounts);
	struct rs_entry *e = NULL;
	char beginning[RS_ENTRY_ID_MIN + 1];

	put(anna, "new", "1767225600.M1P1Q1.h", "Subject: x\n\n");
	list = listed(h, l, NULL);
	g_strlcpy(beginning, at(list, 0)->id, sizeof(beginning));
	assert_int_equal(rs_library_find(l, beginning, &e, &h->err), 0);
	assert_string_equal(e->id, at(list, 0)->id);
	rs_entry_free(e);
	e = NULL;
	put(bert, "new", "1767225600.M1P1Q1.h", "Subject: a copy\n\n");
	assert_int_equal(rs_library_find(l, at(list, 0)->id, &e, &h->err), -RS_EINVAL);
	assert_null(e);
	assert_int_equal(rs_library_find(l, "bcd", &e, &h->err), -RS_EINVAL);
	assert_int_equal(rs_library_find(l, "bbbb", &e, &h->err), -RS_ENOENT);
	assert_int_equal(rs_library_find(l, "aaaa", &e, &h->err), -RS_EINVAL);
	assert_int_equal(rs_library_find(l, "", &e, &h->err), -RS_EINVAL);
	rs_library_close(&l);
}

static void library__reading_marks_and_keeps_other_flags(void **state)
{
	static const struct {
		const char *sub;
		const char *name;
		const char *becomes; /* in cur/ */
	} rows[] = {
		{"new", "1.M1P1Q1.h,S=5", "1.M1P1Q1.h,S=5:2,S"},
		{"cur", "2.M1P1Q1.h:2,", "2.M1P1Q1.h:2,S"},
		{"cur", "3.M1P1Q1.h:2,FRT", "3.M1P1Q1.h:2,FRST"},
		{"cur", "4.M1P1Q1.h:2,S", "4.M1P1Q1.h:2,S"},
		{"cur", "5.M1P1Q1.h", "5.M1P1Q1.h:2,S"},
	};
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	struct rs_library *l = opened(h, accounts);

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++)
		put(anna, rows[i].sub, rows[i].name, "Subject: x\n\n");
	list = listed(h, l, NULL);
	for (guint i = 0; i < list->len; i++) {
		assert_int_equal(rs_library_mark_read(l, list->pdata[i], &h->err), 0);
		assert_false(at(list, i)->unread);
	}
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *file = g_build_filename(anna, "cur", rows[i].becomes, NULL);

		assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));
	}
	rs_library_close(&l);
}

static void library__a_folder_that_is_not_there_is_said(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	GPtrArray *list = NULL;
	struct rs_library *l = opened(h, accounts);

	assert_int_equal(
		rs_library_list(l, &(struct rs_list_how){.folder = "nowhere"}, &list, &h->err),
		-RS_ENOENT);
	assert_null(list);
	rs_library_close(&l);
}

/* A header longer than one read, and one that never ends. */
static void library__long_headers_are_read(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) accounts = accounts_new();
	g_autoptr(GPtrArray) list = NULL;
	const char *anna = account_add(h, accounts, "anna")->maildir;
	struct rs_library *l = opened(h, accounts);
	GString *text = g_string_new(NULL);

	while (text->len < 20000)
		g_string_append(text, "Received: from somewhere by somewhere else\n");
	g_string_append(text, "Subject: behind all that\n\n");
	put(anna, "new", "1767225600.M1P1Q1.h", text->str);
	while (text->len < 300000)
		g_string_append(text, "X: y\n");
	g_string_erase(text, 0, (gssize)strlen("Received"));
	put(anna, "new", "1767225600.M2P1Q1.h", text->str);
	list = listed(h, l, NULL);
	assert_int_equal(list->len, 2);
	assert_string_equal(at(list, 1)->subject, "behind all that");
	rs_library_close(&l);
	g_string_free(text, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(library__an_account_without_mail_is_an_empty_inbox),
		HOME_TEST(library__newest_first_over_all_inboxes),
		HOME_TEST(library__ids_stay_when_a_message_is_renamed_and_moved),
		HOME_TEST(library__a_number_means_the_last_listing),
		HOME_TEST(library__an_id_is_found_by_its_beginning_if_only_one_has_it),
		HOME_TEST(library__reading_marks_and_keeps_other_flags),
		HOME_TEST(library__a_folder_that_is_not_there_is_said),
		HOME_TEST(library__long_headers_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
