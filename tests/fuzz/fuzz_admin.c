/* fuzz_admin.c - what the admin role reads: an administrator's requests, a monitoring system's HTTP. */
#include "server/admin_req.h"
#include "server/metrics.h"
#include "tests/fuzz/fuzz.h"

static void request(struct rs_slice in)
{
	struct rs_admin_req r = {.what = RS_ADMIN_DO_N};
	struct rs_err err = {.text = ""};

	if (rs_admin_req_parse(in, &r, &err) < 0) {
		FUZZ_LAW(err.kind == RS_EINVAL && err.text[0]);
		FUZZ_LAW(r.what == RS_ADMIN_DO_N);
		return;
	}
	FUZZ_LAW(r.what < RS_ADMIN_DO_N);
	FUZZ_LAW((r.what == RS_ADMIN_KICK) == (r.id != 0));
	FUZZ_LAW((r.what == RS_ADMIN_UNLOCK) == (r.address[0] != '\0'));
	FUZZ_LAW(!strchr(r.address, '/'));
}

/* What was said of the first octets stays true when more come. */
static void http(struct rs_slice in)
{
	enum rs_metrics_http last = rs_metrics_request(in);

	for (gsize n = 0; n < in.n; n++) {
		enum rs_metrics_http now = rs_metrics_request(rs_slice_sub(in, 0, n));

		FUZZ_LAW(now == RS_METRICS_MORE || now == last);
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);

	if (fuzz_choice(&in) % 2)
		request(in);
	else
		http(in);
	return 0;
}
