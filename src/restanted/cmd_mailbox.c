/* cmd_mailbox.c - restanted mailbox list|verify|repair|expire ADDRESS. Works on the files; the service may run. */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "maildir/expire.h"
#include "maildir/quota.h"
#include "maildir/lock.h"
#include "maildir/repair.h"
#include "maildir/standing.h"
#include "maildir/verify.h"
#include "restanted/commands.h"
#include "restanted/mailbox_of.h"

struct what {
	struct rs_mailbox box;
	const char *address;
	gboolean json;
	JsonObject *answer; /* owned */
};

static int told(struct what *w, int status)
{
	if (w->json) {
		g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
		g_autofree char *text = NULL;

		json_node_set_object(node, w->answer);
		text = json_to_string(node, FALSE);
		(void)printf("%s\n", text);
	}
	return status;
}

static char *valid(const char *text)
{
	return g_utf8_make_valid(text, -1);
}

/* --- list ---------------------------------------------------------------------------------- */

static void list_row(struct what *w, const struct rs_standing *s, uint32_t i, JsonArray *all)
{
	struct rs_maildir_entry e = rs_standing_entry(s, i);
	struct rs_slice uid = rs_drop_uid(&s->index.table, i);
	uint64_t octets = rs_drop_octets(&s->index.table, i);
	g_autofree char *uid_text = g_strndup((const char *)uid.p, uid.n);
	g_autofree char *where = g_strdup_printf("%s/%s", e.in_new ? "new" : "cur", e.file);
	g_autofree char *shown = valid(where);

	if (w->json) {
		JsonObject *o = json_object_new();

		json_object_set_int_member(o, "number", (gint64)i + 1);
		json_object_set_int_member(o, "octets", (gint64)octets);
		json_object_set_string_member(o, "uid", uid_text);
		json_object_set_string_member(o, "file", shown);
		json_array_add_object_element(all, o);
	} else {
		(void)printf("%6u %10" G_GUINT64_FORMAT " %s %s\n", i + 1, octets, uid_text, shown);
	}
}

static int list(struct what *w, struct rs_err *err)
{
	g_autofree char *path = mailbox_folder(&w->box);
	struct rs_standing s;
	JsonArray *all = json_array_new();
	int rc = 0;

	if (path && g_file_test(path, G_FILE_TEST_IS_DIR)) {
		rc = rs_standing_open(path, &s, err);
		for (uint32_t i = 0; rc == 0 && i < s.index.head->rows_n; i++)
			list_row(w, &s, i, all);
		if (rc == 0 && !w->json)
			(void)printf("%u messages, %" G_GUINT64_FORMAT " octets, in %s\n",
				s.index.head->rows_n, s.index.table.head->octets, path);
		rs_standing_finish(&s);
	} else if (!w->json) {
		(void)printf("no messages: there is no folder yet\n");
	}
	json_object_set_array_member(w->answer, "messages", all);
	return rc < 0 ? rc : told(w, RS_EXIT_OK);
}

/* --- verify -------------------------------------------------------------------------------- */

/* With the lock where it can be had without leaving a trace; -RS_ELOCKED says who has to be waited for. */
static int verify_locked(const char *path, struct rs_verified *v, struct rs_err *err)
{
	struct rs_maildir *m = NULL;
	int fd = -1;
	int rc = rs_maildir_open(rs_fs_posix(), path, 0, &m, err);

	if (rc == 0)
		rc = rs_maildir_lock(m, &fd, err);
	if (rc == 0)
		rc = rs_verify_folder(path, (int64_t)time(NULL), v, err);
	if (fd >= 0)
		(void)m->fs->close(m->fs->ctx, fd);
	rs_maildir_destroy(&m);
	return rc;
}

