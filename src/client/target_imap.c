/* target_imap.c - append to an IMAP folder (RFC 9051 section 6.3.12) with the original octets and the date of
 * arrival, so that a mailbox elsewhere collects POP3 accounts. libcurl connects, does TLS and logs in with
 * whatever mechanism the server has; the few commands behind that are ours, because libcurl cannot give the date. */
#include "client/target_priv.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/secret_store.h"
#include "client/text.h"

#define SECRET     "deliver"
#define LINE_MAX_N 8192u

struct target_imap {
	CURL *curl;
	curl_socket_t fd;
	guint tag;
	bool examined;
	char in[LINE_MAX_N];
	gsize in_n;
};

void target_imap_close(struct rs_target *t)
{
	if (!t->imap)
		return;
	curl_easy_cleanup(t->imap->curl);
	g_clear_pointer(&t->imap, g_free);
}

/* --- connecting --------------------------------------------------------------------------------- */

static int password(struct rs_target *t, struct rs_secret **out, struct rs_err *err)
{
	const struct rs_account *a = t->account;
	struct rs_account with = {.name = a->name, .password_command = a->deliver_password_command};
	int rc;

	if (a->deliver_password_command)
		return rs_account_password(t->places, &with, out, err);
	rc = rs_secret_store_get(t->places, a->name, SECRET, out, err);
	if (rc == -RS_ENOENT)
		rc = rs_err_set(err, RS_ECONFIG,
			_("no password for %s is known: give account '%s' deliver-password-command "
			  "= "
			  "COMMAND"),
			t->spec.host, a->name);
	return rc;
}

static int curl_fail(struct rs_target *t, CURLcode code, struct rs_err *err)
{
	enum rs_err_kind kind = RS_ENET;

	if (code == CURLE_LOGIN_DENIED)
		kind = RS_EAUTH;
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		kind = RS_ECERT;
	return rs_err_set(err, kind, _("%s does not take mail from us: %s"), t->spec.host,
		curl_easy_strerror(code));
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       g_str_has_prefix(host, "127.");
}

static void options(struct rs_target *t, CURL *c, const struct rs_secret *secret)
{
	bool v6 = strchr(t->spec.host, ':') != NULL;
	g_autofree char *url = g_strdup_printf("%s://%s%s%s:%u/", t->spec.tls ? "imaps" : "imap",
		v6 ? "[" : "", t->spec.host, v6 ? "]" : "", t->spec.port);
	bool clear = !t->spec.tls && is_loopback(t->spec.host);

	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_USERNAME, t->spec.user);
	(void)curl_easy_setopt(c, CURLOPT_PASSWORD, (const char *)secret->octets);
	(void)curl_easy_setopt(
		c, CURLOPT_USE_SSL, clear ? (long)CURLUSESSL_TRY : (long)CURLUSESSL_ALL);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, clear ? 0L : 1L);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, clear ? 0L : 2L);
	if (t->account->ca_file)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, t->account->ca_file);
	(void)curl_easy_setopt(c, CURLOPT_SASL_IR, 1L);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)t->account->timeout_s);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)t->account->timeout_s);
	(void)curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
}

static int connect_to(struct rs_target *t, struct rs_err *err)
{
	static gsize once;
	struct rs_secret *secret = NULL;
	struct target_imap *i;
	CURLcode code;
	int rc = password(t, &secret, err);

	if (rc < 0)
		return rc;
	if (g_once_init_enter(&once)) {
		(void)curl_global_init(CURL_GLOBAL_DEFAULT);
		g_once_init_leave(&once, 1);
	}
	i = t->imap = g_new0(struct target_imap, 1);
	i->curl = curl_easy_init();
	options(t, i->curl, secret);
	code = curl_easy_perform(i->curl);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(i->curl, CURLINFO_ACTIVESOCKET, &i->fd);
	rs_secret_destroy(&secret);
	if (code == CURLE_OK)
		return 0;
	target_imap_close(t);
	return curl_fail(t, code, err);
}

/* --- octets both ways ---------------------------------------------------------------------------- */

