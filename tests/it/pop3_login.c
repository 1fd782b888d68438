/* pop3_login - log in to a POP3 server under TLS by a SASL mechanism, with the client's side of our own
 * src/sasl and OpenSSL; what Python cannot do (tls-exporter).
 *
 *   pop3_login PORT MECH USER SECRET exporter|end-point|none|wrong 1.2|1.3
 * Prints the last reply; exit status 0: logged in and the server's proof was good. */
#include <arpa/inet.h>
#include <glib.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/b64.h"
#include "sasl/sasl.h"

static char line[65536];

static void die(const char *why)
{
	(void)printf("%s\n", why);
	exit(2);
}

static void get_line(SSL *ssl)
{
	size_t n = 0;

	while (n < sizeof(line) - 1 && SSL_read(ssl, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n && line[n - 1] == '\r' ? n - 1 : n] = '\0';
}

static void say(SSL *ssl, const char *text)
{
	if ((*text && SSL_write(ssl, text, (int)strlen(text)) <= 0) ||
		SSL_write(ssl, "\r\n", 2) <= 0)
		die("connection lost");
}

static SSL *connect_tls(int port, const char *version)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SSL_CTX_set_max_proto_version(
		ctx, strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
	ssl = SSL_new(ctx);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || SSL_set_fd(ssl, fd) != 1 ||
		SSL_connect(ssl) != 1)
		die("no TLS");
	SSL_CTX_free(ctx);
	return ssl;
}

static void bind_to(SSL *ssl, const char *how, struct rs_sasl_client_cfg *cfg)
{
	static uint8_t octets[64];
	unsigned n = 32;

	if (strcmp(how, "exporter") == 0) {
		if (SSL_export_keying_material(
			    ssl, octets, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0) != 1)
			die("no exporter");
		cfg->binding.exporter = rs_slice(octets, 32);
	} else if (strcmp(how, "wrong") == 0) {
		cfg->binding.exporter = rs_slice(octets, 32);
	} else if (strcmp(how, "end-point") == 0) {
		if (X509_digest(SSL_get0_peer_certificate(ssl), EVP_sha256(), octets, &n) != 1)
			die("no end point");
		cfg->binding.end_point = rs_slice(octets, n);
	}
}

static void send_b64(SSL *ssl, struct rs_slice octets)
{
	char text[4096];

	text[rs_b64_enc(octets, (uint8_t *)text)] = '\0';
	say(ssl, text);
}

int main(int argc, char **argv)
{
	struct rs_sasl_client_cfg cfg = {.plus_offered = true};
	struct rs_sasl_client *client = NULL;
	struct rs_slice out;
	char command[64];
	SSL *ssl;

	if (argc != 7)
		die("usage");
	cfg.mech = argv[2];
	cfg.user = rs_slice_str(argv[3]);
	cfg.secret = rs_slice_str(argv[4]);
	ssl = connect_tls((int)g_ascii_strtoull(argv[1], NULL, 10), argv[6]);
	bind_to(ssl, argv[5], &cfg);
	get_line(ssl);
	if (rs_sasl_client_create(&cfg, &client) < 0 ||
		rs_sasl_client_step(client, rs_slice(NULL, 0), &out) < 0)
		die("no such exchange");
	(void)snprintf(command, sizeof(command), "AUTH %s", argv[2]);
	say(ssl, command);
	get_line(ssl); /* an empty challenge: our initial response was kept back */
	while (line[0] == '+' && line[1] == ' ') {
		size_t n;

		if (rs_b64_dec(rs_slice_str(line + 2), (uint8_t *)line, &n) < 0)
			die("no base64");
		if (rs_sasl_client_step(client, rs_slice(line, n), &out) < 0) {
			(void)printf("refused by us: %s\n", rs_sasl_client_error(client));
			return 1;
		}
		send_b64(ssl, out);
		get_line(ssl);
	}
	(void)printf("%s\n", line);
	return strncmp(line, "+OK", 3) == 0 && rs_sasl_client_succeeded(client) ? 0 : 1;
}
