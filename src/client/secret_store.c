/* secret_store.c - see secret_store.h */
#include "client/secret_store.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/places.h"
#include "client/secret_service.h"
#include "client/text.h"

static char *secrets_dir(const struct rs_places *p)
{
	return g_build_filename(p->data_dir, "secrets", NULL);
}

static char *secret_file(const struct rs_places *p, const char *account, const char *what)
{
	g_autofree char *name = g_strdup_printf("%s.%s", account, what);

	return g_build_filename(p->data_dir, "secrets", name, NULL);
}

/* The file only. */
static int file_get(const struct rs_places *p, const char *account, const char *what,
	struct rs_secret **out, struct rs_err *err)
{
	g_autofree char *path = secret_file(p, account, what);
	struct stat st;
	char *text;
	size_t n;
	int rc;

	if (stat(path, &st) == 0 && (st.st_mode & 077))
		return rs_err_set(err, RS_ECONFIG,
			_("others on this machine can read the secret in %s: chmod 600 it, and "
			  "change that password"),
			path);
	rc = rs_file_read(path, RS_SECRET_MAX, &text, &n, err);
	if (rc < 0)
		return rc;
	rc = rs_secret_create(rs_slice(text, n), out);
	rs_wipe(text, n);
	g_free(text);
	return rc < 0 ? rs_err_set(err, RS_ENOMEM, _("no memory")) : 0;
}

int rs_secret_store_get(const struct rs_places *p, const char *account, const char *what,
	struct rs_secret **out, struct rs_err *err)
{
	if (rs_secret_service_there() && rs_secret_service_get(p, account, what, out) == 0)
		return 0;
	return file_get(p, account, what, out, err);
}

int rs_secret_store_put(const struct rs_places *p, const char *account, const char *what,
	const struct rs_secret *secret, struct rs_err *err)
{
	g_autofree char *path = secret_file(p, account, what);
	g_autofree char *dir = secrets_dir(p);

	if (rs_secret_service_there() && rs_secret_service_put(p, account, what, secret) == 0) {
		(void)g_unlink(path); /* of a time without the service */
		(void)g_rmdir(dir);
		return 0;
	}
	return rs_file_replace(path, rs_slice(secret->octets, secret->n), err);
}

char *rs_secret_store_where(const struct rs_places *p, const char *account, const char *what)
{
	struct rs_secret *secret = NULL;
	bool service =
		rs_secret_service_there() && rs_secret_service_get(p, account, what, &secret) == 0;

	rs_secret_destroy(&secret);
	if (service)
		return g_strdup(_("in the desktop's secret service"));
	return secret_file(p, account, what);
}

int rs_secret_store_forget(const struct rs_places *p, const char *account, struct rs_err *err)
{
	static const char *const all[] = {RS_SECRET_PASSWORD, RS_SECRET_OAUTH};
	g_autofree char *dir = secrets_dir(p);

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autofree char *path = secret_file(p, account, all[i]);

		if (rs_secret_service_there())
			rs_secret_service_forget(p, account, all[i]);
		if (g_unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
			return rs_err_set(err, rs_err_kind_of_errno(errno),
				_("cannot remove the password in %s: %s"), path, g_strerror(errno));
	}
	(void)g_rmdir(dir); /* only when it was the last */
	return 0;
}
