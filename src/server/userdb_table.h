/* userdb_table - a passwd-file in memory: the file's own octets and a table of where each line begins,
 * so that a million users cost little more than their file. Never changed once it is read; any thread.
 * Lines are Dovecot's: user:{SCHEME}hash:uid:gid:gecos:home:shell:key=value …; a missing scheme means
 * crypt(3); names compare in ASCII lower case. */
#ifndef RS_SERVER_USERDB_TABLE_H
#define RS_SERVER_USERDB_TABLE_H

#include <sys/stat.h>

#include "server/userdb.h"

struct rs_user_table;

/* Which state of the file a table is. */
struct rs_file_id {
	struct timespec mtime;
	off_t size;
	ino_t inode;
	dev_t device;
};

/* 0 or -RS_ECONFIG. */
int rs_file_id_now(const char *path, struct rs_file_id *out, struct rs_err *err) RS_MUST_USE;
bool rs_file_id_same(const struct rs_file_id *a, const struct rs_file_id *b);

/* -RS_ECONFIG with file and line. *id: the state that was read. */
int rs_user_table_read(const char *path, struct rs_user_table **out, struct rs_file_id *id,
	struct rs_err *err) RS_MUST_USE;
/* The same of `n` octets; `path` is for errors. */
int rs_user_table_parse(const char *path, const void *octets, size_t n, struct rs_user_table **out,
	struct rs_err *err) RS_MUST_USE;
void rs_user_table_destroy(struct rs_user_table **t);

struct rs_password_mix *rs_user_table_mix(const struct rs_user_table *t); /* lent */
size_t rs_user_table_n(const struct rs_user_table *t);
size_t rs_user_table_octets(const struct rs_user_table *t); /* of memory */
/* Owned by the caller; NULL: nobody. */
struct rs_user *rs_user_table_find(const struct rs_user_table *t, const char *name);
/* Sorted by name. */
void rs_user_table_each(
	const struct rs_user_table *t, void (*fn)(void *arg, const struct rs_user *u), void *arg);

#endif
