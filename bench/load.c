/* load.c - a client that asks a POP3 or LMTP server for one kind of work, as much as it can bear.
 *
 *   load SCENARIO key=value …          driven by bench/run.py, which reads the server's CPU time
 * Scenarios (each says "ready", waits for a line on its input, works, says what it did as JSON):
 *   login   conns, seconds, users, [tls, resume, ops]     connect, USER, PASS, STAT, QUIT; with
 *                                                        resume each has its ticket before "ready"
 *   retr    conns, seconds, messages, depth, [tls]        RETR round and round, `depth` on the way
 *   list    times                                         PASS to the end of LIST and UIDL
 *   dele    messages                                      DELE of all, 64 on the way, QUIT
 *   idle    conns, [tls]                                  logged in, then silent until told to end
 *   lmtp    conns, seconds, users, size                   one message a recipient at a time
 * Common: host, port, password, user (printf format with one %d for `users` accounts). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/conn.h"

#define THREADS_MAX 256
#define TIMES_MAX   4000000

static struct {
	const char *host;
	const char *user;
	const char *password;
	int port;
	int conns;
	int users;
	int messages;
	int depth;
	int size;
	int times;
	int resume;
	int ops; /* 0: until the time is over */
	double seconds;
	SSL_CTX *tls;
} opt = {.host = "127.0.0.1",
	.user = "u%d@example.org",
	.password = "pw",
	.conns = 1,
	.users = 1,
	.messages = 1,
	.depth = 1,
	.size = 50000,
	.times = 1,
	.seconds = 1};

static double deadline;
static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t ops;
static uint64_t octets;
static uint64_t resumed;
static double *times; /* seconds each */
static size_t times_n;
static int next_user;

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note(double took, uint64_t ops_more, uint64_t octets_more)
{
	(void)pthread_mutex_lock(&sum_lock);
	ops += ops_more;
	octets += octets_more;
	if (took >= 0 && times_n < TIMES_MAX)
		times[times_n++] = took;
	(void)pthread_mutex_unlock(&sum_lock);
}

static bool over(void)
{
	return now() >= deadline ||
	       (opt.ops && __atomic_load_n(&ops, __ATOMIC_RELAXED) >= (uint64_t)opt.ops);
}

static int user_next(void)
{
	return __atomic_fetch_add(&next_user, 1, __ATOMIC_RELAXED) % opt.users;
}

static void send_user(struct conn *c, int user)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	char name[128];

	(void)snprintf(name, sizeof(name), opt.user, user);
#pragma GCC diagnostic pop
	(void)conn_line(c, "+OK");
	conn_sendf(c, "USER %s\r\n", name);
	(void)conn_line(c, "+OK");
}

static void login(struct conn *c, int user, SSL_SESSION **session)
{
	conn_open(c, opt.host, opt.port, opt.tls, session);
	send_user(c, user);
	conn_sendf(c, "PASS %s\r\n", opt.password);
	(void)conn_line(c, "+OK");
}

static void quit(struct conn *c, SSL_SESSION **session)
{
	conn_send(c, "QUIT\r\n", 6);
	(void)conn_line(c, "+OK");
	conn_close(c, session);
}

static SSL_SESSION *tickets[THREADS_MAX];
static int next_ticket;

static void *run_login(void *arg)
{
	struct conn *c = malloc(sizeof(*c));
	SSL_SESSION *session =
		tickets[__atomic_fetch_add(&next_ticket, 1, __ATOMIC_RELAXED) % THREADS_MAX];

	while (!over()) {
		double from = now();

		login(c, user_next(), opt.resume ? &session : NULL);
		if (conn_resumed(c))
			(void)__atomic_fetch_add(&resumed, 1, __ATOMIC_RELAXED);
		conn_send(c, "STAT\r\n", 6);
		(void)conn_line(c, "+OK");
		quit(c, opt.resume ? &session : NULL);
		note(now() - from, 1, 0);
	}
	SSL_SESSION_free(session);
	free(c);
	return NULL;
}

