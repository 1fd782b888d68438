/* lmtps_addr.c - the addresses of MAIL and RCPT. RFC 5321 sections 4.1.2, 4.5.3.1; RFC 6531. */
#include "proto/lmtps_priv.h"

#include "base/utf8.h"

#define PATH_MAX_N   256u /* RFC 5321 section 4.5.3.1.3, with the <> */
#define LOCAL_MAX_N  64u
#define DOMAIN_MAX_N 255u

/* Where the path's ">" is: quoted strings may hold one. n when there is none. */
static size_t path_end(struct rs_slice s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '>' && !quoted)
			return i;
	}
	return s.n;
}

bool lmtps_path(struct rs_slice in, bool null_ok, struct rs_slice *addr, struct rs_slice *rest)
{
	size_t end;

	while (in.n && in.p[0] == ' ') /* "FROM: <a@b>" is wrong and common */
		in = rs_slice_sub(in, 1, in.n);
	if (in.n == 0 || in.p[0] != '<')
		return false;
	in = rs_slice_sub(in, 1, in.n);
	end = path_end(in);
	if (end == in.n || end + 2 > PATH_MAX_N)
		return false;
	*addr = rs_slice_sub(in, 0, end);
	*rest = rs_slice_sub(in, end + 1, in.n);
	if (rest->n && rest->p[0] != ' ')
		return false;
	*rest = rs_slice_trim(*rest);
	if (addr->n && addr->p[0] == '@') { /* source route: accepted and ignored */
		size_t colon = rs_slice_find(*addr, ':');

		*addr = rs_slice_sub(*addr, colon + 1, addr->n);
		return addr->n > 0; /* "<@host>" and "<@host:>" are not the null sender */
	}
	return addr->n > 0 || null_ok;
}

/* Octets of a quoted string from its first quote on, both quotes included; 0: not closed. */
static size_t quoted_n(struct rs_slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

static bool atom_char(uint8_t c, bool utf8)
{
	static const char special[] = "()<>[]:;@\\,\"";

	if (c >= 0x80)
		return utf8;
	return c > 0x20 && c < 0x7f && !memchr(special, c, sizeof(special) - 1);
}

static bool dots_ok(struct rs_slice s)
{
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '.' && s.p[i - 1] == '.')
			return false;
	}
	return true;
}

static bool domain_ok(struct rs_slice d, bool utf8)
{
	bool literal = d.n > 2 && d.p[0] == '[' && d.p[d.n - 1] == ']';

	if (d.n == 0 || d.n > DOMAIN_MAX_N)
		return false;
	if (literal)
		d = rs_slice_sub(d, 1, d.n - 2);
	for (size_t i = 0; i < d.n; i++) {
		uint8_t c = d.p[i];
		bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!word && c != '.' && c != '-' && !(c >= 0x80 && utf8) && !(literal && c == ':'))
			return false;
	}
	return literal || dots_ok(d);
}

bool lmtps_addr_ok(struct rs_slice addr, bool utf8)
{
	size_t local = 0;
	struct rs_slice name;

	if (addr.n == 0)
		return true; /* the null sender; RCPT refuses it before */
	if (!rs_utf8_valid(addr))
		return false;
	if (addr.p[0] == '"') {
		local = quoted_n(addr);
		for (size_t i = 0; i < local; i++) {
			if (addr.p[i] < 0x20 || addr.p[i] == 0x7f || (addr.p[i] >= 0x80 && !utf8))
				return false;
		}
	} else {
		while (local < addr.n && atom_char(addr.p[local], utf8))
			local++;
	}
	name = rs_slice_sub(addr, 0, local);
	if (local == 0 || local > LOCAL_MAX_N || (name.p[0] != '"' && !dots_ok(name)))
		return false;
	if (local == addr.n) /* no domain: only the postmaster (RFC 5321 section 4.1.1.3) */
		return rs_slice_ieq_str(addr, "postmaster");
	return addr.p[local] == '@' && domain_ok(rs_slice_sub(addr, local + 1, addr.n), utf8);
}
