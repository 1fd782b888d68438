/* users: the passwd-file, its changes, names that may reach a path. */
#include "tests/unit/test.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/user_app.h"
#include "server/userdb.h"
#include "server/userdb_edit.h"

struct place {
	char *dir;
	char *file;
	char *spec;
	struct rs_conf conf;
	uv_loop_t loop;
	struct rs_userdb *db;
	struct rs_err err;
};

static int set_up(void **state)
{
	struct place *p = g_new0(struct place, 1);

	p->dir = g_dir_make_tmp("rs-users-XXXXXX", NULL);
	p->file = g_build_filename(p->dir, "users", NULL);
	p->spec = g_strconcat("passwd-file:", p->file, NULL);
	p->conf.users = p->spec;
	assert_int_equal(uv_loop_init(&p->loop), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	g_autofree char *lock = g_strconcat(p->file, ".lock", NULL);

	rs_userdb_destroy(&p->db);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&p->loop), 0);
	g_remove(lock);
	g_remove(p->file);
	g_remove(p->dir);
	g_free(p->dir);
	g_free(p->file);
	g_free(p->spec);
	g_free(p);
	return 0;
}

static void put(const struct place *p, const char *text)
{
	assert_true(g_file_set_contents(p->file, text, -1, NULL));
}

static char *get(const struct place *p)
{
	char *text = NULL;

	assert_true(g_file_get_contents(p->file, &text, NULL, NULL));
	return text;
}

struct answer {
	unsigned n;
	int rc;
	struct rs_user *user;
};

static void on_answer(void *arg, int rc, struct rs_user *u)
{
	struct answer *a = arg;

	a->n++;
	a->rc = rc;
	a->user = u;
}

/* The user, waited for; NULL: nobody. Owned by the caller. */
static struct rs_user *ask(struct place *p, const char *name)
{
	struct answer a = {.n = 0};

	rs_userdb_ask(p->db, name, on_answer, &a);
	while (a.n == 0)
		uv_run(&p->loop, UV_RUN_ONCE);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.rc, a.user ? 0 : -RS_ENOENT);
	return a.user;
}

static bool lives_here(struct place *p, const char *name)
{
	struct rs_user *u = ask(p, name);
	bool is = u != NULL;

	rs_user_free(u);
	return is;
}

static void userdb__lines_are_those_of_dovecot(void **state)
{
	struct place *p = *state;
	struct rs_user *u;

	put(p, "# ours\n\nAnna@Example.org:{PLAIN}x:1:1:gecos:/home:/bin/sh:userdb_quota=2M "
	       "maildir=/m/anna pop3=no\r\nbert:$6$a$b\ncleo:x::::::disabled smtp=no "
	       "allow_nets=::1");
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), 0);
	u = ask(p, "anna@example.org");
	assert_non_null(u);
	assert_string_equal(u->name, "anna@example.org");
	assert_string_equal(u->password, "{PLAIN}x");
	assert_string_equal(u->maildir, "/m/anna");
	assert_string_equal(u->rules, "\nquota=2M");
	assert_false(u->pop3);
	assert_true(u->smtp);
	rs_user_free(u);
	u = ask(p, "bert");
	assert_non_null(u);
	assert_string_equal(u->password, "$6$a$b");
	assert_true(u->pop3 && !u->disabled);
	rs_user_free(u);
	u = ask(p, "cleo");
	assert_non_null(u);
	assert_true(u->disabled && !u->smtp && u->pop3);
	rs_user_free(u);
	assert_false(lives_here(p, "# ours"));
	assert_false(lives_here(p, "anna@example.or"));
	assert_false(lives_here(p, "anna@example.orgg"));
	assert_false(lives_here(p, ""));
}

static void userdb__a_wrong_line_is_named(void **state)
{
	static const char *const rows[] = {"anna", "../x:y", "a:b\nA:c", "a:b::::::quota=-1",
		"a:b::::::view=newest:0", "a:b::::::maildir=rel", "a:b::::::pop3=off", ":x"};

	struct place *p = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = g_strconcat("# 1\n", rows[i], "\n", NULL);

		put(p, text);
		assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), -RS_ECONFIG);
		assert_non_null(strstr(p->err.text, i == 2 ? "users:3:" : "users:2:"));
		assert_null(p->db);
	}
	assert_true(g_file_set_contents(p->file, "a:b\nc\0d:e\n", 10, NULL));
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), -RS_ECONFIG);
	assert_non_null(strstr(p->err.text, "users:2:"));
}

