/* import_fetchmail.c - ~/.fetchmailrc and .fetchids, as fetchmail(1) describes them: a stream of words, server
 * options first, then "user" and its options; "defaults" in front holds for all. */
#include "client/import_priv.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define WORD_MAX 4096u

/* --- words ------------------------------------------------------------------------------------- */

struct words {
	const char *at;
	guint line;
	bool quoted; /* the word at hand: never a keyword */
	GString *word;
	bool ended;
};

static int digit_of(char c)
{
	return g_ascii_isxdigit(c) ? g_ascii_xdigit_value(c) : 99;
}

/* \n \t \b \r \NNN (decimal) \0NNN (octal) \xHH, anything else is itself. */
static char escape(struct words *w)
{
	char c = *w->at++;
	int base = 10;
	int value = 0;

	if (c == 'n' || c == 't' || c == 'b' || c == 'r')
		return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'b' ? '\b' : '\r';
	if (c == 'x' || g_ascii_isdigit(c)) {
		base = c == 'x' ? 16 : c == '0' ? 8 : 10;
		if (c != 'x')
			w->at--;
		for (int i = 0; i < 4 && digit_of(*w->at) < base; i++)
			value = (value * base + digit_of(*w->at++)) & 0xff;
		return (char)value;
	}
	if (c == '\n')
		w->line++;
	return c;
}

static void quoted(struct words *w)
{
	char sign = *w->at++;

	w->quoted = true;
	while (*w->at && *w->at != sign) {
		char c = *w->at++;

		if (c == '\n')
			w->line++;
		if (c == '\\' && *w->at == '\n') {
			w->at++;
			w->line++;
		} else if (c == '\\' && *w->at) {
			g_string_append_c(w->word, escape(w));
		} else {
			g_string_append_c(w->word, c);
		}
	}
	if (*w->at)
		w->at++;
}

static void skip_blanks(struct words *w)
{
	while (*w->at && (g_ascii_isspace(*w->at) || strchr(",;:=#", *w->at))) {
		if (*w->at == '#')
			w->at += strcspn(w->at, "\n");
		if (*w->at == '\n')
			w->line++;
		if (*w->at)
			w->at++;
	}
}

static bool is_noise(const char *word)
{
	static const char *const noise[] = {"and", "with", "has", "wants", "options"};

	for (size_t i = 0; i < G_N_ELEMENTS(noise); i++) {
		if (g_ascii_strcasecmp(word, noise[i]) == 0)
			return true;
	}
	return false;
}

/* NULL at the end. Borrowed until the next call. */
static const char *next(struct words *w)
{
	for (;;) {
		skip_blanks(w);
		g_string_truncate(w->word, 0);
		w->quoted = false;
		if (!*w->at) {
			w->ended = true;
			return NULL;
		}
		if (*w->at == '"' || *w->at == '\'') {
			quoted(w);
			return w->word->str;
		}
		while (*w->at && !g_ascii_isspace(*w->at) && !strchr(",;:=", *w->at)) {
			char c = *w->at++;

			g_string_append_c(w->word, c == '\\' && *w->at ? escape(w) : c);
		}
		if (!is_noise(w->word->str))
			return w->word->str;
	}
}

/* --- keywords ------------------------------------------------------------------------------------- */

enum what {
	FLAG,  /* alone */
	ONE,   /* and one word */
	MANY,  /* and words up to the next keyword */
	ENTRY, /* begins a server */
	USER,
	SPECIAL
};

