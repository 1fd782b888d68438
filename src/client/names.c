/* names.c - see names.h */
#include "client/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define TEST_FILE_MAX 65536u

static void srv_clear(gpointer row)
{
	g_free(((struct rs_name_srv *)row)->target);
}

static GArray *srv_new(void)
{
	GArray *a = g_array_new(FALSE, FALSE, sizeof(struct rs_name_srv));

	g_array_set_clear_func(a, srv_clear);
	return a;
}

/* --- the file of tests ------------------------------------------------------------------------- */

bool rs_names_testing(void)
{
	const char *path = g_getenv("RESTANTE_TEST_NAMES");

	return path && *path;
}

/* Lines of kind `what` for `name`, each split into its words from the third on; frees its rows. */
static GPtrArray *test_lines(const char *what, const char *name)
{
	GPtrArray *found = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	gsize n = 0;

	if (!g_file_get_contents(g_getenv("RESTANTE_TEST_NAMES"), &text, &n, NULL) ||
		n > TEST_FILE_MAX)
		return found;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) words = g_strsplit(g_strstrip(*line), " ", 3);

		if (g_strv_length(words) == 3 && strcmp(words[0], what) == 0 &&
			g_ascii_strcasecmp(words[1], name) == 0)
			g_ptr_array_add(found, g_strsplit(words[2], " ", -1));
	}
	return found;
}

static guint16 number(const char *text)
{
	uint32_t v = 0;

	return rs_num_u32(rs_slice_str(text), 65535, &v) == 0 ? (guint16)v : 0;
}

bool rs_names_connect(const char *host, guint16 port, char **to_host, guint16 *to_port)
{
	g_autofree char *name = g_strdup_printf("%s:%u", host, port);
	g_autoptr(GPtrArray) lines = test_lines("connect", name);
	char *colon;

	if (!lines->len) { /* loopback is what tests may reach */
		*to_host = g_strdup(host);
		*to_port = port;
		return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
		       g_str_has_prefix(host, "127.");
	}
	*to_host = g_strdup(((char **)lines->pdata[0])[0]);
	colon = strrchr(*to_host, ':');
	*to_port = colon ? number(colon + 1) : port;
	if (colon)
		*colon = '\0';
	return true;
}

static GArray *test_srv(const char *name)
{
	g_autoptr(GPtrArray) lines = test_lines("srv", name);
	GArray *out = srv_new();

	for (guint i = 0; i < lines->len; i++) {
		char **w = lines->pdata[i];
		struct rs_name_srv row = {.priority = 0};

		if (g_strv_length(w) != 4)
			continue;
		row.priority = number(w[0]);
		row.weight = number(w[1]);
		row.port = number(w[2]);
		row.target = g_strdup(w[3]);
		g_array_append_val(out, row);
	}
	return out;
}

/* --- the DNS ----------------------------------------------------------------------------------- */

static gint srv_order(gconstpointer a, gconstpointer b)
{
	const struct rs_name_srv *x = a;
	const struct rs_name_srv *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->weight == y->weight ? 0 : x->weight > y->weight ? -1 : 1;
}

GArray *rs_names_srv(const char *service, const char *domain, GCancellable *cancel)
{
	g_autofree char *name = g_strdup_printf("_%s._tcp.%s", service, domain);
	g_autoptr(GResolver) resolver = g_resolver_get_default();
	GArray *out;
	GList *targets;

	if (rs_names_testing()) {
		out = test_srv(name);
		g_array_sort(out, srv_order);
		return out;
	}
	out = srv_new();
	targets = g_resolver_lookup_service(resolver, service, "tcp", domain, cancel, NULL);
	for (GList *t = targets; t && out->len < RS_NAMES_MAX; t = t->next) {
		struct rs_name_srv row = {.priority = g_srv_target_get_priority(t->data),
			.weight = g_srv_target_get_weight(t->data),
			.port = g_srv_target_get_port(t->data),
			.target = g_strdup(g_srv_target_get_hostname(t->data))};

		g_array_append_val(out, row);
	}
	g_resolver_free_targets(targets);
	g_array_sort(out, srv_order);
	return out;
}

struct mx {
	guint preference;
	char *host;
};

static gint mx_order(gconstpointer a, gconstpointer b)
{
	const struct mx *x = *(struct mx *const *)a;
	const struct mx *y = *(struct mx *const *)b;

	return x->preference < y->preference ? -1 : x->preference > y->preference;
}

static void mx_free(gpointer data)
{
	struct mx *m = data;

	g_free(m->host);
	g_free(m);
}

static void mx_add(GPtrArray *rows, guint preference, const char *host)
{
	struct mx *m = g_new(struct mx, 1);

	m->preference = preference;
	m->host = g_strdup(host);
	g_ptr_array_add(rows, m);
}

static void mx_ask(GPtrArray *rows, const char *domain, GCancellable *cancel)
{
	g_autoptr(GResolver) resolver = g_resolver_get_default();
	GList *records =
		g_resolver_lookup_records(resolver, domain, G_RESOLVER_RECORD_MX, cancel, NULL);

	for (GList *r = records; r && rows->len < RS_NAMES_MAX; r = r->next) {
		guint16 preference;
		const char *host;

		g_variant_get(r->data, "(q&s)", &preference, &host);
		mx_add(rows, preference, host);
	}
	g_list_free_full(records, (GDestroyNotify)g_variant_unref);
}

GPtrArray *rs_names_mx(const char *domain, GCancellable *cancel)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(mx_free);
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);

	if (rs_names_testing()) {
		g_autoptr(GPtrArray) lines = test_lines("mx", domain);

		for (guint i = 0; i < lines->len; i++) {
			char **w = lines->pdata[i];

			if (g_strv_length(w) == 2)
				mx_add(rows, number(w[0]), w[1]);
		}
	} else {
		mx_ask(rows, domain, cancel);
	}
	g_ptr_array_sort(rows, mx_order);
	for (guint i = 0; i < rows->len; i++) {
		char *host = g_strdup(((struct mx *)rows->pdata[i])->host);

		if (g_str_has_suffix(host, "."))
			host[strlen(host) - 1] = '\0';
		g_ptr_array_add(out, host);
	}
	return out;
}

GStrv rs_names_txt(const char *name, GCancellable *cancel)
{
	g_autoptr(GStrvBuilder) out = g_strv_builder_new();
	g_autoptr(GResolver) resolver = g_resolver_get_default();
	GList *records = NULL;
	guint n = 0;

	if (rs_names_testing()) {
		g_autoptr(GPtrArray) lines = test_lines("txt", name);

		for (guint i = 0; i < lines->len; i++) {
			g_autofree char *text = g_strjoinv(" ", lines->pdata[i]);

			g_strv_builder_add(out, text);
		}
		return g_strv_builder_end(out);
	}
	records = g_resolver_lookup_records(resolver, name, G_RESOLVER_RECORD_TXT, cancel, NULL);
	for (GList *r = records; r && n < RS_NAMES_MAX; r = r->next, n++) {
		g_auto(GStrv) parts = NULL;
		g_autofree char *text = NULL;

		g_variant_get(r->data, "(^as)", &parts);
		text = g_strjoinv("", parts);
		g_strv_builder_add(out, text);
	}
	g_list_free_full(records, (GDestroyNotify)g_variant_unref);
	return g_strv_builder_end(out);
}