static void flaws_tell(struct what *w, const struct rs_verified *v, JsonArray *flaws)
{
	for (guint i = 0; i < v->flaws->len; i++) {
		const struct rs_flaw *f = g_ptr_array_index(v->flaws, i);
		g_autofree char *text = valid(f->text);

		if (w->json) {
			JsonObject *o = json_object_new();

			json_object_set_string_member(o, "kind", rs_flaw_name(f->kind));
			json_object_set_string_member(o, "text", text);
			json_array_add_object_element(flaws, o);
		} else {
			(void)printf("%s: %s\n", rs_flaw_name(f->kind), text);
		}
	}
}

static int verify(struct what *w, struct rs_err *err)
{
	g_autoptr(GPtrArray) folders = mailbox_folders(w->box.path);
	JsonArray *flaws = json_array_new();
	struct rs_verified all = {.messages = 0};
	guint flaws_n = 0;
	int rc = 0;

	for (guint i = 0; i < folders->len && rc == 0; i++) {
		struct rs_verified v = {.flaws = NULL};

		rc = verify_locked(g_ptr_array_index(folders, i), &v, err);
		if (rc == 0 && i == 0)
			rc = rs_verify_quota(w->box.path, &w->box.rules.quota, &v, err);
		if (rc == 0) {
			flaws_tell(w, &v, flaws);
			flaws_n += v.flaws->len;
			all.messages += v.messages;
			all.octets += v.octets;
			all.imported += v.imported;
			all.gone += v.gone;
		}
		rs_verified_finish(&v);
	}
	json_object_set_array_member(w->answer, "flaws", flaws);
	if (rc < 0)
		return rc;
	json_object_set_int_member(w->answer, "messages", (gint64)all.messages);
	json_object_set_int_member(w->answer, "octets", (gint64)all.octets);
	json_object_set_int_member(w->answer, "imported", (gint64)all.imported);
	json_object_set_int_member(w->answer, "folders", folders->len);
	if (!w->json)
		(void)printf("%" G_GUINT64_FORMAT " messages (%" G_GUINT64_FORMAT
			     " with a UID taken over), %" G_GUINT64_FORMAT
			     " octets, %u folders: %s\n",
			all.messages, all.imported, all.octets, folders->len,
			flaws_n ? "not as it must be; see restanted mailbox repair"
				: "all is well");
	return told(w, flaws_n ? RS_EXIT_DATA : RS_EXIT_OK);
}

/* --- repair -------------------------------------------------------------------------------- */

static void lines_tell(struct what *w, const char *member, const GPtrArray *lines)
{
	JsonArray *all = json_array_new();

	for (guint i = 0; i < lines->len; i++) {
		g_autofree char *text = valid(g_ptr_array_index(lines, i));

		if (w->json)
			json_array_add_string_element(all, text);
		else
			(void)printf("%s%s\n", text,
				strcmp(member, "left") == 0 ? " (cannot be mended)" : "");
	}
	json_object_set_array_member(w->answer, member, all);
}

static int repair(struct what *w, struct rs_err *err)
{
	g_autoptr(GPtrArray) folders = mailbox_folders(w->box.path);
	g_autoptr(GPtrArray) did = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) left = g_ptr_array_new_with_free_func(g_free);
	bool counted = false;
	int rc = 0;

	for (guint i = 0; i < folders->len && rc == 0; i++)
		rc = rs_repair_folder(g_ptr_array_index(folders, i), w->box.path,
			(int64_t)time(NULL), did, left, err);
	if (rc == 0)
		rc = rs_quota_rebuild(
			rs_fs_posix(), w->box.path, &w->box.rules.quota, &counted, err);
	if (counted)
		g_ptr_array_add(
			did, g_strdup_printf("%s/" RS_QUOTA_NAME ": counted anew", w->box.path));
	lines_tell(w, "did", did); /* also what was done before it failed */
	lines_tell(w, "left", left);
	if (rc < 0)
		return rc;
	if (!w->json && did->len == 0 && left->len == 0)
		(void)printf("nothing had to be mended; the index was made anew\n");
	return told(w, left->len ? RS_EXIT_DATA : RS_EXIT_OK);
}