static const struct keyword {
	const char *name;
	enum what what;
} keywords[] = {
	{"poll", ENTRY},
	{"server", ENTRY},
	{"skip", ENTRY},
	{"defaults", ENTRY},
	{"set", SPECIAL},
	{"no", SPECIAL},
	{"envelope", SPECIAL},
	{"user", USER},
	{"username", USER},
	{"via", ONE},
	{"proto", ONE},
	{"protocol", ONE},
	{"local", MANY},
	{"localdomains", MANY},
	{"port", ONE},
	{"service", ONE},
	{"auth", ONE},
	{"authenticate", ONE},
	{"timeout", ONE},
	{"qvirtual", ONE},
	{"aka", MANY},
	{"interface", ONE},
	{"monitor", ONE},
	{"plugin", ONE},
	{"plugout", ONE},
	{"dns", FLAG},
	{"checkalias", FLAG},
	{"uidl", FLAG},
	{"interval", ONE},
	{"tracepolls", FLAG},
	{"principal", ONE},
	{"esmtpname", ONE},
	{"esmtppassword", ONE},
	{"bad-header", ONE},
	{"is", MANY},
	{"to", MANY},
	{"here", FLAG},
	{"there", FLAG},
	{"pass", ONE},
	{"password", ONE},
	{"ssl", FLAG},
	{"sslcert", ONE},
	{"sslcertck", FLAG},
	{"sslcertfile", ONE},
	{"sslcertpath", ONE},
	{"sslcommonname", ONE},
	{"sslfingerprint", ONE},
	{"sslkey", ONE},
	{"sslproto", ONE},
	{"folder", MANY},
	{"folders", MANY},
	{"smtphost", MANY},
	{"fetchdomains", MANY},
	{"smtpaddress", ONE},
	{"smtpname", ONE},
	{"antispam", MANY},
	{"mda", ONE},
	{"bsmtp", ONE},
	{"lmtp", FLAG},
	{"preconnect", ONE},
	{"postconnect", ONE},
	{"keep", FLAG},
	{"flush", FLAG},
	{"limitflush", FLAG},
	{"fetchall", FLAG},
	{"rewrite", FLAG},
	{"stripcr", FLAG},
	{"forcecr", FLAG},
	{"pass8bits", FLAG},
	{"dropstatus", FLAG},
	{"dropdelivered", FLAG},
	{"mimedecode", FLAG},
	{"idle", FLAG},
	{"limit", ONE},
	{"warnings", ONE},
	{"batchlimit", ONE},
	{"fetchlimit", ONE},
	{"fetchsizelimit", ONE},
	{"fastuidl", ONE},
	{"expunge", ONE},
	{"properties", ONE},
	{"passwordfile", ONE},
	{"passwordfd", ONE},
};

static const struct keyword *keyword_of(const struct words *w)
{
	for (size_t i = 0; !w->quoted && i < G_N_ELEMENTS(keywords); i++) {
		if (g_ascii_strcasecmp(w->word->str, keywords[i].name) == 0)
			return &keywords[i];
	}
	return NULL;
}

/* --- entries ---------------------------------------------------------------------------------------- */

/* Values by keyword ("" for a flag): of the defaults, the server, the user. */
struct reader {
	struct rs_import *i;
	const char *path;
	struct words w;
	GHashTable *defaults;
	GHashTable *server; /* NULL before the first entry; the defaults while those are read */
	GHashTable *user;   /* NULL before the first user of this server */
	bool in_defaults;
	char *id_file;
};

static GHashTable *values_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, import_value_free);
}

static const char *value(const struct reader *r, const char *key)
{
	const char *found = r->user ? g_hash_table_lookup(r->user, key) : NULL;

	if (!found && r->server)
		found = g_hash_table_lookup(r->server, key);
	return found ? found : g_hash_table_lookup(r->defaults, key);
}

static bool flag(const struct reader *r, const char *key)
{
	const char *found = value(r, key);

	return found && strcmp(found, "no") != 0;
}

static void put(struct reader *r, const char *key, const char *text)
{
	GHashTable *to = r->user ? r->user : r->server;

	if (to)
		g_hash_table_replace(to, g_strdup(key), g_strdup(text));
}

static void server_values(struct reader *r, struct rs_import_account *a)
{
	const char *host = value(r, "via") ? value(r, "via") : value(r, "poll");
	const char *service = value(r, "service") ? value(r, "service") : value(r, "port");
	const char *sslproto = value(r, "sslproto");
	enum rs_security how = RS_SECURITY_STARTTLS; /* fetchmail takes it where it is offered */
	uint32_t port = 0;

	if (service && rs_num_u32(rs_slice_str(service), 65535, &port) < 0)
		port = strcmp(service, "pop3s") == 0 ? 995 : 0;
	if (flag(r, "ssl") || port == 995)
		how = RS_SECURITY_TLS;
	else if (sslproto && !*sslproto)
		how = RS_SECURITY_NONE;
	import_server(a, "pop3", host, port);
	import_security(a, "security", host, how);
	import_set(a, "user", value(r, "user"));
	import_set(a, "timeout", value(r, "timeout"));
	if (value(r, "sslcertfile")) {
		g_autofree char *base = g_path_get_dirname(r->path);
		g_autofree char *file = import_path(value(r, "sslcertfile"), base);

		import_set(a, "ca-file", file);
	}
	if (value(r, "sslfingerprint"))
		import_note(
			a->notes, _("its sslfingerprint is one of MD5, which proves nothing; it "
				    "was left out"));
	if (value(r, "plugin") || value(r, "preconnect"))
		import_note(a->notes, _("its plugin or preconnect command is not taken over"));
}

