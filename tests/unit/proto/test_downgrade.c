/* downgrade: each kind of field by example, the same under every cut; sizes; what cannot be turned. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/err.h"
#include "proto/downgrade.h"
#include "tests/unit/guard.h"

struct row {
	const char *in;
	const char *out; /* NULL: the same */
};

static const struct row rows[] = {
	/* nothing to do */
	{"Subject: plain\n\nb\303\266dy\n", NULL},
	{"", NULL},
	{"\n\303\266\n", NULL},
	{"\r\n\303\266\r\n", NULL},
	{"no field\n\n", NULL},
	{"Subject: raw \366 and \303\266\n\n", NULL}, /* Latin 1: not UTF-8, left as it is */
	/* text */
	{"Subject: \303\266\n\n\303\266", "Subject: =?UTF-8?B?w7Y=?=\n\n\303\266"},
	{"Subject: \303\266\r\n\r\nx", "Subject: =?UTF-8?B?w7Y=?=\r\n\r\nx"},
	{"Subject:\303\266", "Subject:=?UTF-8?B?w7Y=?="}, /* no line end, all header */
	{"Subject: a \303\266 \303\266 b\n\tc\n\n", "Subject: a =?UTF-8?B?w7Ygw7Y=?= b\n\tc\n\n"},
	{"Subject: \303\266\n \303\266 x\n\n", "Subject: =?UTF-8?B?w7Y=?= =?UTF-8?B?IMO2?= "
					       "x\n\n"}, /* the blank of the fold stays */
	{"Subject: =?UTF-8?Q?a?= \303\266\n\n",
		"Subject: =?UTF-8?Q?a?= =?UTF-8?B?IA==?= =?UTF-8?B?w7Y=?=\n\n"},
	{"X-\303\266: a\n\n", "=?UTF-8?B?WC3Dtjo=?= a\n\n"},
	{"Date: x (\303\266 y)\n\n", "Date: x (=?UTF-8?B?w7Y=?= y)\n\n"},
	/* addresses */
	{"From: J\303\266rg <a@b>\n\n", "From: =?UTF-8?B?SsO2cmc=?= <a@b>\n\n"},
	{"From: \"J\303\266rg \\\"x\\\", y\" <a@b>, c@d\n\n",
		"From: =?UTF-8?B?SsO2cmcgIngiLCB5?= <a@b>, c@d\n\n"},
	{"To: c@d, j\303\266@b\n\n", "To: c@d, =?UTF-8?B?asO2QGI=?= :;\n\n"},
	{"To: J <j\303\266@b> (x), c@d\n\n",
		"To: =?UTF-8?B?Sg==?= =?UTF-8?B?asO2QGI=?= :;, c@d\n\n"},
	{"Cc: a@b (J\303\266rg)\n\n", "Cc: a@b (=?UTF-8?B?SsO2cmc=?=)\n\n"},
	{"To: Gr\303\274\303\237: J <a@b>, \303\266 <c@d>;, e@f\n\n",
		"To: =?UTF-8?B?R3LDvMOf?=: J <a@b>,\n =?UTF-8?B?w7Y=?= <c@d>;, e@f\n\n"},
	{"To: G: a@b, \303\266@d;\n\n", "To: =?UTF-8?B?Rw==?= =?UTF-8?B?YUBiLCDDtkBk?= :;\n\n"},
	{"Return-Path: <\303\266@b>\n\n", "Return-Path: =?UTF-8?B?w7ZAYg==?= :;\n\n"},
	/* domains: examples of the registries and of RFC 3492 section 7.1 */
	{"To: info@m\303\274ller.example\n\n", "To: info@xn--mller-kva.example\n\n"},
	{"To: J\303\266rg <a@b\303\274cher.stra\303\237e.example> (x), c@d\n\n",
		"To: =?UTF-8?B?SsO2cmc=?= <a@xn--bcher-kva.xn--strae-oqa.example> (x), c@d\n\n"},
	{"To: a@\344\273\226\344\273\254\344\270\272\344\273\200\344\271\210\344\270"
	 "\215\350\257\264\344\270\255\346\226\207\n\n",
		"To: a@xn--ihqwcrb4cv8a8dqg056pqjye\n\n"},
	{"To: G: a@\320\277\321\200.example;\n\n", "To: G: a@xn--o1ac.example;\n\n"},
	/* upper case has no A-label; neither has a label that is too long, or what is no letter */
	{"To: a@M\303\234LLER\n\n", "To: =?UTF-8?B?YUBNw5xMTEVS?= :;\n\n"},
	{"To: a@\342\230\203.example\n\n", "To: =?UTF-8?B?YUDimIMuZXhhbXBsZQ==?= :;\n\n"},
	{"To: a@-\303\274\n\n", "To: =?UTF-8?B?YUAtw7w=?= :;\n\n"},
	/* identifiers, parameters, trace */
	{"Message-ID: <\303\266@b>\n\n", "Downgraded-Message-ID: =?UTF-8?B?PMO2QGI+?=\n\n"},
	{"Content-Type: text/plain; name=\"\303\266 \\\"1.txt\"; charset=utf-8\n\n",
		"Content-Type: text/plain;\n name*=UTF-8''%C3%B6%20%221.txt; "
		"charset=utf-8\n\n"},
	{"Received: from a (\303\266) by c\n\tfor <\303\266@b>; Mon\n\n",
		"Received: from a (=?UTF-8?B?w7Y=?=) by c; Mon\n\n"},
};

