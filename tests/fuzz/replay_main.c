/* replay_main.c - runs a fuzzer without libFuzzer: every file of its corpus, then seeded random changes
 * of them, the same on every run. Usage: fuzz_x CORPUS_FOLDER [RUNS] */
#include <stdio.h>

#include "base/num.h"
#include "tests/fuzz/fuzz.h"

#define RUNS_DEFAULT 20000u
#define LONG_FACTOR  50u /* with RS_TEST_LONG set: ./test --long */
#define GROWS_TO     4096u

static void mutate(GRand *rand, GByteArray *b, const GByteArray *other)
{
	gint times = g_rand_int_range(rand, 1, 6);

	for (gint i = 0; i < times; i++) {
		guint at = b->len ? (guint)g_rand_int_range(rand, 0, (gint32)b->len) : 0;
		guint8 c = (guint8)g_rand_int(rand);

		switch (g_rand_int_range(rand, 0, 6)) {
		case 0:
			if (b->len)
				b->data[at] = c;
			break;
		case 1:
			if (b->len)
				b->data[at] = (guint8)(b->data[at] ^ 1u << (c % 8));
			break;
		case 2:
			g_byte_array_append(b, &c, 1);
			break;
		case 3:
			if (b->len)
				g_byte_array_remove_range(b, at, MIN(b->len - at, 1u + c % 16u));
			break;
		case 4:
			if (other->len && b->len < GROWS_TO)
				g_byte_array_append(b, other->data, MIN(other->len, 1u + c));
			break;
		default:
			g_byte_array_append(b, (const guint8 *)"\r\n.\r\n", 1 + c % 5);
			break;
		}
	}
}

static GPtrArray *read_corpus(const char *folder)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		char *text;
		gsize n;

		if (g_file_get_contents(path, &text, &n, NULL))
			g_ptr_array_add(all, g_byte_array_new_take((guint8 *)text, n));
	}
	g_ptr_array_add(all, g_byte_array_new());
	return all;
}

int main(int argc, char **argv)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(4711);
	g_autoptr(GPtrArray) corpus = read_corpus(argc > 1 ? argv[1] : ".");
	guint32 runs = RUNS_DEFAULT;

	if (argc > 2 && rs_num_u32(rs_slice_str(argv[2]), UINT32_MAX, &runs) < 0)
		return 64;
	if (g_getenv("RS_TEST_LONG"))
		runs *= LONG_FACTOR;
	for (guint i = 0; i < corpus->len; i++) {
		const GByteArray *b = g_ptr_array_index(corpus, i);

		(void)LLVMFuzzerTestOneInput(b->data ? b->data : (const guint8 *)"", b->len);
	}
	for (guint32 i = 0; i < runs; i++) {
		const GByteArray *from =
			g_ptr_array_index(corpus, (guint)g_rand_int(rand) % corpus->len);
		const GByteArray *other =
			g_ptr_array_index(corpus, (guint)g_rand_int(rand) % corpus->len);
		g_autoptr(GByteArray) b = g_byte_array_new();

		if (from->len)
			g_byte_array_append(b, from->data, from->len);
		mutate(rand, b, other);
		(void)LLVMFuzzerTestOneInput(b->data ? b->data : (const guint8 *)"", b->len);
	}
	(void)printf("%u of the corpus, %u changed\n", corpus->len, runs);
	return 0;
}
