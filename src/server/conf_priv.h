/* conf_priv.h - what the files of the configuration share. */
#ifndef RS_SERVER_CONF_PRIV_H
#define RS_SERVER_CONF_PRIV_H

#include "server/conf.h"

/* One key of the file. The manual page and `check-config` speak of this table. */
struct conf_key {
	const char *section;
	const char *key;
	/* Check `value` and put it into `c`. Returns NULL, or what is wrong with it and the cure. */
	const char *(*set)(struct rs_conf *c, const struct conf_key *k, const char *value);
	size_t offset; /* of the field in struct rs_conf, for the plain setters */
	guint64 min;
	guint64 max;
	const char *help; /* one line */
};

/* conf_keys.c: which of `names` (NULL behind the last) `value` is; -1: none. */
int conf_keyword(const char *const *names, const char *value);

/* conf_submission.c */
const char *conf_set_relay(struct rs_conf *c, const struct conf_key *k, const char *value);
const char *conf_set_relay_tls(struct rs_conf *c, const struct conf_key *k, const char *value);
const char *conf_set_domains(struct rs_conf *c, const struct conf_key *k, const char *value);
/* What does not go together, or NULL. */
const char *conf_submission_wrong(const struct rs_conf *c);

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

/* conf_login.c */
/* k->min 1: or an absolute path. */
const char *conf_set_oauth_url(struct rs_conf *c, const struct conf_key *k, const char *value);
const char *conf_set_mechanisms(struct rs_conf *c, const struct conf_key *k, const char *value);
/* When all is read: fill in what was not given, and refuse what does not go together. */
int conf_login_whole(const char *name, struct rs_conf *c, struct rs_err *err) RS_MUST_USE;

#endif
