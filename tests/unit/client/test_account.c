/* accounts: values, the file and its lines, passwords outside of it. */
#include "tests/unit/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/account.h"
#include "client/places.h"
#include "client/secret_store.h"
#include "tests/unit/client/home.h"

static void config_write(struct home *h, const char *text)
{
	assert_int_equal(rs_file_replace(h->p.config_file, rs_slice_str(text), &h->err), 0);
}

static char *config_read(struct home *h)
{
	char *text;
	size_t n;

	assert_int_equal(rs_file_read(h->p.config_file, 65536, &text, &n, &h->err), 0);
	return text;
}

static struct rs_account *anna(void)
{
	struct rs_account *a = rs_account_new();

	a->name = g_strdup("anna");
	assert_int_equal(rs_account_set(a, "address", "anna@example.org", NULL), 0);
	assert_int_equal(rs_account_set(a, "pop3", "pop.example.org", NULL), 0);
	return a;
}

/* --- values ---------------------------------------------------------------------------------- */

static void account__values_are_checked_by_key(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		const char *comes_back; /* NULL: refused */
	} rows[] = {
		{"address", "anna@example.org", "anna@example.org"},
		{"address", "anna", NULL},
		{"address", "anna@", NULL},
		{"address", "@example.org", NULL},
		{"address", "a@b@c", NULL},
		{"address", "Anna <anna@example.org>", NULL},
		{"pop3", "pop.example.org", "pop.example.org"},
		{"pop3", "pop.example.org:995", "pop.example.org:995"},
		{"pop3", "[::1]:1100", "[::1]:1100"},
		{"pop3", "[::1]", "[::1]"},
		{"pop3", "::1", NULL},
		{"pop3", "host:", NULL},
		{"pop3", "host:0", NULL},
		{"pop3", "host:65536", NULL},
		{"pop3", "host:9a", NULL},
		{"pop3", ":995", NULL},
		{"pop3", "pop3://host", NULL},
		{"pop3", "[::1", NULL},
		{"pop3", "two words", NULL},
		{"security", "starttls", "starttls"},
		{"security", "ssl", NULL},
		{"user", "anna", "anna"},
		{"user", "", NULL},
		{"user", " anna", NULL},
		{"user", "an\tna", NULL},
		{"user", "\xff", NULL},
		{"leave", "delete", "delete"},
		{"leave", "days=14", "days=14"},
		{"leave", "days=14,grace=2d", "days=14,grace=2d"},
		{"leave", "days=fortnight", NULL},
		{"deliver-to", "mda:/bin/cat", "mda:/bin/cat"},
		{"deliver-to", "post:home", NULL},
		{"recipient", "anna", NULL},
		{"size-limit", "2048k", "2M"},
		{"size-limit", "0", NULL},
		{"maildir", "/var/mail/anna", "/var/mail/anna"},
		{"maildir", "mail/anna", NULL},
		{"password-command", "printf 'a\\tb; # c' | cat", "printf 'a\\tb; # c' | cat"},
		{"pin", "AA", NULL},
		{"pin",
			"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
			"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
			"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
		{"timeout", "5", "5"},
		{"timeout", "0", NULL},
		{"timeout", "3601", NULL},
		{"colour", "red", NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_account *a = rs_account_new();
		struct rs_err err = {0};
		int rc = rs_account_set(a, rows[i].key, rows[i].value, &err);
		g_autofree char *back = rs_account_get(a, rows[i].key);

		print_message("# %s = %s: %s\n", rows[i].key, rows[i].value, err.text);
		assert_int_equal(rc, rows[i].comes_back ? 0 : -RS_EINVAL);
		if (rows[i].comes_back)
			assert_string_equal(back, rows[i].comes_back);
		rs_account_free(a);
	}
}

static void account__a_refused_value_changes_nothing(void **state)
{
	struct rs_account *a = anna();

	assert_int_equal(rs_account_set(a, "pop3", "other:99999", NULL), -RS_EINVAL);
	assert_string_equal(a->pop3_host, "pop.example.org");
	rs_account_free(a);
}

static void account__ports_follow_from_security(void **state)
{
	struct home *h = *state;
	static const guint16 ports[] = {995, 110, 110};

	for (int i = RS_SECURITY_TLS; i <= RS_SECURITY_NONE; i++) {
		struct rs_account *a = anna();

		a->pop3_security = (enum rs_security)i;
		assert_int_equal(rs_account_complete(&h->p, a, &h->err), 0);
		assert_int_equal(a->pop3_port, ports[i]);
		assert_string_equal(a->pop3_user, "anna@example.org");
		rs_account_free(a);
	}
}

static void account__names_that_could_leave_the_folder_are_refused(void **state)
{
	struct home *h = *state;
	static const char *const names[] = {"..", "a/b", ".hidden", "-x", "a]b", ""};

	for (size_t i = 0; i < RS_ARRAY_N(names); i++) {
		struct rs_account *a = anna();

		g_free(a->name);
		a->name = g_strdup(names[i]);
		assert_int_equal(rs_account_complete(&h->p, a, &h->err), -RS_ECONFIG);
		rs_account_free(a);
	}
}

static void account__a_token_goes_by_tls_only(void **state)
{
	struct home *h = *state;
	struct rs_account *a = anna();

	a->oauth2 = g_strdup("https://login.example.org");
	assert_int_equal(rs_account_complete(&h->p, a, &h->err), 0);
	a->password_command = g_strdup("echo x");
	assert_int_equal(rs_account_complete(&h->p, a, &h->err), -RS_ECONFIG);
	g_clear_pointer(&a->password_command, g_free);
	a->pop3_security = RS_SECURITY_NONE;
	assert_int_equal(rs_account_complete(&h->p, a, &h->err), -RS_ECONFIG);
	rs_account_free(a);
}

/* --- the file -------------------------------------------------------------------------------- */

static void file__one_that_is_not_there_is_an_empty_list(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) list = NULL;

	assert_int_equal(rs_accounts_load(&h->p, &list, &h->err), 0);
	assert_int_equal(list->len, 0);
}

