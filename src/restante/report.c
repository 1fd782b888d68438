/* report.c - how a check went, in words and as JSON. */
#include "restante/restante.h"

#include "client/fetch.h"
#include "client/text.h"

char *rs_size_words(guint64 octets)
{
	return g_format_size_full(octets, G_FORMAT_SIZE_IEC_UNITS);
}

void rs_report_judge(struct rs_fetch_report *r)
{
	if (!r->error && r->failed_n)
		r->error = rs_err_set(&r->err, RS_ETEMP,
			P_("the server would not give %u message; the next check asks again",
				"the server would not give %u messages; the next check asks again",
				r->failed_n),
			r->failed_n);
	if (!r->error && r->refused_n)
		r->error = rs_err_set(&r->err, RS_ETEMP,
			P_("%u message could not be handed over; it stays on the server, and a "
			   "later "
			   "check tries again",
				"%u messages could not be handed over; they stay on the server, "
				"and a "
				"later check tries again",
				r->refused_n),
			r->refused_n);
}

void rs_report_fields(GString *line, const char *name, const struct rs_fetch_report *r)
{
	char seconds[G_ASCII_DTOSTR_BUF_SIZE];

	rs_json_key(line, "account");
	rs_json_str(line, name);
	g_string_append_printf(line,
		",\"new\":%u,\"bytes\":%" G_GUINT64_FORMAT
		",\"on_server\":%u,\"deleted\":%u,\"seconds\":%s,\"error\":",
		r->new_n, r->octets, r->on_server_n, r->deleted_n,
		g_ascii_formatd(seconds, sizeof(seconds), "%.3f", r->seconds));
	if (r->error) {
		g_string_append(line, "{\"code\":");
		rs_json_str(line, rs_err_kind_name(r->err.kind));
		g_string_append(line, ",\"text\":");
		rs_json_str(line, r->err.text);
		g_string_append(line, "}");
	} else {
		g_string_append(line, "null");
	}
}

void rs_report_json(const char *name, const struct rs_fetch_report *r)
{
	g_autoptr(GString) line = g_string_new("{");

	rs_report_fields(line, name, r);
	rs_say("%s}\n", line->str);
}

/* "anna: 12 new messages (3.4 MiB), 345 on the server, 12 deleted there" */
void rs_report_counts(const char *name, const struct rs_fetch_report *r)
{
	g_autofree char *size = rs_size_words(r->octets);
	g_autoptr(GString) line = g_string_new(NULL);

	if (r->new_n)
		g_string_append_printf(line,
			P_("%s: %u new message (%s)", "%s: %u new messages (%s)", r->new_n), name,
			r->new_n, size);
	else
		g_string_append_printf(line, _("%s: nothing new"), name);
	if (!r->error)
		g_string_append_printf(line, _(", %u on the server"), r->on_server_n);
	if (r->deleted_n)
		g_string_append_printf(line, _(", %u deleted there"), r->deleted_n);
	rs_say("%s\n", line->str);
}

/* What the person should know although the check itself went well. */
void rs_report_warn(const char *name, const struct rs_fetch_report *r, bool dry_run)
{
	for (guint i = 0; i < RS_FETCH_NOTICE_N && r->notice[i][0]; i++)
		rs_complain("%s: %s", name, r->notice[i]);
	if (r->waiting_n && !dry_run)
		rs_complain(
			P_("%s: by the changed policy %u message goes from the server at the next "
			   "check; to see it: restante check --dry-run",
				"%s: by the changed policy %u messages go from the server at the "
				"next check; to see them: restante check --dry-run",
				r->waiting_n),
			name, r->waiting_n);
	if (r->later_n + r->skipped_n)
		rs_complain(
			P_("%s: %u message is not fetched; which and why: restante fetch",
				"%s: %u messages are not fetched; which and why: restante fetch",
				r->later_n + r->skipped_n),
			name, r->later_n + r->skipped_n);
	if (r->suspect_n)
		rs_complain(P_("%s: %u message is shorter than the server said; it is kept there",
				    "%s: %u messages are shorter than the server said; they are "
				    "kept there",
				    r->suspect_n),
			name, r->suspect_n);
	if (r->doubtful_n)
		rs_complain(P_("%s: %u message has another size than before; it was left alone",
				    "%s: %u messages have another size than before; they were left "
				    "alone",
				    r->doubtful_n),
			name, r->doubtful_n);
}
