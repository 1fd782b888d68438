/* password fields: every scheme, new ones, SCRAM keys, and what a no costs. The cost is told by counting
 * what the slow functions are asked for, not by a clock: they are wrapped at link time. */
#include "tests/unit/test.h"

#include <crypt.h>
#include <glib.h>
#include <openssl/evp.h>

#include "base/secret.h"
#include "server/password.h"

#define SHA512                                                                                     \
	"$6$rounds=1000$saltsalt$bbY.T.ZpN43KapLdmlSbP6MmxBlkMSbhrh.Y1rmY0fYaRO/t.4sKqUiU.Z8byKf8" \
	"Oa1yagMn/0fncuHSYrb9h."
#define BCRYPT  "$2b$05$abcdefghijklmnopqrstuu680Yiaj5hFUaJTH/rTAcbA2PQEGfiZu"
#define SALT256 "W22ZaJ0SNY7soEsUEjb6gQ=="
#define SCRAM256                                                                        \
	"{SCRAM-SHA-256}4096," SALT256 ",WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SCRAM1                                                             \
	"{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=," \
	"D+CSWLOshSulAsxiupA+qs2/fTE="

/* --- what was asked of the slow functions, in order: "$6$rounds=1000$ pbkdf2:4096 " --------- */

static GString *work;

char *__real_crypt_r(const char *phrase, const char *setting, struct crypt_data *data);
char *__wrap_crypt_r(const char *phrase, const char *setting, struct crypt_data *data);
int __real_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
	int iter, const EVP_MD *digest, int keylen, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
	int iter, const EVP_MD *digest, int keylen, unsigned char *out);

char *__wrap_crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
	g_string_append_printf(work, "%.6s ", setting);
	return __real_crypt_r(phrase, setting, data);
}

int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
	int iter, const EVP_MD *digest, int keylen, unsigned char *out)
{
	g_string_append_printf(work, "pbkdf2:%d ", iter);
	return __real_PKCS5_PBKDF2_HMAC(pass, passlen, salt, saltlen, iter, digest, keylen, out);
}

static int set_up(void **state)
{
	work = g_string_new(NULL);
	return 0;
}

static int tear_down(void **state)
{
	g_string_free(work, TRUE);
	return 0;
}

/* What a login with a password that is not right costs. */
static char *cost_of_no(struct rs_password_mix *m, const char *name, const char *stored)
{
	g_autofree char *stand_in = rs_password_mix_draw(m, NULL, name);

	g_string_truncate(work, 0);
	assert_false(rs_password_check(stored, stand_in, rs_slice_str("guess")));
	return g_strdup(work->str);
}

/* --- schemes ------------------------------------------------------------------------------- */

static void password__every_scheme_knows_the_right_one(void **state)
{
	static const char *const rows[] = {"{PLAIN}pencil", "{plain}pencil", "{CLEARTEXT}pencil",
		"$y$j9T$saltsalt$omXDDdgHjJfqbIo8bxzuKKrXUMXgoahUMnyWdgNq6/5",
		"{CRYPT}$gy$j9T$saltsalt$26yJTE1nnk3A.3sfkJlWvZRi/k0zuZDXg/5JX4t6TG/",
		"$7$CU..../....saltsalt$upUKSFQUHxZtiBTrUbR0qw6TJ8/qriLCV7Kjb71B2p9", BCRYPT,
		"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuu680Yiaj5hFUaJTH/rTAcbA2PQEGfiZu", SHA512,
		"{SHA512-CRYPT}" SHA512,
		"$5$rounds=1000$saltsalt$1E80wIeNUk6Tw.cvgykgsGLDhE7YCS/mO7gtCEoKze9",
		"$sha1$1000$saltsalt$f5fy5E2AE3zEHg5kubFJI20Zuv1O",
		"$md5,rounds=10$saltsalt$$IIhgRwrBNrAl7kM6oX4Mc/",
		"{MD5-CRYPT}$1$saltsalt$wCrc3hcrR95SV83Xh8Z.41", "_J9..salt.LtJrhwc.v2",
		"{DES-CRYPT}abJ32bJMdTsnY", "$3$$0f0800266a19a0ddc7ff30bba6c76e9b", SCRAM256,
		SCRAM1, "{SHA256}E4CWaPtDY4Zwb2fcsFLtWEoEuhaowCoX1m00ww/O2iE=",
		"{SSHA}jUiE2fXCP9zu8o7d6A1xoSTG/BlOYUNs",
		"{SSHA512}z4IsxzDXJ7rJ22YOwx6QYopGMqqkOx31VTnBbSpYp3ULZ+"
		"Kwyo9l6AE4v6gHiYoFVbJskYuDwN"
		"+94pKZcrmYnE5hQ2w="};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_true(rs_password_known(rows[i]));
		if (!rs_password_check(rows[i], NULL, rs_slice_str("pencil")))
			fail_msg("%s does not know its password", rows[i]);
		assert_false(rs_password_check(rows[i], NULL, rs_slice_str("Pencil")));
		assert_false(rs_password_check(rows[i], NULL, rs_slice_str("pencil ")));
		assert_false(rs_password_check(rows[i], NULL, rs_slice_str("")));
		assert_false(rs_password_check(rows[i], NULL, rs_slice("pencil\0", 7)));
	}
}