/* All of `in` in pieces; the result is malloc'ed. -RS_ELIMIT as the code says. */
static int turn(const char *in, size_t n, size_t chunk, char **out, size_t *out_n)
{
	struct rs_downgrade d;
	size_t at = 0;
	int rc = 0;

	*out = malloc(n * 30 + 1);
	*out_n = 0;
	rs_downgrade_init(&d);
	while (rc == 0) {
		struct rs_slice o = rs_downgrade_out(&d);
		struct guard g;
		size_t used;

		memcpy(*out + *out_n, o.p ? o.p : (const uint8_t *)"", o.n);
		*out_n += o.n;
		rs_downgrade_fetched(&d, o.n);
		if (rs_downgrade_in_body(&d))
			break;
		if (at == n) {
			rc = rs_downgrade_end(&d);
			continue;
		}
		guard_init(&g, in + at, RS_MIN(chunk, n - at));
		rc = rs_downgrade_header(&d, g.p, g.n, &used);
		guard_finish(&g);
		at += used;
	}
	rs_downgrade_finish(&d);
	memcpy(*out + *out_n, in + at, n - at);
	*out_n += n - at;
	return rc;
}

static uint64_t wire(const char *p, size_t n)
{
	struct rs_wire_count w;

	rs_wire_count_init(&w);
	rs_wire_count_add(&w, (const uint8_t *)p, n);
	return rs_wire_count_end(&w);
}

static uint64_t told(const char *in, size_t n, size_t chunk)
{
	struct rs_ascii_size z;
	uint64_t size;

	rs_ascii_size_init(&z);
	for (size_t at = 0; at < n; at += chunk)
		rs_ascii_size_add(&z, (const uint8_t *)in + at, RS_MIN(chunk, n - at));
	size = rs_ascii_size_end(&z, wire(in, n));
	rs_ascii_size_finish(&z);
	return size;
}

static void check_row(const struct row *r)
{
	size_t n = strlen(r->in);
	const char *want = r->out ? r->out : r->in;

	for (size_t chunk = 1; chunk <= n + 1; chunk++) {
		char *out;
		size_t out_n;

		assert_int_equal(turn(r->in, n, chunk, &out, &out_n), 0);
		out[out_n] = '\0';
		assert_string_equal(out, want);
		assert_int_equal(told(r->in, n, chunk), wire(want, strlen(want)));
		free(out);
	}
}

static void downgrade__rows_under_every_cut(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

/* `n` times `text` behind what is there. */
static void append(char *to, const char *text, unsigned n)
{
	size_t len = strlen(text);
	char *at = to + strlen(to);

	for (; n; n--, at += len)
		memcpy(at, text, len + 1);
}

/* Lines with encoded words have at most 76 octets, words at most 75, and no character is cut in two. */
static void downgrade__long_text_is_folded(void **state)
{
	char in[2048] = "Subject: x ";
	char *out;
	size_t out_n;
	const char *line;

	append(in, "\303\266\303\266\342\202\254", 70);
	append(in, "\n\n", 1);
	assert_int_equal(turn(in, strlen(in), 7, &out, &out_n), 0);
	out[out_n] = '\0';
	line = out;
	while (*line != '\n') {
		size_t n = strcspn(line, "\n");

		assert_in_range(n, 10, 76);
		assert_true(line == out || line[0] == ' ');
		assert_memory_equal(line + n - 2, "?=", 2);
		line += n + 1;
	}
	free(out);
}

static void downgrade__long_parameter_is_cut_into_pieces(void **state)
{
	char in[1024] = "Content-Disposition: attachment; filename=\"";
	char *out;
	size_t out_n;

	append(in, "\303\266", 20);
	append(in, "\"\n\n", 1);
	assert_int_equal(turn(in, strlen(in), 5, &out, &out_n), 0);
	out[out_n] = '\0';
	assert_non_null(strstr(out, ";\n filename*0*=UTF-8''%C3%B6"));
	assert_non_null(strstr(out, ";\n filename*1*=%C3%B6"));
	assert_null(strstr(out, "filename*="));
	free(out);
}

/* A field too long to be held: passed on where it is ASCII, refused where not, whatever the cut. */
static void downgrade__field_at_its_ceiling(void **state)
{
	static const size_t chunks[] = {1000, 65535, 65536, 65537, 300000};
	size_t n = RS_DOWNGRADE_FIELD_MAX * 2 + 40;

	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		char *in = malloc(n + 1);
		char *out;
		size_t out_n;

		memset(in, 'a', n);
		memcpy(in, "X: ", 3);
		memcpy(in + n - 9, "\nY: b\n\nb\n", 9);
		assert_int_equal(turn(in, n, chunks[i], &out, &out_n), 0);
		assert_int_equal(out_n, n);
		assert_memory_equal(out, in, n);
		free(out);
		memcpy(in + n - 20, "\303\266", 2);
		assert_int_equal(turn(in, n, chunks[i], &out, &out_n), -RS_ELIMIT);
		assert_true(told(in, n, chunks[i]) == RS_DOWNGRADE_NONE);
		free(out);
		free(in);
	}
}

static void downgrade__cheap_question(void **state)
{
	static const struct {
		const char *in;
		bool yes;
	} q[] = {{"a: b\n\n\303\266", true}, {"a: b\r\n\r\n", true}, {"\n", true},
		{"a: b\n", false}, {"", false}, {"a: \303\266\n\nx", false},
		{"a: \366\n\nx", false}};

	for (size_t i = 0; i < sizeof(q) / sizeof(*q); i++)
		assert_int_equal(
			rs_header_is_ascii((const uint8_t *)q[i].in, strlen(q[i].in)), q[i].yes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(downgrade__rows_under_every_cut),
		cmocka_unit_test(downgrade__long_text_is_folded),
		cmocka_unit_test(downgrade__long_parameter_is_cut_into_pieces),
		cmocka_unit_test(downgrade__field_at_its_ceiling),
		cmocka_unit_test(downgrade__cheap_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