/* Who asks after the file was changed gets what stands in it, however soon; a file that became wrong is
 * not used, and one that is mended is. */
static void userdb__a_changed_file_is_read_again_and_a_wrong_one_is_not_used(void **state)
{
	struct place *p = *state;

	put(p, "anna:x\n");
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), 0);
	assert_false(lives_here(p, "bert"));
	put(p, "anna:x\nbert:y\n");
	assert_true(lives_here(p, "bert"));
	put(p, "broken\n");
	assert_true(lives_here(p, "bert"));
	assert_int_equal(g_remove(p->file), 0);
	assert_true(lives_here(p, "bert"));
	put(p, "anna:x\n");
	assert_false(lives_here(p, "bert"));
	assert_true(lives_here(p, "anna"));
}

/* Questions that wait for a reading file are answered when the database goes, and only once. */
static void userdb__whoever_waits_is_answered_at_the_end(void **state)
{
	struct place *p = *state;
	struct answer a = {.n = 0};

	put(p, "anna:x\n");
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), 0);
	put(p, "anna:x\nbert:y\n");
	rs_userdb_ask(p->db, "bert", on_answer, &a);
	assert_int_equal(a.n, 0);
	rs_userdb_destroy(&p->db);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.rc, -RS_ETEMP);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_int_equal(a.n, 1);
}

