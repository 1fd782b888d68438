/* cmd_folder.c - restante folder list|create|rename|remove, and restante index. */
#include "restante/mail.h"

#include <string.h>

#include "client/clean.h"
#include "client/text.h"

#define NAME_COLUMNS 32u

struct work {
	const char *action;
	const char *name;
	const char *new_name;
	gboolean json;
	gboolean rebuild;
};

static int list(struct rs_library *l, const struct work *w)
{
	const GPtrArray *folders = NULL;
	struct rs_err err;

	if (rs_library_folders(l, &folders, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < folders->len; i++) {
		const struct rs_folder *f = folders->pdata[i];
		const char *role = rs_folder_role_name(f->role);
		const char *shown = role ? _(role) : f->name;
		g_autofree char *cut = rs_columns_cut(shown, NAME_COLUMNS);
		g_autoptr(GString) line = g_string_new("{");

		if (!w->json) {
			rs_say(_("%s%*s %7u  %u unread\n"), cut,
				(int)(NAME_COLUMNS - rs_columns(cut)), "", f->total, f->unread);
			continue;
		}
		rs_json_key(line, "folder");
		rs_json_str(line, f->name);
		rs_json_key(line, "path");
		rs_json_str(line, f->path);
		g_string_append_printf(
			line, ",\"messages\":%u,\"unread\":%u}\n", f->total, f->unread);
		rs_say("%s", line->str);
	}
	return RS_EXIT_DONE;
}

static int change(struct rs_library *l, const struct work *w)
{
	const struct rs_folder *f = rs_library_folder(l, w->name);
	struct rs_places p;
	struct rs_err err;
	int rc = rs_places_find(&p, &err);

	if (rc < 0)
		return rs_fail(&err);
	if (strcmp(w->action, "create") == 0)
		rc = rs_folder_make(&p, w->name, &err);
	else if (!f)
		rc = rs_err_set(&err, RS_ENOENT,
			_("there is no folder '%s'; restante folder list shows all"), w->name);
	else if (strcmp(w->action, "rename") == 0)
		rc = rs_folder_rename(&p, f, w->new_name, &err);
	else
		rc = rs_folder_remove(f, &err);
	rs_places_finish(&p);
	return rc < 0 ? rs_fail(&err) : RS_EXIT_DONE;
}

static int work(struct rs_library *l, void *arg)
{
	const struct work *w = arg;

	return strcmp(w->action, "list") == 0 ? list(l, w) : change(l, w);
}

static int run_folder(const struct rs_command *self, int argc, char **argv)
{
	static const struct {
		const char *action;
		int operands;
	} actions[] = {{"list", 0}, {"create", 1}, {"rename", 2}, {"remove", 1}};
	struct work w = {0};
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &w.json, N_("One JSON object a line"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("list shows all folders with their messages; create FOLDER, rename FOLDER NEW\n"
		  "and remove FOLDER are for own folders, which may be nested: Lists/Linux. Only\n"
		  "an empty one is removed. Folders are Maildirs below mail/, which other\n"
		  "programs may share."),
		&argc, &argv);

	if (status)
		return status;
	w.action = argc > 1 ? argv[1] : "list";
	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
		if (strcmp(actions[i].action, w.action) != 0)
			continue;
		if (MAX(argc - 2, 0) != actions[i].operands)
			return rs_usage(self, _("'%s' takes %d folder names"), w.action,
				actions[i].operands);
		w.name = actions[i].operands > 0 ? argv[2] : NULL;
		w.new_name = actions[i].operands > 1 ? argv[3] : NULL;
		return rs_mail_with(work, &w);
	}
	return rs_usage(self, _("'%s' is none of list, create, rename, remove"), w.action);
}

const struct rs_command rs_cmd_folder = {"folder", N_("[list|create|rename|remove] [FOLDER…]"),
	N_("List folders, make and remove own ones"), run_folder};

/* --- index -------------------------------------------------------------------------------------------- */

static int index_work(struct rs_library *l, void *arg)
{
	const struct work *w = arg;
	struct rs_catalog_changes changes = {0};
	const GPtrArray *folders = NULL;
	struct rs_err err;
	guint total = 0;

	if (w->rebuild && rs_library_rebuild(l, &changes, &err) < 0)
		return rs_fail(&err);
	if (rs_library_folders(l, &folders, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < folders->len; i++)
		total += ((const struct rs_folder *)folders->pdata[i])->total;
	rs_say(P_("%u message in the index\n", "%u messages in the index\n", total), total);
	return RS_EXIT_DONE;
}

static int run_index(const struct rs_command *self, int argc, char **argv)
{
	struct work w = {0};
	const GOptionEntry entries[] = {
		{"rebuild", 0, 0, G_OPTION_ARG_NONE, &w.rebuild,
			N_("Throw the index away and make it anew from the folders"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("The index is brought up to date by every listing; this does only that. It\n"
		  "holds nothing that is not in the folders."),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 1)
		return rs_usage(self, _("'%s' is too much"), argv[1]);
	return rs_mail_with(index_work, &w);
}

const struct rs_command rs_cmd_index = {
	"index", "", N_("Bring the index for search up to date, or make it anew"), run_index};