/* --- expire -------------------------------------------------------------------------------- */

static int expire_folder(const struct what *w, const char *path, uint32_t *n, struct rs_err *err)
{
	const struct rs_expire_of of = {.path = path,
		.account = w->box.path,
		.days = w->box.rules.expire_days,
		.now_s = (int64_t)time(NULL)};
	struct rs_maildrop *d = NULL;
	int rc = rs_maildrop_open_of(rs_fs_posix(), path, w->box.path, &d, err);

	if (rc == 0)
		rc = rs_expire(rs_fs_posix(), &of, &d, n, err);
	rs_maildrop_destroy(&d);
	return rc;
}

/* What an opening of each folder by POP3 would remove, for mailboxes that nobody opens. */
static int expire(struct what *w, struct rs_err *err)
{
	g_autoptr(GPtrArray) folders = mailbox_folders(w->box.path);
	uint32_t removed = 0;
	int rc = 0;

	for (guint i = 0; i < folders->len && rc == 0 && w->box.rules.expire_days; i++) {
		uint32_t n = 0;

		rc = expire_folder(w, g_ptr_array_index(folders, i), &n, err);
		removed += n;
	}
	if (rc < 0)
		return rc;
	json_object_set_int_member(w->answer, "removed", removed);
	if (!w->json && w->box.rules.expire_days)
		(void)printf("%u messages older than %u days removed\n", removed,
			w->box.rules.expire_days);
	else if (!w->json)
		(void)printf("nothing expires here: [store] expire, or expire= of the user\n");
	return told(w, RS_EXIT_OK);
}

/* --- the command --------------------------------------------------------------------------- */

static int run(struct what *w, const char *verb, const char *conf_file, struct rs_err *err)
{
	static const struct {
		const char *verb;
		int (*fn)(struct what *w, struct rs_err *err);
	} verbs[] = {{"list", list}, {"verify", verify}, {"repair", repair}, {"expire", expire}};
	struct rs_conf *conf = NULL;
	int (*fn)(struct what *, struct rs_err *) = NULL;
	int rc;

	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (strcmp(verb, verbs[i].verb) == 0)
			fn = verbs[i].fn;
	}
	if (!fn)
		return cmd_usage("mailbox wants list, verify, repair or expire, and an ADDRESS");
	rc = rs_conf_load(conf_file, &conf, NULL, NULL, err);
	if (rc == 0)
		rc = mailbox_of(conf, w->address, &w->box, err);
	if (rc == 0)
		rc = mailbox_become_owner(w->box.path, NULL, err);
	if (rc == 0 && fn != list && !g_file_test(w->box.path, G_FILE_TEST_IS_DIR)) {
		(void)fprintf(w->json ? stderr : stdout, "no folder yet: an empty mailbox\n");
		rc = told(w, RS_EXIT_OK);
	} else if (rc == 0) {
		rc = fn(w, err);
	}
	if (conf)
		rs_conf_destroy(&conf);
	return rc;
}

int cmd_mailbox(int argc, char **argv)
{
	g_autofree char *file = NULL;
	struct what w = {.json = FALSE};
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &w.json, "answer as one JSON object", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct rs_err err;
	int status;
	int rc;

	if (!cmd_options(&argc, &argv,
		    "list|verify|repair|expire ADDRESS - what is in a mailbox, and whether it is "
		    "as it "
		    "must be",
		    entries, &file, &status))
		return status;
	if (argc != 3)
		return cmd_usage("mailbox wants list, verify, repair or expire, and an ADDRESS");
	w.address = argv[2];
	w.answer = json_object_new();
	json_object_set_string_member(w.answer, "address", w.address);
	rc = run(&w, argv[1], file, &err);
	json_object_unref(w.answer);
	rs_mailbox_finish(&w.box);
	return rc < 0 ? cmd_fail(&err) : rc;
}
