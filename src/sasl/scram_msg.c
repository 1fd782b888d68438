/* scram_msg.c - the pieces of SCRAM's messages, see scram_int.h. RFC 5802 sections 5 and 7. */
#include "sasl/scram_int.h"

#include "base/b64.h"
#include "base/err.h"
#include "base/utf8.h"

bool scram_attr(struct rs_slice *rest, char name, struct rs_slice *value)
{
	size_t n = rs_slice_find(*rest, ',');

	if (n < 2 || rest->p[0] != (uint8_t)name || rest->p[1] != '=')
		return false;
	*value = rs_slice_sub(*rest, 2, n - 2);
	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return true;
}

int scram_name_decode(struct rs_slice text, char *out, size_t out_n)
{
	size_t n = 0;

	if (text.n == 0 || rs_slice_find(text, 0) != text.n || !rs_utf8_valid(text))
		return -RS_EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		struct rs_slice three = rs_slice_sub(text, i, 3);
		char c = (char)text.p[i];

		if (c == ',')
			return -RS_EINVAL;
		if (c == '=') {
			if (rs_slice_eq_str(three, "=2C"))
				c = ',';
			else if (!rs_slice_eq_str(three, "=3D"))
				return -RS_EINVAL;
			i += 2;
		}
		if (n + 1 >= out_n)
			return -RS_ELIMIT;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

int scram_name_encode(struct rs_slice name, struct rs_buf *to)
{
	int rc = rs_slice_find(name, 0) == name.n && name.n && rs_utf8_valid(name) ? 0 : -RS_EINVAL;

	for (size_t i = 0; i < name.n && rc == 0; i++) {
		if (name.p[i] == ',')
			rc = rs_buf_add_str(to, "=2C");
		else if (name.p[i] == '=')
			rc = rs_buf_add_str(to, "=3D");
		else
			rc = rs_buf_add(to, name.p + i, 1);
	}
	return rc;
}

bool scram_nonce_ok(struct rs_slice s)
{
	return s.n && s.n < SCRAM_NONCE_MAX && rs_slice_graphic(s) && rs_slice_find(s, ',') == s.n;
}

int scram_nonce(const char *given, char out[SCRAM_NONCE_MAX])
{
	uint8_t octets[18];
	int rc;

	if (given)
		return g_strlcpy(out, given, SCRAM_NONCE_MAX) < SCRAM_NONCE_MAX ? 0 : -RS_EINVAL;
	rc = scram_chance(octets, sizeof(octets));
	if (rc == 0)
		out[rs_b64_enc(rs_slice(octets, sizeof(octets)), (uint8_t *)out)] = '\0';
	return rc;
}

int scram_add_b64(struct rs_buf *to, struct rs_slice octets)
{
	uint8_t *at;
	int rc = rs_buf_reserve(to, rs_b64_enc_n(octets.n), &at);

	if (rc == 0)
		rs_buf_added(to, rs_b64_enc(octets, at));
	return rc;
}

bool scram_b64_is(struct rs_slice text, uint8_t *out, size_t n)
{
	uint8_t decoded[96];
	size_t got;

	if (rs_b64_dec_max(text.n) > sizeof(decoded) || rs_b64_dec(text, decoded, &got) < 0 ||
		got != n)
		return false;
	memcpy(out, decoded, n);
	return true;
}
