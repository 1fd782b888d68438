/* pop3s_list.c - answers of many lines that are made as the output drains: CAPA, LANG, AUTH
 * without a mechanism, LIST, UIDL. Never more than the output's room is held. */
#include "proto/pop3s_priv.h"

#include <stdio.h>

#include "base/num.h"

#define LINE_MAX_N 128u  /* no line of LIST, UIDL, LANG is longer */
#define CAPA_MAX_N 1024u /* no CAPA answer is longer (cfg bounds it) */

static void add(struct rs_pop3s *s, const char *text)
{
	if (rs_buf_add_str(&s->out, text) < 0)
		pop3s_state_set(s, POP3S_FAILED);
}

/* --- CAPA, RFC 2449 section 6 -------------------------------------------------------------- */

static void capa_if(struct rs_pop3s *s, bool yes, const char *line)
{
	if (yes)
		pop3s_reply(s, "%s", line);
}

static void capa_all(struct rs_pop3s *s)
{
	const struct rs_pop3s_cfg *cfg = s->cfg;
	bool user = !(cfg->flags & RS_POP3S_NO_USER) && pop3s_login_allowed(s);

	capa_if(s, true, "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nLANG");
	capa_if(s, user, "USER");
	if (*pop3s_mechs(s))
		pop3s_reply(s, "SASL %s", pop3s_mechs(s));
	capa_if(s, !s->has_drop && !s->tls && !s->utf8 && (cfg->flags & RS_POP3S_STLS), "STLS");
	capa_if(s, (cfg->flags & RS_POP3S_UTF8) != 0, "UTF8 USER");
	if (cfg->expire_days == -1)
		pop3s_reply(s, "EXPIRE NEVER");
	else if (cfg->expire_days >= 0)
		pop3s_reply(s, "EXPIRE %d%s", cfg->expire_days, s->has_drop ? "" : " USER");
	if (cfg->login_delay_s >= 0)
		pop3s_reply(s, "LOGIN-DELAY %d", cfg->login_delay_s);
	if (cfg->implementation)
		pop3s_reply(s, "IMPLEMENTATION %s", cfg->implementation);
}

void pop3s_capa(struct rs_pop3s *s)
{
	pop3s_ok(s, POP3S_T_CAPA);
	pop3s_list_begin(s, POP3S_LIST_CAPA);
}

/* --- LANG, RFC 6856 section 3 -------------------------------------------------------------- */

/* Basic filtering of RFC 4647: "de" is meant by "de", "DE-at" and so on. */
static bool lang_is(struct rs_slice range, const char *tag)
{
	size_t n = strlen(tag);

	return rs_slice_istarts(range, tag) && (range.n == n || range.p[n] == '-');
}

void pop3s_lang(struct rs_pop3s *s, struct rs_slice arg)
{
	arg = rs_slice_trim(arg);
	if (arg.n == 0) {
		pop3s_ok(s, POP3S_T_LANGS);
		pop3s_list_begin(s, POP3S_LIST_LANGS);
		return;
	}
	for (unsigned i = 0; i < POP3S_LANG_N; i++) {
		if (!lang_is(arg, pop3s_langs[i].tag) && !rs_slice_eq_str(arg, "*") &&
			!rs_slice_ieq_str(arg, "i-default"))
			continue;
		s->lang = (enum pop3s_lang)i; /* "*" and "i-default": English, the first */
		pop3s_reply(s, "+OK %s %s", pop3s_langs[i].tag, pop3s_text(s, POP3S_T_LANG_SET));
		return;
	}
	pop3s_err(s, POP3S_T_LANG_UNKNOWN);
}

static bool langs_line(struct rs_pop3s *s)
{
	if (s->list_at == POP3S_LANG_N) {
		s->list_at++;
		pop3s_reply(s, "i-default i-default"); /* RFC 6856 section 3: must be there */
		return true;
	}
	if (s->list_at > POP3S_LANG_N)
		return false;
	pop3s_reply(s, "%s %s", pop3s_langs[s->list_at].tag, pop3s_langs[s->list_at].name);
	s->list_at++;
	return true;
}

/* --- AUTH without a mechanism -------------------------------------------------------------- */

static void mechs_all(struct rs_pop3s *s)
{
	struct rs_slice rest = rs_slice_str(pop3s_mechs(s));

	while (rest.n) {
		struct rs_slice word = rs_slice_word(&rest);

		pop3s_reply(s, "%.*s", (int)word.n, (const char *)word.p);
	}
}

/* --- LIST, UIDL ---------------------------------------------------------------------------- */

/* One line for row list_at: number, blank, size or UID. Formatted by hand: 100,000 of them are
 * asked for at every login. */
static void row_line(struct rs_pop3s *s)
{
	uint32_t row = s->list_at++;
	uint8_t line[LINE_MAX_N];
	size_t n;

	if (rs_marks_get(s->marks, row))
		return;
	n = rs_num_put(row + 1u, line);
	line[n++] = ' ';
	if (s->listing == POP3S_LIST_SIZES) {
		n += rs_num_put(pop3s_octets(s, row), line + n);
	} else {
		struct rs_slice uid = rs_drop_uid(&s->drop, row);

		memcpy(line + n, uid.p, uid.n);
		n += uid.n;
	}
	line[n++] = '\r';
	line[n++] = '\n';
	if (rs_buf_add(&s->out, line, n) < 0)
		pop3s_state_set(s, POP3S_FAILED);
}

/* True when something was written or passed over and there may be more. */
static bool next(struct rs_pop3s *s)
{
	switch (s->listing) {
	case POP3S_LIST_NONE:
		return false;
	case POP3S_LIST_CAPA:
	case POP3S_LIST_MECHS:
		if (s->list_at++)
			return false;
		if (s->listing == POP3S_LIST_CAPA)
			capa_all(s);
		else
			mechs_all(s);
		return true;
	case POP3S_LIST_LANGS:
		return langs_line(s);
	case POP3S_LIST_SIZES:
	case POP3S_LIST_UIDS:
		if (s->list_at >= rs_drop_n(&s->drop))
			return false;
		row_line(s);
		return true;
	}
	return false;
}

/* Room that the next step of this listing may need. */
static size_t need(const struct rs_pop3s *s)
{
	if (s->listing == POP3S_LIST_CAPA || s->listing == POP3S_LIST_MECHS)
		return CAPA_MAX_N;
	return LINE_MAX_N;
}

void pop3s_list_fill(struct rs_pop3s *s)
{
	while (s->listing != POP3S_LIST_NONE && rs_buf_room(&s->out) >= need(s)) {
		if (next(s))
			continue;
		s->listing = POP3S_LIST_NONE;
		add(s, ".\r\n");
	}
}
