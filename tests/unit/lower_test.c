/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lowering of trees of `when`: that the program answers as the tree does, on every assignment of its terms,
 * for hand-made trees and some thousands of made-up ones; what terms keep; what is too much. Sets are
 * sets_test.c's, files are compile_test.c's.
 */
#include "lower_rig.h"

#include <errno.h>

#include "engine/engine.h"
#include "engine/protocol.h"

/* Follows the program of a rule; jumps must go forward. */
static bool runs(uint16_t index, unsigned int assignment)
{
	uint16_t at = policy.rules[index].first_term;

	while (at < KD_TERM_FALSE) {
		const struct kd_term *t = &policy.terms[at];
		uint16_t to = t->on_false;

		assert_true(at < policy.nterms);
		if (t->kind == KD_TERM_TRANSPORT && (t->mask & assignment) != 0)
			to = t->on_true;
		assert_true(to > at);
		at = to;
	}
	return at == KD_TERM_TRUE;
}

/* What a tree says; what does not exist yet is false. */
static bool means(const struct kd_when *w, unsigned int assignment)
{
	bool all = w->kind != KD_WHEN_ANY, value = all;

	if (w->kind == KD_WHEN_TERM)
		return w->term == KD_TERM_TRANSPORT && (w->mask & assignment) != 0;
	for (const struct kd_when *c = w->child; c != NULL && value == all; c = c->next)
		value = means(c, assignment);
	return (w->kind == KD_WHEN_NOT) != value;
}

static void same(struct kd_when *when)
{
	assert_int_equal(low(when, 1), 0);
	for (unsigned int assignment = 0; assignment < 16; assignment++)
		assert_int_equal(runs(1, assignment), means(when, assignment));
}

static void tables(void **state)
{
	static const bool xor_of[] = {false, true, true, false};

	(void)state;
	assert_int_equal(low(over(KD_WHEN_ALL, bit(0), bit(1)), 1), 0);
	assert_int_equal(low(over(KD_WHEN_ANY, bit(0), bit(1)), 2), 0);
	assert_int_equal(low(over(KD_WHEN_NOT, bit(0), NULL), 3), 0);
	/* A group under not with two keys: not both of them. */
	assert_int_equal(low(over(KD_WHEN_NOT, bit(0), bit(1)), 4), 0);
	assert_int_equal(low(over(KD_WHEN_ALL, over(KD_WHEN_ANY, bit(0), bit(1)),
				     over(KD_WHEN_NOT, over(KD_WHEN_ALL, bit(0), bit(1)), NULL)),
				 5),
		0);
	for (unsigned int a = 0; a < 4; a++) {
		assert_int_equal(runs(1, a), a == 3);
		assert_int_equal(runs(2, a), a != 0);
		assert_int_equal(runs(3, a), (a & 1) == 0);
		assert_int_equal(runs(4, a), a != 3);
		assert_int_equal(runs(5, a), xor_of[a]);
	}
}

/* `not` swaps targets and leaves no term; terms stand in the order of the tree. */
static void shape(void **state)
{
	const struct kd_term *t;

	(void)state;
	assert_int_equal(low(over(KD_WHEN_ALL, bit(0), over(KD_WHEN_NOT, bit(1), NULL)), 1), 0);
	assert_int_equal(policy.nterms, 2);
	assert_int_equal(policy.rules[1].first_term, 0);
	t = policy.terms;
	assert_int_equal(t[0].mask, 1);
	assert_int_equal(t[0].on_true, 1);
	assert_int_equal(t[0].on_false, KD_TERM_FALSE);
	assert_int_equal(t[1].mask, 2);
	assert_int_equal(t[1].on_true, KD_TERM_FALSE);
	assert_int_equal(t[1].on_false, KD_TERM_TRUE);
	assert_int_equal(low(bit(2), 2), 0);
	assert_int_equal(policy.nterms, 3);
	assert_int_equal(policy.rules[2].first_term, 2);
}

static void constants(void **state)
{
	struct kd_when *any_side = term(KD_TERM_OPENED), *gone = term(KD_TERM_ALREADY);
	const char *words[] = {"not-in-force"};

	(void)state;
	any_side->of = KD_ANY_SIDE;
	gone->words = words;
	gone->nwords = 1;
	assert_int_equal(low(NULL, 1), 0);
	assert_int_equal(policy.rules[1].first_term, KD_TERM_TRUE);
	assert_int_equal(low(node(KD_WHEN_ALL), 2), 0);
	assert_int_equal(policy.rules[2].first_term, KD_TERM_TRUE);
	assert_int_equal(low(any_side, 3), 0);
	assert_int_equal(policy.rules[3].first_term, KD_TERM_TRUE);
	assert_int_equal(low(gone, 4), 0);
	assert_int_equal(policy.rules[4].first_term, KD_TERM_FALSE);
	assert_int_equal(low(over(KD_WHEN_NOT, gone, NULL), 5), 0);
	assert_int_equal(policy.rules[5].first_term, KD_TERM_TRUE);
	assert_int_equal(policy.nterms, 0);
	/* What is known beforehand leaves nothing behind, and what stands beside it is asked. */
	assert_int_equal(low(over(KD_WHEN_ANY, gone, bit(0)), 6), 0);
	assert_true(runs(6, 1));
	assert_false(runs(6, 2));
	assert_int_equal(low(over(KD_WHEN_ALL, gone, bit(0)), 7), 0);
	assert_int_equal(policy.rules[7].first_term, KD_TERM_FALSE);
	assert_int_equal(policy.nterms, 1);
}

