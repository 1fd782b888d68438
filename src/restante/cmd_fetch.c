/* cmd_fetch.c - restante fetch: messages that are on a server and not here, because they are too large or could
 * not be fetched: list them, or ask for them. */
#include "restante/restante.h"

#include <string.h>

#include "base/num.h"
#include "client/clean.h"
#include "client/ledger.h"
#include "client/text.h"

static struct {
	gboolean json;
} given;

/* The account's name stands in front of the mailbox in its key. */
static char *name_of(const struct rs_ledger_problem *p)
{
	return g_strndup(p->account, strcspn(p->account, "\t"));
}

static const char *why_of(const struct rs_ledger_problem *p)
{
	switch (p->state) {
	case RS_LEDGER_SKIPPED:
		return _("larger than this account's limit");
	case RS_LEDGER_WANTED:
		return _("comes with the next check");
	case RS_LEDGER_FAILED:
	case RS_LEDGER_STORING:
	case RS_LEDGER_STORED:
	case RS_LEDGER_DELETING:
		break;
	}
	return p->note ? p->note : "";
}

static void say_json(const struct rs_ledger_problem *p, const char *account)
{
	static const char *const states[] = {[RS_LEDGER_FAILED] = "failed",
		[RS_LEDGER_SKIPPED] = "skipped",
		[RS_LEDGER_WANTED] = "wanted"};
	g_autoptr(GString) line = g_string_new("{");

	g_string_append_printf(line, "\"id\":%" G_GINT64_FORMAT, p->id);
	rs_json_key(line, "account");
	rs_json_str(line, account);
	rs_json_key(line, "state");
	rs_json_str(line, states[p->state]);
	rs_json_key(line, "uid");
	rs_json_str(line, p->uid);
	rs_json_key(line, "size");
	if (p->size == UINT64_MAX)
		g_string_append(line, "null");
	else
		g_string_append_printf(line, "%" G_GUINT64_FORMAT, p->size);
	g_string_append_printf(
		line, ",\"tries\":%u,\"next\":%" G_GINT64_FORMAT, p->tries, p->next_s);
	rs_json_key(line, "why");
	rs_json_str(line, p->note);
	rs_say("%s}\n", line->str);
}

static void say(const struct rs_ledger_problem *p, const char *account)
{
	g_autofree char *size = p->size == UINT64_MAX
					? g_strdup("?")
					: g_format_size_full(p->size, G_FORMAT_SIZE_IEC_UNITS);
	g_autofree char *why = rs_clean_line(why_of(p));
	g_autofree char *uid = rs_clean_line(p->uid);

	rs_say("%" G_GINT64_FORMAT "  %s  %s  %s  (%s)\n", p->id, account, size, why, uid);
}

static int list(const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const struct rs_ledger_problem *p = rows->pdata[i];
		g_autofree char *name = name_of(p);

		if (given.json)
			say_json(p, name);
		else
			say(p, name);
	}
	if (!rows->len && !given.json)
		rs_say(_("Everything was fetched.\n"));
	return RS_EXIT_DONE;
}

static const struct rs_ledger_problem *find(const GPtrArray *rows, const char *word)
{
	uint64_t id;

	if (rs_num_u64(rs_slice_str(word), INT64_MAX, &id) < 0)
		return NULL;
	for (guint i = 0; i < rows->len; i++) {
		if (((const struct rs_ledger_problem *)rows->pdata[i])->id == (gint64)id)
			return rows->pdata[i];
	}
	return NULL;
}

static int want(struct rs_ledger *l, const GPtrArray *rows, char **words, struct rs_err *err)
{
	int rc = rs_ledger_begin(l, err);

	for (char **word = words; *word && rc == 0; word++) {
		const struct rs_ledger_problem *p = find(rows, *word);

		if (p)
			rc = rs_ledger_state(l, p->id, RS_LEDGER_WANTED, err);
		else
			rc = rs_err_set(err, RS_ENOENT,
				_("there is no message %s that was not fetched; those there are: "
				  "restante fetch"),
				*word);
	}
	if (rc == 0)
		rc = rs_ledger_commit(l, err);
	if (rc < 0)
		rs_ledger_rollback(l);
	for (char **word = words; *word && rc == 0; word++) {
		g_autofree char *name = name_of(find(rows, *word));

		rs_say(_("Message %s comes with the next check of %s.\n"), *word, name);
	}
	return rc;
}

static int fetch(const struct rs_places *places, char **words)
{
	g_autoptr(GPtrArray) rows = NULL;
	struct rs_ledger *ledger = NULL;
	struct rs_err err;
	int rc;

	if (!g_file_test(places->ledger_file, G_FILE_TEST_EXISTS)) {
		rows = g_ptr_array_new();
		return *words ? rs_usage(&rs_cmd_fetch, _("nothing was fetched yet")) : list(rows);
	}
	rc = rs_ledger_open(places->ledger_file, &ledger, &err);
	if (rc == 0)
		rc = rs_ledger_problems(ledger, NULL, &rows, &err);
	if (rc == 0 && *words)
		rc = want(ledger, rows, words, &err);
	else if (rc == 0)
		rc = list(rows);
	rs_ledger_close(&ledger);
	return rc < 0 ? rs_fail(&err) : rc;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &given.json, N_("One JSON object a message"),
			NULL},
		{NULL},
	};
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries,
		_("Without ID it lists what is on a server and was not fetched, and why: too\n"
		  "large, or the server would not give it. What is asked for comes with the next\n"
		  "check."),
		&argc, &argv);

	if (status)
		return status;
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	status = fetch(&places, argv + 1);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_fetch = {
	"fetch", N_("[ID…]"), N_("List what was not fetched; ask for it"), run};
