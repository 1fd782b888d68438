/* asker.c - see asker.h.
 *
 * A question: (loop) rs_asker_ask --in--> (thread) libcurl --out--> (loop) on_answer --> freed
 * Facts: the thread owns a question between the two queues and nobody else then; `pending` is counted on
 *        the loop's thread only; curl_multi_wakeup and uv_async_send are the only calls across. */
#include "server/asker.h"

#include <curl/curl.h>
#include <glib.h>
#include <string.h>

#include "base/secret.h"

#define CONNECTIONS_MAX 16L

struct rs_asker {
	CURLM *multi;
	GThread *thread;
	GAsyncQueue *in;
	GAsyncQueue *out;
	gint stop;
	char *ca_file;
	unsigned pending;
	uv_async_t *answered; /* freed when it is closed */
};

struct question {
	struct rs_asker *asker;
	CURL *easy;
	char *url;
	char *form;
	char *login;
	GString *body;
	size_t max;
	long status;
	char why[CURL_ERROR_SIZE];
	rs_answer_fn fn;
	void *arg;
};

static void wipe_free(char *text)
{
	if (text)
		rs_wipe(text, strlen(text));
	g_free(text);
}

static void question_free(gpointer p)
{
	struct question *q = p;

	if (q->easy)
		curl_easy_cleanup(q->easy);
	g_free(q->url);
	wipe_free(q->form);
	wipe_free(q->login);
	if (q->body)
		(void)g_string_free(q->body, TRUE);
	g_free(q);
}

/* --- the thread ----------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct question *q = arg;

	if (q->body->len + size * n > q->max)
		return 0; /* libcurl ends it */
	(void)g_string_append_len(q->body, p, (gssize)(size * n));
	return size * n;
}

static bool prepare(struct question *q)
{
	CURL *e = q->easy = curl_easy_init();
	bool ok = e && curl_easy_setopt(e, CURLOPT_URL, q->url) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)RS_ASKER_TIME_S) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_WRITEDATA, q) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->why) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_PRIVATE, q) == CURLE_OK;

	if (ok && q->asker->ca_file)
		ok = curl_easy_setopt(e, CURLOPT_CAINFO, q->asker->ca_file) == CURLE_OK;
	if (ok && q->form)
		ok = curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->form) == CURLE_OK;
	if (ok && q->login)
		ok = curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
		     curl_easy_setopt(e, CURLOPT_USERPWD, q->login) == CURLE_OK;
	return ok && curl_multi_add_handle(q->asker->multi, e) == CURLM_OK;
}

static void hand_back(struct question *q)
{
	g_async_queue_push(q->asker->out, q);
	(void)uv_async_send(q->asker->answered);
}

static void finished(struct rs_asker *a)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(a->multi, &left))) {
		struct question *q = NULL;
		CURLcode rc = m->data.result;
		CURL *easy = m->easy_handle;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&q);
		if (rc == CURLE_OK)
			(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &q->status);
		else if (!q->why[0])
			g_strlcpy(q->why, curl_easy_strerror(rc), sizeof(q->why));
		(void)curl_multi_remove_handle(a->multi, easy);
		hand_back(q);
	}
}

static gpointer thread_main(gpointer arg)
{
	struct rs_asker *a = arg;
	int running = 0;

	while (!g_atomic_int_get(&a->stop)) {
		struct question *q;

		while ((q = g_async_queue_try_pop(a->in))) {
			if (prepare(q))
				continue;
			g_strlcpy(q->why, "the question cannot be asked", sizeof(q->why));
			hand_back(q);
		}
		(void)curl_multi_perform(a->multi, &running);
		finished(a);
		(void)curl_multi_poll(a->multi, NULL, 0, 60000, NULL);
	}
	return NULL;
}

/* --- the loop ------------------------------------------------------------------------------- */

static void on_answer(uv_async_t *h)
{
	struct rs_asker *a = h->data;
	struct question *q;

	while (a && (q = g_async_queue_try_pop(a->out))) {
		a->pending--;
		q->fn(q->arg, q->status, rs_slice(q->body->str, q->body->len), q->why);
		question_free(q);
	}
}

int rs_asker_create(uv_loop_t *loop, const char *ca_file, struct rs_asker **out, struct rs_err *err)
{
	struct rs_asker *a = g_new0(struct rs_asker, 1);

	a->answered = g_new0(uv_async_t, 1);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(a->multi = curl_multi_init()) ||
		uv_async_init(loop, a->answered, on_answer) < 0) {
		g_free(a->answered);
		g_free(a);
		return rs_err_set(err, RS_ENOMEM, "no memory to ask other services");
	}
	(void)curl_multi_setopt(a->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	a->answered->data = a;
	a->ca_file = g_strdup(ca_file);
	a->in = g_async_queue_new_full(question_free);
	a->out = g_async_queue_new_full(question_free);
	a->thread = g_thread_new("asker", thread_main, a);
	*out = a;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	g_free(h);
}

void rs_asker_destroy(struct rs_asker **ap)
{
	struct rs_asker *a = *ap;

	if (!a)
		return;
	g_atomic_int_set(&a->stop, 1);
	(void)curl_multi_wakeup(a->multi);
	(void)g_thread_join(a->thread);
	a->answered->data = NULL;
	uv_close((uv_handle_t *)a->answered, on_closed);
	g_async_queue_unref(a->in);
	g_async_queue_unref(a->out);
	/* what was half done is in libcurl's hands, and goes with the process */
	(void)curl_multi_cleanup(a->multi);
	g_free(a->ca_file);
	g_free(a);
	*ap = NULL;
}

int rs_asker_ask(struct rs_asker *a, const struct rs_question *ask, rs_answer_fn fn, void *arg)
{
	struct question *q;

	if (a->pending == RS_ASKER_PENDING_MAX)
		return -RS_ELIMIT;
	q = g_new0(struct question, 1);
	q->asker = a;
	q->url = g_strdup(ask->url);
	q->form = g_strdup(ask->form);
	q->login = g_strdup(ask->login);
	q->body = g_string_new(NULL);
	q->max = ask->answer_max;
	q->fn = fn;
	q->arg = arg;
	a->pending++;
	g_async_queue_push(a->in, q);
	(void)curl_multi_wakeup(a->multi);
	return 0;
}

char *rs_asker_escape(struct rs_slice text)
{
	g_autofree char *copy = g_strndup((const char *)text.p, text.n);

	return g_uri_escape_string(copy, NULL, FALSE);
}
