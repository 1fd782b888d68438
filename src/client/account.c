/* account.c - the values of one account: a table of keys, their checks, what follows from what.
 * The file they stand in: accounts_file.c. Contract: account.h. */
#include "client/account.h"

#include <string.h>

#include "base/num.h"
#include "base/secret.h"
#include "client/oauth.h"
#include "client/secret_store.h"
#include "client/target_spec.h"
#include "client/text.h"

struct rs_account *rs_account_new(void)
{
	struct rs_account *a = g_new0(struct rs_account, 1);

	a->timeout_s = RS_ACCOUNT_TIMEOUT_S;
	a->every_s = RS_ACCOUNT_EVERY_S;
	return a;
}

void rs_account_free(struct rs_account *a)
{
	if (!a)
		return;
	g_free(a->name);
	g_free(a->address);
	g_free(a->full_name);
	g_free(a->aliases);
	g_free(a->signature);
	g_free(a->pop3_host);
	g_free(a->pop3_user);
	g_free(a->smtp_host);
	g_free(a->smtp_user);
	g_free(a->oauth2);
	g_free(a->oauth2_client_id);
	g_free(a->oauth2_client_secret);
	g_free(a->oauth2_scope);
	g_free(a->password_command);
	g_free(a->maildir);
	g_free(a->deliver_to);
	g_free(a->recipient);
	g_free(a->deliver_password_command);
	g_free(a->rules);
	g_free(a->ca_file);
	g_free(a->pin_sha256);
	g_free(a->smtp_pin_sha256);
	g_free(a);
}

/* --- kinds of values: each setter returns NULL or why the value is not acceptable ------------- */

struct key {
	const char *name;
	const char *(*set)(struct rs_account *a, size_t at, const char *value);
	char *(*get)(const struct rs_account *a, size_t at);
	size_t at; /* offset of the (first) field in struct rs_account */
};

#define FIELD(a, at, type) ((type *)(void *)((char *)(a) + (at)))
#define VALUE(a, at, type) (*(type const *)(const void *)((const char *)(a) + (at)))

static const char *text_set(struct rs_account *a, size_t at, const char *value)
{
	char **field = FIELD(a, at, char *);

	g_free(*field);
	*field = g_strdup(value);
	return NULL;
}

static char *text_get(const struct rs_account *a, size_t at)
{
	return g_strdup(VALUE(a, at, char *));
}

static const char *address_set(struct rs_account *a, size_t at, const char *value)
{
	const char *sign = strchr(value, '@');

	if (!sign || sign == value || !sign[1] || strchr(sign + 1, '@') ||
		strpbrk(value, " \t<>,;\""))
		return _("is not a mail address such as anna@example.org");
	return text_set(a, at, value);
}

/* Several, a comma between. */
static const char *addresses_set(struct rs_account *a, size_t at, const char *value)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);
	struct rs_account probe = {.address = NULL};

	for (char **word = words; *word; word++) {
		const char *why = address_set(
			&probe, offsetof(struct rs_account, address), g_strstrip(*word));

		if (why) {
			g_free(probe.address);
			return _("must be mail addresses with a comma between");
		}
	}
	g_free(probe.address);
	return text_set(a, at, value);
}

/* HOST[:PORT] or [V6][:PORT]. *port is 0 where none is given. */
static const char *server_split(const char *value, char **host, uint32_t *port)
{
	const char *bracket = value[0] == '[' ? strchr(value, ']') : NULL;
	const char *first = bracket ? value + 1 : value;
	const char *end = bracket ? bracket : value + strcspn(value, ":");
	const char *rest = bracket ? bracket + 1 : end;

	if (strchr(rest, ':') != strrchr(rest, ':'))
		return _("holds several colons: write an IPv6 address as [::1]:995");
	if (end == first || strcspn(first, " \t/@\"'\\[]") < (size_t)(end - first))
		return _("must be HOST or HOST:PORT");
	*port = 0;
	if (*rest &&
		(*rest != ':' || rs_num_u32(rs_slice_str(rest + 1), 65535, port) < 0 || !*port))
		return _("has a port that is not a number from 1 to 65535");
	*host = g_strndup(first, (size_t)(end - first));
	return NULL;
}

/* The port stands behind the host in the struct. */
static const char *server_set(struct rs_account *a, size_t at, const char *value)
{
	char **field = FIELD(a, at, char *);
	char *host;
	uint32_t port;
	const char *why = server_split(value, &host, &port);

	if (why)
		return why;
	g_free(*field);
	*field = host;
	*FIELD(a, at + sizeof(char *), guint16) = (guint16)port;
	return NULL;
}