/* A value of a key that only watch asks for; NULL: it is another key. */
static const char *of_watch(const char *key)
{
	return strcmp(key, "every") == 0 ? "70" : strcmp(key, "notify") == 0 ? "off" : NULL;
}

static void file__what_is_saved_comes_back(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) list = NULL;
	struct rs_account *a = anna();
	struct stat st;

	for (const char *const *key = rs_account_keys(); *key; key++) {
		const char *value = "a\\b; [c] # d = e";

		if (strcmp(*key, "address") == 0)
			value = "anna@example.org";
		else if (strcmp(*key, "pop3") == 0 || strcmp(*key, "smtp") == 0)
			value = "[2001:db8::1]:2110";
		else if (g_str_has_suffix(*key, "security"))
			value = "starttls";
		else if (strcmp(*key, "leave") == 0)
			value = "delete";
		else if (strstr("recipient aliases", *key))
			value = "anna@example.net";
		else if (strcmp(*key, "deliver-to") == 0)
			continue; /* does not go with rules; it has a row above */
		else if (strcmp(*key, "password-command") == 0)
			continue; /* does not go with oauth2 */
		else if (strcmp(*key, "size-limit") == 0)
			value = "20M";
		else if (strstr("rules signature", *key))
			value = "/srv/rules";
		else if (of_watch(*key))
			value = of_watch(*key);
		else if (strcmp(*key, "timeout") == 0)
			value = "7";
		else if (g_str_has_suffix(*key, "pin"))
			value = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
		else if (strcmp(*key, "maildir") == 0 || strcmp(*key, "ca-file") == 0)
			value = "/srv/a path; with = all";
		assert_int_equal(rs_account_set(a, *key, value, &h->err), 0);
	}
	assert_int_equal(rs_account_save(&h->p, a, &h->err), 0);
	assert_int_equal(stat(h->p.config_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rs_accounts_load(&h->p, &list, &h->err), 0);
	assert_int_equal(list->len, 1);
	for (const char *const *key = rs_account_keys(); *key; key++) {
		g_autofree char *was = rs_account_get(a, *key);
		g_autofree char *is = rs_account_get(list->pdata[0], *key);

		if (strcmp(*key, "deliver-to") == 0 || strcmp(*key, "password-command") == 0)
			continue;
		assert_non_null(was);
		assert_string_equal(is, was);
	}
	rs_account_free(a);
}

