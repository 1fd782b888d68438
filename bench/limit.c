/* limit PORT USER PASSWORD FOLDER - what a fetch costs at the least: login and UIDL in one flight, RETR pipelined 256 deep,
 * bodies un-stuffed into FOLDER/tmp, batches of 256 made durable by syncfs, rename, fsync of FOLDER/new. No state is
 * kept, nothing is checked. The line that all others are measured against. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEPTH 256u

static int link_fd, tmp_fd, new_fd;
static char in[1 << 18];
static size_t at, end;

static void fill(void)
{
	ssize_t k;

	memmove(in, in + at, end - at);
	end -= at;
	at = 0;
	k = recv(link_fd, in + end, sizeof(in) - end, 0);
	if (k <= 0)
		exit(1);
	end += (size_t)k;
}

/* One line with its end; borrowed until the next call. */
static char *line(size_t *n)
{
	char *lf;

	while (!(lf = memchr(in + at, '\n', end - at)))
		fill();
	*n = (size_t)(lf - (in + at)) + 1;
	at += *n;
	return lf + 1 - *n;
}

static unsigned listing(void)
{
	unsigned count = 0;
	size_t n;

	for (char *l = line(&n); n != 3 || l[0] != '.'; l = line(&n))
		count++;
	return count;
}

static void ask(const char *text)
{
	if (send(link_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		exit(1);
}

static void body(unsigned i)
{
	static char out[1 << 20];
	char name[32];
	size_t held = 0;
	size_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "%u", i);
	fd = openat(tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	for (char *l = line(&n); n != 3 || l[0] != '.'; l = line(&n)) {
		if (l[0] == '.')
			l++, n--;
		if (held + n > sizeof(out)) {
			if (write(fd, out, held) < 0)
				exit(1);
			held = 0;
		}
		memcpy(out + held, l, n);
		held += n - 2;
		out[held++] = '\n';
	}
	if (write(fd, out, held) < 0)
		exit(1);
	close(fd);
}

static void durable(unsigned from, unsigned to)
{
	char name[32];

	(void)syncfs(tmp_fd);
	for (unsigned i = from; i < to; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		(void)renameat(tmp_fd, name, new_fd, name);
	}
	(void)fsync(new_fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	char text[DEPTH * 16];
	char path[4096];
	unsigned count, sent = 0;
	size_t n;

	if (argc < 5)
		return 64;
	a.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	(void)snprintf(path, sizeof(path), "%s/tmp", argv[4]);
	tmp_fd = open(path, O_DIRECTORY | O_RDONLY);
	(void)snprintf(path, sizeof(path), "%s/new", argv[4]);
	new_fd = open(path, O_DIRECTORY | O_RDONLY);
	link_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (tmp_fd < 0 || new_fd < 0 || connect(link_fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 1;
	(void)line(&n);
	(void)snprintf(text, sizeof(text), "USER %s\r\nPASS %s\r\nUIDL\r\n", argv[2], argv[3]);
	ask(text);
	for (int i = 0; i < 3; i++)
		(void)line(&n);
	count = listing();
	for (unsigned i = 0; i < count; i++) {
		size_t used = 0;

		while (sent < count && sent < i + DEPTH &&
			(sent < i + 1 || sent % 64 || sent < i + DEPTH - 64))
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "RETR %u\r\n", ++sent);
		if (used)
			ask(text);
		(void)line(&n);
		body(i);
		if ((i + 1) % DEPTH == 0 || i + 1 == count)
			durable(i / DEPTH * DEPTH, i + 1);
	}
	ask("QUIT\r\n");
	(void)line(&n);
	return 0;
}