static char *server_get(const struct rs_account *a, size_t at)
{
	const char *host = VALUE(a, at, char *);
	guint16 port = VALUE(a, at + sizeof(char *), guint16);
	bool v6 = host && strchr(host, ':');

	if (!host)
		return NULL;
	if (!port)
		return g_strdup_printf(v6 ? "[%s]" : "%s", host);
	return g_strdup_printf(v6 ? "[%s]:%u" : "%s:%u", host, port);
}

static const char *const security_names[] = {"tls", "starttls", "none"};

static const char *security_set(struct rs_account *a, size_t at, const char *value)
{
	for (size_t i = 0; i < G_N_ELEMENTS(security_names); i++) {
		if (strcmp(value, security_names[i]) != 0)
			continue;
		*FIELD(a, at, enum rs_security) = (enum rs_security)i;
		return NULL;
	}
	return _("must be tls, starttls or none");
}

static char *pop3_security_get(const struct rs_account *a, size_t at)
{
	return g_strdup(security_names[VALUE(a, at, enum rs_security)]);
}

static char *smtp_security_get(const struct rs_account *a, size_t at)
{
	return a->smtp_host ? pop3_security_get(a, at) : NULL;
}

static const char *leave_set(struct rs_account *a, size_t at, const char *value)
{
	return rs_policy_parse(value, &a->leave);
}

static char *leave_get(const struct rs_account *a, size_t at)
{
	return rs_policy_format(&a->leave);
}

static const char *path_set(struct rs_account *a, size_t at, const char *value)
{
	g_autofree char *path = NULL;

	if (g_str_has_prefix(value, "~/"))
		path = g_build_filename(g_get_home_dir(), value + 2, NULL);
	else if (g_path_is_absolute(value))
		path = g_strdup(value);
	else
		return _("must be a path that begins with / or ~/");
	return text_set(a, at, path);
}

/* maildir:DIR is the same as the key maildir, so that there is one place for it. */
static const char *target_set(struct rs_account *a, size_t at, const char *value)
{
	struct rs_target_spec spec;
	const char *why = rs_target_parse(value, &spec);

	if (why)
		return why;
	if (spec.kind == RS_TARGET_MAILDIR)
		why = path_set(a, offsetof(struct rs_account, maildir), spec.what);
	else
		why = text_set(a, at, value);
	if (!why && spec.kind == RS_TARGET_MAILDIR)
		g_clear_pointer(&a->deliver_to, g_free);
	rs_target_spec_finish(&spec);
	return why;
}

static const char *size_set(struct rs_account *a, size_t at, const char *value)
{
	uint64_t v;

	if (rs_num_size(rs_slice_str(value), INT64_MAX, &v) < 0 || v == 0)
		return _("must be a size such as 500k or 20M");
	a->size_limit = v;
	return NULL;
}

static char *size_get(const struct rs_account *a, size_t at)
{
	static const char units[] = {'G', 'M', 'k'};
	guint64 one = 1u << 30;

	if (!a->size_limit)
		return NULL;
	for (size_t i = 0; i < sizeof(units); i++, one >>= 10) {
		if (a->size_limit % one == 0)
			return g_strdup_printf(
				"%" G_GUINT64_FORMAT "%c", a->size_limit / one, units[i]);
	}
	return g_strdup_printf("%" G_GUINT64_FORMAT, a->size_limit);
}

/* SHA-256 in hexadecimal, colons and either case allowed, as other programs print it. */
static const char *pin_set(struct rs_account *a, size_t at, const char *value)
{
	g_autoptr(GString) digits = g_string_new(NULL);

	for (const char *c = value; *c; c++) {
		if (g_ascii_isxdigit(*c))
			g_string_append_c(digits, g_ascii_tolower(*c));
		else if (*c != ':')
			return _("must be a SHA-256 fingerprint: 64 hexadecimal digits");
	}
	if (digits->len != 64)
		return _("must be a SHA-256 fingerprint: 64 hexadecimal digits");
	return text_set(a, at, digits->str);
}

static const char *timeout_set(struct rs_account *a, size_t at, const char *value)
{
	uint32_t v;

	if (rs_num_u32(rs_slice_str(value), RS_ACCOUNT_TIMEOUT_MAX_S, &v) < 0 ||
		v < RS_ACCOUNT_TIMEOUT_MIN_S)
		return _("must be seconds from 1 to 3600");
	a->timeout_s = v;
	return NULL;
}

static char *timeout_get(const struct rs_account *a, size_t at)
{
	return a->timeout_s == RS_ACCOUNT_TIMEOUT_S ? NULL : g_strdup_printf("%u", a->timeout_s);
}

static const char *every_set(struct rs_account *a, size_t at, const char *value)
{
	uint32_t v;

	if (rs_num_u32(rs_slice_str(value), RS_ACCOUNT_EVERY_MAX_S, &v) < 0 ||
		v < RS_ACCOUNT_EVERY_MIN_S)
		return _("must be seconds from 10 to 604800 (a week)");
	a->every_s = v;
	return NULL;
}

