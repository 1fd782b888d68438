/* import_priv.h - what the readers of other programs' files share. Nobody else includes it. */
#ifndef RS_CLIENT_IMPORT_PRIV_H
#define RS_CLIENT_IMPORT_PRIV_H

#include "client/import.h"

#define IMPORT_CONFIG_MAX (4u * 1024 * 1024)
#define IMPORT_STATE_MAX  (256u * 1024 * 1024)
#define IMPORT_UID_MAX    1024u /* of one UID; RFC 1939 has 70 */

struct rs_import *import_new(enum rs_import_kind kind);
/* Owned by `i`. */
struct rs_import_account *import_account_add(struct rs_import *i);
struct rs_import_box *import_box_add(
	struct rs_import *i, const char *path, const char *folder, enum rs_import_kind form);
void import_note(GPtrArray *notes, const char *fmt, ...) RS_FORMAT(2, 3);

/* Set a key where the value is acceptable; else a note says that it is not. NULL and "" are left out. */
void import_set(struct rs_import_account *a, const char *key, const char *value);
/* The server: `port` 0 for the standard one of that security. IPv6 without brackets. */
void import_server(struct rs_import_account *a, const char *key, const char *host, guint port);
/* How a key of kind security is to be set: without TLS only on this machine. */
void import_security(
	struct rs_import_account *a, const char *key, const char *host, enum rs_security found);
void import_password(struct rs_import_account *a, const char *text);
/* The same UID again is left out; one that POP3 cannot have, too. */
void import_uid(struct rs_import_account *a, const char *uid, gsize n, guint64 fetched_s);
/* File of UIDs: its text (g_free it) or NULL; a note where it cannot be read. A file that is not there is none. */
char *import_state_read(struct rs_import_account *a, const char *path, gsize *n);

/* "~", relative to the folder `base`. */
char *import_path(const char *text, const char *base);

/* Wipes a text and frees it: values of configurations may be passwords. */
void import_value_free(gpointer text);

/* A file of [sections] with KEY = VALUE lines, as Python's configparser and many others read it. */
struct import_ini {
	GPtrArray *sections; /* struct import_section */
};
struct import_section {
	char *name;
	GHashTable *values; /* key in lower case -> value */
};
/* `colon`: "KEY: VALUE" too, and lines that begin with a blank go on with the value above. */
struct import_ini *import_ini_parse(const char *text, bool colon);
void import_ini_free(struct import_ini *ini);
/* NULL where there is none. Borrowed. */
const char *import_ini_get(const struct import_section *s, const char *key);
bool import_ini_true(const struct import_section *s, const char *key, bool standard);

/* --- the readers: text in, `i` filled; what goes wrong names the line --------------------------- */

int import_fetchmail(struct rs_import *i, const char *path, const char *text, struct rs_err *err);
int import_getmail(struct rs_import *i, const char *path, const char *text, struct rs_err *err);
int import_mpop(struct rs_import *i, const char *path, const char *text, struct rs_err *err);
int import_claws(struct rs_import *i, const char *path, const char *text, struct rs_err *err);
int import_thunderbird(struct rs_import *i, const char *path, const char *text, struct rs_err *err);

/* --- files of UIDs: text in, UIDs of that account out ------------------------------------------- */

void import_fetchids(
	struct rs_import_account *a, const char *text, const char *user, const char *host);
void import_oldmail(struct rs_import_account *a, const char *text, gsize n);
void import_uidls(
	struct rs_import_account *a, const char *text, const char *user, const char *host);
void import_claws_uidl(struct rs_import_account *a, const char *text);
void import_popstate(struct rs_import_account *a, const char *text);

#endif
