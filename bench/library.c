/* library.c - how fast the mail library indexes and searches.
 *   library FOLDER [MESSAGES]     writes MESSAGES (100,000) into FOLDER/mail/bench unless they are there, indexes
 *                                 them, and times listings and searches; one line each
 * Messages are letters of 0.5 to 4 KiB of words that are as unevenly spread as those of a language (Zipf), every
 * tenth HTML, every twentieth with an attachment, threads of up to nine. The same ones each time. */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "client/library.h"

#define WORDS_N   30000u
#define ROUNDS    25
#define LIMIT     100u
#define FIRST_DAY 1600000000u

static guint64 state = 88172645463325252ull;

static guint32 chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (guint32)(state >> 32);
}

/* Word number `n`: pronounceable, so that prefixes are shared as in a language. */
static void word_add(GString *to, guint n)
{
	static const char *const first[] = {"ba", "ce", "di", "fo", "gu", "ha", "le", "mi", "no",
		"pu", "ra", "se", "ti", "vo", "zu"};

	do {
		g_string_append(to, first[n % G_N_ELEMENTS(first)]);
		n /= G_N_ELEMENTS(first);
	} while (n);
}

/* Zipf: word n is 1/n as frequent as the first. */
static guint word_any(void)
{
	double u = (chance() + 1.0) / 4294967297.0;

	return (guint)MIN(exp(u * log(WORDS_N)), WORDS_N - 1.0);
}

static void text_add(GString *to, guint octets)
{
	gsize end = to->len + octets;

	while (to->len < end) {
		word_add(to, word_any());
		g_string_append_c(to, chance() % 12 ? ' ' : '\n');
	}
	g_string_append_c(to, '\n');
}

static void message_make(GString *to, guint i)
{
	guint sender = word_any() % 500;
	guint root = i - i % 9;

	g_string_truncate(to, 0);
	g_string_append_printf(to,
		"From: Person %u <person%u@example.org>\nTo: Anna <anna@example.org>\n"
		"Message-ID: <%u@bench.example>\nMIME-Version: 1.0\n",
		sender, sender, i);
	if (i % 3 && i > root)
		g_string_append_printf(to,
			"References: <%u@bench.example>\nIn-Reply-To: <%u@bench.example>\n", root,
			i - 1);
	g_string_append(to, "Subject: ");
	word_add(to, word_any());
	g_string_append_printf(to, " number %u\n", i);
	if (i % 20 == 0)
		g_string_append(to, "Content-Type: multipart/mixed; "
				    "boundary=xx\n\n--xx\nContent-Type: text/plain\n\n");
	else
		g_string_append(to, i % 10 ? "Content-Type: text/plain; charset=utf-8\n\n"
					   : "Content-Type: text/html\n\n<html><body><p>");
	text_add(to, 512 + chance() % 3584);
	if (i % 20 == 0)
		g_string_append_printf(to,
			"--xx\nContent-Type: application/pdf; name=\"paper%u.pdf\"\n"
			"Content-Transfer-Encoding: base64\nContent-Disposition: "
			"attachment\n\nJVBERi0=\n--xx--\n",
			i);
}

static guint64 mail_make(const char *maildir, guint n)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 octets = 0;

	for (guint i = 0; i < n; i++) {
		g_autofree char *file = g_strdup_printf("%s/cur/%u.M%uP1Q1.bench:2,%s", maildir,
			FIRST_DAY + i * 600, i, i % 50 ? "S" : "");

		message_make(text, i);
		octets += text->len;
		if (!g_file_test(file, G_FILE_TEST_EXISTS) &&
			!g_file_set_contents_full(
				file, text->str, (gssize)text->len, 0, 0600, NULL))
			g_error("cannot write %s", file);
	}
	return octets;
}

