/* scram_int.h - what the files of SCRAM share. Nobody else includes it. */
#ifndef RS_SASL_SCRAM_INT_H
#define RS_SASL_SCRAM_INT_H

#include <glib.h>

#include "base/buf.h"
#include "sasl/sasl.h"

#define SCRAM_NONCE_MAX   256u  /* octets of both nonces together */
#define SCRAM_MESSAGE_MAX 2048u /* of any message                 */

struct scram_secrets {
	uint8_t client[RS_SCRAM_KEY_MAX];
	uint8_t stored[RS_SCRAM_KEY_MAX];
	uint8_t server[RS_SCRAM_KEY_MAX];
};

/* scram.c */
void scram_hmac(enum rs_scram_hash hash, const uint8_t *key, struct rs_slice text, uint8_t *out);
void scram_h(enum rs_scram_hash hash, const uint8_t *key, uint8_t *out);
int scram_chance(uint8_t *out, size_t n) RS_MUST_USE;
/* `out` is to be wiped. -RS_EINVAL: a NUL in the password; -RS_EIO. */
int scram_secrets(enum rs_scram_hash hash, struct rs_slice password, struct rs_slice salt,
	uint32_t iterations, struct scram_secrets *out) RS_MUST_USE;

/* scram_msg.c: messages are attributes "x=value" with commas between (RFC 5802 section 5). */

/* The next attribute, which must be `name`; its value. False: it is another one, or none. */
bool scram_attr(struct rs_slice *rest, char name, struct rs_slice *value);
/* A name with =2C and =3D in it <-> itself, UTF-8 without NUL. -RS_EINVAL, -RS_ELIMIT. */
int scram_name_decode(struct rs_slice text, char *out, size_t out_n) RS_MUST_USE;
int scram_name_encode(struct rs_slice name, struct rs_buf *to) RS_MUST_USE;
bool scram_nonce_ok(struct rs_slice s); /* printable without comma, not empty */
/* 24 characters by chance, or `given`. */
int scram_nonce(const char *given, char out[SCRAM_NONCE_MAX]) RS_MUST_USE;
int scram_add_b64(struct rs_buf *to, struct rs_slice octets) RS_MUST_USE;
/* Of exactly `n` octets. */
bool scram_b64_is(struct rs_slice text, uint8_t *out, size_t n);

/* One exchange, server side (scram_server.c). */
struct scram_server;
struct scram_server *scram_server_new(
	enum rs_scram_hash hash, bool plus, const struct rs_sasl_server_cfg *cfg);
void scram_server_free(struct scram_server *s);
enum rs_sasl_step scram_server_step(
	struct scram_server *s, struct rs_slice in, struct rs_slice *out);
enum rs_sasl_step scram_server_keys(
	struct scram_server *s, const struct rs_scram_keys *v, bool real, struct rs_slice *out);
const char *scram_server_user(const struct scram_server *s);
enum rs_scram_hash scram_server_hash(const struct scram_server *s);

/* The same, client side (scram_client.c). */
struct scram_client;
struct scram_client *scram_client_new(enum rs_scram_hash hash, bool plus,
	const struct rs_sasl_client_cfg *cfg); /* NULL: -RS_EINVAL */
void scram_client_free(struct scram_client *c);
struct rs_slice scram_client_first(const struct scram_client *c); /* before any step */
int scram_client_step(struct scram_client *c, struct rs_slice in, struct rs_slice *out) RS_MUST_USE;
bool scram_client_proven(const struct scram_client *c);
const char *scram_client_error(const struct scram_client *c);

#endif