static char *every_get(const struct rs_account *a, size_t at)
{
	return a->every_s == RS_ACCOUNT_EVERY_S ? NULL : g_strdup_printf("%u", a->every_s);
}

static const char *notify_set(struct rs_account *a, size_t at, const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return _("must be on or off");
	a->quiet = strcmp(value, "off") == 0;
	return NULL;
}

static char *notify_get(const struct rs_account *a, size_t at)
{
	return a->quiet ? g_strdup("off") : NULL;
}

/* --- the table --------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct rs_account, field)

static const struct key keys[] = {
	{"address", address_set, text_get, AT(address)},
	{"pop3", server_set, server_get, AT(pop3_host)},
	{"security", security_set, pop3_security_get, AT(pop3_security)},
	{"user", text_set, text_get, AT(pop3_user)},
	{"smtp", server_set, server_get, AT(smtp_host)},
	{"smtp-security", security_set, smtp_security_get, AT(smtp_security)},
	{"smtp-user", text_set, text_get, AT(smtp_user)},
	{"leave", leave_set, leave_get, 0},
	{"oauth2", text_set, text_get, AT(oauth2)},
	{"oauth2-client-id", text_set, text_get, AT(oauth2_client_id)},
	{"oauth2-client-secret", text_set, text_get, AT(oauth2_client_secret)},
	{"oauth2-scope", text_set, text_get, AT(oauth2_scope)},
	{"password-command", text_set, text_get, AT(password_command)},
	{"maildir", path_set, text_get, AT(maildir)},
	{"deliver-to", target_set, text_get, AT(deliver_to)},
	{"recipient", address_set, text_get, AT(recipient)},
	{"deliver-password-command", text_set, text_get, AT(deliver_password_command)},
	{"size-limit", size_set, size_get, 0},
	{"rules", path_set, text_get, AT(rules)},
	{"ca-file", path_set, text_get, AT(ca_file)},
	{"pin", pin_set, text_get, AT(pin_sha256)},
	{"smtp-pin", pin_set, text_get, AT(smtp_pin_sha256)},
	{"timeout", timeout_set, timeout_get, 0},
	{"every", every_set, every_get, 0},
	{"notify", notify_set, notify_get, 0},
	{"full-name", text_set, text_get, AT(full_name)},
	{"aliases", addresses_set, text_get, AT(aliases)},
	{"signature", path_set, text_get, AT(signature)},
};

G_STATIC_ASSERT(AT(pop3_port) == AT(pop3_host) + sizeof(char *));
G_STATIC_ASSERT(AT(smtp_port) == AT(smtp_host) + sizeof(char *));

const char *const *rs_account_keys(void)
{
	static const char *names[G_N_ELEMENTS(keys) + 1];

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		names[i] = keys[i].name;
	return names;
}

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* NULL, or why no value may look like this: it would not come back from the file as it was. */
static const char *value_refused(const char *value)
{
	if (!*value)
		return _("has no value");
	if (!g_utf8_validate(value, -1, NULL))
		return _("is not UTF-8");
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return _("holds a control character");
	}
	if (g_ascii_isspace(value[0]) || g_ascii_isspace(value[strlen(value) - 1]))
		return _("begins or ends with a blank");
	return NULL;
}

int rs_account_set(struct rs_account *a, const char *key, const char *value, struct rs_err *err)
{
	const struct key *k = key_find(key);
	const char *why;

	if (!k)
		return rs_err_set(err, RS_EINVAL, _("is not a known key"));
	why = value_refused(value);
	if (!why)
		why = k->set(a, k->at, value);
	return why ? rs_err_set(err, RS_EINVAL, "%s", why) : 0;
}

int rs_account_unset(struct rs_account *a, const char *key, struct rs_err *err)
{
	const struct key *k = key_find(key);

	if (!k)
		return rs_err_set(err, RS_EINVAL, _("is not a known key"));
	if (strcmp(key, "timeout") == 0)
		a->timeout_s = RS_ACCOUNT_TIMEOUT_S;
	else if (strcmp(key, "leave") == 0)
		a->leave = (struct rs_policy){.remove = false};
	else if (strcmp(key, "size-limit") == 0)
		a->size_limit = 0;
	else if (k->get == pop3_security_get || k->get == smtp_security_get)
		*FIELD(a, k->at, enum rs_security) = RS_SECURITY_TLS;
	else if (strcmp(key, "address") == 0 || strcmp(key, "pop3") == 0)
		return rs_err_set(err, RS_EINVAL, _("cannot be left out"));
	else
		g_clear_pointer(FIELD(a, k->at, char *), g_free);
	return 0;
}

struct rs_account *rs_account_copy(const struct rs_account *a)
{
	struct rs_account *copy = rs_account_new();

