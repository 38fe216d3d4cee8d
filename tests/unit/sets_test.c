/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the terms of a policy share and what they may not: sets of names and of prefixes, counters with their
 * tags, lists of pairs. Terms are built by hand; what the sets match is asked of the matchers built from
 * them.
 */
#include "lower_rig.h"

#include <arpa/inet.h>
#include <errno.h>

static struct kd_name plain(const char *host)
{
	return (struct kd_name){.text = host, .host = host, .what = KD_NAME_SELF};
}

static struct kd_when *names(const char *a, const char *b)
{
	struct kd_when *w = term(KD_TERM_NAME);
	struct kd_name *list = made(2 * sizeof(*list));

	w->mask = 1;
	w->names.own.names = list;
	list[w->names.own.count++] = plain(a);
	if (b != NULL)
		list[w->names.own.count++] = plain(b);
	return w;
}

static bool has_name(unsigned int set, const char *host)
{
	struct kd_set_bits bits = {0};

	kd_names_match(policy.names, (const uint8_t *)host, strlen(host), &bits);
	return kd_set_bits_has(&bits, set);
}

static void name_sets(void **state)
{
	struct kd_name of_list[] = {plain("c.example"), {.text = "*x*", .expr = "x"}};
	struct kd_list list = {.name = "more", .names = of_list, .count = 2};
	const struct kd_list *lists[] = {&list};
	struct kd_when *with = names("a.example", NULL);
	struct kd_set_bits bits = {0};
	struct kd_scratch *scratch = NULL;

	(void)state;
	with->names.lists = lists;
	with->names.nlists = 1;
	assert_int_equal(low(names("a.example", "b.example"), 1), 0);
	assert_int_equal(low(names("a.example", NULL), 2), 0);
	assert_int_equal(low(names("a.example", "b.example"), 3), 0);
	assert_int_equal(low(with, 4), 0);
	assert_int_equal(policy.terms[0].set, 1);
	assert_int_equal(policy.terms[1].set, 2);
	assert_int_equal(policy.terms[2].set, 1);
	assert_int_equal(policy.terms[3].set, 3);
	assert_int_equal(kd_sets_build(lower.sets), 0);
	assert_true(has_name(1, "b.example"));
	assert_false(has_name(2, "b.example"));
	assert_true(has_name(2, "a.example"));
	assert_true(has_name(3, "a.example"));
	assert_true(has_name(3, "c.example"));
	assert_int_equal(kd_names_count(policy.names), 3);
	assert_int_equal(kd_scratch_new(&scratch, policy.name_patterns, NULL), 0);
	kd_patterns_match(policy.name_patterns, scratch, (const uint8_t *)"axb", 3, &bits);
	kd_scratch_free(scratch);
	assert_true(kd_set_bits_has(&bits, 3));
	assert_false(kd_set_bits_has(&bits, 2));
}

static void too_many_names(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < KD_NAME_SETS; i++) {
		char *name = made(24);

		snprintf(name, 24, "n%u.example", i);
		assert_int_equal(low(names(name, NULL), 1), 0);
	}
	assert_int_equal(low(names("n1.example", NULL), 1), 0); /* is there already */
	assert_int_equal(low(names("one-more.example", NULL), 1), -EINVAL);
	said("255 different name terms");
}

static struct kd_prefix prefix(const char *text, unsigned int bits)
{
	struct kd_prefix p = {.bits = (uint8_t)bits, .v6 = strchr(text, ':') != NULL};

	assert_int_equal(inet_pton(p.v6 ? AF_INET6 : AF_INET, text, p.addr), 1);
	return p;
}

static struct kd_when *addresses(
	unsigned int of, const struct kd_book_tag *tag, const char *first, const char *second)
{
	struct kd_when *w = term(KD_TERM_ADDRESS);

	w->of = (uint8_t)of;
	w->addresses.tags = made(sizeof(tag));
	w->addresses.tags[0] = tag;
	w->addresses.ntags = tag != NULL;
	w->addresses.own = made(2 * sizeof(struct kd_prefix));
	if (first != NULL)
		w->addresses.own[w->addresses.nown++] = prefix(first, 24);
	if (second != NULL)
		w->addresses.own[w->addresses.nown++] = prefix(second, 24);
	return w;
}

static bool has_prefix(unsigned int set, const char *address)
{
	const struct kd_prefix p = prefix(address, 0);

	return kd_set_bits_has(kd_prefixes_match(policy.prefixes, p.addr, p.v6), set);
}