static void userdb__add_and_remove_leave_other_lines_and_the_mode(void **state)
{
	struct place *p = *state;
	g_autofree char *both = NULL;
	g_autofree char *one = NULL;
	struct stat st;

	put(p, "# keep\n\nbert:y::::::pop3=no");
	assert_int_equal(g_chmod(p->file, 0640), 0);
	assert_int_equal(rs_userdb_add(p->spec, "anna", "{PLAIN}x", NULL, &p->err), 0);
	both = get(p);
	assert_string_equal(both, "# keep\n\nbert:y::::::pop3=no\nanna:{PLAIN}x::::::\n");
	assert_int_equal(rs_userdb_add(p->spec, "bert", "{PLAIN}x", NULL, &p->err), -RS_EEXIST);
	assert_int_equal(rs_userdb_remove(p->spec, "cleo", &p->err), -RS_ENOENT);
	assert_int_equal(rs_userdb_remove(p->spec, "bert", &p->err), 0);
	one = get(p);
	assert_string_equal(one, "# keep\n\nanna:{PLAIN}x::::::\n");
	assert_int_equal(g_stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void userdb__a_field_that_would_make_more_fields_is_refused(void **state)
{
	struct place *p = *state;

	assert_int_equal(rs_userdb_add(p->spec, "anna", "{PLAIN}a:b", NULL, &p->err), -RS_EINVAL);
	assert_int_equal(
		rs_userdb_add(p->spec, "anna", "{PLAIN}a\nroot:x", NULL, &p->err), -RS_EINVAL);
	assert_false(g_file_test(p->file, G_FILE_TEST_EXISTS));
}

/* A file that is there and cannot be read must not become a file of one user. */
static void userdb__what_cannot_be_read_is_not_replaced(void **state)
{
	struct place *p = *state;

	/* a link to itself cannot be read, not even by root, and a rename would replace it */
	assert_int_equal(symlink(p->file, p->file), 0);
	assert_true(rs_userdb_add(p->spec, "anna", "{PLAIN}x", NULL, &p->err) < 0);
	assert_true(g_file_test(p->file, G_FILE_TEST_IS_SYMLINK));
}

static void assert_file(const struct place *p, const char *text)
{
	g_autofree char *now = get(p);

	assert_string_equal(now, text);
}

static void userdb__a_change_leaves_the_rest_of_the_line(void **state)
{
	struct place *p = *state;
	bool was;

	put(p, "# a:b\nAnna@X.org:old:1:2:Anna A:/home:/bin/sh:quota=1M  maildir=/m/a\nbert:y");
	assert_int_equal(
		rs_userdb_set_password(p->spec, "anna@x.org", "{CRYPT}$6$new", &p->err), 0);
	assert_int_equal(rs_userdb_set_disabled(p->spec, "bert", true, &was, &p->err), 0);
	assert_false(was);
	assert_file(p, "# a:b\nAnna@X.org:{CRYPT}$6$new:1:2:Anna A:/home:/bin/sh:quota=1M "
		       "maildir=/m/a\nbert:y::::::nologin\n");
	assert_int_equal(rs_userdb_set_disabled(p->spec, "bert", true, &was, &p->err), 0);
	assert_true(was);
	assert_int_equal(rs_userdb_set_disabled(p->spec, "bert", false, &was, &p->err), 0);
	assert_true(was);
	assert_file(p, "# a:b\nAnna@X.org:{CRYPT}$6$new:1:2:Anna A:/home:/bin/sh:quota=1M "
		       "maildir=/m/a\nbert:y::::::\n");
	assert_int_equal(rs_userdb_set_password(p->spec, "cleo", "x", &p->err), -RS_ENOENT);
	assert_int_equal(rs_userdb_set_disabled(p->spec, "cleo", true, &was, &p->err), -RS_ENOENT);
	assert_int_equal(rs_userdb_set_password(p->spec, "bert", "a:b", &p->err), -RS_EINVAL);
}

static void userdb__keys_of_a_new_user_are_checked(void **state)
{
	char *good[] = {"quota=1G", "pop3=no", "disabled", NULL};
	char *bad[][2] = {{"quota=much", NULL}, {"a b", NULL}, {"maildir=rel", NULL},
		{"x=a:b", NULL}, {"=x", NULL}, {"app=x", NULL}};
	struct place *p = *state;

	assert_int_equal(rs_userdb_add(p->spec, "anna", "{PLAIN}x", good, &p->err), 0);
	assert_file(p, "anna:{PLAIN}x::::::quota=1G pop3=no disabled\n");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_int_equal(
			rs_userdb_add(p->spec, "bert", "{PLAIN}x", bad[i], &p->err), -RS_EINVAL);
		assert_non_null(strstr(p->err.text, bad[i][0]));
	}
	assert_file(p, "anna:{PLAIN}x::::::quota=1G pop3=no disabled\n");
}

/* The password of whoever asked, the app password of another user, a revoked one: each its own. */
static void app__passwords_are_made_found_and_revoked(void **state)
{
	struct place *p = *state;
	char phone[RS_APP_SHOWN_MAX + 1];
	char desk[RS_APP_SHOWN_MAX + 1];
	g_autofree char *phone_text = NULL;
	g_autofree char *desk_text = NULL;
	g_autofree char *loud = NULL;
	struct rs_user *u;

	put(p, "anna:{PLAIN}main\nbert:{PLAIN}main\n");
	assert_int_equal(rs_app_make("phone", "2026-11-25", &phone_text, phone, &p->err), 0);
	assert_int_equal(rs_app_make("desk.top-1", "2026-11-26", &desk_text, desk, &p->err), 0);
	assert_int_equal(strlen(phone), 23);
	assert_string_not_equal(phone, desk);
	assert_null(strstr(phone_text, phone));
	assert_int_equal(rs_userdb_app_add(p->spec, "anna", phone_text, &p->err), 0);
	assert_int_equal(rs_userdb_app_add(p->spec, "anna", desk_text, &p->err), 0);
	assert_int_equal(rs_userdb_app_add(p->spec, "anna", phone_text, &p->err), -RS_EEXIST);
	assert_int_equal(rs_userdb_app_add(p->spec, "cleo", phone_text, &p->err), -RS_ENOENT);
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), 0);
	u = ask(p, "anna");
	assert_non_null(u);
	assert_string_equal(rs_app_find(u->apps, rs_slice_str(phone)), phone_text);
	assert_string_equal(rs_app_find(u->apps, rs_slice_str(desk)), desk_text);
	loud = g_ascii_strup(desk, -1);
	assert_string_equal(rs_app_find(u->apps, rs_slice_str(loud)), desk_text);
	assert_null(rs_app_find(u->apps, rs_slice(phone, 22)));
	assert_null(rs_app_find(u->apps, rs_slice_str("")));
	assert_null(rs_app_find(u->apps, rs_slice_str("main")));
	rs_user_free(u);
	u = ask(p, "bert");
	assert_null(u->apps);
	assert_null(rs_app_find(u->apps, rs_slice_str(phone)));
	rs_user_free(u);
	assert_int_equal(rs_userdb_app_remove(p->spec, "anna", "phone", &p->err), 0);
	assert_int_equal(rs_userdb_app_remove(p->spec, "anna", "phone", &p->err), -RS_ENOENT);
	assert_int_equal(rs_userdb_app_remove(p->spec, "anna", "desk", &p->err), -RS_ENOENT);
	u = ask(p, "anna");
	assert_null(rs_app_find(u->apps, rs_slice_str(phone)));
	assert_non_null(rs_app_find(u->apps, rs_slice_str(desk)));
	rs_user_free(u);
}

