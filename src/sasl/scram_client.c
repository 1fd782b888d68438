/* scram_client.c - SCRAM, the client's side: RFC 5802 sections 3, 5, 6.
 *
 *   SALT (our first is out) --server-first--> VERIFY --server-final--> PROVEN
 * Facts: as in scram_server.c `auth` grows to what both sides sign; the password's keys are made when
 *        the salt is there; PROVEN is the only state in which a success of the server is believed. */
#include "sasl/scram_int.h"

#include "base/b64.h"
#include "base/err.h"
#include "base/num.h"
#include "base/secret.h"

enum state { SALT, VERIFY, PROVEN, DEAD };

struct scram_client {
	enum state state;
	enum rs_scram_hash hash;
	struct rs_secret *password;
	char nonce[SCRAM_NONCE_MAX];
	uint8_t signature[RS_SCRAM_KEY_MAX]; /* the server's, that we expect */
	struct rs_buf c;                     /* gs2-header and binding       */
	struct rs_buf auth;
	struct rs_buf out;
	const char *error;
};

/* gs2-cbind-flag. With a binding at hand that the server does not want: "y", so that it can tell us
 * whether somebody hid its offer (section 6). */
static int add_header(struct scram_client *c, bool plus, const struct rs_sasl_client_cfg *cfg,
	struct rs_slice *binding)
{
	const struct rs_sasl_binding *b = &cfg->binding;

	*binding = rs_slice(NULL, 0);
	if (!plus)
		return rs_buf_add_str(&c->c,
			!cfg->plus_offered && (b->exporter.n || b->end_point.n) ? "y,," : "n,,");
	*binding = b->exporter.n ? b->exporter : b->end_point;
	if (binding->n == 0)
		return -RS_EINVAL;
	return rs_buf_add_str(
		&c->c, b->exporter.n ? "p=tls-exporter,," : "p=tls-server-end-point,,");
}

static int begin(struct scram_client *c, bool plus, const struct rs_sasl_client_cfg *cfg)
{
	struct rs_slice binding;
	int rc = add_header(c, plus, cfg, &binding);

	if (rc == 0)
		rc = rs_buf_add(&c->out, rs_buf_slice(&c->c).p, rs_buf_n(&c->c));
	if (rc == 0 && binding.n)
		rc = rs_buf_add(&c->c, binding.p, binding.n);
	if (rc == 0)
		rc = rs_buf_add_str(&c->auth, "n=");
	if (rc == 0)
		rc = scram_name_encode(cfg->user, &c->auth);
	if (rc == 0)
		rc = rs_buf_addf(&c->auth, ",r=%s", c->nonce);
	return rc == 0 ? rs_buf_add(&c->out, rs_buf_slice(&c->auth).p, rs_buf_n(&c->auth)) : rc;
}

struct scram_client *scram_client_new(
	enum rs_scram_hash hash, bool plus, const struct rs_sasl_client_cfg *cfg)
{
	struct scram_client *c = g_new0(struct scram_client, 1);

	c->hash = hash;
	c->error = "";
	rs_buf_init(&c->c, 1024);
	rs_buf_init(&c->auth, 3 * SCRAM_MESSAGE_MAX);
	rs_buf_init(&c->out, SCRAM_MESSAGE_MAX);
	if (rs_slice_find(cfg->secret, 0) != cfg->secret.n ||
		rs_secret_create(cfg->secret, &c->password) < 0 ||
		scram_nonce(cfg->nonce, c->nonce) < 0 || begin(c, plus, cfg) < 0) {
		scram_client_free(c);
		return NULL;
	}
	return c;
}

void scram_client_free(struct scram_client *c)
{
	if (!c)
		return;
	rs_secret_destroy(&c->password);
	rs_buf_finish(&c->c);
	rs_buf_finish(&c->auth);
	rs_buf_finish(&c->out);
	g_free(c);
}

static int dead(struct scram_client *c, const char *why)
{
	c->state = DEAD;
	c->error = why;
	return -RS_EPROTO;
}

/* Sign: our proof into the message, what the server must answer into c->signature. */
static int sign(struct scram_client *c, struct rs_slice salt, uint32_t iterations)
{
	size_t n = rs_scram_key_n(c->hash);
	uint8_t proof[RS_SCRAM_KEY_MAX];
	struct scram_secrets keys;
	int rc = scram_secrets(
		c->hash, rs_slice(c->password->octets, c->password->n), salt, iterations, &keys);

	if (rc < 0)
		return rc;
	scram_hmac(c->hash, keys.stored, rs_buf_slice(&c->auth), proof);
	for (size_t i = 0; i < n; i++)
		proof[i] ^= keys.client[i];
	scram_hmac(c->hash, keys.server, rs_buf_slice(&c->auth), c->signature);
	rs_wipe(&keys, sizeof(keys));
	rc = rs_buf_add_str(&c->out, ",p=");
	return rc == 0 ? scram_add_b64(&c->out, rs_slice(proof, n)) : rc;
}