static double now_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void search_time(struct rs_library *l, const char *query, guint limit)
{
	double wall[ROUNDS];
	double cpu_began = now_s(CLOCK_PROCESS_CPUTIME_ID);
	guint found = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_s(CLOCK_MONOTONIC);
		GPtrArray *list = NULL;
		struct rs_err err;

		if (rs_library_search(l, query, limit, &list, &err) < 0)
			g_error("%s: %s", query, err.text);
		for (guint k = 0; k < MIN(list->len, LIMIT); k++)
			rs_library_fill(l, list->pdata[k]);
		found = list->len;
		g_ptr_array_unref(list);
		wall[i] = now_s(CLOCK_MONOTONIC) - began;
	}
	qsort(wall, ROUNDS, sizeof(wall[0]), by_value);
	printf("search %-28s limit %6u: %6u found, median %7.2f ms, worst %7.2f ms, cpu %7.2f ms\n",
		query, limit, found, wall[ROUNDS / 2] * 1e3, wall[ROUNDS - 1] * 1e3,
		(now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_began) / ROUNDS * 1e3);
}

static void list_time(struct rs_library *l, const char *what, const struct rs_list_how *how)
{
	double began = now_s(CLOCK_MONOTONIC);
	double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	GPtrArray *list = NULL;
	struct rs_err err;

	if (rs_library_list(l, how, &list, &err) < 0)
		g_error("%s", err.text);
	printf("list   %-28s limit %6u: %6u rows, %7.2f ms, cpu %7.2f ms\n", what, how->limit,
		list->len, (now_s(CLOCK_MONOTONIC) - began) * 1e3,
		(now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
	g_ptr_array_unref(list);
}

int main(int argc, char **argv)
{
	static const char *const queries[] = {"cedi", "ce", "ce di", "\"ce di\"", "dibace*",
		"from:person7", "from:person7 is:unread", "subject:fo has:attachment", "ce -di",
		"nichtda", "since:2022 ce"};
	guint n = argc > 2 ? (guint)g_ascii_strtoull(argv[2], NULL, 10) : 100000;
	g_autofree char *maildir =
		argc > 1 ? g_build_filename(argv[1], "mail", "bench", NULL) : NULL;
	g_autoptr(GPtrArray) accounts = g_ptr_array_new();
	struct rs_catalog_changes changes;
	struct rs_library *l = NULL;
	struct rs_places places;
	struct rusage usage;
	struct rs_err err;
	guint64 octets;
	double began;
	double cpu;

	if (!maildir)
		return 64;
	for (const char *const *sub = (const char *const[]){"tmp", "new", "cur", NULL}; *sub;
		sub++) {
		g_autofree char *dir = g_build_filename(maildir, *sub, NULL);

		g_mkdir_with_parents(dir, 0700);
	}
	octets = mail_make(maildir, n);
	g_setenv("RESTANTE_HOME", argv[1], TRUE);
	if (rs_places_find(&places, &err) < 0 || rs_library_open(&places, accounts, &l, &err) < 0)
		g_error("%s", err.text);
	began = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	if (rs_library_rebuild(l, &changes, &err) < 0)
		g_error("%s", err.text);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	getrusage(RUSAGE_SELF, &usage);
	printf("index  %u messages, %.0f MiB: %.1f s wall, %.1f s cpu, %.0f a second (%.0f of "
	       "cpu), peak %ld MiB\n",
		changes.added, (double)octets / 1048576, now_s(CLOCK_MONOTONIC) - began, cpu,
		changes.added / (now_s(CLOCK_MONOTONIC) - began), changes.added / cpu,
		usage.ru_maxrss / 1024);
	list_time(l, "look", &(struct rs_list_how){.folder = "bench", .limit = 100});
	list_time(l, "everything", &(struct rs_list_how){.folder = "bench"});
	list_time(l, "unread", &(struct rs_list_how){.folder = "bench", .unread = true});
	list_time(l, "threads", &(struct rs_list_how){.folder = "bench", .threads = true});
	for (size_t i = 0; i < G_N_ELEMENTS(queries); i++)
		search_time(l, queries[i], LIMIT);
	search_time(l, "ce", 0);
	search_time(l, "ce di", 0);
	rs_library_close(&l);
	rs_places_finish(&places);
	return 0;
}
