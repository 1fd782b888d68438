/* net.c - see net.h */
#include "client/net.h"

#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "client/names.h"
#include "client/text.h"

struct rs_net {
	const struct rs_net_where *where; /* lent */
	GSocketConnection *tcp;
	GIOStream *stream;            /* tcp, or TLS over it */
	GTlsCertificate *certificate; /* what the server showed */
	GTlsCertificateFlags wrong;   /* what is wrong with it  */
};

/* --- words for what went wrong ------------------------------------------------------------- */

static char *fingerprint(GTlsCertificate *certificate)
{
	g_autoptr(GByteArray) der = NULL;

	if (!certificate)
		return NULL;
	g_object_get(certificate, "certificate", &der, NULL);
	return der ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, der->data, der->len) : NULL;
}

static const char *certificate_words(GTlsCertificateFlags wrong)
{
	if (wrong & G_TLS_CERTIFICATE_EXPIRED)
		return _("has expired");
	if (wrong & G_TLS_CERTIFICATE_BAD_IDENTITY)
		return _("is for another name");
	if (wrong & G_TLS_CERTIFICATE_NOT_ACTIVATED)
		return _("is not valid yet (is this computer's clock right?)");
	if (wrong & G_TLS_CERTIFICATE_REVOKED)
		return _("was revoked");
	if (wrong & G_TLS_CERTIFICATE_INSECURE)
		return _("uses a method that is not safe any more");
	return _("is not signed by an authority this computer knows");
}

static int certificate_fail(const struct rs_net *n, struct rs_err *err)
{
	g_autofree char *sum = fingerprint(n->certificate);

	if (n->where->pin_sha256)
		return rs_err_set(err, RS_ECERT,
			_("%s shows another certificate than the one you pinned; its SHA-256 is "
			  "%s. Ask the "
			  "provider, then pin that one with --pin"),
			n->where->host, sum ? sum : "?");
	return rs_err_set(err, RS_ECERT,
		_("the certificate of %s %s; its SHA-256 is %s. If the provider says it is right, "
		  "pin it "
		  "with --pin"),
		n->where->host, certificate_words(n->wrong), sum ? sum : "?");
}

/* Told to the owner, who can offer to pin it. */
static void note_seen(const struct rs_net *n)
{
	g_autofree char *sum = fingerprint(n->certificate);

	if (n->where->seen && sum)
		(void)g_strlcpy(n->where->seen, sum, RS_NET_SEEN);
}

