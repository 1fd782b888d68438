/* the index follows the folders, whoever changes them; threads; marks, moves, deletions and taking back. */
#include "tests/unit/test.h"

#include "client/library.h"
#include "tests/unit/client/home.h"

struct shelf {
	struct home *h;
	GPtrArray *accounts;
	struct rs_library *l;
	struct rs_catalog_changes changes; /* of the last look */
	char *anna;
};

static void account_free(void *a)
{
	rs_account_free(a);
}

static void noted(void *arg, const struct rs_catalog_changes *changes)
{
	struct shelf *s = arg;

	s->changes = *changes;
}

static void shelf_open(struct shelf *s, struct home *h)
{
	struct rs_account *a = rs_account_new();

	*s = (struct shelf){.h = h, .accounts = g_ptr_array_new_with_free_func(account_free)};
	a->name = g_strdup("anna");
	assert_int_equal(rs_account_set(a, "address", "anna@example.org", NULL), 0);
	assert_int_equal(rs_account_set(a, "pop3", "localhost", NULL), 0);
	assert_int_equal(rs_account_complete(&h->p, a, &h->err), 0);
	g_ptr_array_add(s->accounts, a);
	s->anna = a->maildir;
	assert_int_equal(rs_library_open(&h->p, s->accounts, &s->l, &h->err), 0);
	rs_library_on_change(s->l, noted, s);
}

static void shelf_close(struct shelf *s)
{
	rs_library_close(&s->l);
	g_ptr_array_unref(s->accounts);
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

static void rename_in(const char *maildir, const char *from, const char *to)
{
	g_autofree char *a = g_build_filename(maildir, from, NULL);
	g_autofree char *b = g_build_filename(maildir, to, NULL);

	assert_int_equal(g_rename(a, b), 0);
}

static GPtrArray *found(struct shelf *s, const char *query)
{
	GPtrArray *list = NULL;

	s->changes = (struct rs_catalog_changes){0};
	if (rs_library_search(s->l, query, 0, &list, &s->h->err) < 0)
		fail_msg("%s: %s", query, s->h->err.text);
	for (guint i = 0; i < list->len; i++)
		rs_library_fill(s->l, list->pdata[i]);
	return list;
}

static void assert_found(struct shelf *s, const char *query, guint n)
{
	g_autoptr(GPtrArray) list = found(s, query);

	if (list->len != n)
		fail_msg("%s: %u found, not %u", query, list->len, n);
}

#define HEAD "From: Jürgen Müßig <j@x.example>\nTo: anna@example.org\n"

static void catalog__all_parts_of_a_message_are_found(void **state)
{
	struct shelf s;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h",
		HEAD "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from here\nCc: Bert <b@y.example>\n"
		     "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n"
		     "<p>caf&eacute; <b>bold</b>ly<script>evil()</script></p>\n--x\n"
		     "Content-Type: application/pdf; name=\"Rechnung 7.pdf\"\n"
		     "Content-Disposition: attachment\n\nx\n--x--\n");
	put(s.anna, "cur", "1767225601.M2P1Q1.h:2,FRS", HEAD "Subject: other\n\nplain words\n");
	assert_found(&s, "grüße", 1);
	assert_found(&s, "gruesse", 1);
	assert_found(&s, "from:mueßig", 2);
	assert_found(&s, "from:j@x.example", 2);
	assert_found(&s, "to:bert", 1);
	assert_found(&s, "cafe boldly", 1);
	assert_found(&s, "evil", 0);
	assert_found(&s, "file:rechnung has:attachment", 1);
	assert_found(&s, "\"plain words\"", 1);
	assert_found(&s, "\"words plain\"", 0);
	assert_found(&s, "pla*", 1);
	assert_found(&s, "is:unread", 1);
	assert_found(&s, "is:flagged is:answered", 1);
	assert_found(&s, "in:inbox -other", 1);
	assert_found(&s, "in:anna", 2);
	assert_found(&s, "in:Archive", 0);
	assert_found(&s, "since:2026-01-01 before:2026-01-02", 2);
	assert_found(&s, "before:2026", 0);
	shelf_close(&s);
}