static int wait_for(struct rs_target *t, short events, struct rs_err *err)
{
	struct pollfd p = {.fd = t->imap->fd, .events = events};
	int n;

	do {
		n = poll(&p, 1, (int)MIN(t->account->timeout_s, 3600u) * 1000);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	return rs_err_set(err, RS_ENET,
		_("%s was silent for %u seconds; try again later, or check the network"),
		t->spec.host, t->account->timeout_s);
}

static int send_all(struct rs_target *t, const char *p, gsize n, struct rs_err *err)
{
	while (n) {
		size_t k = 0;
		CURLcode code = curl_easy_send(t->imap->curl, p, n, &k);
		int rc = 0;

		if (code == CURLE_AGAIN)
			rc = wait_for(t, POLLOUT, err);
		else if (code != CURLE_OK)
			rc = curl_fail(t, code, err);
		if (rc < 0)
			return rc;
		p += k;
		n -= k;
	}
	return 0;
}

/* One line without its end; lines longer than the buffer are cut to it. */
static int line_read(struct rs_target *t, char line[LINE_MAX_N], struct rs_err *err)
{
	struct target_imap *i = t->imap;

	for (;;) {
		char *end = memchr(i->in, '\n', i->in_n);
		size_t k = 0;
		CURLcode code;
		int rc = 0;

		if (end) {
			gsize n = (gsize)(end - i->in);

			memcpy(line, i->in, n);
			line[n && line[n - 1] == '\r' ? n - 1 : n] = '\0';
			memmove(i->in, end + 1, i->in_n - n - 1);
			i->in_n -= n + 1;
			return 0;
		}
		if (i->in_n == sizeof(i->in))
			i->in_n = 0;
		code = curl_easy_recv(i->curl, i->in + i->in_n, sizeof(i->in) - i->in_n, &k);
		if (code == CURLE_AGAIN)
			rc = wait_for(t, POLLIN, err);
		else if (code != CURLE_OK || k == 0)
			rc = rs_err_set(err, RS_ENET,
				_("%s closed the connection in the middle; try again"),
				t->spec.host);
		if (rc < 0)
			return rc;
		i->in_n += k;
	}
}

/* The tagged answer to the last command; `go_on`: "+" is one, too. `untagged`: called for the others. */
static int answer(struct rs_target *t, bool go_on, bool *found, struct rs_err *err)
{
	g_autofree char *tag = g_strdup_printf("R%u ", t->imap->tag);
	char line[LINE_MAX_N];
	int rc;

	while ((rc = line_read(t, line, err)) == 0) {
		if (line[0] == '+' && go_on)
			return 0;
		if (found && g_ascii_strncasecmp(line, "* SEARCH ", 9) == 0)
			*found = g_ascii_isdigit(line[9]);
		if (!g_str_has_prefix(line, tag))
			continue;
		if (g_ascii_strncasecmp(line + strlen(tag), "OK", 2) == 0 && !go_on)
			return 0;
		rc = rs_err_set(err, RS_ETEMP, "%s", line + strlen(tag));
		break;
	}
	if (rc == -RS_ETEMP) {
		g_autofree char *said = target_words(err->text);

		rc = rs_err_set(
			err, RS_ETEMP, _("%s refused %s: %s"), t->spec.host, t->spec.folder, said);
	}
	return rc;
}

static int command(struct rs_target *t, const char *text, struct rs_err *err)
{
	g_autofree char *line = g_strdup_printf("R%u %s\r\n", ++t->imap->tag, text);

	return send_all(t, line, strlen(line), err);
}

/* --- APPEND -------------------------------------------------------------------------------------- */

/* LF becomes CRLF; how many octets that are was told before. */
static int literal(struct rs_target *t, int fd, struct rs_err *err)
{
	char in[16384];
	char out[2 * sizeof(in)];
	char last = '\n'; /* an empty message has no line to end */

	for (;;) {
		ssize_t k = read(fd, in, sizeof(in));
		gsize n = 0;
		int rc;

		if (k < 0)
			return rs_err_set(err, RS_ENET, _("a message cannot be read again"));
		if (k == 0)
			break;
		for (ssize_t j = 0; j < k; j++) {
			if (in[j] == '\n' && last != '\r')
				out[n++] = '\r';
			out[n++] = last = in[j];
		}
		rc = send_all(t, out, n, err);
		if (rc < 0)
			return rc;
	}
	return last == '\n' ? 0 : send_all(t, "\r\n", 2, err);
}

static char *internal_date(gint64 s)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(s);

	if (!d)
		d = g_date_time_new_now_utc();
	return g_strdup_printf("%02d-%s-%04d %02d:%02d:%02d +0000", g_date_time_get_day_of_month(d),
		months[g_date_time_get_month(d) - 1], g_date_time_get_year(d),
		g_date_time_get_hour(d), g_date_time_get_minute(d), g_date_time_get_second(d));
}

int target_imap_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err)
{
	g_autofree char *date = internal_date(m->arrived_s);
	g_autofree char *append = g_strdup_printf(
		"APPEND \"%s\" \"%s\" {%" G_GUINT64_FORMAT "}", t->spec.folder, date, m->wire);
	int rc = t->imap ? 0 : connect_to(t, err);

	if (rc == 0)
		rc = command(t, append, err);
	if (rc == 0)
		rc = answer(t, true, NULL, err);
	if (rc < 0) {
		if (rc != -RS_ETEMP)
			target_imap_close(t);
		return rc;
	}
	rc = literal(t, m->fd, err);
	if (rc == 0)
		rc = send_all(t, "\r\n", 2, err);
	if (rc == 0)
		rc = answer(t, false, NULL, err);
	if (rc < 0 && rc != -RS_ETEMP)
		target_imap_close(t);
	return rc;
}

int target_imap_has(struct rs_target *t, const char *message_id, struct rs_err *err)
{
	g_autofree char *examine = g_strdup_printf("EXAMINE \"%s\"", t->spec.folder);
	g_autofree char *search =
		g_strdup_printf("UID SEARCH HEADER Message-ID \"%s\"", message_id);
	bool found = false;
	int rc = t->imap ? 0 : connect_to(t, err);

	if (rc == 0 && !t->imap->examined) {
		rc = command(t, examine, err);
		if (rc == 0)
			rc = answer(t, false, NULL, err);
		t->imap->examined = rc == 0;
	}
	if (rc == 0)
		rc = command(t, search, err);
	if (rc == 0)
		rc = answer(t, false, &found, err);
	if (rc < 0)
		target_imap_close(t);
	return rc < 0 ? rc : found;
}