/* `depth` commands on the way: half of them are sent anew at a time. */
static void *run_retr(void *arg)
{
	struct conn *c = arg;
	char *batch = malloc((size_t)opt.depth * 24);
	int step = opt.depth > 1 ? opt.depth / 2 : 1;
	int asked = 0;
	int got = 0;
	uint64_t sum = 0;

	while (now() < deadline) {
		size_t n = 0;

		while (asked < got + opt.depth && (asked - got) + step <= opt.depth) {
			for (int i = 0; i < step; i++, asked++)
				n += (size_t)sprintf(
					batch + n, "RETR %d\r\n", asked % opt.messages + 1);
		}
		if (n)
			conn_send(c, batch, n);
		for (int i = 0; i < step; i++, got++)
			sum += conn_multi(c);
	}
	note(-1, (uint64_t)got, sum);
	for (; got < asked; got++)
		(void)conn_multi(c);
	free(batch);
	return NULL;
}

static void run_list(struct conn *c)
{
	for (int i = 0; i < opt.times; i++) {
		double from;

		conn_open(c, opt.host, opt.port, opt.tls, NULL);
		send_user(c, 0);
		from = now();
		conn_sendf(c, "PASS %s\r\n", opt.password);
		(void)conn_line(c, "+OK");
		conn_send(c, "LIST\r\n", 6);
		octets += conn_multi(c);
		conn_send(c, "UIDL\r\n", 6);
		octets += conn_multi(c);
		note(now() - from, 1, 0);
		quit(c, NULL);
	}
}

static void run_dele(struct conn *c)
{
	int asked = 0;
	double from;

	for (int got = 0; got < opt.messages; got++) {
		char batch[64 * 16];
		size_t n = 0;

		if (asked - got < 32) {
			for (; asked < opt.messages && asked < got + 64; asked++)
				n += (size_t)sprintf(batch + n, "DELE %d\r\n", asked + 1);
			if (n)
				conn_send(c, batch, n);
		}
		(void)conn_line(c, "+OK");
	}
	from = now();
	conn_send(c, "QUIT\r\n", 6);
	(void)conn_line(c, "+OK");
	note(now() - from, 1, 0);
	conn_close(c, NULL);
}

static void *run_lmtp(void *arg)
{
	struct conn *c = arg;
	char *body = malloc((size_t)opt.size + 8);
	size_t n = (size_t)sprintf(body, "Subject: load\r\n\r\n");

	while (n + 62 < (size_t)opt.size)
		n += (size_t)sprintf(body + n, "%-58.58s\r\n",
			"A line of text as it stands in a message, of usual length");
	n += (size_t)sprintf(body + n, ".\r\n");
	while (now() < deadline) {
		double from = now();

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		char name[128];

		(void)snprintf(name, sizeof(name), opt.user, user_next());
#pragma GCC diagnostic pop
		conn_sendf(c, "MAIL FROM:<load@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n", name);
		(void)conn_line(c, "250");
		(void)conn_line(c, "250");
		(void)conn_line(c, "354");
		conn_send(c, body, n);
		(void)conn_line(c, "250");
		note(now() - from, 1, n);
	}
	conn_send(c, "QUIT\r\n", 6);
	(void)conn_line(c, "221");
	conn_close(c, NULL);
	free(body);
	return NULL;
}

static struct conn *lmtp_open(void)
{
	struct conn *c = malloc(sizeof(*c));

	conn_open(c, opt.host, opt.port, NULL, NULL);
	(void)conn_line(c, "220");
	conn_send(c, "LHLO load.example.org\r\n", 23);
	while (conn_line(c, "250")[3] == '-')
		continue;
	return c;
}