static void catalog__changes_of_other_programs_are_noticed(void **state)
{
	struct shelf s;
	g_autofree char *gone = NULL;
	g_autofree char *list = NULL;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h,S=3", HEAD "Subject: one\n\nx\n");
	put(s.anna, "new", "1767225601.M2P1Q1.h,S=3", HEAD "Subject: two\n\nx\n");
	assert_found(&s, "is:unread", 2);
	assert_int_equal(s.changes.added, 2);
	rename_in(s.anna, "new/1767225600.M1P1Q1.h,S=3", "cur/1767225600.M1P1Q1.h,S=3:2,FS");
	assert_found(&s, "is:flagged one", 1);
	assert_int_equal(s.changes.changed, 1);
	assert_int_equal(s.changes.added + s.changes.removed, 0);
	/* into a folder that another program made: the row goes with it */
	list = g_build_filename(s.h->p.mail_dir, "Lists", "Linux", NULL);
	put(list, "new", "1767225602.M3P1Q1.h", HEAD "Subject: three\n\nx\n");
	rename_in(s.h->p.mail_dir, "anna/new/1767225601.M2P1Q1.h,S=3",
		"Lists/Linux/cur/1767225601.M2P1Q1.h,S=3:2,S");
	assert_found(&s, "in:Lists", 2);
	assert_int_equal(s.changes.added, 1);
	assert_int_equal(s.changes.changed, 1);
	assert_int_equal(s.changes.removed, 0);
	gone = g_build_filename(list, "cur", "1767225601.M2P1Q1.h,S=3:2,S", NULL);
	assert_int_equal(g_unlink(gone), 0);
	assert_found(&s, "two", 0);
	assert_int_equal(s.changes.removed, 1);
	assert_found(&s, "three", 1);
	assert_int_equal(s.changes.removed + s.changes.added + s.changes.changed, 0);
	shelf_close(&s);
}

static void catalog__a_folder_that_is_renamed_keeps_its_messages(void **state)
{
	struct shelf s;
	g_autofree char *list = NULL;

	shelf_open(&s, *state);
	list = g_build_filename(s.h->p.mail_dir, "Lists", NULL);
	put(list, "new", "1767225602.M3P1Q1.h", HEAD "Subject: three\n\nx\n");
	assert_found(&s, "in:Lists three", 1);
	rename_in(s.h->p.mail_dir, "Lists", "Letters");
	assert_found(&s, "in:Letters three", 1);
	assert_int_equal(s.changes.changed, 1);
	assert_int_equal(s.changes.added, 0);
	shelf_close(&s);
}

static void catalog__a_damaged_index_is_made_again(void **state)
{
	struct home *h = *state;
	g_autofree char *file = g_build_filename(h->p.data_dir, "index.db", NULL);
	struct shelf s;

	shelf_open(&s, h);
	put(s.anna, "new", "1767225600.M1P1Q1.h", HEAD "Subject: one\n\nx\n");
	assert_found(&s, "one", 1);
	shelf_close(&s);
	assert_true(g_file_set_contents(
		file, "this is no database, and never was one at all", -1, NULL));
	shelf_open(&s, h);
	assert_found(&s, "one", 1);
	shelf_close(&s);
	assert_int_equal(g_unlink(file), 0);
	shelf_open(&s, h);
	assert_found(&s, "one", 1);
	shelf_close(&s);
}

static guint thread_of(struct shelf *s, const char *query)
{
	g_autoptr(GPtrArray) list = found(s, query);
	g_autoptr(GPtrArray) thread = NULL;

	assert_int_equal(list->len, 1);
	assert_int_equal(rs_library_thread(s->l, list->pdata[0], &thread, &s->h->err), 0);
	assert_int_equal(rs_library_thread_n(s->l, list->pdata[0]), thread->len);
	return thread->len;
}

