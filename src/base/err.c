/* err.c - see err.h */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int rs_err_set(struct rs_err *err, enum rs_err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->kind = kind;
		err->detail[0] = '\0';
		va_start(ap, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -(int)kind;
}

void rs_err_detail(struct rs_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
}

enum rs_err_kind rs_err_kind_of_errno(int errnum)
{
	static const struct {
		int errnum;
		enum rs_err_kind kind;
	} rows[] = {
		{0, RS_OK},
		{ENOMEM, RS_ENOMEM},
		{EINVAL, RS_EINVAL},
		{ENOSPC, RS_ENOSPC},
		{EDQUOT, RS_ENOSPC},
		{EROFS, RS_EROFS},
		{EACCES, RS_EROFS},
		{EPERM, RS_EROFS},
		{EEXIST, RS_EEXIST},
		{ENOTEMPTY, RS_EEXIST},
		{ENOENT, RS_ENOENT},
		{ENOTDIR, RS_ENOENT},
		{EMFILE, RS_ELIMIT},
		{ENFILE, RS_ELIMIT},
		{ECONNREFUSED, RS_ENET},
		{ENETUNREACH, RS_ENET},
		{EHOSTUNREACH, RS_ENET},
		{ETIMEDOUT, RS_ENET},
		{EPIPE, RS_ECLOSED},
		{ECONNRESET, RS_ECLOSED},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		if (rows[i].errnum == errnum)
			return rows[i].kind;
	}
	return RS_EIO;
}

const char *rs_err_kind_name(enum rs_err_kind kind)
{
	static const char *const names[] = {
		[RS_OK] = "ok",
		[RS_ENOMEM] = "no-memory",
		[RS_EINVAL] = "invalid",
		[RS_ELIMIT] = "limit",
		[RS_EBUSY] = "busy",
		[RS_EPROTO] = "protocol",
		[RS_ECLOSED] = "closed",
		[RS_EIO] = "io",
		[RS_ENOSPC] = "no-space",
		[RS_EROFS] = "not-permitted",
		[RS_EEXIST] = "exists",
		[RS_ENOENT] = "not-found",
		[RS_EAUTH] = "login-refused",
		[RS_ECERT] = "certificate-refused",
		[RS_ETEMP] = "temporary",
		[RS_ELOCKED] = "locked",
		[RS_ECORRUPT] = "corrupt",
		[RS_ECONFIG] = "configuration",
		[RS_ENET] = "network",
	};

	return (size_t)kind < RS_ARRAY_N(names) ? names[kind] : "unknown";
}
