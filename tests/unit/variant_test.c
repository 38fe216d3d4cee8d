/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules as a whole: variants, the things a rule waits for and has to say so, and the evidence it owes for
 * what it does.
 */
#include "small_book.h"

#include "rulebook/when.h"

static void test_variants(void **state)
{
	struct loaded l = fine(true,
		RULES(TLS("a", DROP
			"miss = '50 %'; residual = { key = '4-tuple'; time = '9 s'; };\n"
			"variants = ( { weight = 3; name = 'as it is'; },\n"
			"  { then = { mechanism = 'redirect'; to = '192.0.2.53'; time = '5 s'; }; "
			"when = { protocol = [ 'http', 'dtls' ]; }; },\n"
			"  { residual = { key = 'pair'; protocols = 'quic'; time = '20 s'; }; miss = '25 %'; "
			"share = '50 %'; } );\n"
			"pending = [ 'protocol:dtls', 'protocol:quic' ];")));
	const struct kd_book_rule *a = rule_of(&l, "a"), *v = a->variants;

	(void)state;
	assert_int_equal(a->nvariants, 3);
	assert_int_equal(a->weights[0], 3);
	assert_int_equal(a->weights[1], 1);
	assert_string_equal(a->variant_names[0], "as it is");
	assert_string_equal(a->variant_names[1], "2");
	assert_int_equal(a->needs.n, 2);
	assert_true(needs(a, "protocol:dtls") && needs(a, "protocol:quic"));
	assert_string_equal(a->pending, "protocol:dtls, protocol:quic");

	assert_string_equal(v[0].id, "a");
	assert_string_equal(v[0].draw, "rule:a");
	assert_int_equal(v[0].phase, KD_PHASE_PROTOCOL);
	assert_ptr_equal(v[0].when, a->when);
	assert_string_equal(v[0].mechanism, "drop");
	assert_string_equal(v[0].then, " direction=both");
	assert_int_equal(v[0].nnumbers, 2);
	has_number(&v[0], "residual.time", KD_UNIT_DURATION, 9000000000, 9000000000, 9000000000);
	assert_int_equal(v[0].needs.n, 0);
	assert_false(v[0].needs.inert);
	assert_null(v[0].pending);
	assert_null(v[0].share.text);

	assert_string_equal(v[1].mechanism, "redirect");
	assert_string_equal(v[1].then, " to=192.0.2.53 time=5 s");
	assert_int_not_equal(v[1].when->mask, a->when->mask);
	assert_false(v[1].needs.inert);
	assert_string_equal(v[1].pending, "protocol:dtls");
	assert_string_equal(v[1].residual.time.text, "9 s");
	assert_int_equal(v[1].nnumbers, 3); /* of redirect, its time */

	assert_string_equal(v[2].mechanism, "drop");
	assert_string_equal(v[2].residual.key, "pair");
	assert_string_equal(v[2].pending, "protocol:quic");
	assert_int_equal(v[2].nmisses, 1);
	assert_string_equal(v[2].misses[0].value.text, "25 %");
	assert_int_equal(v[2].nnumbers, 3);
	has_number(&v[2], "residual.time", KD_UNIT_DURATION, 20000000000, 20000000000, 20000000000);
	has_number(&v[2], "share", KD_UNIT_SHARE, 1ull << 63, 1ull << 63, 1ull << 63);
	drop(&l);
}

/* What every variant replaces is not waited for, and need not be there. */
static void test_variants_replace_all(void **state)
{
	struct loaded l =
		fine(true, RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; };\n"
				 "variants = ( { then = { mechanism = 'drop'; }; }, { then = { mechanism = "
				 "'reset'; }; } ); },\n"
				 "{ id = 'b'; phase = 'protocol'; when = { protocol = 'dtls'; }; then = { "
				 "mechanism = 'drop'; };\n"
				 "variants = ( { when = { protocol = 'http'; }; }, { when = { protocol = "
				 "'tls'; }; } ); }"));

	(void)state;
	assert_null(rule_of(&l, "a")->mechanism);
	assert_string_equal(rule_of(&l, "a")->variants[1].mechanism, "reset");
	assert_int_equal(rule_of(&l, "b")->needs.n, 0);
	drop(&l);
}