static void catalog__threads_join_in_whatever_order_they_come(void **state)
{
	struct shelf s;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h",
		HEAD "Subject: third\nMessage-ID: <3@x>\nIn-Reply-To: <2@x>\n\nx\n");
	put(s.anna, "new", "1767225601.M1P1Q1.h", HEAD "Subject: first\nMessage-ID: <1@x>\n\nx\n");
	assert_int_equal(thread_of(&s, "third"), 1);
	put(s.anna, "new", "1767225602.M1P1Q1.h",
		HEAD "Subject: second\nMessage-ID: <2@x>\nReferences: <0@x>\n <1@x>\n\nx\n");
	assert_int_equal(thread_of(&s, "third"), 3);
	assert_int_equal(thread_of(&s, "first"), 3);
	shelf_close(&s);
}

static void catalog__a_subject_joins_only_replies_of_the_same_people(void **state)
{
	struct shelf s;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h",
		HEAD "Subject: Rechnung\nMessage-ID: <1@x>\n\nx\n");
	put(s.anna, "new", "1767225601.M1P1Q1.h",
		HEAD "Subject: Rechnung\nMessage-ID: <2@x>\n\nzwei\n");
	put(s.anna, "new", "1767225602.M1P1Q1.h",
		"From: anna@example.org\nTo: j@x.example\nSubject: AW: Rechnung\n\ndrei\n");
	put(s.anna, "new", "1767225603.M1P1Q1.h",
		"From: mallory@z.example\nTo: eve@z.example\nSubject: Re: Rechnung\n\nvier\n");
	assert_int_equal(thread_of(&s, "drei"), 2);
	assert_int_equal(thread_of(&s, "vier"), 1);
	shelf_close(&s);
}

static void catalog__delete_goes_to_trash_then_for_good_and_back(void **state)
{
	struct shelf s;
	GPtrArray *list;
	guint n = 7;

	shelf_open(&s, *state);
	put(s.anna, "cur", "1767225600.M1P1Q1.h:2,Sa", HEAD "Subject: one\n\nx\n");
	list = found(&s, "one");
	assert_int_equal(rs_library_delete(s.l, list, false, &n, &s.h->err), 0);
	assert_int_equal(n, 0);
	assert_found(&s, "in:Trash one", 1);
	assert_int_equal(rs_library_undo(s.l, &n, &s.h->err), 0);
	assert_int_equal(n, 1);
	assert_found(&s, "in:anna one", 1);
	assert_int_equal(rs_library_undo(s.l, &n, &s.h->err), -RS_ENOENT);
	assert_int_equal(rs_library_mark(s.l, list, RS_FLAG_FLAGGED, RS_FLAG_SEEN, &s.h->err), 0);
	g_ptr_array_unref(list);
	list = found(&s, "one");
	assert_string_equal(((struct rs_entry *)list->pdata[0])->file, "1767225600.M1P1Q1.h:2,Fa");
	assert_int_equal(rs_library_delete(s.l, list, false, &n, &s.h->err), 0);
	assert_int_equal(rs_library_delete(s.l, list, false, &n, &s.h->err), 0);
	assert_int_equal(n, 1);
	assert_found(&s, "one", 0);
	g_ptr_array_unref(list);
	shelf_close(&s);
}

static void catalog__a_move_never_replaces_a_message(void **state)
{
	struct shelf s;
	g_autofree char *archive = NULL;
	GPtrArray *list;

	shelf_open(&s, *state);
	archive = g_build_filename(s.h->p.mail_dir, "Archive", NULL);
	put(archive, "cur", "1767225600.M1P1Q1.h:2,S", HEAD "Subject: there\n\nx\n");
	put(s.anna, "cur", "1767225600.M1P1Q1.h:2,S", HEAD "Subject: here\n\nx\n");
	list = found(&s, "here");
	assert_int_equal(
		rs_library_move(s.l, list, rs_library_folder(s.l, "archive"), &s.h->err), 0);
	g_ptr_array_unref(list);
	assert_found(&s, "in:Archive", 2);
	assert_found(&s, "here", 1);
	assert_found(&s, "there", 1);
	shelf_close(&s);
}