static int tls_fail(const struct rs_net *n, const GError *error, struct rs_err *err)
{
	int rc;

	if (n->wrong || g_error_matches(error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
		return certificate_fail(n, err);
	rc = rs_err_set(err, RS_EPROTO,
		_("%s does not speak TLS on port %u; check the port, or take --security starttls"),
		n->where->host, n->where->port);
	rs_err_detail(err, "%s", error->message);
	return rc;
}

static int fail(const struct rs_net *n, const GError *error, struct rs_err *err)
{
	const char *host = n->where->host;
	guint port = n->where->port;
	int rc;

	if (error->domain == G_RESOLVER_ERROR)
		rc = rs_err_set(err, RS_ENET,
			_("there is no server named %s; check the spelling, and the network"),
			host);
	else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
		rc = rs_err_set(err, RS_ENET,
			_("%s refuses connections on port %u; check the port"), host, port);
	else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
		rc = rs_err_set(err, RS_ENET,
			_("%s was silent for %u seconds; try again later, or check the network"),
			host, n->where->timeout_s);
	else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		rc = rs_err_set(err, RS_ETEMP, _("stopped; nothing was lost"));
	else if (error->domain == G_TLS_ERROR && !n->stream)
		return tls_fail(n, error, err);
	else
		rc = rs_err_set(err, RS_ENET, _("the connection to %s broke; try again"), host);
	rs_err_detail(err, "%s", error->message);
	return rc;
}

/* --- TLS ----------------------------------------------------------------------------------- */

/* Called for a certificate that does not verify; a pinned one is right whoever signed it. */
static gboolean on_certificate(GTlsConnection *tls, GTlsCertificate *certificate,
	GTlsCertificateFlags wrong, gpointer data)
{
	struct rs_net *n = data;
	g_autofree char *sum = fingerprint(certificate);

	g_set_object(&n->certificate, certificate);
	n->wrong = wrong;
	if (!n->where->pin_sha256 || !sum || g_ascii_strcasecmp(sum, n->where->pin_sha256) != 0)
		return FALSE;
	n->wrong = 0;
	return TRUE;
}

/* A pin holds also against a certificate that verifies. */
static bool pin_ok(struct rs_net *n)
{
	g_autofree char *sum = fingerprint(n->certificate);

	return !n->where->pin_sha256 || (sum && g_ascii_strcasecmp(sum, n->where->pin_sha256) == 0);
}

static int use_ca_file(struct rs_net *n, GTlsConnection *tls, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GTlsDatabase) db = NULL;

	if (!n->where->ca_file)
		return 0;
	db = g_tls_file_database_new(n->where->ca_file, &error);
	if (!db)
		return rs_err_set(err, RS_ECONFIG,
			_("the file of authorities %s cannot be used: %s"), n->where->ca_file,
			error->message);
	g_tls_connection_set_database(tls, db);
	return 0;
}

static int shake(struct rs_net *n, struct rs_err *err)
{
	g_autoptr(GSocketConnectable) name = g_network_address_new(n->where->host, n->where->port);
	g_autoptr(GIOStream) tls = NULL;
	g_autoptr(GError) error = NULL;
	int rc;

	g_clear_object(&n->stream);
	tls = g_tls_client_connection_new(G_IO_STREAM(n->tcp), name, &error);
	if (!tls)
		return rs_err_set(err, RS_ECONFIG,
			_("there is no TLS on this computer; install glib-networking (%s)"),
			error->message);
	rc = use_ca_file(n, G_TLS_CONNECTION(tls), err);
	if (rc < 0)
		return rc;
	/* a server that just closes is common; the protocol says itself where its answers end */
	g_tls_connection_set_require_close_notify(G_TLS_CONNECTION(tls), FALSE);
	g_signal_connect(tls, "accept-certificate", G_CALLBACK(on_certificate), n);
	if (!g_tls_connection_handshake(G_TLS_CONNECTION(tls), n->where->cancel, &error)) {
		note_seen(n);
		if (error->domain == G_TLS_ERROR ||
			(error->domain == G_IO_ERROR && error->code != G_IO_ERROR_TIMED_OUT &&
				error->code != G_IO_ERROR_CANCELLED))
			return tls_fail(n, error, err);
		return fail(n, error, err);
	}
	g_set_object(&n->certificate, g_tls_connection_get_peer_certificate(G_TLS_CONNECTION(tls)));
	note_seen(n);
	if (!pin_ok(n))
		return certificate_fail(n, err);
	n->stream = g_steal_pointer(&tls);
	return 0;
}

int rs_net_start_tls(struct rs_net *n, struct rs_err *err)
{
	return shake(n, err);
}

/* --- the connection ------------------------------------------------------------------------ */

static GSocketConnection *connect_to(const struct rs_net_where *where, GError **error)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketAddress) path = NULL;
	g_autofree char *host = NULL;
	guint16 port = where->port;

	g_socket_client_set_timeout(client, where->timeout_s);
	if (where->host[0] == '/') {
		path = g_unix_socket_address_new(where->host);
		return g_socket_client_connect(
			client, G_SOCKET_CONNECTABLE(path), where->cancel, error);
	}
	if (rs_names_testing() && !rs_names_connect(where->host, where->port, &host, &port)) {
		g_set_error_literal(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "test");
		return NULL;
	}
	return g_socket_client_connect_to_host(
		client, host ? host : where->host, port, where->cancel, error);
}

int rs_net_open(const struct rs_net_where *where, struct rs_net **out, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	struct rs_net *n = g_new0(struct rs_net, 1);
	int rc = 0;

	n->where = where;
	n->tcp = connect_to(where, &error);
	if (!n->tcp)
		rc = fail(n, error, err);
	else if (where->tls_at_once)
		rc = shake(n, err);
	else
		n->stream = g_object_ref(G_IO_STREAM(n->tcp));
	if (rc < 0)
		rs_net_close(&n);
	else
		*out = n;
	return rc;
}

void rs_net_close(struct rs_net **n)
{
	if (!*n)
		return;
	if ((*n)->tcp) /* no goodbye of TLS: it could block, and the protocol has said its own */
		(void)g_socket_close(g_socket_connection_get_socket((*n)->tcp), NULL);
	g_clear_object(&(*n)->stream);
	g_clear_object(&(*n)->tcp);
	g_clear_object(&(*n)->certificate);
	g_free(*n);
	*n = NULL;
}

