/* uidl_pop3.c - UIDs, order, sizes and headers of a POP3 server that runs: see uidl.h. The engine is the client's
 * (proto/pop3c.h) on a blocking connection. Nothing is fetched but headers, nothing is deleted.
 *
 *   connect -> (TLS) -> greeting -> CAPA -> (STLS, CAPA) -> USER, PASS -> UIDL -> LIST -> TOP n 0 ... -> QUIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/secret.h"
#include "proto/pop3c.h"
#include "server/address.h"
#include "server/uidl.h"

#define TIMEOUT_S     120
#define AHEAD_MAX     50u /* TOPs unanswered at a time: their commands fit any socket buffer */
#define MESSAGES_MAX  5000000u
#define PORT_POP3     "110"
#define PORT_POP3S    "995"
#define HEAD_GIVEN_UP (RS_UIDL_HEAD_MAX + 65536u)

struct peer {
	const struct rs_uidl_source *source;
	char *user, *password, *host, *port;
	bool tls_first;
	bool loopback;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct rs_pop3c *engine;
	struct rs_slice rest;
	uint8_t buf[65536];
};

/* --- where it is --------------------------------------------------------------------------- */

/* pop3[s]://[user[:password]@]host[:port] */
static int parse(struct peer *p, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *scheme = NULL;
	g_autofree char *path = NULL;
	int port = -1;

	if (!g_uri_split_with_user(p->source->from, G_URI_FLAGS_HAS_PASSWORD, &scheme, &p->user,
		    &p->password, NULL, &p->host, &port, &path, NULL, NULL, &error))
		return rs_err_set(err, RS_EINVAL, "--from %s", error->message);
	if (!p->user || !*p->user || !p->host || !*p->host ||
		(path && *path && strcmp(path, "/") != 0))
		return rs_err_set(err, RS_EINVAL,
			"--from wants pop3[s]://USER[:PASSWORD]@HOST[:PORT], with what is special "
			"in them as %%XX");
	p->tls_first = strcmp(scheme, "pop3s") == 0;
	p->port = port > 0 ? g_strdup_printf("%d", port)
			   : g_strdup(p->tls_first ? PORT_POP3S : PORT_POP3);
	if (p->source->password) {
		g_free(p->password);
		p->password = g_strdup(p->source->password);
	}
	if (!p->password)
		return rs_err_set(err, RS_EINVAL,
			"no password for %s; put it into --from, or give it with --password-stdin",
			p->user);
	return 0;
}

/* The address is asked, not the name: anybody may call a machine of his 127.example.org. */
static bool is_loopback(const struct addrinfo *a)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	struct rs_ip ip;

	memcpy(&sa, a->ai_addr, MIN(a->ai_addrlen, sizeof(sa)));
	return rs_ip_of(&sa, &ip) && rs_ip_is_loopback(&ip);
}

static int dial(struct peer *p, struct rs_err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	struct addrinfo *all = NULL;
	int errnum = 0;
	int rc = getaddrinfo(p->host, p->port, &hints, &all);

	if (rc != 0)
		return rs_err_set(err, RS_ENET, "%s: %s", p->host, gai_strerror(rc));
	for (const struct addrinfo *a = all; a && p->fd < 0; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			p->fd = fd;
			p->loopback = is_loopback(a);
		} else {
			errnum = errno;
			close(fd);
		}
	}
	freeaddrinfo(all);
	return p->fd >= 0 ? 0
			  : rs_err_set(err, RS_ENET, "cannot connect to %s port %s: %s", p->host,
				    p->port, g_strerror(errnum));
}

/* --- TLS ----------------------------------------------------------------------------------- */

static int tls_fail(const struct peer *p, struct rs_err *err)
{
	long verify = p->ssl ? SSL_get_verify_result(p->ssl) : X509_V_OK;
	char words[160] = "it ended";
	unsigned long code = ERR_peek_last_error();

	if (code)
		ERR_error_string_n(code, words, sizeof(words));
	ERR_clear_error();
	if (verify != X509_V_OK)
		return rs_err_set(err, RS_ECERT,
			"the certificate of %s cannot be trusted: %s; give --ca-file, or "
			"--no-verify if you know "
			"that it is the right server",
			p->host, X509_verify_cert_error_string(verify));
	return rs_err_set(err, RS_ENET, "no TLS with %s: %s", p->host, words);
}

