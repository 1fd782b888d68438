/* Files of other mail programs, as text: what becomes of each line. The programs themselves: tests/it/it_switch.py. */
#include "tests/unit/test.h"

#include "client/import_mbox.h"
#include "client/import_priv.h"

static struct rs_import_account *account(const struct rs_import *i, guint n)
{
	assert_true(n < i->accounts->len);
	return i->accounts->pdata[n];
}

static void assert_value(struct rs_import_account *a, const char *key, const char *want)
{
	g_autofree char *value = rs_account_get(a->account, key);

	if (want)
		assert_string_equal(value ? value : "(none)", want);
	else
		assert_null(value);
}

static void assert_uids(const struct rs_import_account *a, const char *want)
{
	g_autoptr(GString) got = g_string_new(NULL);

	for (guint i = 0; i < a->uids->len; i++) {
		const struct rs_import_uid *u = &g_array_index(a->uids, struct rs_import_uid, i);

		g_string_append_printf(got, "%s=%u ", u->uid, u->fetched_s);
	}
	assert_string_equal(got->str, want);
}

static void fetchmail__words_defaults_and_users(void **state)
{
	static const char text[] =
		"# a comment\n"
		"set postmaster \"root\"; set no bouncemail set idfile /x/ids\n"
		"defaults protocol POP3 keep\n"
		"poll one.example.org, interval 3\n"
		"  user 'anna' there has password \"a b\\\"c\" is anna here ssl\n"
		"  user bert with pass 12345, no keep, smtphost mx1 mx2, limit 50000\n"
		"server two.example.org via mail.two.example.org port 1995 no dns envelope 2 "
		"\"X-To\" :\n"
		"  username \"user\" pass ssl sslproto tls1.2 mda \"/usr/bin/deliver %T\"\n"
		"skip three proto etrn user x pass y\n";
	struct rs_import *i = import_new(RS_IMPORT_FETCHMAIL);
	struct rs_err err;

	assert_int_equal(import_fetchmail(i, "/nowhere/rc", text, &err), 0);
	assert_int_equal(i->accounts->len, 3);
	assert_value(account(i, 0), "pop3", "one.example.org");
	assert_value(account(i, 0), "security", "tls");
	assert_value(account(i, 0), "user", "anna");
	assert_value(account(i, 0), "leave", "keep");
	assert_string_equal((const char *)account(i, 0)->password->octets, "a b\"c");
	assert_string_equal(account(i, 0)->uids_file, "/x/ids");
	assert_value(account(i, 1), "user", "bert");
	assert_value(account(i, 1), "leave", "delete");
	assert_value(account(i, 1), "security", "starttls");
	assert_string_equal((const char *)account(i, 1)->password->octets, "12345");
	assert_value(account(i, 2), "pop3", "mail.two.example.org:1995");
	assert_value(account(i, 2), "user", "user");
	assert_value(account(i, 2), "deliver-to", NULL);
	assert_string_equal((const char *)account(i, 2)->password->octets, "ssl");
	assert_int_equal(i->notes->len, 1);
	rs_import_free(i);
}

static void fetchmail__ids_of_this_mailbox_only(void **state)
{
	struct rs_import *i = import_new(RS_IMPORT_FETCHMAIL);
	struct rs_import_account *a = import_account_add(i);

	import_fetchids(a,
		"anna@Mail.example.org u1 \nanna@mail.example.org\nbert@mail.example.org u2\n"
		"anna@mail.example.org.uk u3\nanna@mail.example.org u 4\nanna@mail.example.org u5",
		"anna", "mail.example.org");
	assert_uids(a, "u1=0 u5=0 ");
	rs_import_free(i);
}

static void getmail__oldmail_has_times(void **state)
{
	static const char text[] = "u1\0001700000000\nu2\000x\nno "
				   "time\n\0005\nu3\00099999999999\r\nu4\0001700000001\r\n";
	struct rs_import *i = import_new(RS_IMPORT_GETMAIL);
	struct rs_import_account *a = import_account_add(i);

	import_oldmail(a, text, sizeof(text) - 1);
	assert_uids(a, "u1=1700000000 u2=0 u3=0 u4=1700000001 ");
	rs_import_free(i);
}

static void getmail__values(void **state)
{
	static const char text[] =
		"[retriever]\ntype = SimplePOP3Retriever\nserver: pop.example.org\n"
		"username = anna\npassword_command = (\"pass\", 'ma il',\n   \"it's\")\n"
		"[destination]\ntype = MDA_external\npath = /usr/bin/mda\n"
		"arguments = (\"-d\", \"a b\")\n[options]\ndelete_after = 7\n; x\n";
	struct rs_import *i = import_new(RS_IMPORT_GETMAIL);
	struct rs_err err;

	assert_int_equal(import_getmail(i, "/nowhere/getmailrc", text, &err), 0);
	assert_value(account(i, 0), "password-command", "'pass' 'ma il' 'it'\\''s'");
	assert_value(account(i, 0), "deliver-to", "mda:'/usr/bin/mda' '-d' 'a b'");
	assert_value(account(i, 0), "leave", "days=7");
	assert_value(
		account(i, 0), "security", "starttls"); /* not in the open, and a note says so */
	assert_int_equal(account(i, 0)->notes->len, 1);
	assert_string_equal(account(i, 0)->uids_file, "/nowhere/oldmail-pop.example.org-110-anna");
	rs_import_free(i);
}