static void app__names_and_numbers_have_ceilings(void **state)
{
	static const char *const bad[] = {"", "a b", "a,b", "a:b", "a=b", "\xc3\xbc", "a/b",
		"0123456789012345678901234567890123"};
	static const char *const wrong[] = {"", "phone", "phone,2026-11-25", "phone,2026-11-25,",
		"phone,yesterday,{SHA256}x", "phone,2026-11-25,{PLAIN}x", ",2026-11-25,{SHA256}x"};
	struct place *p = *state;
	char shown[RS_APP_SHOWN_MAX + 1];
	char *text = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(
			rs_app_make(bad[i], "2026-11-25", &text, shown, &p->err), -RS_EINVAL);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_non_null(rs_app_wrong(wrong[i]));
	put(p, "anna:x\n");
	for (unsigned i = 0; i <= RS_APPS_MAX; i++) {
		g_autofree char *name = g_strdup_printf("a%u", i);
		g_autofree char *made = NULL;

		assert_int_equal(rs_app_make(name, "2026-11-25", &made, shown, &p->err), 0);
		assert_int_equal(rs_userdb_app_add(p->spec, "anna", made, &p->err),
			i < RS_APPS_MAX ? 0 : -RS_ELIMIT);
	}
	assert_int_equal(rs_userdb_open(&p->loop, &p->conf, &p->db, &p->err), 0);
}

static void name__only_what_may_reach_a_path_is_clean(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../a", "a/b", "a:b", "a@.b", "a@b..c",
		"@b", "a@", ".a", "a b", "a\tb", "a\x7f", "a\\b", "a%u", "\xff", "a\"b"};
	char out[256];
	char long_name[256];

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(rs_user_name_clean(rs_slice_str(bad[i]), out), -RS_EINVAL);
	assert_int_equal(rs_user_name_clean(rs_slice("a\0b", 3), out), -RS_EINVAL);
	assert_int_equal(rs_user_name_clean(rs_slice_str("Anna.B+x@Example.ORG"), out), 0);
	assert_string_equal(out, "anna.b+x@example.org");
	memset(long_name, 'a', sizeof(long_name));
	assert_int_equal(rs_user_name_clean(rs_slice(long_name, 254), out), 0);
	assert_int_equal(rs_user_name_clean(rs_slice(long_name, 255), out), -RS_EINVAL);
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(userdb__lines_are_those_of_dovecot),
		PLACE_TEST(userdb__a_wrong_line_is_named),
		PLACE_TEST(userdb__a_changed_file_is_read_again_and_a_wrong_one_is_not_used),
		PLACE_TEST(userdb__whoever_waits_is_answered_at_the_end),
		PLACE_TEST(userdb__add_and_remove_leave_other_lines_and_the_mode),
		PLACE_TEST(userdb__a_field_that_would_make_more_fields_is_refused),
		PLACE_TEST(userdb__what_cannot_be_read_is_not_replaced),
		PLACE_TEST(userdb__a_change_leaves_the_rest_of_the_line),
		PLACE_TEST(userdb__keys_of_a_new_user_are_checked),
		PLACE_TEST(app__passwords_are_made_found_and_revoked),
		PLACE_TEST(app__names_and_numbers_have_ceilings),
		cmocka_unit_test(name__only_what_may_reach_a_path_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