int rs_net_write(struct rs_net *n, struct rs_slice s, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;

	if (s.n == 0 || g_output_stream_write_all(g_io_stream_get_output_stream(n->stream), s.p,
				s.n, NULL, n->where->cancel, &error))
		return 0;
	return fail(n, error, err);
}

/* Old servers write an answer in two pieces and hold the second until the first is acknowledged; the
 * kernel would think that over for 40 ms, each message. It forgets the wish, so it is told again. */
static void acknowledge_at_once(const struct rs_net *n)
{
	(void)g_socket_set_option(
		g_socket_connection_get_socket(n->tcp), IPPROTO_TCP, TCP_QUICKACK, 1, NULL);
}

int rs_net_fd(const struct rs_net *n)
{
	return n->tcp ? g_socket_get_fd(g_socket_connection_get_socket(n->tcp)) : -1;
}

/* Octets written or read at once: 0 where it would have to wait; -1 with `error`. */
static gssize write_now(struct rs_net *n, struct rs_slice out, GError **error)
{
	GPollableOutputStream *to =
		G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(n->stream));
	gssize k = g_pollable_output_stream_write_nonblocking(
		to, out.p, out.n, n->where->cancel, error);

	if (k >= 0 || !g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
		return k;
	g_clear_error(error);
	return 0;
}

static gssize read_now(struct rs_net *n, struct rs_net_in *in, GError **error)
{
	GPollableInputStream *from =
		G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(n->stream));
	gssize k = g_pollable_input_stream_read_nonblocking(
		from, in->buf, in->max, n->where->cancel, error);

	in->ended = k == 0;
	if (k >= 0 || !g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
		return k;
	g_clear_error(error);
	return 0;
}

/* Until the socket can do something; silence has its limit. */
static bool wait_for(struct rs_net *n, bool to_write, GError **error)
{
	GSocket *socket = g_socket_connection_get_socket(n->tcp);

	acknowledge_at_once(n);
	return g_socket_condition_timed_wait(socket, G_IO_IN | (to_write ? G_IO_OUT : 0),
		(gint64)n->where->timeout_s * G_USEC_PER_SEC, n->where->cancel, error);
}

int rs_net_exchange(struct rs_net *n, struct rs_slice out, size_t *written, struct rs_net_in *in,
	struct rs_err *err)
{
	g_autoptr(GError) error = NULL;

	*written = 0;
	in->got = 0;
	for (;;) {
		gssize k = out.n ? write_now(n, out, &error) : 0;

		if (k < 0)
			return fail(n, error, err);
		*written = (size_t)k;
		k = read_now(n, in, &error);
		if (k < 0)
			return fail(n, error, err);
		in->got = (size_t)k;
		if (*written || in->got || in->ended)
			return 0;
		if (!wait_for(n, out.n > 0, &error))
			return fail(n, error, err);
	}
}

void rs_net_set_timeout(struct rs_net *n, guint timeout_s)
{
	g_socket_set_timeout(g_socket_connection_get_socket(n->tcp), timeout_s);
}

GTlsConnection *rs_net_tls(const struct rs_net *n)
{
	return rs_net_is_tls(n) ? G_TLS_CONNECTION(n->stream) : NULL;
}

bool rs_net_is_tls(const struct rs_net *n)
{
	return n->stream && G_IS_TLS_CONNECTION(n->stream);
}

GByteArray *rs_net_binding(const struct rs_net *n, bool exporter)
{
	g_autoptr(GByteArray) data = g_byte_array_new();
	GTlsConnection *tls;

	if (!rs_net_is_tls(n))
		return NULL;
	tls = G_TLS_CONNECTION(n->stream);
	/* RFC 9266 section 3: before TLS 1.3 the exporter binds nothing for sure */
	if (exporter && g_tls_connection_get_protocol_version(tls) < G_TLS_PROTOCOL_VERSION_TLS_1_3)
		return NULL;
	if (!g_tls_connection_get_channel_binding_data(tls,
		    exporter ? G_TLS_CHANNEL_BINDING_TLS_EXPORTER
			     : G_TLS_CHANNEL_BINDING_TLS_SERVER_END_POINT,
		    data, NULL))
		return NULL;
	return data->len ? g_steal_pointer(&data) : NULL;
}

char *rs_net_fingerprint(const struct rs_net *n)
{
	return fingerprint(n->certificate);
}