static void file__other_lines_stay_as_they_are(void **state)
{
	struct home *h = *state;
	static const char *const before = "# mine\n\n[account bert]\npop3=pop.example.net\n"
					  "; kept\naddress = bert@example.net\n\n# about anna\n"
					  "[account anna]\n# her server\npop3 = old.example.org\n"
					  "address = anna@example.org\nleave=keep\n\n# the end\n";
	static const char *const after =
		"# mine\n\n[account bert]\npop3=pop.example.net\n"
		"; kept\naddress = bert@example.net\n\n# about anna\n"
		"[account anna]\n# her server\npop3 = new.example.org:995\n"
		"address = anna@example.org\nleave=keep\n"
		"security = tls\nuser = anna@example.org\n\n# the end\n";
	g_autoptr(GPtrArray) list = NULL;
	g_autofree char *text = NULL;
	struct rs_account *a;

	config_write(h, before);
	assert_int_equal(rs_accounts_load(&h->p, &list, &h->err), 0);
	a = rs_accounts_find(list, "anna");
	assert_int_equal(rs_account_set(a, "pop3", "new.example.org:995", &h->err), 0);
	assert_int_equal(rs_account_save(&h->p, a, &h->err), 0);
	text = config_read(h);
	assert_string_equal(text, after);
}

static void file__removing_takes_the_group_and_its_password_only(void **state)
{
	struct home *h = *state;
	g_autofree char *text = NULL;
	struct rs_secret *secret = NULL;
	struct rs_account *a = anna();

	config_write(h, "[account anna]\naddress = a@example.org\npop3 = p\n\n# about bert\n"
			"[account bert]\naddress = b@example.org\npop3 = p\n");
	assert_int_equal(rs_secret_create(rs_slice_str("x"), &secret), 0);
	assert_int_equal(rs_account_password_store(&h->p, a, secret, &h->err), 0);
	rs_secret_destroy(&secret);
	assert_int_equal(rs_account_remove(&h->p, "anna", &h->err), 0);
	text = config_read(h);
	assert_string_equal(
		text, "# about bert\n[account bert]\naddress = b@example.org\npop3 = p\n");
	assert_int_equal(rs_account_password(&h->p, a, &secret, &h->err), -RS_ECONFIG);
	assert_int_equal(rs_account_remove(&h->p, "anna", &h->err), -RS_ENOENT);
	rs_account_free(a);
}

static void file__errors_name_file_line_group_and_key(void **state)
{
	struct home *h = *state;
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
		{"nonsense\n", ":1: nonsense is neither"},
		{"# x\npop3 = a\n", ":2: pop3 stands in front of"},
		{"[general]\n", ":1: [general] is not known"},
		{"[account ]\n", ":1: [account] is not known"},
		{"[account a\n", ":1: [account a is neither"},
		{"[account a]\n\nleave = weekly\n", ":3: [account a] leave = weekly: must be keep"},
		{"[account a]\nleav = keep\n", ":2: [account a] leav is not a known key"},
		{"[account a]\nuser =\n", ":2: [account a] user has no value"},
		{"[account a]\nuser = x\nuser = y\n", ":3: [account a] user is given twice"},
		{"[account a]\naddress = a@b\npop3 = c\n[account a]\n",
			":4: [account a] is there twice"},
		{"[account a]\naddress = a@b\n", ":1: account 'a' has no POP3 server"},
		{"[account a]\npop3 = c\n", ":1: account 'a' has no address"},
		{"[account ../a]\naddress = a@b\npop3 = c\n",
			":1: the account name '../a' may not"},
		{"[account a]\naddress = \xff\n", "is not UTF-8 text"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		GPtrArray *list = NULL;

		config_write(h, rows[i].text);
		assert_int_equal(rs_accounts_load(&h->p, &list, &h->err), -RS_ECONFIG);
		print_message("# %s\n", h->err.text);
		assert_non_null(strstr(h->err.text, rows[i].says));
		assert_true(g_str_has_prefix(h->err.text, h->p.config_file));
		assert_null(list);
	}
}

