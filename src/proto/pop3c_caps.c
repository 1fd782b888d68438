/* pop3c_caps.c - what the server says it can: CAPA lines, RFC 2449 section 6. Either case. */
#include "proto/pop3c_priv.h"

#include "base/num.h"

void pop3c_caps_reset(struct rs_pop3c *c)
{
	c->caps = 0;
	c->login_delay_s = 0;
	rs_buf_clear(&c->mechs);
}

static uint32_t caps_bit(struct rs_slice name)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} rows[] = {
		{"TOP", RS_CAP_TOP},
		{"USER", RS_CAP_USER},
		{"SASL", RS_CAP_SASL},
		{"RESP-CODES", RS_CAP_RESP_CODES},
		{"PIPELINING", RS_CAP_PIPELINING},
		{"UIDL", RS_CAP_UIDL},
		{"STLS", RS_CAP_STLS},
		{"UTF8", RS_CAP_UTF8},
		{"LANG", RS_CAP_LANG},
		{"AUTH-RESP-CODE", RS_CAP_AUTH_RESP_CODE},
		{"EXPIRE", RS_CAP_EXPIRE},
		{"LOGIN-DELAY", RS_CAP_LOGIN_DELAY},
		{"IMPLEMENTATION", RS_CAP_IMPLEMENTATION},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		if (rs_slice_ieq_str(name, rows[i].name))
			return rows[i].bit;
	}
	return 0;
}

void pop3c_caps_line(struct rs_pop3c *c, struct rs_slice line)
{
	struct rs_slice rest = rs_slice_trim(line);
	uint32_t bit = caps_bit(rs_slice_word(&rest));

	c->caps |= bit;
	if (bit == RS_CAP_SASL) {
		rs_buf_clear(&c->mechs);
		if (rs_buf_add(&c->mechs, rest.p, rest.n) < 0)
			c->caps &= ~RS_CAP_SASL; /* too long to be believed */
	} else if (bit == RS_CAP_UTF8 && rs_slice_ieq_str(rs_slice_word(&rest), "USER")) {
		c->caps |= RS_CAP_UTF8_USER;
	} else if (bit == RS_CAP_IMPLEMENTATION && rs_slice_istarts(rest, "Courier Mail Server")) {
		/* its login program reads ahead, and is another one than that which serves the mail */
		c->caps |= RS_CAP_LOGIN_ALONE;
	} else if (bit == RS_CAP_LOGIN_DELAY) {
		if (rs_num_u32(rs_slice_word(&rest), UINT32_MAX, &c->login_delay_s) < 0)
			c->login_delay_s = 0;
	}
}

bool rs_pop3c_has_mech(const struct rs_pop3c *c, const char *mech)
{
	struct rs_slice rest = rs_buf_slice(&c->mechs);

	while (rest.n) {
		if (rs_slice_ieq_str(rs_slice_word(&rest), mech))
			return true;
	}
	return false;
}
