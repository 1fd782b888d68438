/* fuzz_proxy.c - the header of the PROXY protocol: every beginning of it gives MORE, then the answer, which
 * what follows does not change. */
#include "proto/proxy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	enum rs_proxy_step was = RS_PROXY_MORE;
	size_t was_used = 0;

	for (gsize i = 0; i <= n; i += n > 256 && i > 64 ? n / 64 : 1) {
		g_autofree guint8 *copy =
			g_memdup2(data, i); /* its end is an end for AddressSanitizer */
		struct rs_proxy_head head;
		size_t used = 0;
		enum rs_proxy_step s = rs_proxy_parse(rs_slice(copy, i), &used, &head);

		FUZZ_LAW(was == RS_PROXY_MORE || (s == was && used == was_used));
		FUZZ_LAW(s != RS_PROXY_DONE || (used > 0 && used <= i && used <= RS_PROXY_MAX));
		FUZZ_LAW(s != RS_PROXY_MORE || i < RS_PROXY_MAX);
		was = s;
		was_used = used;
	}
	return 0;
}
