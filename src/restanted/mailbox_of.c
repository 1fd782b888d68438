/* mailbox_of.c - see mailbox_of.h */
#include "restanted/mailbox_of.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/subfolder.h"
#include "server/role.h"
#include "server/userdb.h"

int mailbox_text_of(const struct rs_conf *conf, const char *address, bool delivery, char **out,
	struct rs_err *err)
{
	struct rs_user *u = NULL;
	char folder[RS_FOLDER_NAME_MAX + 1] = "";
	char name[256];
	int rc;

	if (!conf->store_path)
		return rs_err_set(err, RS_ECONFIG,
			"[store] type: this command works on stores of type maildir");
	if (rs_user_name_clean(rs_slice_str(address), name) < 0)
		return rs_err_set(err, RS_ENOENT, "there is no user %s", address);
	rc = rs_userdb_find_now(conf, name, &u, err);
	if (rc == -RS_ENOENT && rs_user_name_split(name, folder, delivery))
		rc = rs_userdb_find_now(conf, name, &u, err);
	if (rc == 0 && delivery && u->disabled)
		rc = rs_err_set(err, RS_ENOENT, "the mailbox of %s is disabled", u->name);
	if (rc == 0)
		rc = rs_mailbox_text(u, conf->store_path, folder, out, err);
	rs_user_free(u);
	return rc;
}

int mailbox_of(
	const struct rs_conf *conf, const char *address, struct rs_mailbox *out, struct rs_err *err)
{
	g_autofree char *text = NULL;
	int rc;

	*out = (struct rs_mailbox){.path = NULL};
	rc = mailbox_text_of(conf, address, false, &text, err);
	return rc < 0 ? rc : rs_mailbox_parse(text, &conf->rules, out, err);
}

char *mailbox_folder(const struct rs_mailbox *box)
{
	return box->folder ? rs_subfolder_find(box->path, box->folder) : g_strdup(box->path);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *mailbox_folders(const char *root)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	const char *name;

	g_ptr_array_add(all, g_strdup(root));
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(root, name, NULL);
		g_autofree char *cur = g_build_filename(path, "cur", NULL);

		if (name[0] == '.' && g_file_test(cur, G_FILE_TEST_IS_DIR))
			g_ptr_array_add(all, g_steal_pointer(&path));
	}
	g_ptr_array_sort(all, by_name); /* the main one is a beginning of all others */
	return all;
}

int mailbox_become_owner(const char *root, const char *user, struct rs_err *err)
{
	struct stat st = {.st_uid = 0};
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (stat(root, &st) < 0 && errno != ENOENT)
		return rs_err_set(err, RS_EIO, "%s: %s", root, g_strerror(errno));
	uid = st.st_uid;
	gid = st.st_gid;
	if (uid == 0 && user) {
		int rc = rs_role_user(user, &uid, &gid, err);

		if (rc < 0)
			return rc;
	}
	if (uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return rs_err_set(err, RS_EROFS, "cannot become user %u, who owns %s: %s",
			(unsigned)uid, root, g_strerror(errno));
	return 0;
}
