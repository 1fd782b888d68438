/* scram_server.c - SCRAM, the server's side: RFC 5802 sections 3, 5, 6.
 *
 *   FIRST --client-first--> ASKED (the owner has KEYS) --keys--> FINAL --client-final--> LAST --""--> PROVEN
 * Facts: `auth` holds what both sides sign: client-first-bare "," server-first "," client-final-without-
 *        proof, as far as it is known; anything that does not fit goes to DEAD, and stays. */
#include "sasl/scram_int.h"

#include "base/err.h"
#include "base/secret.h"

enum state { FIRST, ASKED, FINAL, LAST, DEAD };

struct scram_server {
	enum state state;
	enum rs_scram_hash hash;
	bool plus;
	bool plus_offered;
	bool real;
	struct rs_scram_keys v;
	char user[256];
	char nonce[SCRAM_NONCE_MAX]; /* the client's, then both */
	const char *given;           /* our part, for tests     */
	uint8_t exporter[64];
	uint8_t end_point[64];
	struct rs_slice bindings[2]; /* into the two above */
	struct rs_buf c;             /* what c= must be in octets: gs2-header and binding */
	struct rs_buf auth;
	struct rs_buf out;
};

static struct rs_slice keep(uint8_t to[64], struct rs_slice s)
{
	if (s.n == 0 || s.n > 64)
		return rs_slice(NULL, 0);
	memcpy(to, s.p, s.n);
	return rs_slice(to, s.n);
}

struct scram_server *scram_server_new(
	enum rs_scram_hash hash, bool plus, const struct rs_sasl_server_cfg *cfg)
{
	struct scram_server *s = g_new0(struct scram_server, 1);

	s->hash = hash;
	s->plus = plus;
	if (cfg) {
		s->plus_offered = cfg->plus_offered;
		s->given = cfg->nonce;
		s->bindings[0] = keep(s->exporter, cfg->binding.exporter);
		s->bindings[1] = keep(s->end_point, cfg->binding.end_point);
	}
	rs_buf_init(&s->c, 1024);
	rs_buf_init(&s->auth, 3 * SCRAM_MESSAGE_MAX);
	rs_buf_init(&s->out, SCRAM_MESSAGE_MAX);
	return s;
}

void scram_server_free(struct scram_server *s)
{
	if (!s)
		return;
	rs_buf_finish(&s->c);
	rs_buf_finish(&s->auth);
	rs_buf_finish(&s->out);
	rs_wipe(&s->v, sizeof(s->v));
	g_free(s);
}

const char *scram_server_user(const struct scram_server *s)
{
	return s->user;
}

enum rs_scram_hash scram_server_hash(const struct scram_server *s)
{
	return s->hash;
}

static enum rs_sasl_step dead(struct scram_server *s)
{
	s->state = DEAD;
	return RS_SASL_FAILED;
}

/* --- client-first-message ------------------------------------------------------------------- */

/* gs2-cbind-flag: does it fit the mechanism and the channel? */
static int flag_ok(struct scram_server *s, struct rs_slice flag)
{
	struct rs_slice name = rs_slice_sub(flag, 2, flag.n);
	struct rs_slice binding = rs_slice(NULL, 0);

	if (!s->plus) {
		/* "y": the client could bind, but thinks we cannot. Where we said that we can, somebody has
		 * taken it out of our list (section 6). */
		return rs_slice_eq_str(flag, "n") ||
				       (rs_slice_eq_str(flag, "y") && !s->plus_offered)
			       ? 0
			       : -RS_EPROTO;
	}
	if (!rs_slice_istarts(flag, "p=") || flag.p[0] != 'p')
		return -RS_EPROTO;
	if (rs_slice_eq_str(name, "tls-exporter"))
		binding = s->bindings[0];
	else if (rs_slice_eq_str(name, "tls-server-end-point"))
		binding = s->bindings[1];
	if (binding.n == 0)
		return -RS_EPROTO;
	return rs_buf_add(&s->c, binding.p, binding.n);
}

/* "n,a=authzid," in front of the rest; c= will repeat it with the binding behind it. */
static int gs2_header(struct scram_server *s, struct rs_slice *rest, char authzid[256])
{
	struct rs_slice whole = *rest;
	size_t flag_n = rs_slice_find(whole, ',');
	struct rs_slice flag = rs_slice_sub(whole, 0, flag_n);
	struct rs_slice value;
	int rc;

	*rest = rs_slice_sub(whole, flag_n + 1, whole.n);
	authzid[0] = '\0';
	if (rest->n && rest->p[0] == ',')
		*rest = rs_slice_sub(*rest, 1, rest->n);
	else if (!scram_attr(rest, 'a', &value) || scram_name_decode(value, authzid, 256) < 0)
		return -RS_EPROTO;
	rc = rs_buf_add(&s->c, whole.p, whole.n - rest->n);
	return rc == 0 ? flag_ok(s, flag) : rc;
}

static enum rs_sasl_step on_first(struct scram_server *s, struct rs_slice in, struct rs_slice *out)
{
	char authzid[256];
	struct rs_slice name;
	struct rs_slice nonce;
	struct rs_slice bare;