static void never(void **state)
{
	(void)state;
	same(term(KD_TERM_NEVER));
	assert_false(runs(1, 0));
	/* It is false where it stands: a rule with such a term under `not` matches, and is inert
	 * (when_terms.c). */
	same(over(KD_WHEN_NOT, term(KD_TERM_NEVER), NULL));
	assert_true(runs(1, 0));
	same(over(KD_WHEN_ANY, bit(0), term(KD_TERM_NEVER)));
	assert_true(runs(1, 1));
	same(over(KD_WHEN_ANY, term(KD_TERM_NEVER), bit(0)));
	assert_true(runs(1, 1));
	assert_false(runs(1, 0));
	same(over(KD_WHEN_ALL, bit(0), term(KD_TERM_NEVER)));
	assert_false(runs(1, 1));
}

static uint32_t next_of(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 16;
}

static struct kd_when *made_up(uint32_t *x, unsigned int depth)
{
	unsigned int what = next_of(x) % 8, n = 1 + next_of(x) % 3;
	struct kd_when *w, **tail;

	if (depth == 0 || what < 3)
		return next_of(x) % 16 == 0 ? term(KD_TERM_NEVER) : bit(next_of(x) % 4);
	w = node(what < 5 ? KD_WHEN_ALL : what < 7 ? KD_WHEN_ANY : KD_WHEN_NOT);
	tail = &w->child;
	for (unsigned int i = 0; i < n; i++) {
		*tail = made_up(x, depth - 1);
		tail = &(*tail)->next;
	}
	return w;
}

static void any_tree(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		policy.nterms = 0;
		same(made_up(&x, 4));
	}
}

/* The policy keeps what it needs: the book may go. */
static void kept(void **state)
{
	struct kd_span *spans = made(2 * sizeof(*spans));
	struct kd_byte_run *byte_run = made(sizeof(*byte_run));
	uint8_t *bytes = made(2), *mask = made(2);
	struct kd_when *port = term(KD_TERM_PORT), *run = term(KD_TERM_BYTES);
	const struct kd_term *t;

	(void)state;
	spans[0] = (struct kd_span){443, 443};
	spans[1] = (struct kd_span){50000, 50100};
	port->spans = spans;
	port->nspans = 2;
	port->of = KD_END_BY;
	memcpy(bytes, "\x16\x00", 2);
	memcpy(mask, "\xff\x00", 2);
	*byte_run = (struct kd_byte_run){5, 2, bytes, mask};
	run->runs = byte_run;
	run->nruns = 1;
	assert_int_equal(low(over(KD_WHEN_ALL, port, run), 1), 0);
	memset(spans, 0xee, 2 * sizeof(*spans));
	memset(byte_run, 0xee, sizeof(*byte_run));
	memset(bytes, 0xee, 2);
	memset(mask, 0xee, 2);
	t = &policy.terms[0];
	assert_int_equal(t->kind, KD_TERM_PORT);
	assert_int_equal(t->of, KD_END_BY);
	assert_int_equal(t->n, 2);
	assert_int_equal(t->spans[1].lo, 50000);
	assert_int_equal(t->spans[1].hi, 50100);
	t = &policy.terms[1];
	assert_int_equal(t->kind, KD_TERM_BYTES);
	assert_int_equal(t->n, 1);
	assert_int_equal(t->runs[0].offset, 5);
	assert_int_equal(t->runs[0].len, 2);
	assert_memory_equal(t->runs[0].bytes, "\x16\x00", 2);
	assert_memory_equal(t->runs[0].mask, "\xff\x00", 2);
}

static void fakes(void **state)
{
	struct kd_when *fake = term(KD_TERM_FAKE);

	(void)state;
	fake->mask = 0x18;
	assert_int_equal(low(fake, 1), 0);
	assert_int_equal(policy.nterms, 1);
	assert_int_equal(policy.terms[0].kind, KD_TERM_FAKE);
	assert_int_equal(policy.terms[0].mask, 0x18);
}

static unsigned int field_of(unsigned int protocol, unsigned int kind)
{
	unsigned int i = 0;

	while (kd_protocols[protocol]->fields[i].kind != kind)
		i++;
	return i;
}