static void wait_go(void)
{
	char line[16];

	(void)puts("ready");
	(void)fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		_exit(1);
	deadline = now() + opt.seconds;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void tell(double took)
{
	qsort(times, times_n, sizeof(*times), compare);
	printf("{\"ops\":%llu,\"octets\":%llu,\"resumed\":%llu,\"seconds\":%.6f,\"median\":%.6f,"
	       "\"p95\":%.6f}\n",
		(unsigned long long)ops, (unsigned long long)octets, (unsigned long long)resumed,
		took, times_n ? times[times_n / 2] : 0.0,
		times_n ? times[times_n * 95 / 100] : 0.0);
	(void)fflush(stdout);
}

static void spread(void *(*run)(void *), struct conn **conns)
{
	pthread_t threads[THREADS_MAX];

	for (int i = 0; i < opt.conns; i++)
		if (pthread_create(&threads[i], NULL, run, conns ? conns[i] : NULL))
			die("no thread");
	for (int i = 0; i < opt.conns; i++)
		(void)pthread_join(threads[i], NULL);
}

static void one_option(char *arg)
{
	char *value = strchr(arg, '=');

	if (!value)
		die("'%s' is not key=value", arg);
	*value++ = '\0';
	struct {
		const char *key;
		int *at;
	} numbers[] = {{"port", &opt.port}, {"conns", &opt.conns}, {"users", &opt.users},
		{"messages", &opt.messages}, {"depth", &opt.depth}, {"size", &opt.size},
		{"times", &opt.times}, {"resume", &opt.resume}, {"ops", &opt.ops}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (strcmp(arg, numbers[i].key) == 0) {
			*numbers[i].at = atoi(value);
			return;
		}
	}
	if (strcmp(arg, "host") == 0)
		opt.host = value;
	else if (strcmp(arg, "user") == 0)
		opt.user = value;
	else if (strcmp(arg, "password") == 0)
		opt.password = value;
	else if (strcmp(arg, "seconds") == 0)
		opt.seconds = atof(value);
	else if (strcmp(arg, "tls") == 0)
		opt.tls = atoi(value) ? SSL_CTX_new(TLS_client_method()) : NULL;
	else
		die("'%s' is not an option", arg);
}

static void scenario(const char *what)
{
	struct conn *conns[THREADS_MAX] = {NULL};
	double from;

	if (strcmp(what, "retr") == 0 || strcmp(what, "dele") == 0 || strcmp(what, "lmtp") == 0) {
		for (int i = 0; i < opt.conns; i++) {
			if (*what == 'l') {
				conns[i] = lmtp_open();
				continue;
			}
			conns[i] = malloc(sizeof(**conns));
			login(conns[i], i, NULL);
		}
	}
	for (int i = 0; opt.resume && i < opt.conns; i++) {
		struct conn *c = malloc(sizeof(*c));

		login(c, user_next(), &tickets[i]);
		quit(c, &tickets[i]);
		free(c);
	}
	wait_go();
	from = now();
	if (strcmp(what, "login") == 0)
		spread(run_login, NULL);
	else if (strcmp(what, "retr") == 0)
		spread(run_retr, conns);
	else if (strcmp(what, "lmtp") == 0)
		spread(run_lmtp, conns);
	else if (strcmp(what, "list") == 0)
		run_list(malloc(sizeof(**conns)));
	else if (strcmp(what, "dele") == 0)
		run_dele(conns[0]);
	else
		die("'%s' is not a scenario", what);
	tell(now() - from);
}

/* Sockets only: their buffers here would be measured nowhere, so one is shared. */
static void idle(void)
{
	struct conn *c = malloc(sizeof(*c));

	for (int i = 0; i < opt.conns; i++) {
		login(c, i % opt.users, NULL); /* the descriptor stays open and is forgotten */
	}
	wait_go();
	tell(0);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("usage: load SCENARIO key=value ...");
	times = malloc(TIMES_MAX * sizeof(*times));
	for (int i = 2; i < argc; i++)
		one_option(argv[i]);
	if (opt.conns > THREADS_MAX && strcmp(argv[1], "idle") != 0)
		die("at most %d connections", THREADS_MAX);
	if (strcmp(argv[1], "idle") == 0)
		idle();
	else
		scenario(argv[1]);
	return 0;
}
