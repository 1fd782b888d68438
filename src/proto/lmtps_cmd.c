/* lmtps_cmd.c - the commands of LMTP and ESMTP: one table, one function a verb. RFC 2033, 5321. */
#include "proto/lmtps_priv.h"

#include "base/b64.h"
#include "base/num.h"

/* Where a verb may be given; bits. */
#define IN_START 1u
#define IN_READY 2u
#define IN_MAIL  4u
#define ANY      (IN_START | IN_READY | IN_MAIL)

static unsigned here(const struct rs_lmtps *s)
{
	if (s->state == LMTPS_START)
		return IN_START;
	return s->state == LMTPS_READY ? IN_READY : IN_MAIL;
}

static bool is_smtp(const struct rs_lmtps *s)
{
	return (s->cfg->flags & RS_LMTPS_SMTP) != 0;
}

static bool auth_offered(const struct rs_lmtps *s)
{
	return *s->cfg->mechs && (s->tls || (s->cfg->flags & RS_LMTPS_CLEARTEXT)) && !s->authed;
}

static bool starttls_offered(const struct rs_lmtps *s)
{
	return !s->tls && (s->cfg->flags & RS_LMTPS_STARTTLS);
}

/* The transaction is over without delivery; the owner hears of it before the next line. */
static void drop_transaction(struct rs_lmtps *s)
{
	s->reset_due = s->state == LMTPS_MAIL;
	lmtps_state_set(s, LMTPS_READY);
}

/* --- greeting ------------------------------------------------------------------------------ */

static void ehlo_lines(struct rs_lmtps *s)
{
	int rc = rs_buf_addf(&s->out,
		"250-%.255s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
		"250-SMTPUTF8\r\n250-CHUNKING\r\n",
		s->cfg->hostname);

	if (rc == 0 && starttls_offered(s))
		rc = rs_buf_add_str(&s->out, "250-STARTTLS\r\n");
	if (rc == 0 && auth_offered(s))
		rc = rs_buf_addf(&s->out, "250-AUTH %.300s\r\n", s->cfg->mechs);
	if (rc == 0)
		rc = rs_buf_addf(
			&s->out, "250 SIZE %llu\r\n", (unsigned long long)s->cfg->limits.size_max);
	if (rc < 0)
		lmtps_state_set(s, LMTPS_FAILED);
}

static bool greet(struct rs_lmtps *s, struct rs_slice arg, bool extended, struct rs_lmtps_event *ev)
{
	if (arg.n == 0) {
		lmtps_bad(s, 501, "5.5.4", "A name must follow");
		return false;
	}
	drop_transaction(s);
	if (extended)
		ehlo_lines(s);
	else
		lmtps_reply(s, 250, NULL, s->cfg->hostname);
	if (s->reset_due) /* told first; the name is not told then */
		return false;
	ev->kind = RS_L_HELO;
	ev->text = arg;
	return s->state != LMTPS_FAILED;
}

static bool cmd_lhlo(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	if (is_smtp(s)) {
		lmtps_bad(s, 500, "5.5.1", "This is SMTP: EHLO");
		return false;
	}
	return greet(s, arg, true, ev);
}

static bool cmd_ehlo(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	if (!is_smtp(s)) { /* RFC 2033 section 4.1 */
		lmtps_bad(s, 500, "5.5.1", "This is LMTP: LHLO");
		return false;
	}
	return greet(s, arg, true, ev);
}

static bool cmd_helo(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	return is_smtp(s) ? greet(s, arg, false, ev) : cmd_ehlo(s, arg, ev);
}

/* --- transaction --------------------------------------------------------------------------- */

/* One "KEY=value" of MAIL. False: the refusal is out. */
static bool mail_param(struct rs_lmtps *s, struct rs_slice p, struct rs_lmtps_event *ev)
{
	if (rs_slice_ieq_str(p, "SMTPUTF8")) {
		ev->utf8 = true;
	} else if (rs_slice_ieq_str(p, "BODY=8BITMIME")) {
		ev->body_8bit = true;
	} else if (rs_slice_istarts(p, "SIZE=")) {
		if (rs_num_u64(rs_slice_sub(p, 5, p.n), UINT64_MAX, &ev->size) < 0) {
			lmtps_bad(s, 501, "5.5.4", "SIZE is not a number");
			return false;
		}
	} else if (!rs_slice_ieq_str(p, "BODY=7BIT") && !rs_slice_istarts(p, "AUTH=")) {
		lmtps_bad(s, 555, "5.5.4", "Unknown parameter");
		return false;
	}
	return true;
}

