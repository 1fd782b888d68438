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
	switch (errnum) {
	case 0:
		return RS_OK;
	case ENOMEM:
		return RS_ENOMEM;
	case EINVAL:
		return RS_EINVAL;
	case ENOSPC:
	case EDQUOT:
		return RS_ENOSPC;
	case EROFS:
	case EACCES:
	case EPERM:
		return RS_EROFS;
	case EEXIST:
	case ENOTEMPTY:
		return RS_EEXIST;
	case ENOENT:
	case ENOTDIR:
		return RS_ENOENT;
	case EMFILE:
	case ENFILE:
		return RS_ELIMIT;
	case ECONNREFUSED:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return RS_ENET;
	case EPIPE:
	case ECONNRESET:
		return RS_ECLOSED;
	default:
		return RS_EIO;
	}
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