static int tls_up(struct peer *p, struct rs_err *err)
{
	X509_VERIFY_PARAM *check;
	bool ok;

	p->ctx = SSL_CTX_new(TLS_client_method());
	ok = p->ctx && (p->source->ca_file ? SSL_CTX_load_verify_file(p->ctx, p->source->ca_file)
					   : SSL_CTX_set_default_verify_paths(p->ctx)) == 1;
	if (!ok && p->source->ca_file) {
		ERR_clear_error();
		return rs_err_set(
			err, RS_EINVAL, "--ca-file %s: no certificate in it", p->source->ca_file);
	}
	p->ssl = ok ? SSL_new(p->ctx) : NULL;
	if (!p->ssl || SSL_set_fd(p->ssl, p->fd) != 1)
		return tls_fail(p, err);
	check = SSL_get0_param(p->ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(check, p->host) != 1) {
		ERR_clear_error();
		ok = SSL_set1_host(p->ssl, p->host) == 1 &&
		     SSL_set_tlsext_host_name(p->ssl, p->host) == 1;
	}
	SSL_set_verify(p->ssl, p->source->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	return ok && SSL_connect(p->ssl) == 1 ? 0 : tls_fail(p, err);
}

static int send_all(struct peer *p, struct rs_slice s, struct rs_err *err)
{
	while (s.n) {
		ssize_t n = p->ssl ? SSL_write(p->ssl, s.p, (int)MIN(s.n, 16384))
				   : send(p->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && !p->ssl && errno == EINTR)
			continue;
		if (n <= 0) {
			ERR_clear_error();
			return rs_err_set(err, RS_ENET, "%s ended the connection", p->host);
		}
		s = rs_slice_sub(s, (size_t)n, s.n);
	}
	return 0;
}

/* Servers that write an answer in small pieces wait for the acknowledgement of each. */
static void acknowledge_at_once(const struct peer *p)
{
	const int on = 1;

	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static int receive(struct peer *p, struct rs_err *err)
{
	ssize_t n;

	acknowledge_at_once(p);

	do {
		n = p->ssl ? SSL_read(p->ssl, p->buf, (int)sizeof(p->buf))
			   : recv(p->fd, p->buf, sizeof(p->buf), 0);
	} while (n < 0 && !p->ssl && errno == EINTR);
	ERR_clear_error();
	if (n < 0)
		return rs_err_set(err, RS_ENET, "%s has not answered for %d seconds, or broke off",
			p->host, TIMEOUT_S);
	p->rest = rs_slice(p->buf, (size_t)n);
	return (int)(n > 0);
}

/* --- events -------------------------------------------------------------------------------- */

static int broken(const struct peer *p, struct rs_err *err)
{
	return rs_err_set(err, RS_EPROTO, "%s does not speak POP3 as it should: %s", p->host,
		rs_pop3c_error(p->engine)->text);
}

static int event(struct peer *p, struct rs_pop3c_event *ev, struct rs_err *err)
{
	for (;;) {
		struct rs_slice out;
		enum rs_step step;
		size_t used;
		int rc;

		step = rs_pop3c_recv(p->engine, p->rest.p, p->rest.n, &used, ev);
		p->rest = rs_slice_sub(p->rest, used, p->rest.n);
		if (step == RS_EVENT)
			return 0;
		if (step != RS_MORE)
			return broken(p, err);
		out = rs_pop3c_out(p->engine);
		rc = send_all(p, out, err);
		if (rc < 0)
			return rc;
		rs_pop3c_sent(p->engine, out.n);
		rc = receive(p, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			(void)rs_pop3c_eof(p->engine);
			return broken(p, err);
		}
	}
}

static int refused(
	const struct peer *p, const struct rs_pop3c_event *ev, const char *what, struct rs_err *err)
{
	g_autofree char *said =
		g_utf8_make_valid((const char *)ev->text.p, (gssize)MIN(ev->text.n, 120));
	enum rs_err_kind kind = RS_EPROTO;

	if (ev->code == RS_POP3_CODE_IN_USE)
		kind = RS_ELOCKED;
	else if (ev->code == RS_POP3_CODE_SYS_TEMP || ev->code == RS_POP3_CODE_LOGIN_DELAY)
		kind = RS_ETEMP;
	else if (ev->code == RS_POP3_CODE_AUTH || ev->verb == RS_POP3_PASS)
		kind = RS_EAUTH;
	for (char *c = said; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	return rs_err_set(err, kind, "%s refused %s: %s", p->host, what, said);
}

/* One command and the event that answers it; -ERR is an error. */
static int ask(struct peer *p, enum rs_pop3_verb verb, const char *arg, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_pop3c_send(p->engine, verb, 0, arg);

	if (rc < 0)
		return rs_err_set(err, RS_EINVAL,
			"%s cannot be sent to %s: is there a line end in it?",
			rs_pop3_verbs[verb].name, p->host);
	rc = event(p, &ev, err);
	if (rc == 0 && ev.kind == RS_C_ERR)
		rc = refused(p, &ev, rs_pop3_verbs[verb].name, err);
	return rc;
}

/* CAPA; a server without it is an old one. */
static int capabilities(struct peer *p, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_pop3c_send(p->engine, RS_POP3_CAPA, 0, NULL);

	if (rc < 0)
		return broken(p, err);
	do {
		rc = event(p, &ev, err);
	} while (rc == 0 && ev.kind != RS_C_END && ev.kind != RS_C_ERR);
	return rc;
}

/* --- up to logged in ----------------------------------------------------------------------- */

static int start_tls(struct peer *p, struct rs_err *err)
{
	int rc;

	if (!(rs_pop3c_caps(p->engine) & RS_CAP_STLS)) {
		if (p->loopback || p->source->cleartext)
			return 0;
		return rs_err_set(err, RS_EPROTO,
			"%s offers no TLS, so the password was not sent; use pop3s://, or "
			"--cleartext",
			p->host);
	}
	rc = ask(p, RS_POP3_STLS, NULL, err);
	if (rc == 0 && rs_pop3c_tls_up(p->engine, p->rest.n) == RS_FAILED)
		rc = broken(p, err);
	if (rc == 0)
		rc = tls_up(p, err);
	return rc == 0 ? capabilities(p, err) : rc;
}

static int log_in(struct peer *p, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = event(p, &ev, err);

	if (rc == 0 && ev.kind != RS_C_GREETING)
		rc = refused(p, &ev, "the connection", err);
	if (rc == 0)
		rc = capabilities(p, err);
	if (rc == 0 && !p->tls_first)
		rc = start_tls(p, err);
	if (rc == 0)
		rc = ask(p, RS_POP3_USER, p->user, err);
	return rc == 0 ? ask(p, RS_POP3_PASS, p->password, err) : rc;
}

/* --- what it tells ------------------------------------------------------------------------- */

static int list_uids(
	struct peer *p, GHashTable *numbers, struct rs_uidl_list *out, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = ask(p, RS_POP3_UIDL, NULL, err);

	while (rc == 0) {
		rc = event(p, &ev, err);
		if (rc < 0 || ev.kind == RS_C_END)
			break;
		if (ev.num == 0 || ev.text.n == 0 || g_hash_table_size(numbers) >= MESSAGES_MAX ||
			!rs_slice_graphic(ev.text)) {
			g_ptr_array_add(out->notes,
				g_strdup_printf("a line of UIDL of %s is not one", p->host));
			continue;
		}
		(void)rs_uidl_list_add(out, ev.text, rs_slice(NULL, 0));
		(void)g_hash_table_insert(
			numbers, GUINT_TO_POINTER(ev.num), GUINT_TO_POINTER(out->rows->len));
	}
	return rc;
}

static struct rs_uidl *row_of(GHashTable *numbers, const struct rs_uidl_list *l, uint32_t num)
{
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, GUINT_TO_POINTER(num)));

	return at ? g_ptr_array_index(l->rows, at - 1) : NULL;
}

static int list_sizes(
	struct peer *p, GHashTable *numbers, struct rs_uidl_list *out, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = ask(p, RS_POP3_LIST, NULL, err);

	while (rc == 0) {
		struct rs_uidl *r;

		rc = event(p, &ev, err);
		if (rc < 0 || ev.kind == RS_C_END)
			break;
		r = row_of(numbers, out, ev.num);
		if (r)
			r->wire = ev.size;
	}
	return rc;
}

/* Headers: the answers to commands `tag` = number, in order, as many ahead as the server takes. */
static int take_head(struct peer *p, struct rs_uidl *r, struct rs_err *err)
{
	g_autoptr(GByteArray) head = g_byte_array_new();
	struct rs_pop3c_event ev;
	int rc = event(p, &ev, err);

	if (rc < 0 || ev.kind == RS_C_ERR)
		return rc; /* it is gone there, or TOP is not known: found by nothing but its size */
	while (rc == 0) {
		rc = event(p, &ev, err);
		if (rc < 0 || ev.kind == RS_C_END)
			break;
		if (ev.kind == RS_C_BODY && head->len < HEAD_GIVEN_UP)
			g_byte_array_append(
				head, ev.text.p, (guint)MIN(ev.text.n, RS_UIDL_HEAD_MAX));
	}
	if (rc == 0)
		rs_uidl_head_of(rs_slice(head->data, head->len), &r->head);
	return rc;
}

static int take_heads(
	struct peer *p, GHashTable *numbers, struct rs_uidl_list *out, struct rs_err *err)
{
	bool pipelining = rs_pop3c_caps(p->engine) & RS_CAP_PIPELINING;
	bool top =
		rs_pop3c_caps(p->engine) & RS_CAP_TOP || !(rs_pop3c_caps(p->engine) & RS_CAP_KNOWN);
	g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	GHashTableIter it;
	gpointer num;
	guint sent = 0;
	int rc = 0;

	g_hash_table_iter_init(&it, numbers);
	while (g_hash_table_iter_next(&it, &num, NULL)) {
		uint32_t n = GPOINTER_TO_UINT(num);

		g_array_append_val(order, n);
	}
	rs_pop3c_pipelining(p->engine, pipelining);
	for (guint got = 0; got < order->len && rc == 0; got++) {
		while (sent < order->len && sent - got < (pipelining ? AHEAD_MAX : 1)) {
			uint32_t n = g_array_index(order, uint32_t, sent);
			g_autofree char *arg = g_strdup_printf(top ? "%u 0" : "%u", n);

			if (rs_pop3c_send(p->engine, top ? RS_POP3_TOP : RS_POP3_RETR, n, arg) < 0)
				break; /* its depth is reached */
			sent++;
		}
		if (sent == got)
			return broken(p, err);
		rc = take_head(p, row_of(numbers, out, g_array_index(order, uint32_t, got)), err);
	}
	return rc;
}

static void peer_finish(struct peer *p)
{
	if (p->ssl)
		(void)SSL_shutdown(p->ssl);
	ERR_clear_error();
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		close(p->fd);
	rs_pop3c_destroy(&p->engine);
	if (p->password)
		rs_wipe(p->password, strlen(p->password));
	g_free(p->user);
	g_free(p->password);
	g_free(p->host);
	g_free(p->port);
	g_free(p);
}

int rs_uidl_pop3(const struct rs_uidl_source *s, struct rs_uidl_list *out, struct rs_err *err)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
	struct peer *p = g_new0(struct peer, 1);
	int rc;

	p->source = s;
	p->fd = -1;
	rc = parse(p, err);
	if (rc == 0 && rs_pop3c_create(&rs_pop3c_limits_default, &p->engine) < 0)
		rc = rs_err_set(err, RS_ENOMEM, "no memory");
	if (rc == 0)
		rc = dial(p, err);
	if (rc == 0 && p->tls_first)
		rc = tls_up(p, err);
	if (rc == 0)
		rc = log_in(p, err);
	if (rc == 0)
		rc = list_uids(p, numbers, out, err);
	if (rc == 0)
		rc = list_sizes(p, numbers, out, err);
	if (rc == 0)
		rc = take_heads(p, numbers, out, err);
	if (rc == 0)
		(void)ask(p, RS_POP3_QUIT, NULL, NULL);
	peer_finish(p);
	return rc;
}
