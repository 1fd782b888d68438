/* metrics - the counters (stats.h) as OpenMetrics text, and how they are handed out by HTTP (http.h).
 * Without I/O. Source: OpenMetrics 1.0.0. */
#ifndef RS_SERVER_METRICS_H
#define RS_SERVER_METRICS_H

#include <glib.h>

#include "server/http.h"
#include "server/stats.h"

#define RS_METRICS_TYPE     "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define RS_METRICS_HEAD_MAX RS_HTTP_HEAD_MAX /* octets of a request */

/* All families, ended by "# EOF". */
void rs_metrics_text(GString *out, const struct rs_stats *sum);

enum rs_metrics_http {
	RS_METRICS_MORE, /* the request is not whole yet */
	RS_METRICS_GET,  /* GET /metrics */
	RS_METRICS_HEAD, /* HEAD /metrics */
	RS_METRICS_NOT_FOUND,
	RS_METRICS_NOT_ALLOWED, /* another method */
	RS_METRICS_BAD
};

/* What does this request, as far as it came, ask for? */
enum rs_metrics_http rs_metrics_request(struct rs_slice in);
/* The answer, with `sum` where it is asked for. */
void rs_metrics_answer(GString *out, enum rs_metrics_http what, const struct rs_stats *sum);

#endif
