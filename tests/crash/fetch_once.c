/* fetch_once HOME PORT USER PASSWORD POLICY [KILL_AT] - one rs_fetch_run over plain loopback POP3,
 * for the crash tests. With KILL_AT the process kills itself in front of the KILL_AT-th lasting
 * step (from 1). RS_DELIVER_TO, RS_DELIVER_PASSWORD (a command) and RS_CA_FILE in the environment: another target. Prints "new N deleted N left N steps N error TEXT". */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "client/fetch.h"

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

static guint number(const char *text)
{
	uint32_t v;

	if (rs_num_u32(rs_slice_str(text), UINT32_MAX, &v) < 0)
		exit(64);
	return v;
}

int main(int argc, char **argv)
{
	struct rs_secret *password = NULL;
	struct rs_fetch_report report;
	struct count count = {.n = 0};
	struct rs_account *a;
	struct rs_places places;
	struct rs_fetch f;
	struct rs_err err;

	if (argc < 6)
		return 64;
	(void)setenv("RESTANTE_HOME", argv[1], 1);
	if (rs_places_find(&places, &err) < 0 ||
		rs_secret_create(rs_slice_str(argv[4]), &password) < 0)
		return 74;
	a = rs_account_new();
	g_free(a->name);
	a->name = g_strdup("test");
	a->pop3_host = g_strdup("127.0.0.1");
	a->pop3_port = (guint16)number(argv[2]);
	a->pop3_security = RS_SECURITY_NONE;
	a->pop3_user = g_strdup(argv[3]);
	if (rs_policy_parse(argv[5], &a->leave))
		return 64;
	a->maildir = g_build_filename(places.mail_dir, "inbox", NULL);
	a->timeout_s = 20;
	if (getenv("RS_DELIVER_TO")) {
		a->address = g_strdup("anna@example.org");
		a->deliver_to = g_strdup(getenv("RS_DELIVER_TO"));
		a->deliver_password_command = g_strdup(getenv("RS_DELIVER_PASSWORD"));
		a->ca_file = g_strdup(getenv("RS_CA_FILE"));
	}
	count.kill_at = argc > 6 ? number(argv[6]) : 0;
	f = (struct rs_fetch){.account = a,
		.password = password,
		.places = &places,
		.step = on_step,
		.step_arg = &count};
	(void)rs_fetch_run(&f, &report);
	(void)printf("new %u deleted %u left %u steps %u error %s\n", report.new_n,
		report.deleted_n, report.on_server_n, count.n,
		report.error ? report.err.text : "-");
	rs_secret_destroy(&password);
	rs_account_free(a);
	rs_places_finish(&places);
	return report.error ? 1 : 0;
}
