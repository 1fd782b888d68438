/* connect.c - see connect.h. Events and most acts are the server's own affair here; "A: tls" is our handshake. */
#include "tests/script/connect.h"

#include <gio/gio.h>
#include <string.h>

#define LINE_MAX_N (1u << 20)

struct live {
	GSocketConnection *tcp;
	GIOStream *stream; /* tcp, or TLS over it */
	GString *in;       /* read and not yet looked at */
	char *why;         /* set: failed */
};

/* A conformance test is about the protocol; whose certificate it is is not its question. */
static gboolean accept_any(
	GTlsConnection *c, GTlsCertificate *cert, GTlsCertificateFlags f, gpointer p)
{
	(void)c, (void)cert, (void)f, (void)p;
	return TRUE;
}

static void handshake(struct live *l)
{
	g_autoptr(GError) error = NULL;
	GIOStream *tls = g_tls_client_connection_new(l->stream, NULL, &error);

	if (tls) {
		(void)g_signal_connect(tls, "accept-certificate", G_CALLBACK(accept_any), NULL);
		g_object_unref(l->stream);
		l->stream = tls;
	}
	if (!tls || !g_tls_connection_handshake(G_TLS_CONNECTION(tls), NULL, &error))
		l->why = g_strdup_printf("no TLS: %s", error->message);
}

static void dial(struct live *l, const struct connect_to *to)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GError) error = NULL;

	g_socket_client_set_timeout(client, (guint)to->seconds);
	l->tcp = g_socket_client_connect_to_host(client, to->address, 110, NULL, &error);
	if (!l->tcp) {
		l->why = g_strdup_printf("%s: %s", to->address, error->message);
		return;
	}
	l->stream = G_IO_STREAM(g_object_ref(l->tcp));
	if (to->tls)
		handshake(l);
}

/* The next line with its end; NULL: the connection was ended, or no line came in time. */
static char *next_line(struct live *l)
{
	GInputStream *in = g_io_stream_get_input_stream(l->stream);
	char *line;
	gsize n;

	while (!memchr(l->in->str, '\n', l->in->len)) {
		char buf[4096];
		gssize got = l->in->len < LINE_MAX_N
				     ? g_input_stream_read(in, buf, sizeof(buf), NULL, NULL)
				     : 0;

		if (got <= 0)
			return NULL;
		g_string_append_len(l->in, buf, got);
	}
	n = (gsize)((char *)memchr(l->in->str, '\n', l->in->len) - l->in->str) + 1;
	line = g_strndup(l->in->str, n);
	(void)g_string_erase(l->in, 0, (gssize)n);
	return line;
}

static void say(struct live *l, const GString *text)
{
	g_autoptr(GError) error = NULL;

	if (!g_output_stream_write_all(g_io_stream_get_output_stream(l->stream), text->str,
		    text->len, NULL, NULL, &error))
		l->why = g_strdup_printf("the connection was ended: %s", error->message);
}

/* `any`: lines that do not fit may come before it. */
static void expect(struct live *l, const struct script_turn *t, gboolean any)
{
	g_autofree char *want = g_strescape(t->text->str, NULL);
	char *line = next_line(l);

	while (line && any && !script_line_fits(rs_slice_str(line), t->text)) {
		g_free(line);
		line = next_line(l);
	}
	if (!line) {
		l->why = g_strdup_printf(
			"line %u: expected '%s', the connection was ended or nothing came", t->line,
			want);
	} else if (!script_line_fits(rs_slice_str(line), t->text)) {
		g_autofree char *got = g_strescape(line, NULL);

		l->why = g_strdup_printf("line %u: expected '%s', got '%s'", t->line, want, got);
	}
	g_free(line);
}

char *connect_run(const struct script *s, const struct connect_to *to)
{
	struct live l = {.in = g_string_new(NULL)};
	gboolean any = FALSE;

	dial(&l, to);
	for (guint i = 0; i < s->turns->len && !l.why; i++) {
		const struct script_turn *t = &g_array_index(s->turns, struct script_turn, i);

		if (t->kind == 'C') {
			say(&l, t->text);
		} else if (t->kind == 'T') {
			if (l.in->len)
				l.why = g_strdup("octets in the clear behind the answer to STLS");
			else
				handshake(&l);
		} else if (script_any(t->text)) {
			any = TRUE;
			continue;
		} else {
			expect(&l, t, any);
		}
		any = FALSE;
	}
	if (!l.why && l.in->len)
		l.why = g_strdup_printf("more than expected: '%s'", l.in->str);
	g_clear_object(&l.stream);
	g_clear_object(&l.tcp);
	g_string_free(l.in, TRUE);
	return l.why;
}
