/* the file of rules: what is taken, what is refused with its line, and what a message gets. */
#include "tests/unit/test.h"

#include "client/rules.h"

static const char file[] = "# lists first\n"
			   "[lists]\n"
			   "list-id = dev.example.org\n"
			   "folder = Lists/Dev\n"
			   "mark = seen\n"
			   "[sales]\n"
			   "from = *@shop.example.com>*\n"
			   "subject = SALE\n"
			   "delete = yes\n"
			   "[large]\n"
			   "larger = 1k\n"
			   "to = anna\n"
			   "mark = flagged, seen\n";

static void rules__the_first_whose_conditions_all_hold(void **state)
{
	static const struct {
		const char *head;
		guint64 size;
		const char *folder;
		bool seen;
		bool flagged;
	} rows[] = {
		{"List-Id: Developers <dev.example.org>\r\nSubject: Sale\r\n\r\n", 10, "Lists/Dev",
			true, false},
		{"From: Shop <news@shop.example.com>\nSubject: =?UTF-8?Q?Summer_s=61le?=\n\n", 10,
			"Trash", false, false},
		{"From: Shop <news@shop.example.com>\nSubject: Your order\n\n", 10, NULL, false,
			false},
		{"From: x@example.com\nSubject: sale\n\nFrom: a@shop.example.com\n", 10, NULL,
			false, false},
		{"Cc: Anna <anna@example.org>\nTo: bert@example.org\n\n", 1025, NULL, true, true},
		{"To: anna@example.org\n\n", 1024, NULL, false, false},
		{"", 5000, NULL, false, false},
	};
	struct rs_rules *r = NULL;
	struct rs_err err;

	assert_int_equal(rs_rules_parse(file, "rules", &r, &err), 0);
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_verdict v =
			rs_rules_apply(r, rows[i].head, strlen(rows[i].head), rows[i].size);

		print_message("# %zu: %s\n", i, v.folder ? v.folder : "inbox");
		if (rows[i].folder)
			assert_string_equal(v.folder, rows[i].folder);
		else
			assert_null(v.folder);
		assert_int_equal(v.seen, rows[i].seen);
		assert_int_equal(v.flagged, rows[i].flagged);
	}
	rs_rules_free(r);
}

static void rules__what_is_wrong_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
		{"from = a\n", "rules:1: from = a: stands in front"},
		{"[a]\n\nbody = x\n", "rules:3: body = x: is not known"},
		{"[a]\nfrom =\n", "rules:2: from =: has no value"},
		{"[a]\nfrom\n", "rules:2: from: is neither"},
		{"[a]\nlarger = much\n", "must be a size"},
		{"[a]\nfolder = ../up\n", "cannot be a folder"},
		{"[a]\nfolder = /etc\n", "cannot be a folder"},
		{"[a]\nfolder = x/cur\n", "cannot be a folder"},
		{"[a]\nmark = blue\n", "must be seen"},
		{"[a]\ndelete = no\n", "must be yes"},
		{"[a]\nfrom = x\n", "does nothing"},
		{"[a]\nfolder = X\n", "no condition"},
		{"[a]\nfrom = \xff\n", "is not UTF-8"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_rules *r = NULL;
		struct rs_err err = {0};

		assert_int_equal(rs_rules_parse(rows[i].text, "rules", &r, &err), -RS_ECONFIG);
		print_message("# %s\n", err.text);
		assert_non_null(strstr(err.text, rows[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules__the_first_whose_conditions_all_hold),
		cmocka_unit_test(rules__what_is_wrong_is_said_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
