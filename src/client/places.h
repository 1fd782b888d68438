/* places.h - small files of the client: read whole, replaced whole. */
#ifndef RS_CLIENT_PLACES_H
#define RS_CLIENT_PLACES_H

#include "base/err.h"
#include "base/slice.h"
#include "client/account.h"

/* Replace `path` by `octets`: temporary file beside it, fsync, rename, fsync of the folder; mode
 * 0600. Missing folders are made, 0700. A symbolic link is followed, so that the file it points
 * to is replaced and not the link. Atomic and durable: after 0 it survives a power cut. */
int rs_file_replace(const char *path, struct rs_slice octets, struct rs_err *err) RS_MUST_USE;

/* The whole file, NUL-terminated, g_free it. -RS_ENOENT, -RS_ELIMIT above `max` octets ... */
int rs_file_read(
	const char *path, size_t max, char **out, size_t *out_n, struct rs_err *err) RS_MUST_USE;

/* Exclusive lock on the folder of `path` (made when missing) until the descriptor is closed; for
 * read-change-replace. Returns the descriptor or a negative kind. */
int rs_file_lock(const char *path, struct rs_err *err) RS_MUST_USE;

#endif
