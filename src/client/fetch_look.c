/* fetch_look.c - where are messages of ours now? They may have been moved or marked by another program, so they
 * are looked for by the unique part of their names, in the inbox and in every folder in it and beside it. */
#include "client/fetch_priv.h"

#include <string.h>

#include "client/folders.h"

#define DEPTH_MAX RS_FOLDERS_DEPTH_MAX /* not to look where a message may lie would be to miss it */

static void note_names(GHashTable *want, const char *folder, enum rs_here where)
{
	struct rs_maildir *m = NULL;
	struct rs_maildir_list *l = NULL;

	if (rs_maildir_open(rs_fs_posix(), folder, 0, &m, NULL) < 0)
		return;
	if (rs_maildir_scan(m, &l, NULL) == 0) {
		for (size_t i = 0; i < rs_maildir_list_n(l); i++) {
			struct rs_maildir_name n;
			g_autofree char *unique = NULL;

			rs_maildir_name_parse(rs_slice_str(rs_maildir_list_at(l, i).file), &n);
			unique = g_strndup((const char *)n.unique.p, n.unique.n);
			if (g_hash_table_contains(want, unique) &&
				GPOINTER_TO_INT(g_hash_table_lookup(want, unique)) != RS_HERE_INBOX)
				g_hash_table_replace(
					want, g_steal_pointer(&unique), GINT_TO_POINTER(where));
		}
	}
	rs_maildir_list_destroy(&l);
	rs_maildir_destroy(&m);
}

/* The folder itself if it is a Maildir, and all folders in it. */
static void walk(GHashTable *want, const char *folder, const char *inbox, int depth)
{
	g_autoptr(GDir) dir = depth < DEPTH_MAX ? g_dir_open(folder, 0, NULL) : NULL;
	const char *name;

	note_names(want, folder, strcmp(folder, inbox) == 0 ? RS_HERE_INBOX : RS_HERE_ELSEWHERE);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(folder, name, NULL);

		if (strcmp(name, "cur") != 0 && strcmp(name, "new") != 0 &&
			strcmp(name, "tmp") != 0 && g_file_test(sub, G_FILE_TEST_IS_DIR) &&
			!g_file_test(sub, G_FILE_TEST_IS_SYMLINK))
			walk(want, sub, inbox, depth + 1);
	}
}

char *fetch_unique_of(const char *file)
{
	struct rs_maildir_name n;

	rs_maildir_name_parse(rs_slice_str(file), &n);
	return g_strndup((const char *)n.unique.p, n.unique.n);
}

void fetch_look(const struct fetch_run *r, GHashTable *want)
{
	const char *inbox = r->f->account->maildir;
	const char *mail = r->f->places->mail_dir;

	walk(want, inbox, inbox, 0);
	if (strcmp(mail, inbox) != 0)
		walk(want, mail, inbox, 0);
}
