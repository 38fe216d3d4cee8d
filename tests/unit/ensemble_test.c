/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sampled boxes end to end: which numbers, days and variants are drawn, that a sample is always the same,
 * that entries with one draw name agree, and what a policy tells of its draws.
 */
#include "compile_rig.h"

#include "engine/mechanism.h"
#include "rulebook/units.h"

#define SAMPLED                                                                                              \
	"rules = (\n"                                                                                        \
	"{ id = \"one\"; phase = \"names-blocked\"; since = \"2022-01-01\"; draw = \"together\"; when = { "  \
	"sni = \"a.example\"; };" DROP "  share = \"60 % (30 %..95 %)\"; residual = { key = \"4-tuple\"; "   \
	"time = \"75 s (1 s..1000 s)\"; }; miss = \"1 % (0..2)\";" EVIDENCE "},\n"                           \
	"{ id = \"two\"; phase = \"names-blocked\"; since = \"2022-01-01\"; draw = \"together\"; when = { "  \
	"sni = \"b.example\"; };" DROP                                                                       \
	"  residual = { key = \"4-tuple\"; time = \"40 s (1 s..1000 s)\"; };" EVIDENCE "},\n"                \
	"{ id = \"three\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { sni = "               \
	"\"c.example\"; };" DROP                                                                             \
	"  residual = { key = \"4-tuple\"; time = \"40 s (1 s..1000 s)\"; };" EVIDENCE "},\n"                \
	"{ id = \"late\"; phase = \"names-blocked\"; since = \"2022-01-01..2022-12-31\"; when = { sni = "    \
	"\"d.example\"; };" DROP EVIDENCE "} );\n"                                                           \
	"settings = ( { set = \"inspect.packets\"; value = \"20 pkt (1..2000000)\";" EVIDENCE "} );\n"

static void plain_query_draws_nothing(void **state)
{
	struct kd_policy *p;

	(void)state;
	write_file("rulebook/x.cfg", SAMPLED);
	p = load("tspu@2022-07-01");
	assert_int_equal(p->ndrawn, 0);
	assert_int_equal(p->nrules, 3);
	assert_int_equal(rule(p, "one")->residual_ns, 75000000000);
	assert_true(rule(p, "one")->presence == 11068046444225730969u); /* 0.6 * 2^64, down */
	assert_true(rule(p, "one")->miss == 184467440737095516u);	/* 0.01 * 2^64, down */
	assert_int_equal(rule(p, "two")->residual_ns, 40000000000);
	assert_true(rule(p, "two")->presence == UINT64_MAX);
	assert_int_equal(p->settings.inspect_pkts, 20);
	kd_policy_free(p);
}

static void same_sample(void **state)
{
	const struct kd_policy_request other_seed = {.seed = 2};
	struct kd_policy *a, *b;

	(void)state;
	write_file("rulebook/x.cfg", SAMPLED);
	a = load("tspu@2022-07-01~3");
	b = load("tspu@2022-07-01~3");
	assert_string_equal(a->hash, b->hash);
	assert_int_equal(a->ndrawn, b->ndrawn);
	for (uint32_t i = 0; i < a->ndrawn; i++) {
		assert_string_equal(a->drawn[i].what, b->drawn[i].what);
		assert_string_equal(a->drawn[i].value, b->drawn[i].value);
	}
	assert_int_equal(rule(a, "one")->residual_ns, rule(b, "one")->residual_ns);
	kd_policy_free(b);
	b = load("tspu@2022-07-01~4");
	assert_string_not_equal(a->hash, b->hash);
	assert_true(rule(a, "one")->residual_ns != rule(b, "one")->residual_ns);
	assert_true(a->settings.inspect_pkts != b->settings.inspect_pkts);
	kd_policy_free(b);
	b = load_as(&other_seed, "tspu@2022-07-01~3");
	assert_string_not_equal(a->hash, b->hash);
	kd_policy_free(b);
	b = load("tspu@2022-07-01");
	assert_string_not_equal(a->hash, b->hash);
	kd_policy_free(a);
	kd_policy_free(b);
}

/* Numbers stay in their ranges, the dates of `late` go either way, and rules with one draw name agree. */
static void samples(void **state)
{
	unsigned int late = 0, differ = 0;

	(void)state;
	write_file("rulebook/x.cfg", SAMPLED);
	for (unsigned int k = 1; k <= 20; k++) {
		char profile[40];
		struct kd_policy *p;

		snprintf(profile, sizeof(profile), "tspu@2022-07-01~%u", k);
		p = load(profile);
		assert_in_range(rule(p, "one")->residual_ns, 1000000000, 1000000000000);
		assert_true(rule(p, "one")->presence >= (uint64_t)(0.3 * 0x1p64) - 10000);
		assert_true(rule(p, "one")->presence <= (uint64_t)(0.95 * 0x1p64) + 10000);
		assert_true(rule(p, "one")->miss <= 368934881474191032u); /* 2 % */
		assert_int_equal(rule(p, "one")->residual_ns, rule(p, "two")->residual_ns);
		differ += rule(p, "one")->residual_ns != rule(p, "three")->residual_ns;
		late += kd_policy_rule_find(p, "late") != 0;
		assert_in_range(p->settings.inspect_pkts, 1, 2000000);
		kd_policy_free(p);
	}
	assert_int_equal(differ, 20);
	assert_in_range(late, 2, 18);
}

