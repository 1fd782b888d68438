/* pop3.c - see pop3.h */
#include "proto/pop3.h"

#define AUTHN RS_POP3_IN_AUTHORIZATION
#define TRANS RS_POP3_IN_TRANSACTION

const struct rs_pop3_verb_row rs_pop3_verbs[RS_POP3_VERB_N] = {
	[RS_POP3_NONE] = {.name = ""},
	[RS_POP3_USER] = {.name = "USER", .states = AUTHN, .args_min = 1, .args_max = 1},
	[RS_POP3_PASS] =
		{.name = "PASS", .states = AUTHN, .args_min = 1, .args_max = 1, .barrier = true},
	[RS_POP3_APOP] =
		{.name = "APOP", .states = AUTHN, .args_min = 2, .args_max = 2, .barrier = true},
	[RS_POP3_AUTH] =
		{.name = "AUTH", .states = AUTHN, .args_min = 1, .args_max = 2, .barrier = true},
	[RS_POP3_CAPA] = {.name = "CAPA", .states = AUTHN | TRANS, .multi = true},
	[RS_POP3_STLS] = {.name = "STLS", .states = AUTHN, .barrier = true},
	[RS_POP3_UTF8] = {.name = "UTF8", .states = AUTHN, .barrier = true},
	[RS_POP3_LANG] = {.name = "LANG",
		.states = AUTHN | TRANS,
		.args_max = 1,
		.multi_if_no_arg = true},
	[RS_POP3_STAT] = {.name = "STAT", .states = TRANS},
	[RS_POP3_LIST] = {.name = "LIST", .states = TRANS, .args_max = 1, .multi_if_no_arg = true},
	[RS_POP3_UIDL] = {.name = "UIDL", .states = TRANS, .args_max = 1, .multi_if_no_arg = true},
	[RS_POP3_RETR] =
		{.name = "RETR", .states = TRANS, .args_min = 1, .args_max = 1, .multi = true},
	[RS_POP3_DELE] = {.name = "DELE", .states = TRANS, .args_min = 1, .args_max = 1},
	[RS_POP3_NOOP] = {.name = "NOOP", .states = TRANS},
	[RS_POP3_RSET] = {.name = "RSET", .states = TRANS},
	[RS_POP3_TOP] =
		{.name = "TOP", .states = TRANS, .args_min = 2, .args_max = 2, .multi = true},
	[RS_POP3_QUIT] = {.name = "QUIT", .states = AUTHN | TRANS, .barrier = true},
};

enum rs_pop3_verb rs_pop3_verb_of(struct rs_slice word)
{
	for (unsigned v = RS_POP3_USER; v < RS_POP3_VERB_N; v++) {
		if (rs_slice_ieq_str(word, rs_pop3_verbs[v].name))
			return (enum rs_pop3_verb)v;
	}
	return RS_POP3_NONE;
}

const char *rs_pop3_code_name(enum rs_pop3_code code)
{
	static const char *const names[] = {
		[RS_POP3_CODE_NONE] = "",
		[RS_POP3_CODE_IN_USE] = "IN-USE",
		[RS_POP3_CODE_LOGIN_DELAY] = "LOGIN-DELAY",
		[RS_POP3_CODE_SYS_TEMP] = "SYS/TEMP",
		[RS_POP3_CODE_SYS_PERM] = "SYS/PERM",
		[RS_POP3_CODE_AUTH] = "AUTH",
		[RS_POP3_CODE_UTF8] = "UTF8",
		[RS_POP3_CODE_OTHER] = "",
	};

	return names[code];
}

/* RFC 2449 section 8: codes are hierarchical, "SYS/TEMP/DISK" is a kind of "SYS/TEMP". */
static bool code_is(struct rs_slice word, const char *name)
{
	size_t n = strlen(name);

	return rs_slice_istarts(word, name) && (word.n == n || word.p[n] == '/');
}

enum rs_pop3_code rs_pop3_code_of(struct rs_slice *text)
{
	struct rs_slice word;
	size_t end;

	if (text->n == 0 || text->p[0] != '[')
		return RS_POP3_CODE_NONE;
	end = rs_slice_find(*text, ']');
	if (end == text->n)
		return RS_POP3_CODE_NONE;
	word = rs_slice_sub(*text, 1, end - 1);
	*text = rs_slice_sub(*text, end + 1, text->n);
	if (text->n && text->p[0] == ' ')
		*text = rs_slice_sub(*text, 1, text->n);
	for (unsigned c = RS_POP3_CODE_IN_USE; c < RS_POP3_CODE_OTHER; c++) {
		if (code_is(word, rs_pop3_code_name((enum rs_pop3_code)c)))
			return (enum rs_pop3_code)c;
	}
	return RS_POP3_CODE_OTHER;
}
