/* cmd_doctor.c - restante doctor: what is wrong with accounts or the network, one line each, with the cure. */
#include "restante/restante.h"

#include <unistd.h>

#include "client/clean.h"
#include "client/doctor.h"
#include "client/text.h"

struct show {
	const char *account;
	gboolean json;
};

static const char *mark(enum rs_doctor_state state)
{
	switch (state) {
	case RS_DOCTOR_OK:
		return _("ok");
	case RS_DOCTOR_WARN:
		return _("WARN");
	case RS_DOCTOR_FAIL:
		break;
	}
	return _("FAIL");
}

static void on_row(void *arg, const struct rs_doctor_row *row)
{
	static const char *const states[] = {"ok", "warn", "fail"};
	const struct show *s = arg;
	g_autofree char *text = rs_clean_line(row->text);

	if (s->json) {
		g_autoptr(GString) line = g_string_new("{");

		rs_json_key(line, "account");
		rs_json_str(line, s->account);
		rs_json_key(line, "check");
		rs_json_str(line, row->check);
		rs_json_key(line, "state");
		rs_json_str(line, states[row->state]);
		rs_json_key(line, "text");
		rs_json_str(line, row->text);
		rs_say("%s}\n", line->str);
		return;
	}
	rs_say("  %-5s %s: %s\n", mark(row->state), row->label, text);
}

/* The exit status of the first failure counts. */
static int doctor(const struct rs_places *p, const GPtrArray *list, const char *name, gboolean json)
{
	int status = RS_EXIT_DONE;

	for (guint i = 0; i < list->len; i++) {
		const struct rs_account *a = list->pdata[i];
		struct show s = {.account = a->name, .json = json};
		const struct rs_doctor d = {
			.account = a, .places = p, .row = on_row, .row_arg = &s};
		int kind;

		if (name && a != rs_accounts_find(list, name))
			continue;
		if (!json)
			rs_say("%s\n", a->name);
		if (rs_doctor_run(&d, &kind) == RS_DOCTOR_FAIL && !status)
			status = kind ? rs_exit_of(kind) : RS_EXIT_TEMP;
	}
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("One JSON object a line"), NULL},
		{NULL},
	};
	g_autoptr(GPtrArray) list = NULL;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&places, &list, &err) < 0)
		status = rs_fail(&err);
	else if (argc == 2 && !rs_accounts_find(list, argv[1]))
		status = rs_no_account(argv[1]);
	else if (!list->len)
		rs_say(_("There is no account yet. To add one: restante account add\n"));
	else
		status = doctor(&places, list, argv[1], json);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_doctor = {
	"doctor", N_("[NAME]"), N_("Say what is wrong with an account, and the cure"), run};