static void list_of_draws(void **state)
{
	const struct kd_policy_request set = {
		.seed = 1, .set = (const char *const[]){"inspect.packets=7", NULL}};
	char text[KD_UNITS_TEXT];
	struct kd_policy *p;

	(void)state;
	write_file("rulebook/x.cfg", SAMPLED);
	p = load("tspu@2023-01-01~3"); /* late is in force whatever it drew */
	/* share, time and miss of one; times of two and three; late's day; a setting. */
	assert_int_equal(p->ndrawn, 7);
	kd_units_text(text, KD_UNIT_DURATION, rule(p, "one")->residual_ns);
	assert_string_equal(drawn(p, "rule:one.residual.time"), text);
	assert_string_equal(drawn(p, "rule:two.residual.time"), text);
	kd_units_text(text, KD_UNIT_SHARE, rule(p, "one")->presence);
	assert_string_equal(drawn(p, "rule:one.share"), text);
	kd_units_text(text, KD_UNIT_SHARE, rule(p, "one")->miss);
	assert_string_equal(drawn(p, "rule:one.miss"), text);
	assert_non_null(drawn(p, "rule:three.residual.time"));
	assert_memory_equal(drawn(p, "rule:late.since"), "2022-", 5);
	kd_units_text(text, KD_UNIT_COUNT, p->settings.inspect_pkts);
	assert_string_equal(drawn(p, "setting:inspect.packets"), text);
	kd_policy_free(p);
	p = load_as(&set, "tspu@2023-01-01~3"); /* said, not drawn */
	assert_int_equal(p->ndrawn, 6);
	assert_null(drawn(p, "setting:inspect.packets"));
	assert_int_equal(p->settings.inspect_pkts, 7);
	kd_policy_free(p);
}

static void variants(void **state)
{
	unsigned int resets = 0;
	struct kd_policy *p;

	(void)state;
	write_file("rulebook/x.cfg",
		"rules = ( { id = \"v\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { sni = "
		"\"a.example\"; };\n"
		"  residual = { key = \"4-tuple\"; time = \"5 s\"; };\n"
		"  variants = ( { name = \"gone\"; weight = 2; then = { mechanism = \"drop\"; }; },\n"
		"    { weight = 3; then = { mechanism = \"reset\"; form = \"inject\"; }; residual = { key = "
		"\"4-tuple\"; time = \"9 s\"; }; },\n"
		"    { name = \"too\"; weight = 3; then = { mechanism = \"drop\"; }; } );" EVIDENCE "} );\n");
	p = load("tspu@2022-02-01"); /* the heaviest, the first among equals */
	assert_int_equal(p->rules[1].mechanism, kd_mechanism_find("reset"));
	assert_int_equal(p->rules[1].residual_ns, 9000000000);
	kd_policy_free(p);
	for (unsigned int k = 1; k <= 40; k++) {
		const char *name;
		char profile[40];
		bool reset;

		snprintf(profile, sizeof(profile), "tspu@2022-02-01~%u", k);
		p = load(profile);
		reset = p->rules[1].mechanism == kd_mechanism_find("reset");
		assert_true(p->rules[1].residual_ns == (reset ? 9000000000 : 5000000000));
		name = drawn(p, "rule:v.variant");
		assert_int_equal(p->ndrawn, 1);
		assert_true(reset ? strcmp(name, "2") == 0
				  : strcmp(name, "gone") == 0 || strcmp(name, "too") == 0);
		resets += reset;
		kd_policy_free(p);
	}
	assert_in_range(resets, 4, 28); /* 15 expected, standard deviation 3 */
}

#define SWITCH(id, draw)                                                                                     \
	"{ id = \"" id "\"; phase = \"names-blocked\"; since = \"2022-01-01\"; draw = \"" draw               \
	"\"; when = { sni = \"a.example\"; };\n  variants = ( { then = { mechanism = \"drop\"; }; }, { "     \
	"then = "                                                                                            \
	"{ mechanism = \"reset\"; }; } );" EVIDENCE "}"

static void variants_together(void **state)
{
	unsigned int differ = 0;

	(void)state;
	write_file("rulebook/x.cfg",
		"rules = ( " SWITCH("a", "one") ",\n" SWITCH("b", "one") ",\n" SWITCH("c", "other") " );\n");
	for (unsigned int k = 1; k <= 20; k++) {
		char profile[40];
		struct kd_policy *p;

		snprintf(profile, sizeof(profile), "tspu@2022-02-01~%u", k);
		p = load(profile);
		assert_int_equal(rule(p, "a")->mechanism, rule(p, "b")->mechanism);
		differ += rule(p, "a")->mechanism != rule(p, "c")->mechanism;
		kd_policy_free(p);
	}
	assert_in_range(differ, 2, 18);
}

static void own_file_samples(void **state)
{
	char *path = in_dir("own.cfg"), *sampled, *gone;
	const struct kd_policy_request request = {.seed = 1};
	struct kd_policy *p, *plain;

	(void)state;
	write_file("own.cfg", "rules = ( { id = \"a\"; phase = \"protocol\"; when = { }; then = { mechanism "
			      "= \"drop\"; };\n"
			      "  residual = { key = \"4-tuple\"; time = \"5 s (1 s..1000 s)\"; }; } );\n");
	assert_true(asprintf(&sampled, "%s~2", path) > 0);
	assert_true(asprintf(&gone, "%s~x", path) > 0);
	p = load(sampled);
	plain = load(path);
	assert_string_equal(p->profile, "own.cfg~2");
	assert_int_equal(plain->rules[1].residual_ns, 5000000000);
	assert_true(p->rules[1].residual_ns != 5000000000);
	assert_int_equal(p->ndrawn, 1);
	load_fails(&request, gone, "cannot be read");
	kd_policy_free(p);
	kd_policy_free(plain);
	free(path);
	free(sampled);
	free(gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_query_draws_nothing),
		cmocka_unit_test(same_sample),
		cmocka_unit_test(samples),
		cmocka_unit_test(list_of_draws),
		cmocka_unit_test(variants),
		cmocka_unit_test(variants_together),
		cmocka_unit_test(own_file_samples),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