static void address_sets(void **state)
{
	struct kd_prefix lab[] = {prefix("198.18.16.0", 24)}, real[] = {prefix("203.0.113.0", 24)};
	const struct kd_list list = {.name = "real", .kind = KD_LIST_PREFIXES, .prefixes = real, .count = 1};
	const struct kd_book_tag tag = {.id = "cloud", .lab = lab, .nlab = 1, .real = &list};
	const bool with_real[] = {false, true};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		kd_sets_free(lower.sets);
		kd_prefixes_free(policy.prefixes);
		policy.prefixes = NULL;
		policy.nterms = 0;
		lower.sets = kd_sets_new(&book, &policy, with_real[i]);
		assert_int_equal(low(addresses(KD_END_TO, &tag, "192.0.2.0", "198.51.100.0"), 1), 0);
		/* In another order, of another end: the same prefixes. */
		assert_int_equal(low(addresses(KD_END_BY, &tag, "198.51.100.0", "192.0.2.0"), 2), 0);
		assert_int_equal(low(addresses(KD_END_TO, NULL, "198.51.100.0", "192.0.2.0"), 3), 0);
		assert_int_equal(low(addresses(KD_END_TO, &tag, NULL, NULL), 4), 0);
		assert_int_equal(policy.terms[0].set, 1);
		assert_int_equal(policy.terms[1].set, 1);
		assert_int_equal(policy.terms[1].of, KD_END_BY);
		assert_int_equal(policy.terms[2].set, 2);
		assert_int_equal(policy.terms[3].set, 3);
		assert_int_equal(kd_sets_build(lower.sets), 0);
		assert_true(has_prefix(1, "198.18.16.9"));
		assert_true(has_prefix(1, "192.0.2.200"));
		assert_true(has_prefix(2, "192.0.2.200"));
		assert_false(has_prefix(2, "198.18.16.9"));
		assert_true(has_prefix(3, "198.18.16.9"));
		assert_false(has_prefix(3, "198.18.17.9"));
		assert_int_equal(has_prefix(3, "203.0.113.5"), with_real[i]);
	}
}

static struct kd_book_number number_of(const char *key, uint64_t value, uint64_t lo, uint64_t hi)
{
	return (struct kd_book_number){
		.key = key, .text = "as written", .n = {value, lo, hi, .ranged = lo != hi}};
}

static struct kd_when *counts(unsigned int keys)
{
	struct kd_when *w = term(KD_TERM_COUNT);

	w->count.keys = (uint16_t)keys;
	w->count.window = number_of("count.window", 60, 60, 60);
	w->count.more_than = number_of("count.more_than", 3, 1, 1000000);
	return w;
}

static void counters(void **state)
{
	struct kd_prefix a = prefix("198.18.16.0", 24), b = prefix("198.18.17.0", 24);
	const struct kd_book_tag first = {.id = "first", .lab = &a, .nlab = 1},
				 second = {.id = "second", .lab = &b, .nlab = 1};
	const struct kd_book_tag *both[] = {&second, &first};
	struct kd_when *to = term(KD_TERM_ADDRESS);
	const struct kd_counter *c;

	(void)state;
	to->addresses.tags = both;
	to->addresses.ntags = 2;
	assert_int_equal(low(bit(0), 1), 0);
	assert_int_equal(low(over(KD_WHEN_ALL, to, counts(KD_KEY_CLIENT | KD_KEY_TAG)), 2), 0);
	assert_int_equal(low(counts(KD_KEY_FLOW), 3), 0);
	assert_int_equal(policy.ncounters, 2);
	assert_int_equal(policy.rules[1].counter, 0);
	assert_int_equal(policy.rules[2].counter, 1);
	assert_int_equal(policy.rules[3].counter, 2);
	assert_int_equal(policy.terms[2].kind, KD_TERM_COUNT);
	assert_int_equal(policy.terms[2].set, 0);
	assert_int_equal(policy.terms[3].set, 1);
	c = &policy.counters[0];
	assert_int_equal(c->rule, 2);
	assert_int_equal(c->keys, KD_KEY_CLIENT | KD_KEY_TAG);
	assert_int_equal(c->window_ns, 60);
	assert_int_equal(c->spacing_ns, 0);
	assert_int_equal(c->more_than, 3);
	assert_int_equal(c->ntags, 2);
	assert_int_equal(policy.counters[1].ntags, 0);
	assert_int_equal(kd_sets_build(lower.sets), 0);
	/* In the order of the rule. */
	assert_true(has_prefix(c->tags[0], "198.18.17.1"));
	assert_false(has_prefix(c->tags[0], "198.18.16.1"));
	assert_true(has_prefix(c->tags[1], "198.18.16.1"));
	assert_false(has_prefix(c->tags[1], "198.18.17.1"));
}