static void test_variants_wrong(void **state)
{
	(void)state;
	own(RULES(TLS("a", DROP "variants = ( { weight = 2; } );")),
		"rules.[0].variants: variants are two at least | write it without 'variants'\n");
	own(RULES(TLS("a", DROP
		    "variants = ( { weight = 0; name = 'x'; }, { name = 'x'; weight = '2'; what = 1; },\n"
		    "  { then = { mechanism = 'dorp'; }; share = '2'; } );")),
		"rules.[0].variants.[0].weight: a weight of 0 | expected 1 to 1000000\n"
		"rules.[0].variants.[1].name: double name: variant 'x'\n"
		"rules.[0].variants.[1].weight: '2' is not a weight | expected a plain whole number: weight "
		"= 3\n"
		"rules.[0].variants.[1].what: unknown setting | known here: name, weight, when, then, "
		"residual, miss, share, flap\n"
		"rules.[0].variants.[2].then.mechanism: unknown mechanism 'dorp' - did you mean 'drop'? | "
		"known: drop, police, reset, delay, impair, answer, redirect\n"
		"rules.[0].variants.[2].share: '2' is not a share | expected a number and %\n");
	/* The rule's own mistake is said once, not at each variant that takes the part over. */
	own(RULES(TLS("a", "then = { mechanism = 'dorp'; }; variants = ( { }, { weight = 2; }, 7 );")),
		"rules.[0].variants.[2]: expected a group: { ... }, not a number\n"
		"rules.[0].then.mechanism: unknown mechanism 'dorp' - did you mean 'drop'? | known: drop, "
		"police, reset, delay, impair, answer, redirect\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; };\n"
		  "variants = ( { then = { mechanism = 'drop'; }; }, { share = '50 %'; } ); }"),
		"rules.[0].variants.[1]: 'then' is missing | the rule itself has none\n");
	own(RULES("{ id = 'a'; default = 'deny'; variants = ( { when = { protocol = 'tls'; }; }, { } ); }"),
		"rules.[0].variants.[0].when: 'when' beside 'default' | it takes every flow that nothing let "
		"through\n");
	own(RULES(TLS("a", DROP "variants = ( { when = { protocol = 'dtls'; }; }, { } );")),
		"rules.[0]: protocol 'dtls' does not exist yet | write pending = "
		"'protocol:dtls'\n");
}

static void test_pending(void **state)
{
	(void)state;
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'dtls'; ja4 = 't13d'; }; " DROP " }"),
		"rules.[0]: protocol 'dtls', term 'ja4' do not exist yet | write pending = [ "
		"'protocol:dtls', 'term:ja4' ]\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'dtls'; ja4 = 't13d'; }; " DROP
		  "pending = 'protocol:dtls'; }"),
		"rules.[0].pending: term 'ja4' does not exist yet | write pending = [ "
		"'protocol:dtls', 'term:ja4' ]\n");
	own(RULES(TLS("a", DROP "pending = 'mechanism:drop';")),
		"rules.[0].pending: pending on mechanism 'drop', which exists | take the line out\n");
	own(RULES(TLS("a", DROP "pending = [ 'protocol:tls', 'term:sni', 'then:mechanism', "
				"'residual:4-tuple', 'setting:inspect.packets', 'knob:tcp.overlap' ];")),
		"rules.[0].pending.[0]: pending on protocol 'tls', which exists | take it out\n"
		"rules.[0].pending.[1]: pending on term 'sni', which exists | take it out\n"
		"rules.[0].pending.[2]: pending on then 'mechanism', which exists | take it out\n"
		"rules.[0].pending.[3]: pending on residual '4-tuple', which exists | take it out\n"
		"rules.[0].pending.[4]: pending on setting 'inspect.packets', which exists | take it out\n"
		"rules.[0].pending.[5]: pending on knob 'tcp.overlap', which exists | take it out\n");
	own(RULES(TLS("a", DROP "pending = [ 'protocol:dtls', 'residual:pair', 'knob:tls.certificates', "
				"'path:boxes' ];")),
		"rules.[0].pending.[0]: pending on protocol 'dtls', which is not used here | take it "
		"out\n"
		"rules.[0].pending.[1]: pending on residual 'pair', which exists | take it out\n"
		"rules.[0].pending.[2]: pending on knob 'tls.certificates', which is not used here | take it "
		"out\n"
		"rules.[0].pending.[3]: pending on path 'boxes', which exists | take it out\n");
	own(RULES(TLS("a", "then = { mechanism = 'redirct'; to = 'x'; }; pending = 'mechanism:redirct';")),
		"rules.[0].pending: unknown mechanism to wait for 'redirct' | known: none yet\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { ja4 = 't13d'; }; " DROP
		  "pending = [ 'term:ja4', 'term:jaa4' ]; }"),
		"rules.[0].pending.[1]: unknown term to wait for 'jaa4' - did you mean 'ja4'? | known: ja3, "
		"ja4, browser, quic_version, certificate_name\n");
	own(RULES(TLS("a", DROP "pending = [ 'weather', 'mechanism:', 'mechanism' ];")),
		"rules.[0].pending.[0]: 'weather' cannot be waited for | expected mechanism:NAME, "
		"protocol:NAME, term:NAME, then:NAME, residual:NAME, knob:NAME or setting:NAME\n"
		"rules.[0].pending.[1]: 'mechanism:' cannot be waited for | expected mechanism:NAME, "
		"protocol:NAME, term:NAME, then:NAME, residual:NAME, knob:NAME or setting:NAME\n"
		"rules.[0].pending.[2]: 'mechanism' cannot be waited for | expected mechanism:NAME, "
		"protocol:NAME, term:NAME, then:NAME, residual:NAME, knob:NAME or setting:NAME\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { ja4 = 't13d'; }; " DROP
		  "pending = [ 'term:ja4', 'term:ja4' ]; }"),
		"rules.[0].pending.[1]: 'term:ja4' stands here twice\n");
}

