/* digest.c - see digest.h */
#include "client/digest.h"

#include <string.h>

#include "base/slice.h"

enum field { FIELD_OTHER, FIELD_USED, FIELD_TELLING };

static enum field field_of(struct rs_slice name)
{
	static const struct {
		const char *name;
		enum field kind;
	} rows[] = {
		{"Message-ID", FIELD_TELLING},
		{"Received", FIELD_TELLING},
		{"Date", FIELD_USED},
		{"From", FIELD_USED},
		{"To", FIELD_USED},
		{"Cc", FIELD_USED},
		{"Subject", FIELD_USED},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		if (rs_slice_ieq_str(name, rows[i].name))
			return rows[i].kind;
	}
	return FIELD_OTHER;
}

/* Octets of a line without blanks at its ends: folding may change on the way. */
static void value_add(GChecksum *sum, struct rs_slice value)
{
	value = rs_slice_trim(value);
	g_checksum_update(sum, value.p ? value.p : (const guchar *)"", (gssize)value.n);
	g_checksum_update(sum, (const guchar *)"\n", 1);
}

static void name_add(GChecksum *sum, struct rs_slice name)
{
	g_autofree char *lower = g_ascii_strdown((const char *)name.p, (gssize)name.n);

	g_checksum_update(sum, (const guchar *)lower, (gssize)name.n);
	g_checksum_update(sum, (const guchar *)":", 1);
}

struct rs_digest rs_digest_of(const uint8_t *head, size_t n)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	struct rs_digest out = {.known = false};
	struct rs_slice rest = rs_slice(head, MIN(n, RS_DIGEST_HEADER_MAX));
	enum field kind = FIELD_OTHER;
	uint8_t whole[32];
	gsize whole_n = sizeof(whole);

	while (rest.n) {
		size_t end = rs_slice_find(rest, '\n');
		struct rs_slice line = rs_slice_sub(rest, 0, end);
		size_t colon;

		rest = rs_slice_sub(rest, end + 1, rest.n);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			if (kind != FIELD_OTHER)
				value_add(sum, line);
			continue;
		}
		colon = rs_slice_find(line, ':');
		kind = field_of(rs_slice_trim(rs_slice_sub(line, 0, colon)));
		if (kind == FIELD_OTHER)
			continue;
		name_add(sum, rs_slice_trim(rs_slice_sub(line, 0, colon)));
		value_add(sum, rs_slice_sub(line, colon + 1, line.n));
		out.known = out.known || kind == FIELD_TELLING;
	}
	g_checksum_get_digest(sum, whole, &whole_n);
	memcpy(out.octets, whole, sizeof(out.octets));
	return out;
}

bool rs_digest_same(const struct rs_digest *a, const struct rs_digest *b)
{
	return a->known && b->known && memcmp(a->octets, b->octets, RS_DIGEST_N) == 0;
}