/* Renamed by another program between the search and the move. */
static void catalog__a_change_follows_a_message_that_moved_meanwhile(void **state)
{
	struct shelf s;
	GPtrArray *list;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h", HEAD "Subject: one\n\nx\n");
	list = found(&s, "one");
	rename_in(s.anna, "new/1767225600.M1P1Q1.h", "cur/1767225600.M1P1Q1.h:2,FS");
	assert_int_equal(rs_library_mark(s.l, list, RS_FLAG_ANSWERED, 0, &s.h->err), 0);
	assert_string_equal(((struct rs_entry *)list->pdata[0])->file, "1767225600.M1P1Q1.h:2,FRS");
	g_ptr_array_unref(list);
	assert_found(&s, "is:answered is:flagged is:read", 1);
	shelf_close(&s);
}

static void catalog__folders_have_counts_and_roles(void **state)
{
	struct shelf s;
	const GPtrArray *folders = NULL;
	const struct rs_folder *f;

	shelf_open(&s, *state);
	put(s.anna, "new", "1767225600.M1P1Q1.h", HEAD "Subject: one\n\nx\n");
	put(s.anna, "cur", "1767225601.M1P1Q1.h:2,S", HEAD "Subject: two\n\nx\n");
	assert_int_equal(rs_folder_make(&s.h->p, "Lists/Linux", &s.h->err), 0);
	assert_int_equal(rs_folder_make(&s.h->p, "Lists/Linux", &s.h->err), -RS_EEXIST);
	assert_int_equal(rs_folder_make(&s.h->p, "../up", &s.h->err), -RS_EINVAL);
	assert_int_equal(rs_folder_make(&s.h->p, "a/cur", &s.h->err), -RS_EINVAL);
	assert_int_equal(rs_folder_make(&s.h->p, "", &s.h->err), -RS_EINVAL);
	assert_int_equal(rs_library_folders(s.l, &folders, &s.h->err), 0);
	assert_int_equal(folders->len, 8);
	f = folders->pdata[0];
	assert_int_equal(f->role, RS_FOLDER_INBOX);
	assert_int_equal(f->total, 2);
	assert_int_equal(f->unread, 1);
	f = folders->pdata[7];
	assert_string_equal(f->name, "Lists/Linux");
	assert_int_equal(rs_folder_rename(&s.h->p, f, "Letters", &s.h->err), 0);
	f = folders->pdata[1];
	assert_int_equal(rs_folder_remove(f, &s.h->err), -RS_EINVAL);
	assert_int_equal(rs_library_folders(s.l, &folders, &s.h->err), 0);
	assert_string_equal(((struct rs_folder *)folders->pdata[7])->name, "Letters");
	assert_int_equal(rs_folder_remove(folders->pdata[7], &s.h->err), 0);
	shelf_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(catalog__all_parts_of_a_message_are_found),
		HOME_TEST(catalog__changes_of_other_programs_are_noticed),
		HOME_TEST(catalog__a_folder_that_is_renamed_keeps_its_messages),
		HOME_TEST(catalog__a_damaged_index_is_made_again),
		HOME_TEST(catalog__threads_join_in_whatever_order_they_come),
		HOME_TEST(catalog__a_subject_joins_only_replies_of_the_same_people),
		HOME_TEST(catalog__delete_goes_to_trash_then_for_good_and_back),
		HOME_TEST(catalog__a_move_never_replaces_a_message),
		HOME_TEST(catalog__a_change_follows_a_message_that_moved_meanwhile),
		HOME_TEST(catalog__folders_have_counts_and_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
