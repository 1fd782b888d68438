/* user_app.c - see user_app.h */
#include "server/user_app.h"

#include <string.h>

#include "base/b64.h"
#include "base/secret.h"
#include "server/password.h"
#include "server/password_int.h"

#define CHARS_N  20u
#define GROUP_N  5u
#define DATE_N   10u
#define DIGEST_N 32u
#define FIELD    "{SHA256}"

/* Nothing that is easily taken for another: no 0, 1, i, l, o. */
static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";

bool rs_app_name_ok(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (!g_ascii_isalnum(name[i]) && !strchr("-_.", name[i]))
			return false;
	}
	return n > 0 && n <= RS_APP_NAME_MAX;
}

static bool is_date(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 4 || i == 7 ? s[i] != '-' : !g_ascii_isdigit(s[i]))
			return false;
	}
	return n == DATE_N;
}

/* The password field of "NAME,DATE,FIELD"; NULL: not of this form. */
static const char *field_of(const char *text)
{
	g_autofree char *name = g_strndup(text, strcspn(text, ","));
	const char *date = text + strlen(name);
	size_t n;

	if (!*date || !rs_app_name_ok(name))
		return NULL;
	date++;
	n = strcspn(date, ",");
	return date[n] && is_date(date, n) ? date + n + 1 : NULL;
}

const char *rs_app_wrong(const char *text)
{
	const char *field = field_of(text);

	return field && password_field(field).kind == PASSWORD_DIGEST
		       ? NULL
		       : "app= is not NAME,YYYY-MM-DD,{SHA256}base64";
}

void rs_app_names(const char *text, char name[RS_APP_NAME_MAX + 1], const char **created)
{
	size_t n = strcspn(text, ",");

	g_strlcpy(name, text, MIN(n, RS_APP_NAME_MAX) + 1);
	*created = text + n + 1;
}

/* As it was made, without what people and mail programs put in. False: cannot be one of ours. */
static bool canonical(struct rs_slice given, char out[CHARS_N + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < given.n; i++) {
		char c = g_ascii_tolower((char)given.p[i]);

		if (c == '-' || c == ' ')
			continue;
		if (n == CHARS_N || !c || !strchr(alphabet, c))
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n == CHARS_N;
}

const char *rs_app_find(char *const *apps, struct rs_slice given)
{
	char password[CHARS_N + 1];
	const char *found = NULL;

	if (apps && canonical(given, password)) {
		for (; *apps; apps++) {
			const char *field = field_of(*apps);

			if (field && rs_password_check(field, NULL, rs_slice_str(password)))
				found = *apps;
		}
	}
	rs_wipe(password, sizeof(password));
	return found;
}

/* 20 of the 31 characters, each as likely as the others. */
static bool draw(char out[CHARS_N + 1])
{
	const unsigned fair = 256 - 256 % (sizeof(alphabet) - 1);
	uint8_t octet;

	for (size_t n = 0; n < CHARS_N;) {
		if (!password_random(&octet, 1))
			return false;
		if (octet < fair)
			out[n++] = alphabet[octet % (sizeof(alphabet) - 1)];
	}
	out[CHARS_N] = '\0';
	return true;
}

int rs_app_make(const char *name, const char *today, char **text, char shown[RS_APP_SHOWN_MAX + 1],
	struct rs_err *err)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	char b64[(DIGEST_N + 2) / 3 * 4 + 1] = "";
	uint8_t digest[DIGEST_N];
	gsize digest_n = sizeof(digest);
	char password[CHARS_N + 1];
	char *to = shown;

	if (!rs_app_name_ok(name))
		return rs_err_set(err, RS_EINVAL,
			"'%s' cannot name an app password: 1 to 32 letters, digits, - _ and . are "
			"wanted",
			name);
	if (!draw(password))
		return rs_err_set(err, RS_EIO, "no random octets for a password");
	g_checksum_update(sum, (const guchar *)password, CHARS_N);
	g_checksum_get_digest(sum, digest, &digest_n);
	(void)rs_b64_enc(rs_slice(digest, digest_n), (uint8_t *)b64);
	*text = g_strdup_printf("%s,%.10s,%s%s", name, today, FIELD, b64);
	for (size_t i = 0; i < CHARS_N; i++) {
		if (i && i % GROUP_N == 0)
			*to++ = '-';
		*to++ = password[i];
	}
	*to = '\0';
	rs_wipe(password, sizeof(password));
	return 0;
}