static int final_message(struct scram_client *c, struct rs_slice server_first, struct rs_slice salt,
	uint32_t iterations)
{
	int rc = rs_buf_add_str(&c->out, "c=");

	if (rc == 0)
		rc = scram_add_b64(&c->out, rs_buf_slice(&c->c));
	if (rc == 0)
		rc = rs_buf_addf(&c->out, ",r=%s", c->nonce);
	if (rc == 0)
		rc = rs_buf_add_str(&c->auth, ",");
	if (rc == 0)
		rc = rs_buf_add(&c->auth, server_first.p, server_first.n);
	if (rc == 0)
		rc = rs_buf_add_str(&c->auth, ",");
	if (rc == 0)
		rc = rs_buf_add(&c->auth, rs_buf_slice(&c->out).p, rs_buf_n(&c->out));
	return rc == 0 ? sign(c, salt, iterations) : rc;
}

static int on_salt(struct scram_client *c, struct rs_slice in, struct rs_slice *out)
{
	struct rs_slice whole = in;
	uint8_t salt[192];
	struct rs_slice nonce;
	struct rs_slice salt_text;
	struct rs_slice count;
	uint32_t iterations;
	size_t salt_n;

	if (in.n > SCRAM_MESSAGE_MAX || !scram_attr(&in, 'r', &nonce) ||
		!scram_attr(&in, 's', &salt_text) || !scram_attr(&in, 'i', &count) ||
		rs_b64_dec_max(salt_text.n) > sizeof(salt) ||
		rs_b64_dec(salt_text, salt, &salt_n) < 0 || salt_n == 0 ||
		rs_num_u32(count, UINT32_MAX, &iterations) < 0)
		return dead(c, "the server's answer is not one of SCRAM");
	if (!scram_nonce_ok(nonce) || nonce.n <= strlen(c->nonce) ||
		!rs_slice_eq_str(rs_slice_sub(nonce, 0, strlen(c->nonce)), c->nonce))
		return dead(c, "the server's answer belongs to another login");
	if (iterations < RS_SCRAM_ITERATIONS || iterations > RS_SCRAM_ITER_MAX)
		return dead(c, "the server wants too few or too many rounds of SCRAM");
	if (rs_slice_copy(nonce, c->nonce, sizeof(c->nonce)) < 0)
		return dead(c, "the server's answer is too long");
	rs_buf_clear(&c->out);
	if (final_message(c, whole, rs_slice(salt, salt_n), iterations) < 0)
		return dead(c, "out of memory");
	rs_secret_destroy(&c->password);
	c->state = VERIFY;
	*out = rs_buf_slice(&c->out);
	return 0;
}

static int on_verify(struct scram_client *c, struct rs_slice in, struct rs_slice *out)
{
	uint8_t theirs[RS_SCRAM_KEY_MAX];
	size_t n = rs_scram_key_n(c->hash);
	struct rs_slice value;

	if (scram_attr(&in, 'e', &value))
		return dead(c, rs_slice_eq_str(value, "channel-bindings-dont-match")
				       ? "the channel bindings differ: somebody may sit between"
				       : "the server refuses the name or the password");
	if (!scram_attr(&in, 'v', &value) || !scram_b64_is(value, theirs, n) ||
		!rs_secret_eq(rs_slice(theirs, n), rs_slice(c->signature, n)))
		return dead(c, "the server does not know the password: it may be another one");
	c->state = PROVEN;
	*out = rs_slice("", 0);
	return 0;
}

int scram_client_step(struct scram_client *c, struct rs_slice in, struct rs_slice *out)
{
	switch (c->state) {
	case SALT:
		return on_salt(c, in, out);
	case VERIFY:
		return on_verify(c, in, out);
	case PROVEN:
	case DEAD:
		break;
	}
	return dead(c, "the server asks on after the end");
}

struct rs_slice scram_client_first(const struct scram_client *c)
{
	return rs_buf_slice(&c->out);
}

bool scram_client_proven(const struct scram_client *c)
{
	return c->state == PROVEN;
}

const char *scram_client_error(const struct scram_client *c)
{
	if (c->state == PROVEN || *c->error)
		return c->error;
	return "the server did not prove that it knows the password";
}