static bool cmd_mail(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	struct rs_slice rest;

	if ((s->cfg->flags & RS_LMTPS_AUTH) && !s->authed) {
		lmtps_bad(s, 530, "5.7.0", "Log in first");
		return false;
	}
	if (!rs_slice_istarts(arg, "FROM:") ||
		!lmtps_path(rs_slice_sub(arg, 5, arg.n), true, &ev->text, &rest)) {
		lmtps_bad(s, 501, "5.1.7", "MAIL FROM:<address> is wanted");
		return false;
	}
	while (rest.n) {
		if (!mail_param(s, rs_slice_word(&rest), ev))
			return false;
	}
	if (!lmtps_addr_ok(ev->text, ev->utf8)) {
		lmtps_bad(s, 553, "5.1.7", "Not an address");
		return false;
	}
	if (s->cfg->limits.size_max && ev->size > s->cfg->limits.size_max) {
		lmtps_bad(s, 552, "5.3.4", "The message is larger than is accepted here");
		return false;
	}
	s->utf8 = ev->utf8;
	return lmtps_ask(s, RS_L_MAIL, ev);
}

static bool cmd_rcpt(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	struct rs_slice rest;

	if (s->chunks)
		lmtps_bad(s, 503, "5.5.1", "Not between chunks");
	else if (!rs_slice_istarts(arg, "TO:") ||
		 !lmtps_path(rs_slice_sub(arg, 3, arg.n), false, &ev->text, &rest))
		lmtps_bad(s, 501, "5.1.3", "RCPT TO:<address> is wanted");
	else if (rest.n && !rs_slice_istarts(rest, "ORCPT=") && !rs_slice_istarts(rest, "NOTIFY="))
		lmtps_bad(s, 555, "5.5.4", "Unknown parameter");
	else if (!lmtps_addr_ok(ev->text, s->utf8))
		lmtps_bad(s, 553, "5.1.3", "Not an address");
	else if (s->rcpt_n >= s->cfg->limits.rcpt_max)
		lmtps_reply(
			s, 452, "4.5.3", "Too many recipients, send the rest in another message");
	else
		return lmtps_ask(s, RS_L_RCPT, ev);
	return false;
}

static bool cmd_data(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	if (s->chunks) { /* RFC 3030 section 2 */
		lmtps_bad(s, 503, "5.5.1", "Not between chunks");
		return false;
	}
	if (s->rcpt_n == 0) { /* RFC 2033 section 4.2 */
		lmtps_bad(s, 503, "5.5.1", "No recipient was accepted");
		return false;
	}
	return lmtps_ask(s, RS_L_DATA, ev);
}

/* RFC 3030 section 2. Without its number nobody knows where the next command begins: the end. */
static bool cmd_bdat(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	struct rs_slice number = rs_slice_word(&arg);
	bool last = rs_slice_ieq_str(arg, "LAST");
	uint64_t n;

	if (rs_num_u64(number, UINT64_MAX, &n) < 0 || (arg.n && !last)) {
		lmtps_reply(s, 501, "5.5.4", "BDAT octets [LAST] is wanted");
		lmtps_state_set(s, LMTPS_CLOSED);
		return false;
	}
	return lmtps_chunk(s, n, last, ev);
}

static bool cmd_rset(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	if (s->state != LMTPS_START)
		drop_transaction(s);
	lmtps_reply(s, 250, "2.0.0", NULL);
	return false;
}

/* --- the rest ------------------------------------------------------------------------------ */

static bool cmd_noop(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	lmtps_reply(s, 250, "2.0.0", NULL);
	return false;
}

static bool cmd_vrfy(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	lmtps_reply(s, 252, "2.5.0", "Try to send it");
	return false;
}

static bool cmd_help(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	lmtps_reply(s, 214, "2.0.0", "RFC 5321 and RFC 2033 say it all");
	return false;
}

static bool cmd_quit(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	lmtps_reply(s, 221, "2.0.0", "Bye");
	lmtps_state_set(s, LMTPS_CLOSED);
	return false;
}

static bool cmd_starttls(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	if (!starttls_offered(s)) {
		lmtps_bad(s, 502, "5.5.1", "Not offered");
		return false;
	}
	lmtps_reply(s, 220, "2.0.0", "Begin TLS");
	ev->kind = RS_L_START_TLS;
	lmtps_state_set(s, LMTPS_WAIT_TLS);
	return true;
}