static void password__what_is_no_field_never_matches(void **state)
{
	static const char *const unknown[] = {"{UNKNOWN}pencil", "{PLAIN", "x", "$argon9$x",
		"{}pencil", "{SCRAM-SHA-256}", "{SCRAM-SHA-256}4096,x,y,z",
		"{SCRAM-SHA-256}0," SALT256 ",WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"{SCRAM-SHA-256}4000000000," SALT256
		",WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		SCRAM256 ",",
		"{SCRAM-SHA-256}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
		"D+CSWLOshSulAsxiupA+qs2/fTE="};

	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
		if (rs_password_known(unknown[i]))
			fail_msg("%s is known", unknown[i]);
		assert_false(rs_password_check(unknown[i], NULL, rs_slice_str("pencil")));
	}
	assert_false(rs_password_check("", NULL, rs_slice_str("")));
	assert_false(rs_password_check("*", NULL, rs_slice_str("*")));
	assert_false(rs_password_check("!", NULL, rs_slice_str("!")));
	assert_true(rs_password_known("*") && rs_password_known("!")); /* locked, on purpose */
	assert_false(rs_password_check("{SHA256}", NULL, rs_slice_str("")));
	assert_false(
		rs_password_check("{SSHA}jUiE2fXCP9zu8o7d6A1xoSTG/Bk=", NULL, rs_slice_str("x")));
	assert_false(rs_password_check(NULL, NULL, rs_slice_str("nobody")));
}

static void password__what_is_hashed_is_found_again(void **state)
{
	static const char *const schemes[] = {NULL, "crypt", "yescrypt", "blf-crypt",
		"sha512-crypt", "sha256-crypt", "scram-sha-256", "SCRAM-SHA-1"};
	static const char *const begin[] = {"{CRYPT}$y$", "{CRYPT}$y$", "{CRYPT}$y$", "{CRYPT}$2b$",
		"{CRYPT}$6$", "{CRYPT}$5$", "{SCRAM-SHA-256}4096,", "{SCRAM-SHA-1}4096,"};
	struct rs_err err;

	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
		struct rs_slice given = rs_slice_str("gr\xc3\xbc\xc3\x9f");
		g_autofree char *a = NULL;
		g_autofree char *b = NULL;

		assert_int_equal(rs_password_hash(schemes[i], given, &a, &err), 0);
		assert_int_equal(rs_password_hash(schemes[i], given, &b, &err), 0);
		assert_string_not_equal(a, b);
		assert_true(g_str_has_prefix(a, begin[i]));
		assert_true(rs_password_check(a, NULL, given));
		assert_false(rs_password_check(a, NULL, rs_slice_str("gruss")));
	}
}

