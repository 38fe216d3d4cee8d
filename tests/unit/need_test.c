/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a rule owes for what it states: the range of an assumed number, the evidence of what it does, and one
 * word on all that it waits for.
 */
#include "small_book.h"

#define OWES(parts, evidence)                                                                                \
	RULES("{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; }; " parts      \
	      " evidence = { match = 'X-THR-2021'; then = 'X-THR-2021'; " evidence " }; }")

#define RANGE "rules.[0]: an assumed number without a range | expected 'VALUE UNIT (LO..HI)'"
#define TWO(time, miss) DROP "residual = { key = '4-tuple'; time = '" time "'; }; miss = '" miss "';"

static void test_assumed(void **state)
{
	(void)state;
	/* Alone, it stands for all of them. */
	says_of(false, OWES(TWO("75 s", "1 % (0..2)"), "numbers = 'assumed';"), RANGE "\n");
	says_of(false, OWES(TWO("75 s (70..80)", "1 %"), "numbers = 'assumed';"), RANGE "\n");
	says_of(false, OWES(TWO("75 s (70..80)", "1 % (0..2)"), "numbers = 'assumed';"), "");
	/* Beside a claim, for one at least. */
	says_of(false, OWES(TWO("75 s", "1 %"), "numbers = [ 'X-THR-2021', 'assumed' ];"),
		RANGE " of the number that is assumed\n");
	says_of(false, OWES(TWO("75 s", "1 % (0..2)"), "numbers = [ 'X-THR-2021', 'assumed' ];"), "");
	says_of(false, OWES(TWO("75 s (70..80)", "1 %"), "numbers = [ 'assumed', 'X-THR-2021' ];"), "");
	says_of(false, OWES(TWO("75 s", "1 %"), "numbers = 'X-THR-2021';"), "");
	/* One of a variant will do, too. */
	says_of(false,
		OWES(TWO("75 s", "1 %") "variants = ( { }, { miss = '1 % (0..2)'; } );",
			"numbers = [ 'X-THR-2021', 'assumed' ];"),
		"");
	/* A wrong number and an unknown claim are said once. */
	says_of(false, OWES(TWO("75 s", "half"), "numbers = [ 'X-THR-2021', 'assumed' ];"),
		"rules.[0].miss: 'half' is not a share...\n");
	says_of(false, OWES(DROP "share = '0.6';", ""), "rules.[0].share: '0.6' is not a share...\n");
	says_of(false, OWES(TWO("75 s", "1 %"), "numbers = 'X-THR-2012';"),
		"rules.[0].evidence.numbers: unknown claim 'X-THR-2012' - did you mean 'X-THR-2021'?\n");
	says_of(false, OWES(DROP "share = '60 %';", ""),
		"rules.[0]: a box number without a claim | expected evidence = { numbers = [ ... ]; }, with "
		"claims or 'assumed'\n");
}

static void test_no_then(void **state)
{
	(void)state;
	says_of(false,
		RULES("{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; }; }"),
		"rules.[0]: 'then' is missing\n"
		"rules.[0]: a rule without evidence for 'match' | expected evidence = { match = [ ... ]; "
		"then "
		"= [ ... ]; }\n");
	says_of(false,
		RULES("{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; };\n"
		      "evidence = { match = 'X-THR-2021'; }; }"),
		"rules.[0]: 'then' is missing\n");
	says_of(false,
		RULES("{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; }; " DROP
		      "evidence = { match = 'X-THR-2021'; then = 'assumed'; }; }"),
		"rules.[0]: an enforcing rule without a claim for 'then' | kordon builds nothing that no "
		"claim "
		"says a real box did\n");
}

static void test_pending(void **state)
{
	(void)state;
	/* What to write says what is too much, too. */
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'dtls'; }; " DROP
		  "pending = [ 'mechanism:drop', 'weather', 'then:after', 'mechanism:drop' ]; }"),
		"rules.[0].pending: protocol 'dtls' does not exist yet | write pending = "
		"'protocol:dtls'\n");
	/* Alone it is said for itself. */
	own(RULES(TLS("a", DROP "pending = [ 'mechanism:drop', 'weather', 'then:after', 'then:after', "
				"'residual:everyone' ];")),
		"rules.[0].pending.[0]: pending on mechanism 'drop', which exists | take it out\n"
		"rules.[0].pending.[1]: 'weather' cannot be waited for...\n"
		"rules.[0].pending.[2]: pending on then 'after', which exists | take it out\n"
		"rules.[0].pending.[3]: 'then:after' stands here twice\n"
		"rules.[0].pending.[4]: unknown residual to wait for 'everyone' | known: none yet\n");
	/* Of a mechanism that nobody knows nothing else is said. */
	own(RULES(TLS(
		    "a", "then = { mechanism = 'redirct'; share = '5 %'; }; pending = 'mechanism:redirct';")),
		"rules.[0].pending: unknown mechanism to wait for 'redirct' | known: none yet\n");
}

static void test_observe(void **state)
{
	(void)state;
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; else = 'b'; }, { id = 'b'; phase = 'fallback'; "
		  "when = { }; " DROP " }"),
		"rules.[0].else: 'else' in a rule that observes | it never acts on the flow in hand, so "
		"nothing has to stand in for it\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assumed),
		cmocka_unit_test(test_no_then),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_observe),
	};

	return cmocka_run_group_tests_name("need", tests, make_book, drop_book);
}