	if (!in.p) {
		*out = rs_slice("", 0);
		return RS_SASL_CHALLENGE; /* the client speaks first: an empty challenge asks it to */
	}
	if (in.n > SCRAM_MESSAGE_MAX || gs2_header(s, &in, authzid) < 0)
		return dead(s);
	bare = in;
	/* "m=" in front would be an extension that must be understood: scram_attr refuses it */
	if (!scram_attr(&in, 'n', &name) || !scram_attr(&in, 'r', &nonce) ||
		!scram_nonce_ok(nonce) || nonce.n + 32 > SCRAM_NONCE_MAX ||
		scram_name_decode(name, s->user, sizeof(s->user)) < 0 ||
		rs_slice_copy(nonce, s->nonce, sizeof(s->nonce)) < 0)
		return dead(s);
	if (authzid[0] && strcmp(authzid, s->user) != 0)
		return dead(s);
	if (rs_buf_add(&s->auth, bare.p, bare.n) < 0)
		return dead(s);
	s->state = ASKED;
	return RS_SASL_KEYS;
}

/* --- server-first-message ------------------------------------------------------------------- */

enum rs_sasl_step scram_server_keys(
	struct scram_server *s, const struct rs_scram_keys *v, bool real, struct rs_slice *out)
{
	char ours[SCRAM_NONCE_MAX];
	int rc;

	if (s->state != ASKED || v->key_n != rs_scram_key_n(s->hash))
		return dead(s);
	s->v = *v;
	s->real = real;
	rc = scram_nonce(s->given, ours);
	if (rc == 0 && g_strlcat(s->nonce, ours, sizeof(s->nonce)) >= sizeof(s->nonce))
		rc = -RS_ELIMIT;
	if (rc == 0)
		rc = rs_buf_addf(&s->out, "r=%s,s=", s->nonce);
	if (rc == 0)
		rc = scram_add_b64(&s->out, rs_slice(v->salt, v->salt_n));
	if (rc == 0)
		rc = rs_buf_addf(&s->out, ",i=%u", v->iterations);
	if (rc == 0)
		rc = rs_buf_addf(&s->auth, ",%.*s,", (int)rs_buf_n(&s->out),
			(const char *)rs_buf_slice(&s->out).p);
	if (rc < 0)
		return dead(s);
	s->state = FINAL;
	*out = rs_buf_slice(&s->out);
	return RS_SASL_CHALLENGE;
}

/* --- client-final-message ------------------------------------------------------------------- */

/* Is c= the header of the first message with our binding behind it? */
static bool binding_ok(struct scram_server *s, struct rs_slice text)
{
	struct rs_buf want;
	bool same;

	rs_buf_init(&want, 2048);
	same = scram_add_b64(&want, rs_buf_slice(&s->c)) == 0 &&
	       rs_secret_eq(rs_buf_slice(&want), text);
	rs_buf_finish(&want);
	return same;
}

/* ClientKey is what the proof and the signature make together; its hash is what we have stored. */
static bool proof_ok(struct scram_server *s, const uint8_t *proof)
{
	size_t n = rs_scram_key_n(s->hash);
	uint8_t key[RS_SCRAM_KEY_MAX];
	uint8_t hash[RS_SCRAM_KEY_MAX];
	bool same;

	scram_hmac(s->hash, s->v.stored_key, rs_buf_slice(&s->auth), key);
	for (size_t i = 0; i < n; i++)
		key[i] ^= proof[i];
	scram_h(s->hash, key, hash);
	same = rs_secret_eq(rs_slice(hash, n), rs_slice(s->v.stored_key, n));
	rs_wipe(key, sizeof(key));
	return same && s->real;
}

static enum rs_sasl_step on_final(struct scram_server *s, struct rs_slice in, struct rs_slice *out)
{
	struct rs_slice whole = in;
	uint8_t proof[RS_SCRAM_KEY_MAX];
	uint8_t signature[RS_SCRAM_KEY_MAX];
	struct rs_slice c;
	struct rs_slice nonce;
	struct rs_slice value;
	size_t without;

	if (in.n > SCRAM_MESSAGE_MAX || !scram_attr(&in, 'c', &c) || !scram_attr(&in, 'r', &nonce))
		return dead(s);
	/* extensions of letters that we do not know may stand in front of the proof, which is the last */
	do {
		without = whole.n - in.n;
	} while (
		in.n && in.p[0] != 'p' && in.p[0] != 'm' && scram_attr(&in, (char)in.p[0], &value));
	if (!scram_attr(&in, 'p', &value) || in.n || without < 1 ||
		!scram_b64_is(value, proof, rs_scram_key_n(s->hash)) ||
		!rs_secret_eq(nonce, rs_slice_str(s->nonce)) || !binding_ok(s, c) ||
		rs_buf_add(&s->auth, whole.p, without - 1) < 0 || !proof_ok(s, proof))
		return dead(s);
	scram_hmac(s->hash, s->v.server_key, rs_buf_slice(&s->auth), signature);
	rs_buf_clear(&s->out);
	if (rs_buf_add_str(&s->out, "v=") < 0 ||
		scram_add_b64(&s->out, rs_slice(signature, rs_scram_key_n(s->hash))) < 0)
		return dead(s);
	s->state = LAST;
	*out = rs_buf_slice(&s->out);
	return RS_SASL_CHALLENGE;
}

enum rs_sasl_step scram_server_step(
	struct scram_server *s, struct rs_slice in, struct rs_slice *out)
{
	switch (s->state) {
	case FIRST:
		return on_first(s, in, out);
	case FINAL:
		return on_final(s, in, out);
	case LAST: /* POP3 and SMTP carry our signature in a challenge, which has an empty answer */
		s->state = DEAD;
		return in.n == 0 ? RS_SASL_PROVEN : RS_SASL_FAILED;
	case ASKED:
	case DEAD:
		break;
	}
	return dead(s);
}
