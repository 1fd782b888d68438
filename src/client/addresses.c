/* addresses.c - see addresses.h */
#include "client/addresses.h"

#include <gmime/gmime.h>
#include <string.h>

#include "client/header.h"

#define DEPTH_MAX 4u /* groups in groups: RFC 5322 has none */

static void take(InternetAddressList *list, GPtrArray *out, guint depth)
{
	for (int i = 0; i < internet_address_list_length(list); i++) {
		InternetAddress *one = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_MAILBOX(one)) {
			const char *address =
				internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one));

			if (address && *address)
				g_ptr_array_add(out, g_strdup(address));
		} else if (INTERNET_ADDRESS_IS_GROUP(one) && depth < DEPTH_MAX) {
			take(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)), out,
				depth + 1);
		}
	}
}

GPtrArray *rs_addresses_of(const char *raw)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	InternetAddressList *list;

	rs_mime_init();
	list = raw ? internet_address_list_parse(NULL, raw) : NULL;
	if (list) {
		take(list, out, 0);
		g_object_unref(list);
	}
	return out;
}

bool rs_address_ok(const char *address)
{
	const char *sign = strrchr(address, '@');

	if (!sign || sign == address || !sign[1] || strlen(address) > RS_ADDRESS_MAX ||
		!g_utf8_validate(address, -1, NULL))
		return false;
	for (const char *c = address; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f || *c == '<' || *c == '>')
			return false;
		if ((*c == ' ' || *c == ',' || *c == ';') && address[0] != '"')
			return false;
	}
	return true;
}

bool rs_address_same(const char *a, const char *b)
{
	return a && b && g_ascii_strcasecmp(a, b) == 0;
}

static bool is_alias(const struct rs_account *a, const char *address)
{
	g_auto(GStrv) words = a->aliases ? g_strsplit(a->aliases, ",", -1) : NULL;

	for (char **word = words; word && *word; word++) {
		if (rs_address_same(g_strstrip(*word), address))
			return true;
	}
	return false;
}

char *rs_address_of_account(const struct rs_account *a)
{
	InternetAddress *one;
	char *text;

	if (!a->full_name)
		return g_strdup(a->address);
	rs_mime_init();
	one = internet_address_mailbox_new(a->full_name, a->address);
	text = internet_address_to_string(one, NULL, FALSE);
	g_object_unref(one);
	return text;
}

struct rs_account *rs_address_account(const GPtrArray *accounts, const char *address)
{
	for (guint i = 0; i < accounts->len; i++) {
		struct rs_account *a = accounts->pdata[i];

		if (rs_address_same(a->address, address) || is_alias(a, address))
			return a;
	}
	return NULL;
}

struct rs_account *rs_account_that_sends(const GPtrArray *accounts)
{
	for (guint i = 0; i < accounts->len; i++) {
		struct rs_account *a = accounts->pdata[i];

		if (a->smtp_host)
			return a;
	}
	return NULL;
}
