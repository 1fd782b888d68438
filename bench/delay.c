/* delay PORT_TO RTT_MS [CONNECTIONS] - a proxy on loopback that makes a link long: half of RTT_MS each way, the first octets of the
 * server after two turns, as a handshake over such a link has it. It prints its port, and for each connection when it has
 * ended "turns N up OCTETS down OCTETS": a turn is an answer that was delivered before the client spoke again.
 * One connection at a time; ends when its standard input does. No loss, no slow start, 4 MiB in flight at most. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_N  65536u
#define FLIGHT_N 64u

struct chunk {
	double due;
	size_t n;
	unsigned char octets[CHUNK_N];
};

struct link; /* both ways */

struct way {
	struct link *link;
	int from;
	int to;
	double delay;
	int down;
	struct chunk *ring; /* FLIGHT_N */
	unsigned head;
	unsigned tail;
	int ended;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned long long octets;
};

struct link {
	struct way way[2];
	double first_extra;
	int answered; /* something was delivered to the client since it spoke last */
	unsigned turns;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_until(double t)
{
	struct timespec at = {
		.tv_sec = (time_t)t, .tv_nsec = (long)((t - (double)(time_t)t) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
}

static void *reader(void *arg)
{
	struct way *w = arg;

	for (;;) {
		struct chunk *c;
		ssize_t k;

		pthread_mutex_lock(&w->lock);
		while (w->head - w->tail == FLIGHT_N)
			pthread_cond_wait(&w->changed, &w->lock);
		pthread_mutex_unlock(&w->lock);
		c = &w->ring[w->head % FLIGHT_N];
		k = recv(w->from, c->octets, CHUNK_N, 0);
		if (k > 0 && !w->down &&
			__atomic_exchange_n(&w->link->answered, 0, __ATOMIC_SEQ_CST))
			w->link->turns++;
		pthread_mutex_lock(&w->lock);
		if (k <= 0) {
			w->ended = 1;
		} else {
			c->n = (size_t)k;
			c->due = now() + w->delay +
				 (w->down && !w->octets ? w->link->first_extra : 0);
			w->octets += (size_t)k;
			w->head++;
		}
		pthread_cond_broadcast(&w->changed);
		pthread_mutex_unlock(&w->lock);
		if (k <= 0)
			return NULL;
	}
}

static void *writer(void *arg)
{
	struct way *w = arg;

	for (;;) {
		struct chunk *c;

		pthread_mutex_lock(&w->lock);
		while (w->head == w->tail && !w->ended)
			pthread_cond_wait(&w->changed, &w->lock);
		if (w->head == w->tail) {
			pthread_mutex_unlock(&w->lock);
			shutdown(w->to, SHUT_WR);
			return NULL;
		}
		pthread_mutex_unlock(&w->lock);
		c = &w->ring[w->tail % FLIGHT_N];
		sleep_until(c->due);
		if (w->down)
			__atomic_store_n(&w->link->answered, 1, __ATOMIC_SEQ_CST);
		for (size_t at = 0; at < c->n;) {
			ssize_t k = send(w->to, c->octets + at, c->n - at, MSG_NOSIGNAL);

			if (k <= 0)
				break;
			at += (size_t)k;
		}
		pthread_mutex_lock(&w->lock);
		w->tail++;
		pthread_cond_broadcast(&w->changed);
		pthread_mutex_unlock(&w->lock);
	}
}

static void way_start(struct way *w, pthread_t thread[2])
{
	w->ring = malloc(FLIGHT_N * sizeof(*w->ring));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	pthread_create(&thread[0], NULL, reader, w);
	pthread_create(&thread[1], NULL, writer, w);
}

static void serve(int client, unsigned short to, double rtt)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(to), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int server = socket(AF_INET, SOCK_STREAM, 0);
	struct link l = {.first_extra = 1.5 * rtt};
	pthread_t thread[4];
	int one = 1;

	if (connect(server, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(client);
		close(server);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l.way[0] = (struct way){.link = &l, .from = client, .to = server, .delay = rtt / 2};
	l.way[1] =
		(struct way){.link = &l, .from = server, .to = client, .delay = rtt / 2, .down = 1};
	way_start(&l.way[0], thread);
	way_start(&l.way[1], thread + 2);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	close(client);
	close(server);
	free(l.way[0].ring);
	free(l.way[1].ring);
	printf("turns %u up %llu down %llu\n", l.turns, l.way[0].octets, l.way[1].octets);
	fflush(stdout);
}

static void *end_with_input(void *arg)
{
	char c;

	while (read(0, &c, 1) > 0)
		;
	exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(a);
	pthread_t thread;

	if (argc < 3 || bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(listener, 8) < 0)
		return 64;
	getsockname(listener, (struct sockaddr *)&a, &n);
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	pthread_create(&thread, NULL, end_with_input, NULL);
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client >= 0)
			serve(client, (unsigned short)strtoul(argv[1], NULL, 10),
				strtod(argv[2], NULL) / 1000);
	}
}
