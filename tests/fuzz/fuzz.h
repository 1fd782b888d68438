/* fuzz.h - what the fuzzers share: a little reader of choices, and the event log that must be the same
 * under every cut. Each fuzz_<name>.c defines LLVMFuzzerTestOneInput. */
#ifndef RS_TESTS_FUZZ_H
#define RS_TESTS_FUZZ_H

#include <glib.h>
#include <string.h>

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n);

/* The first octet chooses something; the rest is the input. */
static inline guint8 fuzz_choice(struct rs_slice *in)
{
	guint8 c = in->n ? in->p[0] : 0;

	*in = rs_slice_sub(*in, 1, in->n);
	return c;
}

/* A law was broken: abort with its words. */
#define FUZZ_LAW(what)                             \
	do {                                       \
		if (!(what))                       \
			g_error("law: %s", #what); \
	} while (0)

#endif
