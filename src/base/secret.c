/* secret.c - see secret.h */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void rs_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

bool rs_secret_eq(struct rs_slice a, struct rs_slice b)
{
	volatile uint8_t differ = a.n != b.n;

	for (size_t i = 0; i < a.n; i++)
		differ = (uint8_t)(differ | (a.p[i] ^ (b.n ? b.p[i % b.n] : 0xff)));
	return differ == 0;
}

int rs_secret_create(struct rs_slice s, struct rs_secret **out)
{
	struct rs_secret *made;

	if (s.n > SIZE_MAX - sizeof(*made) - 1)
		return -RS_ELIMIT;
	made = malloc(sizeof(*made) + s.n + 1);
	if (!made)
		return -RS_ENOMEM;
	made->n = s.n;
	if (s.n)
		memcpy(made->octets, s.p, s.n);
	made->octets[s.n] = 0;
	*out = made;
	return 0;
}

void rs_secret_destroy(struct rs_secret **s)
{
	if (!*s)
		return;
	rs_wipe((*s)->octets, (*s)->n);
	free(*s);
	*s = NULL;
}
