/* policies and targets as text: what is taken, what is refused, and that it comes back as it was. */
#include "tests/unit/test.h"

#include "client/digest.h"
#include "client/policy.h"
#include "client/target_spec.h"

static void policy__texts(void **state)
{
	static const struct {
		const char *text;
		const char *back; /* NULL: refused */
	} rows[] = {
		{"keep", "keep"},
		{"delete", "delete"},
		{"days=14", "days=14"},
		{"newest=100", "newest=100"},
		{"quota=1048576", "quota=1M"},
		{"quota=2G", "quota=2G"},
		{"quota=1025", "quota=1025"},
		{"until-deleted", "until-deleted"},
		{"until-moved , days=30", "days=30,until-moved"},
		{"delete,grace=48h", "delete,grace=2d"},
		{"days=1,grace=5h", "days=1,grace=5h"},
		{"quota=1G,newest=5,days=3,until-deleted,until-moved,grace=1d",
			"days=3,newest=5,quota=1G,until-deleted,until-moved,grace=1d"},
		{"", NULL},
		{",", NULL},
		{"keep,days=3", NULL},
		{"delete,days=3", NULL},
		{"grace=2d", NULL},
		{"days=0", NULL},
		{"days=-1", NULL},
		{"days", NULL},
		{"days=36501", NULL},
		{"delete=1", NULL},
		{"newest=0", NULL},
		{"quota=0", NULL},
		{"quota=1T", NULL},
		{"grace=2,delete", NULL},
		{"delete,grace=0d", NULL},
		{"days=3,days=4", NULL},
		{"DELETE", NULL},
		{"weekly", NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_policy p;
		struct rs_policy q;
		const char *why = rs_policy_parse(rows[i].text, &p);
		g_autofree char *back = why ? NULL : rs_policy_format(&p);

		print_message("# '%s': %s\n", rows[i].text, why ? why : back);
		if (!rows[i].back) {
			assert_non_null(why);
			continue;
		}
		assert_null(why);
		assert_string_equal(back, rows[i].back);
		assert_null(rs_policy_parse(back, &q));
		assert_true(rs_policy_equal(&p, &q));
	}
}

static void target__texts(void **state)
{
	static const struct {
		const char *text;
		int kind; /* -1: refused */
		const char *host;
		unsigned port;
		const char *more; /* folder, command, socket */
	} rows[] = {
		{"maildir:/srv/m", RS_TARGET_MAILDIR, NULL, 0, "/srv/m"},
		{"mda:/usr/bin/procmail -d anna", RS_TARGET_MDA, NULL, 0,
			"/usr/bin/procmail -d anna"},
		{"lmtp:localhost:24", RS_TARGET_LMTP, "localhost", 24, NULL},
		{"lmtp:/run/lmtp", RS_TARGET_LMTP, NULL, 0, "/run/lmtp"},
		{"smtp:[::1]:25", RS_TARGET_SMTP, "::1", 25, NULL},
		{"imaps://anna@mail.example.org", RS_TARGET_IMAP, "mail.example.org", 993, "INBOX"},
		{"imap://anna%40example.org@mail.example.org:1143/Old/2020", RS_TARGET_IMAP,
			"mail.example.org", 1143, "Old/2020"},
		{"mda:", -1, NULL, 0, NULL},
		{"smtp:host", -1, NULL, 0, NULL},
		{"smtp:/socket", -1, NULL, 0, NULL},
		{"lmtp:host:0", -1, NULL, 0, NULL},
		{"lmtp:a:b:24", -1, NULL, 0, NULL},
		{"imaps://mail.example.org/INBOX", -1, NULL, 0, NULL},
		{"imaps://anna:secret@mail.example.org/", -1, NULL, 0, NULL},
		{"imaps://anna@mail.example.org/a%22b", -1, NULL, 0, NULL},
		{"imaps://anna@mail.example.org/a%0d%0aX", -1, NULL, 0, NULL},
		{"pop3:host:110", -1, NULL, 0, NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_target_spec spec;
		const char *why = rs_target_parse(rows[i].text, &spec);

		print_message("# '%s': %s\n", rows[i].text, why ? why : "taken");
		assert_int_equal(why != NULL, rows[i].kind < 0);
		if (why)
			continue;
		assert_int_equal(spec.kind, rows[i].kind);
		assert_int_equal(spec.port, rows[i].port);
		if (rows[i].host)
			assert_string_equal(spec.host, rows[i].host);
		if (rows[i].more)
			assert_string_equal(spec.folder ? spec.folder : spec.what, rows[i].more);
		rs_target_spec_finish(&spec);
	}
}

static struct rs_digest of(const char *text)
{
	return rs_digest_of((const uint8_t *)text, strlen(text));
}

static void digest__is_of_what_no_server_changes(void **state)
{
	struct rs_digest a = of("Received: x\r\nMessage-ID: <1@a>\r\nSubject: s\r\n t\r\n\r\nbody");
	struct rs_digest same = of("received: x\nX-UIDL: 77\nMessage-Id:  <1@a>\nStatus: RO\n"
				   "Subject: s\n\tt\n\nother");
	struct rs_digest other = of("Received: y\nMessage-ID: <1@a>\nSubject: s\n t\n\n");
	struct rs_digest none =
		of("Subject: s\nDate: today\nFrom: a\n\nMessage-ID: <in the body>\n");

	assert_true(rs_digest_same(&a, &same));
	assert_false(rs_digest_same(&a, &other));
	assert_false(none.known);
	assert_false(rs_digest_same(&none, &none));
	assert_false(of("").known);
	assert_true(of("Message-ID: <cut short").known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy__texts),
		cmocka_unit_test(target__texts),
		cmocka_unit_test(digest__is_of_what_no_server_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