static void drawn_counters(void **state)
{
	const struct kd_number n = {3, 1, 1000000, .ranged = true};

	(void)state;
	lower.sample = (struct kd_sample){.seed = 1, .number = 5};
	assert_int_equal(low(counts(KD_KEY_FLOW), 1), 0);
	assert_int_equal(policy.counters[0].more_than,
		kd_sample_number(&lower.sample, "rule:r", "count.more_than", &n));
	assert_int_not_equal(policy.counters[0].more_than, 3);
	assert_int_equal(policy.counters[0].window_ns, 60);
}

static void too_many_counters(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < KD_COUNTERS_MAX; i++)
		assert_int_equal(low(counts(KD_KEY_FLOW), 1), 0);
	assert_int_equal(low(counts(KD_KEY_FLOW), 1), -EINVAL);
	said("64 counts");
}

static struct kd_pair pair(const char *name, struct kd_prefix p)
{
	return (struct kd_pair){.name = plain(name), .prefix = p};
}

/* Whether a term of pairs is true of a name at an address. */
static bool fits(const struct kd_term *t, const char *name, const char *address)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (has_name(t->pairings[i].name_set, name) && has_prefix(t->pairings[i].prefix_set, address))
			return true;
	return false;
}

static void pairs(void **state)
{
	const struct kd_prefix a = prefix("192.0.2.0", 24), b = prefix("198.51.100.0", 24);
	struct kd_pair lines[] = {pair("one.example", a), pair("two.example", b), pair("three.example", b),
		pair("three.example", a), pair("four.example", a), pair("four.example", b),
		pair("one.example", a)};
	const struct kd_list list = {.name = "pairs", .kind = KD_LIST_PAIRS, .pairs = lines, .count = 7};
	struct kd_when *w = term(KD_TERM_PAIRS), *again = term(KD_TERM_PAIRS);
	const struct kd_term *t;

	(void)state;
	w->pairs = again->pairs = &list;
	assert_int_equal(low(w, 1), 0);
	assert_int_equal(low(again, 2), 0);
	assert_int_equal(kd_sets_build(lower.sets), 0);
	t = &policy.terms[0];
	assert_int_equal(t->n, 3); /* one; two; three and four */
	assert_ptr_equal(policy.terms[1].pairings, t->pairings);
	assert_int_equal(policy.terms[1].n, 3);
	assert_true(fits(t, "one.example", "192.0.2.1"));
	assert_false(fits(t, "one.example", "198.51.100.1"));
	assert_true(fits(t, "two.example", "198.51.100.1"));
	assert_false(fits(t, "two.example", "192.0.2.1"));
	assert_true(fits(t, "three.example", "192.0.2.1"));
	assert_true(fits(t, "three.example", "198.51.100.1"));
	assert_true(fits(t, "four.example", "192.0.2.1"));
	assert_false(fits(t, "four.example", "203.0.113.1"));
	assert_false(fits(t, "five.example", "192.0.2.1"));
}

static void too_many_pairs(void **state)
{
	struct kd_list list = {
		.name = "big", .kind = KD_LIST_PAIRS, .pairs = made(402 * sizeof(struct kd_pair))};
	struct kd_when *w = term(KD_TERM_PAIRS);

	(void)state;
	for (unsigned int i = 0; i < 402; i++) {
		char *name = made(24), address[24];

		/* Two names for each prefix: half as many groups as lines. */
		snprintf(name, 24, "n%u.example", i);
		snprintf(address, sizeof(address), "198.18.%u.0", i / 2);
		list.pairs[i] = pair(name, prefix(address, 24));
	}
	w->pairs = &list;
	list.count = 400;
	assert_int_equal(low(w, 1), 0);
	assert_int_equal(policy.terms[0].n, 200);
	kd_sets_free(lower.sets);
	lower.sets = kd_sets_new(&book, &policy, false);
	list.count = 402;
	assert_int_equal(low(w, 1), -EINVAL);
	said("\"@big\" have 201 different sets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(name_sets),
		TEST(too_many_names),
		TEST(address_sets),
		TEST(counters),
		TEST(drawn_counters),
		TEST(too_many_counters),
		TEST(pairs),
		TEST(too_many_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
