/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trie of prefixes against a comparison of every prefix with every address. The input is records: a byte
 * whose top bit says IPv6 and whose next bit says question, then for a prefix a byte for its set and one for
 * its length, then as many bytes of the address as the low bits of the first byte say; the others are 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "rulebook/prefixes.h"

#define RECORDS_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	uint8_t *addr; /* exact-size copy */
	bool v6, question, refused;
	unsigned int bits, set;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool take_record(struct kd_cur *c, struct record *r)
{
	uint8_t first = kd_cur_u8(c), said = first & 0x1f;
	const uint8_t *bytes;
	size_t width;

	*r = (struct record){.v6 = (first & 0x80) != 0, .question = (first & 0x40) != 0};
	width = r->v6 ? 16 : 4;
	if (!r->question) {
		r->set = kd_cur_u8(c);
		r->bits = kd_cur_u8(c);
		r->refused = r->set == 0 || r->bits > width * 8;
	}
	if (said > width)
		said = (uint8_t)width;
	bytes = kd_cur_take(c, said);
	if (bytes == NULL)
		return false;
	r->addr = calloc(1, width);
	must(r->addr != NULL);
	memcpy(r->addr, bytes, said);
	return true;
}

static bool covers(const struct record *p, const struct record *q)
{
	unsigned int whole = p->bits / 8, rest = p->bits % 8;

	if (p->question || p->refused || p->v6 != q->v6 || memcmp(p->addr, q->addr, whole) != 0)
		return false;
	return rest == 0 || (p->addr[whole] ^ q->addr[whole]) >> (8 - rest) == 0;
}

static struct kd_prefixes *build(const struct record *r, unsigned int n)
{
	struct kd_prefixes_builder *b = kd_prefixes_builder_new();
	struct kd_prefixes *p = NULL;
	size_t count = 0;

	must(b != NULL);
	for (unsigned int i = 0; i < n; i++) {
		if (r[i].question)
			continue;
		must((kd_prefixes_add(b, r[i].addr, r[i].v6, r[i].bits, r[i].set) < 0) == r[i].refused);
		count += !r[i].refused;
	}
	must(kd_prefixes_build(&p, b) == 0);
	must(kd_prefixes_count(p) <= count && (kd_prefixes_count(p) > 0) == (count > 0));
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r[RECORDS_MAX];
	struct kd_prefixes *p;
	unsigned int n = 0;
	struct kd_cur c;

	if (size == 0)
		return 0;
	c = kd_cur(data, size);
	while (n < RECORDS_MAX && kd_cur_left(&c) > 0 && take_record(&c, &r[n]))
		n++;
	p = build(r, n);
	for (unsigned int q = 0; q < n; q++) { /* the first address of a prefix is as good a question */
		struct kd_set_bits want = {0};

		for (unsigned int i = 0; i < n; i++)
			if (covers(&r[i], &r[q]))
				kd_set_bits_add(&want, r[i].set);
		must(memcmp(kd_prefixes_match(p, r[q].addr, r[q].v6), &want, sizeof(want)) == 0);
	}
	kd_prefixes_free(p);
	for (unsigned int i = 0; i < n; i++)
		free(r[i].addr);
	return 0;
}
