/* password_mix.c - the classes of cost in a database of users, see password.h.
 * One field of each class is kept as an example: hashing with it costs what its owner's hash costs, and
 * what comes out is thrown away. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/secret.h"
#include "server/password_int.h"

#define CLASSES_MAX 32u /* fields of further classes are not counted: they are few */
#define CLASS_MAX   64u

struct class
{
	char name[CLASS_MAX]; /* scheme and parameters */
	char *example;        /* a whole field */
	uint64_t users;
};

struct rs_password_mix {
	gatomicrefcount refs;
	GMutex lock;
	struct class classes[CLASSES_MAX];
	unsigned classes_n;
	bool seeded;
	uint8_t seed[32];
};

/* --- which class --------------------------------------------------------------------------- */

/* How much of a crypt(3) hash says what it costs: all in front of the salt. */
static size_t crypt_head(const char *hash)
{
	size_t n;

	if (hash[0] == '_')
		return strnlen(hash, 5); /* BSDI: _ and the rounds */
	if (hash[0] != '$')
		return 0; /* DES: all of them alike */
	n = 1 + strcspn(hash + 1, "$,");
	if (!hash[n])
		return n;
	if (strncmp(hash, "$7$", 3) ==
		0) /* scrypt: N, r and p stand in front of the salt, 11 characters */
		return strnlen(hash, 14);
	n++;
	if (strncmp(hash, "$2", 2) == 0 || strncmp(hash, "$y$", 3) == 0 ||
		strncmp(hash, "$gy$", 4) == 0 || strncmp(hash, "$sha1$", 6) == 0)
		return n + strcspn(hash + n, "$");
	/* rounds=N, v=19, m=65536,t=3,p=4 */
	while (hash[n + strcspn(hash + n, "=$,")] == '=' && hash[n + strcspn(hash + n, "$")])
		n += strcspn(hash + n, "$") + 1;
	return n;
}

/* False: costs nothing. */
static bool class_of(const char *stored, char out[CLASS_MAX])
{
	struct password_field f = password_field(stored);
	int n = 0;

	/* NT's ($3$) is quick, and has no salt */
	if (f.kind == PASSWORD_CRYPT && password_crypt_can(f.rest) &&
		strncmp(f.rest, "$3$", 3) != 0)
		n = g_snprintf(out, CLASS_MAX, "%.*s", (int)MIN(crypt_head(f.rest), CLASS_MAX - 1),
			f.rest);
	else if (f.kind == PASSWORD_SCRAM && rs_password_known(stored))
		n = g_snprintf(
			out, CLASS_MAX, "%s:%.*s", f.scheme, (int)strcspn(f.rest, ","), f.rest);
	else
		return false;
	return n >= 0;
}

bool password_costs(const char *stored)
{
	char class[CLASS_MAX];

	return class_of(stored, class);
}

/* --- counting ------------------------------------------------------------------------------ */

struct rs_password_mix *rs_password_mix_new(void)
{
	struct rs_password_mix *m = g_new0(struct rs_password_mix, 1);

	g_atomic_ref_count_init(&m->refs);
	g_mutex_init(&m->lock);
	return m;
}

struct rs_password_mix *rs_password_mix_ref(struct rs_password_mix *m)
{
	g_atomic_ref_count_inc(&m->refs);
	return m;
}

void rs_password_mix_unref(struct rs_password_mix *m)
{
	if (!m || !g_atomic_ref_count_dec(&m->refs))
		return;
	for (unsigned i = 0; i < m->classes_n; i++) {
		rs_wipe(m->classes[i].example, strlen(m->classes[i].example));
		g_free(m->classes[i].example);
	}
	g_mutex_clear(&m->lock);
	rs_wipe(m, sizeof(*m));
	g_free(m);
}

/* Never from a field without salt: salts of SCRAM come from the seed and are shown to anybody, who could
 * then try passwords against them at leisure. */
static void seed(struct rs_password_mix *m, const char *stored)
{
	(void)EVP_Digest(stored, strlen(stored), m->seed, NULL, EVP_sha256(), NULL);
	m->seeded = true;
}

static void count(struct rs_password_mix *m, const char *class, const char *stored)
{
	struct class *c = m->classes;

	while (c < m->classes + m->classes_n && strcmp(c->name, class) != 0)
		c++;
	if (c == m->classes + CLASSES_MAX)
		return;
	if (c == m->classes + m->classes_n) {
		m->classes_n++;
		g_strlcpy(c->name, class, sizeof(c->name));
		c->example = g_strdup(stored);
	}
	c->users++;
}

void rs_password_mix_add(struct rs_password_mix *m, const char *stored)
{
	char class[CLASS_MAX];
	bool costs = class_of(stored, class);
	bool plain = rs_password_plain(stored) != NULL;

	g_mutex_lock(&m->lock);
	if (costs && !m->seeded)
		seed(m, stored);
	if (costs)
		count(m, class, stored);
	else if (
		plain) /* costs nothing, but for SCRAM: keys are worked out; no need to keep the password */
		count(m, "{PLAIN}", "{PLAIN}password");
	g_mutex_unlock(&m->lock);
}

/* --- drawing ------------------------------------------------------------------------------- */

void password_mix_stir(struct rs_password_mix *m, const char *name, uint8_t out[32])
{
	g_mutex_lock(&m->lock);
	if (!m->seeded)
		m->seeded = RAND_bytes(m->seed, sizeof(m->seed)) == 1;
	(void)HMAC(EVP_sha256(), m->seed, sizeof(m->seed), (const uint8_t *)name, strlen(name), out,
		NULL);
	g_mutex_unlock(&m->lock);
}

static bool may_be_drawn(const struct class *c, const char *scheme)
{
	size_t n = scheme ? strlen(scheme) : 0;

	if (!scheme)
		return c->name[0] != '{';
	return c->name[0] == '{' || (strncmp(c->name, scheme, n) == 0 && c->name[n] == ':');
}

char *rs_password_mix_draw(struct rs_password_mix *m, const char *scheme, const char *name)
{
	g_autofree char *what = g_strconcat("class:", scheme ? scheme : "", ":", name, NULL);
	uint8_t chance[32];
	uint64_t at;
	uint64_t all = 0;
	char *found = NULL;

	password_mix_stir(m, what, chance);
	memcpy(&at, chance, sizeof(at));
	g_mutex_lock(&m->lock);
	for (unsigned i = 0; i < m->classes_n; i++)
		all += may_be_drawn(&m->classes[i], scheme) ? m->classes[i].users : 0;
	at = all ? at % all : 0;
	for (unsigned i = 0; all && i < m->classes_n && !found; i++) {
		const struct class *c = &m->classes[i];

		if (!may_be_drawn(c, scheme))
			continue;
		if (at < c->users)
			found = g_strdup(c->example);
		else
			at -= c->users;
	}
	g_mutex_unlock(&m->lock);
	return found;
}

bool password_random(uint8_t *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1;
}
