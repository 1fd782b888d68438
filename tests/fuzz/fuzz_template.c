/* fuzz_template.c - what a person may leave in the editor's file, subjects, quotes, references, flowed text, envelopes: what was
 * read is written and read again as the same; what was refused has changed nothing. */
#include "client/compose.h"
#include "client/envelope.h"
#include "client/flowed.h"
#include "client/template.h"
#include "tests/fuzz/fuzz.h"

static void template(struct rs_slice in)
{
	struct rs_draft *d = rs_draft_new(NULL);
	struct rs_err err;

	if (rs_template_parse(d, (const char *)in.p, in.n, &err) == 0) {
		g_autofree char *first = rs_template_print(d);
		g_autofree char *second = NULL;

		FUZZ_LAW(g_utf8_validate(first, -1, NULL));
		FUZZ_LAW(rs_template_parse(d, first, strlen(first), &err) == 0);
		second = rs_template_print(d);
		FUZZ_LAW(strcmp(first, second) == 0);
	} else {
		FUZZ_LAW(err.text[0] && !*d->to && !*d->text && d->attachments->len == 0);
	}
	rs_draft_free(d);
}

static void flowed(const char *text)
{
	g_autofree char *made = rs_flowed_make(text);
	g_autofree char *back = rs_flowed_text(made, false);
	g_autofree char *again = rs_flowed_make(back);

	/* one time it may lose blanks at the ends of lines; then it is stable */
	FUZZ_LAW(strcmp(made, again) == 0);
}

static void words(const char *text)
{
	g_autofree char *subject = rs_subject_answer(text, "Re");
	g_autofree char *twice = rs_subject_answer(subject, "Re");
	g_autofree char *quote = rs_quote(text);
	g_autofree char *references = rs_references(text, text, "<a@b>");

	FUZZ_LAW(strcmp(subject, twice) == 0);
	for (const char *line = quote; *line; line += strcspn(line, "\n") + 1)
		FUZZ_LAW(*line == '>');
	FUZZ_LAW(references && g_str_has_suffix(references, "<a@b>"));
	FUZZ_LAW(!strchr(references, '\n'));
}

static void envelope(struct rs_slice in)
{
	struct rs_envelope *e = NULL;
	struct rs_envelope *again = NULL;
	struct rs_err err;
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;

	if (rs_envelope_parse((const char *)in.p, in.n, &e, &err) < 0)
		return;
	first = rs_envelope_print(e);
	FUZZ_LAW(rs_envelope_parse(first, strlen(first), &again, &err) == 0);
	second = rs_envelope_print(again);
	FUZZ_LAW(strcmp(first, second) == 0);
	rs_envelope_free(e);
	rs_envelope_free(again);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 which = fuzz_choice(&in);
	g_autofree char *octets = g_strndup(in.n ? (const char *)in.p : "", in.n);
	g_autofree char *text = g_utf8_make_valid(octets, -1);

	g_strdelimit(text, "\r", ' '); /* text of a draft has none (template.c: normal) */
	if (which % 4 == 0)
		template(rs_slice(octets, in.n));
	else if (which % 4 == 1)
		flowed(text);
	else if (which % 4 == 2)
		words(text);
	else
		envelope(rs_slice(octets, in.n));
	return 0;
}