static void mpop__uidls_of_one_file_for_many(void **state)
{
	struct rs_import *i = import_new(RS_IMPORT_MPOP);
	struct rs_import_account *a = import_account_add(i);

	import_uidls(a,
		"# This file was generated\n#\n 2 pop.example.org anna\nu1\nu2\n 1 pop.example.org "
		"bert\n"
		"u3\n 1 other anna\nu4\n",
		"anna", "pop.example.org");
	assert_uids(a, "u1=0 u2=0 ");
	rs_import_free(i);
}

static void claws__partial_ones_are_not_fetched(void **state)
{
	struct rs_import *i = import_new(RS_IMPORT_CLAWS);
	struct rs_import_account *a = import_account_add(i);

	import_claws_uidl(
		a, "u1\t1700000000\t0\nu2\t1700000000\t1\nu3\t1\nu4\nu5\t1700000000\t12345\r\n");
	assert_uids(a, "u1=1700000000 u3=0 u4=0 ");
	rs_import_free(i);
}

static void thunderbird__popstate(void **state)
{
	struct rs_import *i = import_new(RS_IMPORT_THUNDERBIRD);
	struct rs_import_account *a = import_account_add(i);

	import_popstate(a,
		"# POP3 State File\r\nk before 1\r\n\r\n*pop.example.org anna\r\nk u1 "
		"1700000000\r\n"
		"d u2 1700000001\r\nb u3 1700000002\r\nf u4 1700000003\r\nk u5\r\nk \r\nx u6 1");
	assert_uids(a, "u1=1700000000 u2=1700000001 u5=0 ");
	rs_import_free(i);
}

/* --- mbox ------------------------------------------------------------------------------------------- */

static int note_begin(void *arg)
{
	g_string_append(arg, "<");
	return 0;
}

static int note_octets(void *arg, const char *p, size_t n)
{
	g_string_append_len(arg, p, (gssize)n);
	return 0;
}

static int note_end(void *arg, unsigned flags)
{
	g_string_append_printf(arg, "%x>", flags);
	return 0;
}

static char *taken_apart(enum rs_mbox_form form, const char *text, size_t n, size_t piece)
{
	GString *out = g_string_new(NULL);
	const struct rs_mbox_sink sink = {note_begin, note_octets, note_end, out};
	struct rs_mbox *m = rs_mbox_new(form, &sink);
	int rc = 0;

	for (size_t at = 0; at < n && rc == 0; at += piece)
		rc = rs_mbox_feed(m, text + at, MIN(piece, n - at));
	if (rc == 0)
		rc = rs_mbox_end(m);
	if (rc)
		g_string_append_printf(out, "!%d", -rc);
	rs_mbox_free(m);
	return g_string_free(out, FALSE);
}

static void mbox__rules(void **state)
{
#define FROM "From a@b Mon Feb  3 10:00:00 2025\n"
	static const struct {
		enum rs_mbox_form form;
		const char *text;
		const char *want;
	} rows[] = {
		{RS_MBOX_RD, FROM "A: b\n\nx\n\n" FROM "C: d\n\ny\n",
			"<A: b\n\nx\n0><C: d\n\ny\n0>"},
		{RS_MBOX_RD, FROM "\n" FROM "\n\n" FROM, "<\n0><\n0><0>"},
		{RS_MBOX_RD, FROM "A: b\n\n\n\nx\n\n\n", "<A: b\n\n\n\nx\n\n0>"},
		{RS_MBOX_RD, FROM "\nx\n" FROM "y\n",
			"<\nx\n" FROM "y\n0>"}, /* no empty line in front */
		{RS_MBOX_RD, FROM "\n\nFrom me, with love\n", "<\n\nFrom me, with love\n0>"},
		{RS_MBOX_RD, FROM "\n>From x\n>>From y\n> From z\n",
			"<\nFrom x\n>From y\n> From z\n0>"},
		{RS_MBOX_O, FROM "\n>From x\n>>From y\n", "<\nFrom x\n>>From y\n0>"},
		{RS_MBOX_RD, "\r\n\n" FROM "A: b\r\n\r\nx\r\ry\r\n", "<A: b\n\nx\r\ry\n0>"},
		{RS_MBOX_RD, FROM "Status: RO\nX-Status: AF\n\nStatus: O\n", "<\nStatus: O\n7>"},
		{RS_MBOX_RD, FROM "X-Mozilla-Status: 1009\nX-Mozilla-Keys:  a\n b\nA: b\n c\n\n",
			"<A: b\n c\n\n31>"},
		{RS_MBOX_SINGLE, FROM "\nStatus: O\n\n" FROM "\n",
			"<" FROM "\nStatus: O\n\n" FROM "\n0>"},
		{RS_MBOX_SINGLE, "X-Mozilla-Status: 0001\nStatus: RO\n\n>From x",
			"<Status: RO\n\n>From x\n1>"},
		{RS_MBOX_RD, "A: b\n", "!1"},
		{RS_MBOX_RD, "", ""},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		size_t n = strlen(rows[i].text);

		for (size_t piece = 1; piece <= n + 1; piece++) {
			g_autofree char *got = taken_apart(rows[i].form, rows[i].text, n, piece);

			if (g_str_has_prefix(rows[i].want, "!"))
				assert_true(got[0] == '!');
			else
				assert_string_equal(got, rows[i].want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fetchmail__words_defaults_and_users),
		cmocka_unit_test(fetchmail__ids_of_this_mailbox_only),
		cmocka_unit_test(getmail__oldmail_has_times),
		cmocka_unit_test(getmail__values),
		cmocka_unit_test(mpop__uidls_of_one_file_for_many),
		cmocka_unit_test(claws__partial_ones_are_not_fetched),
		cmocka_unit_test(thunderbird__popstate),
		cmocka_unit_test(mbox__rules),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