static void password__what_cannot_be_hashed_is_told(void **state)
{
	struct rs_err err;
	char *out = NULL;

	assert_int_equal(rs_password_hash(NULL, rs_slice_str(""), &out, &err), -RS_EINVAL);
	assert_int_equal(rs_password_hash(NULL, rs_slice("a\0b", 3), &out, &err), -RS_EINVAL);
	assert_int_equal(rs_password_hash("plain", rs_slice_str("x"), &out, &err), -RS_EINVAL);
	assert_non_null(strstr(err.text, "scram-sha-256"));
	assert_int_equal(rs_password_hash("md5-crypt", rs_slice_str("x"), &out, &err), -RS_EINVAL);
	assert_int_equal(
		rs_password_hash("scram-sha-256", rs_slice_str("a\x07"), &out, &err), -RS_EINVAL);
	assert_null(out);
}

/* RFC 4013: a person who types a ligature or a fullwidth letter means the same password. */
static void scram__a_password_is_prepared_and_one_that_was_not_is_found_too(void **state)
{
	static const char raw[] =
		"{SCRAM-SHA-256}4096," SALT256 ",ho62kascq8ANbq/pxWeycLlOI4IqF/lYt0os1HbwhmY=,"
		"dgi7Ku8i0empB8BPQpbxcqi6aadG2JaSIzcbZYoJVw4=";
	static const char prepared[] =
		"{SCRAM-SHA-256}4096," SALT256 ",jm4XkHvFe7q0xZ4vmAKJUiTKPr1F+7MXnYyksTUVeBE=,"
		"EqXM4c5+I7lQ5vHl5Ngu2rY8DBMM1XjG0dY6GEjwLx0=";

	assert_true(rs_password_check(prepared, NULL, rs_slice_str("IX")));
	assert_true(rs_password_check(prepared, NULL, rs_slice_str("\xe2\x85\xa8")));
	assert_true(rs_password_check(raw, NULL, rs_slice_str("\xe2\x85\xa8")));
	assert_false(rs_password_check(raw, NULL, rs_slice_str("IX")));
	assert_false(rs_password_check(raw, NULL, rs_slice_str("\xff")));
}

/* --- keys of an exchange ------------------------------------------------------------------- */

static void scram__keys_come_from_a_verifier_or_from_the_password(void **state)
{
	struct rs_password_mix *m = rs_password_mix_new();
	struct rs_scram_keys k;
	struct rs_scram_keys plain;
	struct rs_scram_keys again;

	assert_true(rs_password_scram(m, "user", SCRAM256, RS_SCRAM_SHA256, &k));
	assert_int_equal(k.iterations, 4096);
	assert_int_equal(k.salt_n, 16);
	assert_int_equal(k.key_n, 32);
	assert_memory_equal(k.salt, "\x5b\x6d\x99\x68\x9d\x12\x35\x8e", 8);
	assert_memory_equal(k.server_key, "\xc1\xf3\xcb\xc1\xc1\x3a", 6);
	assert_true(rs_password_scram(m, "user", SCRAM1, RS_SCRAM_SHA1, &k));
	assert_int_equal(k.key_n, 20);
	assert_true(rs_password_scram(m, "user", "{PLAIN}pencil", RS_SCRAM_SHA256, &plain));
	assert_true(rs_password_scram(m, "user", "{PLAIN}pencil", RS_SCRAM_SHA256, &again));
	assert_memory_equal(&plain, &again, sizeof(plain));
	assert_true(rs_password_scram(m, "other", "{PLAIN}pencil", RS_SCRAM_SHA256, &again));
	assert_memory_not_equal(plain.salt, again.salt, plain.salt_n);
	rs_password_mix_unref(m);
}

