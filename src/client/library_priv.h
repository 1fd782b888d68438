/* library_priv.h - what the files of the library share. Nobody else includes it. */
#ifndef RS_CLIENT_LIBRARY_PRIV_H
#define RS_CLIENT_LIBRARY_PRIV_H

#include "client/library.h"

struct rs_library {
	const struct rs_places *places;
	const GPtrArray *accounts;
	struct rs_catalog *catalog;
	GPtrArray *folders; /* struct rs_folder; those of folders.h, then those named by path */
	guint own_n;        /* the former */
	GPtrArray *structs; /* owns them, and those that are not there any more */
	rs_catalog_progress progress;
	void *progress_arg;
	GCancellable *cancel;
	rs_library_changed changed;
	void *changed_arg;
};

struct rs_entry *library_entry(gint64 row);
struct rs_folder *library_folder_of(struct rs_library *l, gint64 row);
/* Add a folder by its path. */
struct rs_folder *library_folder_add(struct rs_library *l, const char *name, const char *path);
/* "3,17" of folders of the library (those that are listed by path are not among them). */
char *library_folder_ids(const struct rs_library *l);
void library_changed(struct rs_library *l, const struct rs_catalog_changes *changes);
int library_ids_entries(GArray *ids, GPtrArray **out);

#endif
