/* home.h - a throw-away RESTANTE_HOME for tests of the client. */
#ifndef RS_TESTS_UNIT_CLIENT_HOME_H
#define RS_TESTS_UNIT_CLIENT_HOME_H

#include <glib.h>
#include <glib/gstdio.h>

#include "client/account.h"

struct home {
	char *dir;
	struct rs_places p;
	struct rs_err err;
};

static inline int home_set_up(void **state)
{
	struct home *h = g_new0(struct home, 1);

	h->dir = g_dir_make_tmp("rs-client-XXXXXX", NULL);
	g_setenv("RESTANTE_HOME", h->dir, TRUE);
	*state = h;
	return rs_places_find(&h->p, &h->err);
}

static inline int home_remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		home_remove_tree(child);
	}
	return g_remove(path);
}

static inline int home_tear_down(void **state)
{
	struct home *h = *state;

	rs_places_finish(&h->p);
	home_remove_tree(h->dir);
	g_free(h->dir);
	g_free(h);
	return 0;
}

#define HOME_TEST(name) cmocka_unit_test_setup_teardown(name, home_set_up, home_tear_down)

#endif