static void scram__who_cannot_have_an_exchange_looks_like_one_who_can(void **state)
{
	static const char *const fields[] = {NULL, SHA512, SCRAM1, "{PLAIN}", "!", "x"};
	struct rs_password_mix *m = rs_password_mix_new();

	rs_password_mix_add(m,
		"{SCRAM-SHA-256}12345," SALT256 ",WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		struct rs_scram_keys a;
		struct rs_scram_keys b;

		assert_false(rs_password_scram(m, "nobody", fields[i], RS_SCRAM_SHA256, &a));
		assert_false(rs_password_scram(m, "nobody", fields[i], RS_SCRAM_SHA256, &b));
		assert_int_equal(a.iterations, 12345);
		assert_int_equal(a.salt_n, 16);
		assert_int_equal(a.key_n, 32);
		assert_memory_equal(a.salt, b.salt, a.salt_n);
		assert_memory_not_equal(a.stored_key, b.stored_key, a.key_n);
		assert_false(rs_password_scram(m, "nobody2", fields[i], RS_SCRAM_SHA256, &b));
		assert_memory_not_equal(a.salt, b.salt, a.salt_n);
	}
	rs_password_mix_unref(m);
}

/* --- what a no costs ------------------------------------------------------------------------ */

static void cost__nobody_costs_what_everybody_does(void **state)
{
	static const char *const fields[] = {SHA512, BCRYPT, SCRAM256, SCRAM1};

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		struct rs_password_mix *m = rs_password_mix_new();
		g_autofree char *known = NULL;
		g_autofree char *nobody = NULL;
		g_autofree char *plain = NULL;
		g_autofree char *locked = NULL;

		rs_password_mix_add(m, fields[i]);
		rs_password_mix_add(m, "{PLAIN}x");
		known = cost_of_no(m, "anna", fields[i]);
		nobody = cost_of_no(m, "nobody", NULL);
		plain = cost_of_no(m, "bert", "{PLAIN}x");
		locked = cost_of_no(m, "cleo", "!");
		assert_int_equal(strcspn(known, " "), strlen(known) - 1); /* one */
		assert_string_equal(known, nobody);
		assert_string_equal(known, plain);
		assert_string_equal(known, locked);
		rs_password_mix_unref(m);
	}
}

/* In a database of two classes the cost of a name that nobody has is drawn: always the same for one name,
 * and each class as often as it is in the database. */
static void cost__in_a_mixed_database_nobody_draws_as_the_users_are(void **state)
{
	struct rs_password_mix *m = rs_password_mix_new();
	unsigned sha512 = 0;

	for (int i = 0; i < 300; i++)
		rs_password_mix_add(m, i % 3 ? SHA512 : BCRYPT);
	for (int i = 0; i < 3000; i++) {
		g_autofree char *name = g_strdup_printf("nobody%d@example.org", i);
		g_autofree char *a = rs_password_mix_draw(m, NULL, name);
		g_autofree char *b = rs_password_mix_draw(m, NULL, name);

		assert_string_equal(a, b);
		assert_true(!strcmp(a, SHA512) || !strcmp(a, BCRYPT));
		sha512 += !strcmp(a, SHA512);
	}
	assert_in_range(sha512, 1800, 2200); /* two thirds */
	rs_password_mix_unref(m);
}

static void cost__the_draw_is_the_same_after_a_restart(void **state)
{
	for (int i = 0; i < 100; i++) {
		struct rs_password_mix *a = rs_password_mix_new();
		struct rs_password_mix *b = rs_password_mix_new();
		g_autofree char *name = g_strdup_printf("nobody%d", i);
		g_autofree char *one = NULL;
		g_autofree char *two = NULL;

		rs_password_mix_add(a, SHA512);
		rs_password_mix_add(a, BCRYPT);
		rs_password_mix_add(b, SHA512);
		rs_password_mix_add(b, BCRYPT);
		one = rs_password_mix_draw(a, NULL, name);
		two = rs_password_mix_draw(b, NULL, name);
		assert_string_equal(one, two);
		rs_password_mix_unref(a);
		rs_password_mix_unref(b);
	}
}