/* --- AUTH, RFC 4954 ------------------------------------------------------------------------ */

static bool response(struct rs_lmtps *s, struct rs_slice text)
{
	uint8_t *to;
	size_t n;

	if (rs_buf_reserve(&s->secret, rs_b64_dec_max(text.n) + 1, &to) < 0 ||
		rs_b64_dec(text, to, &n) < 0) {
		lmtps_state_set(s, LMTPS_READY);
		lmtps_bad(s, 501, "5.5.2", "Not base64");
		return false;
	}
	rs_buf_added(&s->secret, n);
	return true;
}

static bool auth_event(struct rs_lmtps *s, struct rs_lmtps_event *ev)
{
	ev->mech = rs_slice_str(s->mech);
	ev->text = rs_buf_slice(&s->secret);
	s->state = LMTPS_READY; /* where a refusal leads back to */
	return lmtps_ask(s, RS_L_AUTH, ev);
}

static bool mech_known(const struct rs_lmtps *s)
{
	struct rs_slice rest = rs_slice_str(s->cfg->mechs);

	while (rest.n) {
		if (rs_slice_ieq_str(rs_slice_word(&rest), s->mech))
			return true;
	}
	return false;
}

static bool cmd_auth(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev)
{
	struct rs_slice mech = rs_slice_word(&arg);

	if (s->authed) { /* RFC 4954 section 4: no second one */
		lmtps_bad(s, 503, "5.5.1", "You have logged in already");
		return false;
	}
	if (!auth_offered(s)) {
		lmtps_bad(s, 538, "5.7.11", "Not offered now; TLS may be needed first");
		return false;
	}
	if (rs_slice_copy(mech, s->mech, sizeof(s->mech)) < 0 || !mech_known(s)) {
		lmtps_bad(s, 504, "5.5.4", "Unknown mechanism");
		return false;
	}
	ev->first = true;
	ev->has_secret = arg.n > 0;
	if (arg.n && !rs_slice_eq_str(arg, "=") && !response(s, arg))
		return false;
	return auth_event(s, ev);
}

bool lmtps_sasl_line(struct rs_lmtps *s, struct rs_slice line, struct rs_lmtps_event *ev)
{
	if (rs_slice_eq_str(line, "*")) {
		lmtps_state_set(s, LMTPS_READY);
		lmtps_bad(s, 501, "5.7.0", "Cancelled");
		return false;
	}
	ev->has_secret = true;
	return response(s, line) && auth_event(s, ev);
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct {
	const char *verb;
	unsigned states;
	bool (*run)(struct rs_lmtps *s, struct rs_slice arg, struct rs_lmtps_event *ev);
} commands[] = {
	{"LHLO", ANY, cmd_lhlo},
	{"EHLO", ANY, cmd_ehlo},
	{"HELO", ANY, cmd_helo},
	{"MAIL", IN_READY, cmd_mail},
	{"RCPT", IN_MAIL, cmd_rcpt},
	{"DATA", IN_MAIL, cmd_data},
	{"BDAT", ANY, cmd_bdat},
	{"RSET", ANY, cmd_rset},
	{"NOOP", ANY, cmd_noop},
	{"VRFY", ANY, cmd_vrfy},
	{"HELP", ANY, cmd_help},
	{"QUIT", ANY, cmd_quit},
	{"STARTTLS", IN_START | IN_READY, cmd_starttls},
	{"AUTH", IN_READY, cmd_auth},
};

static bool has_control(struct rs_slice line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] < 0x20 || line.p[i] == 0x7f)
			return true;
	}
	return false;
}

bool lmtps_command(struct rs_lmtps *s, struct rs_slice line, struct rs_lmtps_event *ev)
{
	struct rs_slice arg = rs_slice_trim(line);
	struct rs_slice verb = rs_slice_word(&arg);

	if (has_control(line)) {
		lmtps_bad(s, 500, "5.5.2", "Control characters in a command");
		return false;
	}
	for (size_t i = 0; i < RS_ARRAY_N(commands); i++) {
		if (!rs_slice_ieq_str(verb, commands[i].verb))
			continue;
		if (commands[i].states & here(s))
			return commands[i].run(s, arg, ev);
		lmtps_bad(s, 503, "5.5.1", "Not now: wrong order of commands");
		return false;
	}
	lmtps_bad(s, 500, "5.5.1", "Unknown command");
	return false;
}
