/* fuzz_server.c - what the service reads from others: its configuration, messages between roles, user
 * names that become paths, SASL responses. */
#include "server/conf.h"
#include "server/msg.h"
#include "server/userdb.h"
#include "tests/fuzz/fuzz.h"

static void conf(struct rs_slice in)
{
	struct rs_conf *c = NULL;
	struct rs_err err;

	if (rs_conf_parse("fuzz", in, &c, &err) == 0)
		rs_conf_destroy(&c);
	else
		FUZZ_LAW(err.kind == RS_ECONFIG && err.text[0]);
}

static void msg(struct rs_slice in)
{
	struct rs_msg_in m = {.rest = in};

	while (!m.bad && m.rest.n) {
		struct rs_slice s;

		switch (m.rest.p[0] % 5) {
		case 0:
			(void)rs_msg_u8(&m);
			break;
		case 1:
			(void)rs_msg_u16(&m);
			break;
		case 2:
			(void)rs_msg_u32(&m);
			break;
		case 3:
			(void)rs_msg_u64(&m);
			break;
		default:
			s = rs_msg_octets(&m);
			FUZZ_LAW(s.n <= in.n);
			break;
		}
	}
	FUZZ_LAW(rs_msg_fd(&m) == -1 && !rs_msg_end(&m));
}

static void name(struct rs_slice in)
{
	struct rs_user u = {.name = NULL};
	char clean[256];
	g_autofree char *path = NULL;

	if (rs_user_name_clean(in, clean) < 0)
		return;
	FUZZ_LAW(!strchr(clean, '/') && !strstr(clean, "..") && clean[0] != '.');
	u.name = clean;
	FUZZ_LAW(rs_user_mailbox(&u, "/mail/%d/%n", &path, NULL) == 0);
	FUZZ_LAW(g_str_has_prefix(path, "/mail/") && !strstr(path, "/.") && !strstr(path, "//"));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);

	switch (what % 3) {
	case 0:
		conf(in);
		break;
	case 1:
		msg(in);
		break;
	default:
		name(in);
		break;
	}
	return 0;
}
