/* send_once HOME put|flush [KILL_AT] - put a message for ben@example.org into the outbox of HOME and send it, or send what is
 * there; for the crash tests. With KILL_AT the process kills itself in front of the KILL_AT-th lasting step (from 1). RS_SHOW_STEPS: says
 * them. Prints "steps N put P" and ends with 0, or 75 when something stays. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "client/outbox.h"
#include "client/raw_mail.h"

struct count {
	unsigned n;
	unsigned kill_at;
};

static void on_step(void *arg, const char *what)
{
	struct count *c = arg;

	if (getenv("RS_SHOW_STEPS"))
		(void)fprintf(stderr, "step %u %s\n", c->n + 1, what);
	if (++c->n == c->kill_at)
		(void)kill(getpid(), SIGKILL);
}

static int put(struct rs_outbox *o, struct rs_err *err)
{
	static const char text[] = "To: ben@example.org\nSubject: once\n\nHello\n";
	struct rs_envelope *e = rs_envelope_new("home", "anna@example.org");
	int fd = rs_file_nameless(err);
	int rc = fd < 0 ? fd : rs_write_all(fd, text, sizeof(text) - 1, err);

	rs_envelope_add(e, "ben@example.org");
	if (rc == 0)
		rc = rs_outbox_put(o, e, fd, NULL, err);
	if (fd >= 0)
		close(fd);
	rs_envelope_free(e);
	return rc;
}

int main(int argc, char **argv)
{
	struct count count = {.n = 0};
	const struct rs_outbox_flush how = {.now = true};
	GPtrArray *accounts = NULL;
	struct rs_outbox *o = NULL;
	struct rs_places places;
	struct rs_err err;
	unsigned put_n = 0;
	uint32_t at = 0;
	int rc;

	if (argc < 3 || (argc > 3 && rs_num_u32(rs_slice_str(argv[3]), UINT32_MAX, &at) < 0))
		return 64;
	count.kill_at = at;
	(void)setenv("RESTANTE_HOME", argv[1], 1);
	if (rs_places_find(&places, &err) < 0 || rs_accounts_load(&places, &accounts, &err) < 0 ||
		rs_outbox_open(&places, accounts, &o, &err) < 0)
		return 74;
	rs_outbox_on_step(o, on_step, &count);
	rc = strcmp(argv[2], "put") == 0 ? put(o, &err) : 0;
	put_n = count.n;
	if (rc == 0)
		rc = rs_outbox_flush(o, &how, &err);
	(void)printf("steps %u put %u %s\n", count.n, put_n, rc < 0 ? err.text : "-");
	rs_outbox_close(&o);
	g_ptr_array_unref(accounts);
	rs_places_finish(&places);
	return rc < 0 ? 75 : 0;
}