static void delivery_values(struct reader *r, struct rs_import_account *a)
{
	const char *mda = value(r, "mda");

	if (mda && *mda && !strchr(mda, '%')) {
		g_autofree char *target = g_strconcat("mda:", mda, NULL);

		import_set(a, "deliver-to", target);
	} else if (mda && *mda) {
		import_note(a->notes,
			_("its mail delivery command has places for addresses (%s), which are not "
			  "filled here; new mail goes into a folder (to change that: restante "
			  "account "
			  "edit NAME --deliver-to mda:COMMAND)"),
			mda);
	} else {
		import_note(a->notes,
			_("fetchmail handed mail to the SMTP server %s; here it goes into a folder "
			  "(to "
			  "change that: restante account edit NAME --deliver-to "
			  "smtp:HOST:PORT)"),
			value(r, "smtphost") ? value(r, "smtphost") : "localhost");
	}
}

/* The address is nowhere in the file; the user name often is one. */
static void address_value(struct reader *r, struct rs_import_account *a)
{
	const char *user = value(r, "user");

	if (user && strchr(user, '@'))
		import_set(a, "address", user);
}

static void uids_read(struct reader *r, struct rs_import_account *a)
{
	g_autofree char *base = g_path_get_dirname(r->path);
	g_autofree char *file = import_path(r->id_file ? r->id_file : ".fetchids", base);
	g_autofree char *text = NULL;
	gsize n;

	text = import_state_read(a, file, &n);
	if (text)
		import_fetchids(a, text, value(r, "user"), value(r, "poll"));
	if (text && value(r, "via"))
		import_fetchids(a, text, value(r, "user"), value(r, "via"));
}

/* The user at hand is complete. */
static void user_end(struct reader *r)
{
	const char *protocol = value(r, "proto");
	struct rs_import_account *a;

	if (!r->user || r->in_defaults)
		return;
	if (protocol && g_ascii_strcasecmp(protocol, "pop3") != 0 &&
		g_ascii_strcasecmp(protocol, "apop") != 0 &&
		g_ascii_strcasecmp(protocol, "auto") != 0) {
		import_note(r->i->notes, _("%s at %s speaks %s, not POP3: left out"),
			value(r, "user"), value(r, "poll"), protocol);
	} else {
		a = import_account_add(r->i);
		server_values(r, a);
		address_value(r, a);
		delivery_values(r, a);
		import_set(a, "leave", flag(r, "keep") ? "keep" : "delete");
		import_password(a, value(r, "pass"));
		uids_read(r, a);
	}
	g_clear_pointer(&r->user, g_hash_table_unref);
}

static void server_end(struct reader *r)
{
	user_end(r);
	if (r->in_defaults)
		g_clear_pointer(&r->user, g_hash_table_unref);
	else
		g_clear_pointer(&r->server, g_hash_table_unref);
	r->server = NULL;
	r->in_defaults = false;
}

static int bad(const struct reader *r, const char *why, struct rs_err *err)
{
	return rs_err_set(err, RS_ECONFIG, "%s:%u: %s", r->path, r->w.line, why);
}

/* Keyword ENTRY. */
static int entry(struct reader *r, const struct keyword *k, struct rs_err *err)
{
	bool defaults = strcmp(k->name, "defaults") == 0;
	const char *name;

	server_end(r);
	r->in_defaults = defaults;
	if (defaults) {
		r->server = r->defaults;
		return 0;
	}
	name = next(&r->w);
	if (!name)
		return bad(r, _("a server has no name"), err);
	r->server = values_new();
	put(r, "poll", name);
	return 0;
}