/* A term or protocol to come does not keep the rule from acting on the rest. */
static void test_pending_match(void **state)
{
	struct loaded l = fine(
		true, RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = [ 'tls', 'quic' ]; };\n" DROP
			    "pending = 'protocol:quic'; }, { id = 'b'; phase = 'protocol'; when = { ja4 = "
			    "'t13d'; };\n" DROP "pending = 'term:ja4'; }"));

	(void)state;
	assert_true(needs(rule_of(&l, "a"), "protocol:quic"));
	assert_false(rule_of(&l, "a")->needs.inert);
	assert_true(needs(rule_of(&l, "b"), "term:ja4"));
	assert_false(rule_of(&l, "b")->needs.inert);
	drop(&l);
}

/* The first words of a rule of the rulebook. */
#define ALL_EVIDENCE "evidence = { match = 'X-THR-2021'; then = 'X-THR-2021'; numbers = 'assumed'; };"

static void test_evidence(void **state)
{
	(void)state;
	says_of(false, RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; }; " DROP " }"),
		"rules.[0]: 'since' is missing\n"
		"rules.[0]: an enforcing rule without evidence for 'match' | expected evidence = { match = [ "
		"... ]; then = [ ... ]; }\n"
		"rules.[0]: an enforcing rule without a claim for 'then' | kordon builds nothing that no "
		"claim says a real box did\n");
	says_of(false,
		RULES(BOOK("a", "protocol", DROP "evidence = { match = 'assumed'; then = 'assumed'; };")),
		"rules.[0]: an enforcing rule without a claim for 'then' | kordon builds nothing that no "
		"claim says a real box did\n");
	/* Nothing is enforced: the match alone must be told. */
	says_of(false, RULES(BOOK("a", "protocol", "then = { allow = 'default'; };")),
		"rules.[0]: an allowing rule without evidence for 'match' | expected evidence = { match = [ "
		"... ]; }\n");
	says_of(false, RULES(BOOK("a", "observe", "")),
		"rules.[0]: an observing rule without evidence for 'match' | expected evidence = { match = [ "
		"... ]; }\n");
	says_of(false, RULES(BOOK("a", "observe", "evidence = { match = 'assumed'; };")), "");
	/* A protocol that waits leaves the others. */
	says_of(false,
		RULES("{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'quic'; "
		      "}; " DROP "pending = 'protocol:quic'; evidence = { match = 'X-THR-2021'; }; }"),
		"rules.[0]: an enforcing rule without a claim for 'then' | kordon builds nothing that no "
		"claim says a real box did\n");
}

static void test_evidence_numbers(void **state)
{
	(void)state;
	says_of(false,
		RULES(BOOK("a", "protocol",
			DROP "share = '50 % (1..99)'; evidence = { match = 'X-THR-2021';\n"
			     "  then = 'X-THR-2021'; };")),
		"rules.[0]: a box number without a claim | expected evidence = { numbers = [ ... ]; }, with "
		"claims or 'assumed'\n");
	says_of(false, RULES(BOOK("a", "protocol", DROP "share = '50 % (1..99)';" ALL_EVIDENCE)), "");
	says_of(false, RULES(BOOK("a", "protocol", DROP "share = '50 %';" ALL_EVIDENCE)),
		"rules.[0]: an assumed number without a range | expected 'VALUE UNIT (LO..HI)'\n");
	says_of(false,
		RULES(BOOK("a", "protocol", DROP "variants = ( { }, { miss = '1 %'; } );" ALL_EVIDENCE)),
		"rules.[0]: an assumed number without a range | expected 'VALUE UNIT (LO..HI)'\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_variants_replace_all),
		cmocka_unit_test(test_variants_wrong),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_pending_match),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_evidence_numbers),
	};

	return cmocka_run_group_tests_name("variant", tests, make_book, drop_book);
}