	copy->name = g_strdup(a->name);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *value = keys[i].get(a, keys[i].at);

		if (value)
			(void)keys[i].set(copy, keys[i].at, value);
	}
	return copy;
}

char *rs_account_get(const struct rs_account *a, const char *key)
{
	const struct key *k = key_find(key);

	return k ? k->get(a, k->at) : NULL;
}

/* --- what follows from what -------------------------------------------------------------------- */

/* NULL, or why this cannot be a name: it is a group of the file, a folder and part of a file name. */
static const char *name_refused(const char *name)
{
	const char *why = value_refused(name);

	if (why)
		return why;
	if (strlen(name) > RS_ACCOUNT_NAME_MAX)
		return _("is longer than 64 octets");
	if (name[0] == '.' || name[0] == '-' || strpbrk(name, "/[]\\"))
		return _("may not begin with . or - nor hold / \\ [ ]");
	return NULL;
}

int rs_account_complete(const struct rs_places *p, struct rs_account *a, struct rs_err *err)
{
	static const guint16 pop3_ports[] = {995, 110, 110};
	static const guint16 smtp_ports[] = {465, 587, 587};
	const char *why = name_refused(a->name ? a->name : "");

	if (why)
		return rs_err_set(err, RS_ECONFIG, _("the account name '%s' %s"), a->name, why);
	if (!a->address)
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s' has no address (address = anna@example.org)"), a->name);
	if (!a->pop3_host)
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s' has no POP3 server (pop3 = HOST or HOST:PORT)"), a->name);
	if (a->oauth2 && a->password_command)
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s' has both oauth2 and password-command; remove one of them"),
			a->name);
	if (a->oauth2 && (a->pop3_security == RS_SECURITY_NONE ||
				 (a->smtp_user && a->smtp_security == RS_SECURITY_NONE)))
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s': oauth2 needs TLS, for whoever sees the token can use it"),
			a->name);
	if (!a->pop3_port)
		a->pop3_port = pop3_ports[a->pop3_security];
	if (a->smtp_host && !a->smtp_port)
		a->smtp_port = smtp_ports[a->smtp_security];
	if (!a->pop3_user)
		a->pop3_user = g_strdup(a->address);
	if (a->deliver_to && a->rules)
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s': rules need a Maildir, and its mail goes to %s"), a->name,
			a->deliver_to);
	if (a->deliver_to && rs_policy_looks_here(&a->leave))
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s': until-deleted and until-moved need a Maildir: what "
			  "becomes "
			  "of mail that goes to %s cannot be seen here"),
			a->name, a->deliver_to);
	if (!a->maildir)
		a->maildir = g_build_filename(p->mail_dir, a->name, NULL);
	return 0;
}

/* --- password ------------------------------------------------------------------------------------ */

/* First line of `output` as a secret. */
static int first_line(
	const struct rs_account *a, const char *output, struct rs_secret **out, struct rs_err *err)
{
	size_t n = strcspn(output, "\r\n");

	if (!n)
		return rs_err_set(err, RS_ECONFIG,
			_("the password command of account '%s' prints nothing: %s"), a->name,
			a->password_command);
	if (rs_secret_create(rs_slice(output, n), out) < 0)
		return rs_err_set(err, RS_ENOMEM, _("no memory"));
	return 0;
}

static int from_command(const struct rs_account *a, struct rs_secret **out, struct rs_err *err)
{
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, a->password_command, NULL};
	g_autoptr(GError) error = NULL;
	char *output = NULL;
	int status;
	int rc;

	/* The terminal stays open to it: it may ask for the key of a password store. */
	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, &output, NULL,
		    &status, &error) ||
		!g_spawn_check_wait_status(status, &error))
		rc = rs_err_set(err, RS_ECONFIG,
			_("the password command of account '%s' failed (%s): %s"), a->name,
			error->message, a->password_command);
	else
		rc = first_line(a, output, out, err);
	if (output)
		rs_wipe(output, strlen(output));
	g_free(output);
	return rc;
}

int rs_account_password(const struct rs_places *p, const struct rs_account *a,
	struct rs_secret **out, struct rs_err *err)
{
	int rc;

	if (a->oauth2)
		return rs_oauth_token(p, a, NULL, out, err);
	if (a->password_command)
		return from_command(a, out, err);
	rc = rs_secret_store_get(p, a->name, RS_SECRET_PASSWORD, out, err);
	if (rc == -RS_ENOENT)
		rc = rs_err_set(err, RS_ECONFIG,
			_("no password is stored for account '%s': add the account again, or give "
			  "it password-command = COMMAND in %s"),
			a->name, p->config_file);
	return rc;
}

int rs_account_password_store(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *password, struct rs_err *err)
{
	return rs_secret_store_put(p, a->name, RS_SECRET_PASSWORD, password, err);
}
