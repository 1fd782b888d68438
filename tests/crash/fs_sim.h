/* fs_sim - a file system whose power can be cut. It is an rs_fs (maildir/fs.h) that does each operation
 * for real in a folder, and remembers what is durable:
 *
 *   a file's octets   those that were there at its last fsync (or syncfs)
 *   a name            (folder, name -> file) as of the folder's last fsync (or syncfs)
 *
 * fs_sim_cut builds what a disk may hold after a power cut right now: everything durable, and of the rest a
 * seeded random part: names that were changed since may be old or new, one by one in order; files may hold
 * their durable octets, the new ones, a part of those, or garbage of the same length.
 * A file keeps its identity over rename and link (inode number). One thread. */
#ifndef RS_TESTS_FS_SIM_H
#define RS_TESTS_FS_SIM_H

#include <glib.h>

#include "maildir/fs.h"

struct fs_sim;

/* Works below `root`, an existing folder; what is there already is durable. */
struct fs_sim *fs_sim_new(const char *root);
void fs_sim_free(struct fs_sim *s);
const struct rs_fs *fs_sim_fs(struct fs_sim *s);

/* So many operations were done. */
guint fs_sim_ops(const struct fs_sim *s);

/* From operation `at` on (from 1) nothing is done any more: all return -EIO (the machine is dead). 0: never. */
void fs_sim_die_at(struct fs_sim *s, guint at);
/* Operation `at` fails with -errnum and does nothing; those after it work. 0: never. */
void fs_sim_fail_at(struct fs_sim *s, guint at, int errnum);
/* Pretend: fsync of files and/or folders returns 0 and makes nothing durable. To prove the proof. */
void fs_sim_lie(struct fs_sim *s, gboolean files, gboolean folders);

/* Build into `to` (made; must not exist) what a power cut leaves, chosen by `seed`. */
void fs_sim_cut(struct fs_sim *s, const char *to, guint32 seed);

/* Folders for tests. */
char *fs_sim_tmp(void);
void fs_sim_remove(const char *path);

#endif
