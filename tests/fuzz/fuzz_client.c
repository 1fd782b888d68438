/* fuzz_client.c - what strangers write and people edit: HTML, header fields, whole messages, text for
 * a terminal, config.ini. Nothing is so broken that it harms; what is shown is UTF-8 and harmless. */
#include <sys/mman.h>
#include <unistd.h>

#include "client/account.h"
#include "client/catalog.h"
#include "client/clean.h"
#include "client/digest.h"
#include "client/flowed.h"
#include "client/header.h"
#include "client/html_text.h"
#include "client/message.h"
#include "client/query.h"
#include "client/policy.h"
#include "client/rules.h"
#include "client/target_spec.h"
#include "tests/fuzz/fuzz.h"

static void law_harmless(const char *text)
{
	FUZZ_LAW(g_utf8_validate(text, -1, NULL));
	for (const char *at = text; *at; at = rs_utf8_next(at)) {
		gunichar c = g_utf8_get_char(at);

		FUZZ_LAW(!g_unichar_iscntrl(c) || c == '\n' || c == '\t');
	}
}

static void clean(const char *text, gsize n)
{
	g_autofree char *once = rs_clean_text(text, n);
	g_autofree char *twice = rs_clean_text(once, strlen(once));
	g_autofree char *line = rs_clean_line(once);
	guint columns = n ? (guint)(guint8)text[0] : 0;
	g_autofree char *cut = rs_columns_cut(line, columns);
	g_autofree char *folded = rs_columns_fold(once, columns);
	g_autofree char *flowed = rs_flowed_text(once, columns & 1);

	law_harmless(once);
	law_harmless(folded);
	law_harmless(flowed);
	FUZZ_LAW(strcmp(once, twice) == 0);
	FUZZ_LAW(!strchr(line, '\n') && !strchr(line, '\t'));
	FUZZ_LAW(rs_columns(cut) <= columns);
}

static void html(const char *text, gsize n)
{
	g_autofree char *out = rs_html_text(text, n);

	FUZZ_LAW(g_utf8_validate(out, -1, NULL));
	FUZZ_LAW(strlen(out) <= 32 * n + 64);
}

static void header(const char *text, gsize n)
{
	g_autofree char *value = rs_header_get(text, n, "Subject");
	g_autofree char *raw = g_strndup(text, n);
	g_autofree char *decoded = rs_header_text(raw);
	g_autofree char *list = rs_header_addresses(raw);
	g_autofree char *address = NULL;
	g_autofree char *person = rs_header_person(raw, &address);
	g_autofree char *utf8 = rs_charset_to_utf8(text, n, value);

	law_harmless(decoded);
	law_harmless(list);
	law_harmless(address);
	law_harmless(person);
	FUZZ_LAW(g_utf8_validate(utf8, -1, NULL));
	FUZZ_LAW(rs_header_date(raw, 1000) <= 1000 + 86400);
}

/* A file that holds these octets. */
static int file_of(const char *text, gsize n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_LAW(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	return fd;
}

static void message(const char *text, gsize n)
{
	int fd = file_of(text, n);
	int to = file_of("", 0);
	struct rs_message *m = NULL;
	struct rs_err err;

	FUZZ_LAW(rs_message_read(fd, &m, &err) == 0);
	law_harmless(m->text);
	law_harmless(m->subject);
	for (guint i = 0; i < m->parts->len; i++) {
		const struct rs_part *part = m->parts->pdata[i];

		FUZZ_LAW(part->number == i + 1);
		law_harmless(part->name);
		law_harmless(part->type);
		FUZZ_LAW(rs_message_part_save(fd, part->number, to, &err) == 0);
	}
	rs_message_destroy(&m);
	FUZZ_LAW(rs_message_skim(fd, 100, &m, &err) == 0); /* as the index takes it */
	law_harmless(m->text);
	law_harmless(m->from_name);
	law_harmless(m->references);
	rs_message_destroy(&m);
	close(fd);
	close(to);
}

/* What was accepted is accepted again, and means the same. */
static void accounts(const char *text, gsize n)
{
	int fd = file_of(text, n);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	const struct rs_places p = {
		.config_file = path, .data_dir = (char[]){"/d"}, .mail_dir = (char[]){"/m"}};
	g_autoptr(GPtrArray) list = NULL;
	struct rs_err err;
	int rc = rs_accounts_load(&p, &list, &err);

	FUZZ_LAW(rc == 0 || (rc == -RS_ECONFIG && g_str_has_prefix(err.text, path)));
	for (guint i = 0; list && i < list->len; i++) {
		for (const char *const *key = rs_account_keys(); *key; key++) {
			g_autofree char *value = rs_account_get(list->pdata[i], *key);
			g_autofree char *again = NULL;

			if (!value)
				continue;
			FUZZ_LAW(rs_account_set(list->pdata[i], *key, value, NULL) == 0);
			again = rs_account_get(list->pdata[i], *key);
			FUZZ_LAW(g_strcmp0(value, again) == 0);
		}
	}
	close(fd);
}

/* Rules in the first half are applied to the header in the second. */
static void rules(const char *text, gsize n)
{
	g_autofree char *file = g_strndup(text, n / 2);
	struct rs_rules *r = NULL;
	struct rs_err err;
	struct rs_verdict v;

	if (rs_rules_parse(file, "rules", &r, &err) < 0) {
		FUZZ_LAW(g_str_has_prefix(err.text, "rules:"));
		return;
	}
	v = rs_rules_apply(r, text + n / 2, n - n / 2, n);
	FUZZ_LAW(
		!v.folder || (v.folder[0] != '/' && v.folder[0] != '.' && !strstr(v.folder, "/.")));
	rs_rules_free(r);
}

/* What is accepted comes back the same; a digest looks at no more than the header. */
static void words(const char *text, gsize n)
{
	g_autofree char *word = g_strndup(text, n);
	struct rs_target_spec spec;
	struct rs_policy p;
	struct rs_policy q;

	(void)rs_digest_of((const uint8_t *)text, n);
	if (!rs_target_parse(word, &spec))
		rs_target_spec_finish(&spec);
	if (!rs_policy_parse(word, &p)) {
		g_autofree char *back = rs_policy_format(&p);

		FUZZ_LAW(!rs_policy_parse(back, &q) && rs_policy_equal(&p, &q));
	}
}

static char *folder_ids(void *arg, const char *name)
{
	(void)arg;
	return strlen(name) & 1 ? g_strdup("1,2") : NULL;
}

/* What is understood as a query, SQLite understands too. */
static void query(const char *text, gsize n)
{
	static struct rs_catalog *catalog;
	g_autofree char *words = g_strndup(text, n);
	struct rs_query_sql sql;
	struct rs_query *q = NULL;
	GArray *ids = NULL;
	struct rs_err err;

	if (!catalog)
		FUZZ_LAW(rs_catalog_open(NULL, &catalog, &err) == 0);
	if (rs_query_parse(words, 1795600000, &q, &err) < 0) {
		FUZZ_LAW(*err.text && !q);
		return;
	}
	if (rs_query_sql(q, folder_ids, NULL, &sql, &err) == 0) {
		FUZZ_LAW(rs_catalog_ids(catalog, sql.match, sql.where, sql.args, 10, &ids, &err) ==
			 0);
		g_array_unref(ids);
		rs_query_sql_finish(&sql);
	}
	rs_query_destroy(&q);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	static void (*const readers[])(const char *text, gsize n) = {
		clean, html, header, message, accounts, rules, words, query};
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);

	readers[what % G_N_ELEMENTS(readers)](in.n ? (const char *)in.p : "", in.n);
	return 0;
}