/* Classes are told apart by all that makes the cost, and by nothing else. */
static void cost__a_class_is_scheme_and_parameters(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} rows[] = {
		{"$6$rounds=1000$saltsalt$x", "$6$rounds=1000$otherone$x", true},
		{"$6$rounds=1000$saltsalt$x", "$6$rounds=2000$saltsalt$x", false},
		{"$6$rounds=5000$saltsalt$x", "$5$rounds=5000$saltsalt$x", false},
		{"$2b$05$abcdefghijklmnopqrstuu", "$2b$05$zbcdefghijklmnopqrstuu", true},
		{"$2b$05$abcdefghijklmnopqrstuu", "$2b$06$abcdefghijklmnopqrstuu", false},
		{"$y$j9T$saltsalt$x", "$y$j9T$othersal$x", true},
		{"$y$j9T$saltsalt$x", "$y$jAT$saltsalt$x", false},
		{"$7$CU..../....saltsalt$x", "$7$CU..../....othersal$x", true},
		{"abJ32bJMdTsnY", "cdJ32bJMdTsnY", true},
		{"$md5,rounds=10$saltsalt$$x", "$md5,rounds=10$other$$x", true},
		{"$md5,rounds=10$saltsalt$$x", "$md5,rounds=11$saltsalt$$x", false},
		{"$sha1$1000$saltsalt$x", "$sha1$1001$saltsalt$x", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_password_mix *m = rs_password_mix_new();
		bool other = false;

		rs_password_mix_add(m, rows[i].a);
		rs_password_mix_add(m, rows[i].b);
		for (int j = 0; j < 64; j++) { /* one class: only its first field is drawn */
			g_autofree char *name = g_strdup_printf("n%d", j);
			g_autofree char *got = rs_password_mix_draw(m, NULL, name);

			assert_non_null(got);
			other = other || strcmp(got, rows[i].b) == 0;
		}
		if (other == rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
		rs_password_mix_unref(m);
	}
}

static void cost__a_database_without_hashes_has_nothing_to_hide(void **state)
{
	struct rs_password_mix *m = rs_password_mix_new();
	g_autofree char *nobody = NULL;

	rs_password_mix_add(m, "{PLAIN}x");
	rs_password_mix_add(m, "!");
	nobody = cost_of_no(m, "nobody", NULL);
	assert_string_equal(nobody, "");
	rs_password_mix_unref(m);
}

static void cost__beginning_a_scram_exchange_as_nobody_costs_what_it_costs_users(void **state)
{
	struct rs_password_mix *m = rs_password_mix_new();
	struct rs_scram_keys k;

	rs_password_mix_add(m, "{PLAIN}x");
	g_string_truncate(work, 0);
	assert_true(rs_password_scram(m, "anna", "{PLAIN}x", RS_SCRAM_SHA256, &k));
	assert_string_equal(work->str, "pbkdf2:4096 ");
	g_string_truncate(work, 0);
	assert_false(rs_password_scram(m, "nobody", NULL, RS_SCRAM_SHA256, &k));
	assert_string_equal(work->str, "pbkdf2:4096 ");
	rs_password_mix_unref(m);
	m = rs_password_mix_new();
	rs_password_mix_add(m, SCRAM256);
	g_string_truncate(work, 0);
	assert_true(rs_password_scram(m, "anna", SCRAM256, RS_SCRAM_SHA256, &k));
	assert_false(rs_password_scram(m, "nobody", NULL, RS_SCRAM_SHA256, &k));
	assert_string_equal(work->str, "");
	rs_password_mix_unref(m);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(password__every_scheme_knows_the_right_one),
		T(password__what_is_no_field_never_matches),
		T(password__what_is_hashed_is_found_again),
		T(password__what_cannot_be_hashed_is_told),
		T(scram__a_password_is_prepared_and_one_that_was_not_is_found_too),
		T(scram__keys_come_from_a_verifier_or_from_the_password),
		T(scram__who_cannot_have_an_exchange_looks_like_one_who_can),
		T(cost__nobody_costs_what_everybody_does),
		T(cost__in_a_mixed_database_nobody_draws_as_the_users_are),
		T(cost__the_draw_is_the_same_after_a_restart),
		T(cost__a_class_is_scheme_and_parameters),
		T(cost__a_database_without_hashes_has_nothing_to_hide),
		T(cost__beginning_a_scram_exchange_as_nobody_costs_what_it_costs_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