static void file__a_link_is_followed(void **state)
{
	struct home *h = *state;
	g_autofree char *real = g_build_filename(h->dir, "dotfiles.ini", NULL);
	struct rs_account *a = anna();
	struct stat st;

	assert_true(g_file_set_contents(real, "# here\n", -1, NULL));
	assert_int_equal(symlink(real, h->p.config_file), 0);
	assert_int_equal(rs_account_save(&h->p, a, &h->err), 0);
	assert_int_equal(lstat(h->p.config_file, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	rs_account_free(a);
}

static void file__found_by_name_then_by_address_if_only_one_has_it(void **state)
{
	struct home *h = *state;
	g_autoptr(GPtrArray) list = NULL;

	config_write(h, "[account one]\naddress = a@example.org\npop3 = p\n"
			"[account two]\naddress = a@example.org\npop3 = q\n"
			"[account b@example.org]\naddress = c@example.org\npop3 = q\n");
	assert_int_equal(rs_accounts_load(&h->p, &list, &h->err), 0);
	assert_ptr_equal(rs_accounts_find(list, "two"), list->pdata[1]);
	assert_null(rs_accounts_find(list, "a@example.org"));
	assert_ptr_equal(rs_accounts_find(list, "c@example.org"), list->pdata[2]);
	assert_ptr_equal(rs_accounts_find(list, "b@example.org"), list->pdata[2]);
}

/* --- passwords ------------------------------------------------------------------------------- */

static void password__is_kept_in_a_file_of_its_own_for_the_owner_only(void **state)
{
	struct home *h = *state;
	g_autofree char *file = g_build_filename(h->dir, "secrets", "anna.password", NULL);
	struct rs_secret *secret = NULL;
	struct rs_secret *back = NULL;
	struct rs_account *a = anna();
	struct stat st;

	assert_int_equal(rs_secret_create(rs_slice("a\0b \n", 5), &secret), 0);
	assert_int_equal(rs_account_password_store(&h->p, a, secret, &h->err), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rs_account_password(&h->p, a, &back, &h->err), 0);
	assert_int_equal(back->n, 5);
	assert_memory_equal(back->octets, "a\0b \n", 5);
	rs_secret_destroy(&back);
	assert_int_equal(chmod(file, 0640), 0);
	assert_int_equal(rs_account_password(&h->p, a, &back, &h->err), -RS_ECONFIG);
	assert_non_null(strstr(h->err.text, "chmod 600"));
	rs_secret_destroy(&secret);
	rs_account_free(a);
}

static void password__is_the_first_line_of_its_command(void **state)
{
	struct home *h = *state;
	static const struct {
		const char *command;
		const char *password; /* NULL: -RS_ECONFIG */
	} rows[] = {
		{"printf 'sec ret\\nuser: x\\n'", "sec ret"},
		{"printf 'a\\r\\n'", "a"},
		{"printf a", "a"},
		{"true", NULL},
		{"echo a; exit 3", NULL},
		{"kill -9 $$", NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_account *a = anna();
		struct rs_secret *secret = NULL;
		int rc;

		assert_int_equal(
			rs_account_set(a, "password-command", rows[i].command, &h->err), 0);
		rc = rs_account_password(&h->p, a, &secret, &h->err);
		assert_int_equal(rc, rows[i].password ? 0 : -RS_ECONFIG);
		if (rows[i].password)
			assert_string_equal((const char *)secret->octets, rows[i].password);
		rs_secret_destroy(&secret);
		rs_account_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(account__values_are_checked_by_key),
		HOME_TEST(account__a_refused_value_changes_nothing),
		HOME_TEST(account__ports_follow_from_security),
		HOME_TEST(account__names_that_could_leave_the_folder_are_refused),
		HOME_TEST(account__a_token_goes_by_tls_only),
		HOME_TEST(file__one_that_is_not_there_is_an_empty_list),
		HOME_TEST(file__what_is_saved_comes_back),
		HOME_TEST(file__other_lines_stay_as_they_are),
		HOME_TEST(file__removing_takes_the_group_and_its_password_only),
		HOME_TEST(file__errors_name_file_line_group_and_key),
		HOME_TEST(file__a_link_is_followed),
		HOME_TEST(file__found_by_name_then_by_address_if_only_one_has_it),
		HOME_TEST(password__is_kept_in_a_file_of_its_own_for_the_owner_only),
		HOME_TEST(password__is_the_first_line_of_its_command),
	};

	/* not the secret service of whoever runs this */
	g_setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", TRUE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