static void set_global(struct reader *r)
{
	const char *name = next(&r->w);
	bool id_file = name && g_ascii_strcasecmp(name, "idfile") == 0;
	bool has_value = id_file || (name && (g_ascii_strcasecmp(name, "daemon") == 0 ||
						     g_ascii_strcasecmp(name, "postmaster") == 0 ||
						     g_ascii_strcasecmp(name, "logfile") == 0 ||
						     g_ascii_strcasecmp(name, "pidfile") == 0 ||
						     g_ascii_strcasecmp(name, "properties") == 0));

	if (name && g_ascii_strcasecmp(name, "no") == 0)
		(void)next(&r->w);
	else if (has_value && next(&r->w) && id_file) {
		g_free(r->id_file);
		r->id_file = g_strdup(r->w.word->str);
	}
}

static const char *name_of(const struct keyword *k)
{
	if (strcmp(k->name, "protocol") == 0)
		return "proto";
	if (strcmp(k->name, "password") == 0)
		return "pass";
	return k->name;
}

/* Reads the words that belong to it; true: the word at hand is the next keyword already. */
static bool option(struct reader *r, const struct keyword *k)
{
	bool first = true;

	switch (k->what) {
	case ONE:
		if (next(&r->w))
			put(r, name_of(k), r->w.word->str);
		return false;
	case MANY:
		while (next(&r->w)) {
			if (keyword_of(&r->w))
				return true;
			if (first)
				put(r, k->name, r->w.word->str);
			first = false;
		}
		return true;
	case USER:
		user_end(r);
		g_clear_pointer(&r->user, g_hash_table_unref);
		r->user = values_new();
		if (next(&r->w))
			put(r, "user", r->w.word->str);
		return false;
	case FLAG:
	case ENTRY:
	case SPECIAL:
		break;
	}
	put(r, k->name, "");
	return false;
}

/* Keyword SPECIAL; true as option(). */
static bool special(struct reader *r, const struct keyword *k)
{
	if (strcmp(k->name, "set") == 0) {
		set_global(r);
	} else if (strcmp(k->name, "no") == 0) {
		if (next(&r->w) && keyword_of(&r->w))
			put(r, keyword_of(&r->w)->name, "no");
	} else if (next(&r->w) && strspn(r->w.word->str, "0123456789") == r->w.word->len) {
		(void)next(&r->w); /* envelope N NAME */
	}
	return false;
}

static int read_all(struct reader *r, struct rs_err *err)
{
	bool have = false;
	int rc = 0;

	while (rc == 0 && (have || next(&r->w)) && !r->w.ended) {
		const struct keyword *k = keyword_of(&r->w);

		have = false;
		if (!k)
			rc = rs_err_set(err, RS_ECONFIG,
				_("%s:%u: '%.64s' is not known to fetchmail"), r->path, r->w.line,
				r->w.word->str);
		else if (k->what == ENTRY)
			rc = entry(r, k, err);
		else if (k->what == SPECIAL)
			have = special(r, k);
		else if (!r->server)
			rc = bad(r, _("an option stands in front of the first 'poll'"), err);
		else
			have = option(r, k);
	}
	return rc;
}

int import_fetchmail(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	struct reader r = {.i = i,
		.path = path,
		.w = {.at = text, .line = 1, .word = g_string_new(NULL)},
		.defaults = values_new()};
	int rc = read_all(&r, err);

	if (rc == 0)
		server_end(&r);
	g_clear_pointer(&r.user, g_hash_table_unref);
	if (r.server && !r.in_defaults)
		g_hash_table_unref(r.server);
	g_hash_table_unref(r.defaults);
	rs_wipe(r.w.word->str, r.w.word->allocated_len);
	g_string_free(r.w.word, TRUE);
	g_free(r.id_file);
	return rc;
}

/* --- .fetchids --------------------------------------------------------------------------------------- */

/* A line: USER@SERVER, a blank, the UID. The server is what stands behind "via", else "poll". */
void import_fetchids(
	struct rs_import_account *a, const char *text, const char *user, const char *host)
{
	g_autofree char *head = g_strdup_printf("%s@%s ", user ? user : "", host ? host : "");
	size_t head_n = strlen(head);

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *uid = line + head_n;

		if (n > head_n && g_ascii_strncasecmp(line, head, head_n) == 0) {
			size_t uid_n = n - head_n;

			while (uid_n && g_ascii_isspace(uid[uid_n - 1]))
				uid_n--;
			import_uid(a, uid, uid_n, 0);
		}
		line += n + (line[n] != '\0');
	}
}