static void fields(void **state)
{
	struct kd_when *alpn = term(KD_TERM_FIELD), *version = term(KD_TERM_FIELD);
	struct kd_span span = {0x0304, 0x0304};
	const char *words[] = {"h2", "http/1.1"};
	const int tls = kd_protocol_find("tls");

	(void)state;
	assert_true(tls >= 0);
	alpn->protocol = version->protocol = (uint8_t)tls;
	alpn->field = (uint8_t)field_of((unsigned int)tls, KD_FIELD_LIST8);
	version->field = (uint8_t)field_of((unsigned int)tls, KD_FIELD_HEX16);
	alpn->words = words;
	alpn->nwords = 2;
	version->spans = &span;
	version->nspans = 1;
	assert_int_equal(low(over(KD_WHEN_ALL, alpn, version), 1), 0);
	assert_int_equal(policy.terms[0].protocol, tls);
	assert_int_equal(policy.terms[0].field, alpn->field);
	assert_int_equal(policy.terms[0].n, 2);
	assert_int_equal(policy.terms[0].texts[1].len, 8);
	assert_memory_equal(policy.terms[0].texts[1].p, "http/1.1", 8);
	assert_int_equal(policy.terms[1].n, 1);
	assert_int_equal(policy.terms[1].spans[0].lo, 0x0304);
}

/* A count knows on which side of a `not` it stands, however deep. */
static void negated_counts(void **state)
{
	static const unsigned int nots[] = {0, 1, 2, 3};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct kd_when *w = term(KD_TERM_COUNT);

		w->count.keys = KD_KEY_CLIENT;
		for (unsigned int n = 0; n < nots[i]; n++)
			w = over(KD_WHEN_NOT, over(KD_WHEN_ALL, bit(0), w), NULL);
		/* What stands beside it is none of its business. */
		w = over(KD_WHEN_ALL, over(KD_WHEN_NOT, bit(1), NULL), w);
		assert_int_equal(low(w, (uint16_t)(i + 1)), 0);
		assert_int_equal(policy.ncounters, i + 1);
		assert_int_equal(policy.counters[i].negated, nots[i] % 2);
	}
}

static void signatures(void **state)
{
	struct kd_book_signature known[] = {{.id = "one"}, {.id = "two"}, {.id = "three"}};
	const char *words[] = {"three", "one"};
	struct kd_when *w = term(KD_TERM_SIGNATURE);

	(void)state;
	book.signatures = known;
	book.nsignatures = 3;
	w->words = words;
	w->nwords = 2;
	assert_int_equal(low(over(KD_WHEN_NOT, w, NULL), 1), 0);
	assert_int_equal(policy.nterms, 2); /* either of them */
	assert_int_equal(policy.terms[0].set, 3);
	assert_int_equal(policy.terms[0].on_true, KD_TERM_FALSE);
	assert_int_equal(policy.terms[0].on_false, 1);
	assert_int_equal(policy.terms[1].set, 1);
	assert_int_equal(policy.terms[1].on_true, KD_TERM_FALSE);
	assert_int_equal(policy.terms[1].on_false, KD_TERM_TRUE);
}

static struct kd_when *asks(const char *rule)
{
	struct kd_when *w = term(KD_TERM_ALREADY);

	w->words = made(sizeof(*w->words));
	w->words[0] = rule;
	w->nwords = 1;
	return w;
}

static void already(void **state)
{
	(void)state;
	assert_int_equal(low(asks("r9"), 1), 0);
	assert_int_equal(low(asks("r2"), 2), 0);
	assert_int_equal(low(asks("r9"), 3), 0);
	assert_int_equal(policy.rules[9].seen_bit, 1);
	assert_int_equal(policy.rules[2].seen_bit, 2);
	assert_int_equal(policy.rules[1].seen_bit, 0);
	assert_int_equal(policy.terms[0].set, 0);
	assert_int_equal(policy.terms[0].mask, 9);
	assert_int_equal(policy.terms[1].set, 1);
	assert_int_equal(policy.terms[1].mask, 2);
	assert_int_equal(policy.terms[2].set, 0);
	assert_int_equal(policy.terms[2].mask, 9);
}

static void too_many_already(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= KD_SEEN_MAX; i++)
		assert_int_equal(low(asks(policy.rules[i].id), 1), 0);
	assert_int_equal(low(asks("r60"), 1), -EINVAL);
	said("already");
}

static void too_many_terms(void **state)
{
	struct kd_when *most = node(KD_WHEN_ANY);

	(void)state;
	for (unsigned int i = 0; i < KD_TERM_FALSE - 1; i++) {
		struct kd_when *w = bit(0);

		w->next = most->child;
		most->child = w;
	}
	assert_int_equal(low(most, 1), 0);
	assert_int_equal(policy.nterms, KD_TERM_FALSE - 1);
	assert_true(runs(1, 1));
	assert_false(runs(1, 2));
	assert_int_equal(low(bit(0), 2), -EINVAL);
	said("terms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables),
		TEST(shape),
		TEST(constants),
		TEST(never),
		TEST(any_tree),
		TEST(kept),
		TEST(fakes),
		TEST(fields),
		TEST(negated_counts),
		TEST(signatures),
		TEST(already),
		TEST(too_many_already),
		TEST(too_many_terms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
