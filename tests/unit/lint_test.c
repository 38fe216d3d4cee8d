/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the whole book shows: rules behind others, and rules that name rules.
 */
#include "small_book.h"

static void test_lint_hidden(void **state)
{
	(void)state;
	own(RULES(TLS("a", DROP) ", " TLS("b", "then = { mechanism = 'reset'; };")),
		"rules.[1]: unreachable rule 'b' | DIR/own.cfg:1: 'a' matches the same earlier in the same "
		"phase\n");
	own(RULES("{ id = 'a'; default = 'deny'; }, { id = 'b'; default = 'deny'; then = { mechanism = "
		  "'reset'; }; }"),
		"rules.[1]: unreachable rule 'b' | DIR/own.cfg:1: 'a' matches the same earlier in the same "
		"phase\n");
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; }, { id = 'b'; phase = 'observe'; when = { }; "
		  "}, { id = 'c'; phase = 'fallback'; when = { }; " DROP " }"),
		"");
	own(RULES(TLS("a", DROP "share = '50 %';") ", " TLS("b", DROP)), "");
	own(RULES(TLS("a", DROP "flap = '30 min';") ", " TLS("b", DROP)), "");
	own(RULES(TLS("a", DROP "variants = ( { }, { share = '5 %'; } );") ", " TLS("b", DROP)), "");
	own(RULES(TLS("a", DROP) ", " TLS(
		    "b", DROP "variants = ( { when = { protocol = 'http'; }; }, { } );")),
		"");
	own(RULES(TLS("a", DROP) ", " TLS(
		    "b", DROP "variants = ( { then = { mechanism = 'reset'; }; }, { } );")),
		"rules.[1]: unreachable rule 'b' | DIR/own.cfg:1: 'a' matches the same earlier in the same "
		"phase\n");
}

static void test_lint_else(void **state)
{
	(void)state;
	own(RULES(TLS("a", DROP "else = 'bb';") ", { id = 'bbb'; phase = 'fallback'; when = { }; " DROP " }"),
		"rules.[0].else: unknown rule 'bb' - did you mean 'bbb'?\n");
	own(RULES(TLS("a", DROP "else = 'a';")), "rules.[0].else: rule 'a' stands in for itself\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; }; " DROP "else = 'b'; },\n"
		  "{ id = 'b'; phase = 'protocol'; when = { protocol = 'http'; }; " DROP "else = 'c'; },\n"
		  "{ id = 'c'; phase = 'fallback'; when = { protocol = 'http'; }; " DROP "else = 'b'; },\n"
		  "{ id = 'd'; phase = 'fallback'; when = { protocol = 'tls'; }; " DROP "else = 'a'; }"),
		"rules.[1].else: 'else' goes in a circle, back to 'b' | one of the rules must have no "
		"'else'\n");
}

#define PUNISH(fake) "{ set = 'fake." fake "'; value = 'punish'; }"
#define FAKE(when) "{ id = 'a'; phase = 'protocol'; when = { " when " }; " DROP " }"

/* Some box punishes it, whatever the others do; a `not` and a variant ask too. */
static void test_lint_fakes(void **state)
{
	(void)state;
	own("knobs = ( " PUNISH("ttl") " );\n" RULES(FAKE("fake = 'ttl';")), "");
	own("knobs = ( { set = 'fake.md5'; variants = ( { value = 'ignore'; }, { value = 'punish'; } ); "
	    "} );\n" RULES(FAKE("fake = 'md5';")),
		"");
	own("knobs = ( { set = 'fake.md5'; value = 'ignore'; }, " PUNISH("ttl") " );\n" RULES(
		    FAKE("fake = [ 'md5', 'ttl' ];")),
		"?rules.[0].when.fake: no box of the rulebook punishes the fake 'md5' | expected a knob "
		"'fake.md5' of value 'punish'\n");
	own(RULES(FAKE("not = { fake = 'ip_id'; };")), "?rules.[0].when.not.fake: no box of the rulebook "
						       "punishes the fake 'ip_id' | expected a knob "
						       "'fake.ip_id' of value 'punish'\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; }; " DROP
		  " variants = ( { }, { when = { fake = 'urgent'; }; } ); }"),
		"?rules.[0].variants.[1].when.fake: no box of the rulebook punishes the fake 'urgent' | "
		"expected a knob 'fake.urgent' of value 'punish'\n");
}

static void test_lint_already(void **state)
{
	(void)state;
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { any = ( { already = 'ob'; }, { already = 'a'; } "
		  "); }; " DROP " },\n"
		  "{ id = 'ob1'; phase = 'observe'; when = { }; }"),
		"rules.[0].when.any.[0].already: unknown rule 'ob' - did you mean 'ob1'?\n"
		"rules.[0].when.any.[1].already: rule 'a' asks for itself\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { protocol = 'tls'; already = 'b'; }; " DROP " },\n"
		  "{ id = 'b'; phase = 'observe'; when = { already = 'a'; }; }"),
		"rules.[0]: 'already' goes in a circle, back to 'a' | of rules that wait for each other none "
		"can be the first\n");
	/* Either will do: no circle. */
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { any = ( { protocol = 'tls'; }, { already = 'b'; "
		  "} ); }; " DROP " },\n"
		  "{ id = 'b'; phase = 'observe'; when = { already = 'a'; }; }"),
		"");
}

static void test_lint_days(void **state)
{
#define DAYS(id, days, phase, more)                                                                          \
	"{ id = '" id "'; " days " phase = '" phase "'; when = { protocol = 'tls'; }; " DROP                 \
	"evidence = { match = 'X-THR-2021'; then = 'X-THR-2021'; }; " more " }"
	static const char elsewhere[] = "?rules.[0].else: 'b' is not in force wherever 'a' is | "
					"DIR/rulebook/rules.cfg:2: 'b' is limited to other days or places\n";

	(void)state;
	says_of(false,
		RULES(DAYS("a", "since = '2022-01';", "protocol", "else = 'b';") ",\n" DAYS(
			"b", "since = '2022-01'; until = '2023-01';", "fallback", "")),
		elsewhere);
	says_of(false,
		RULES(DAYS("a", "since = '2022-01';", "protocol", "else = 'b';") ",\n" DAYS(
			"b", "since = '2022-01'; where = { network = 'home'; };", "fallback", "")),
		elsewhere);
	says_of(false,
		RULES(DAYS("a", "since = '2022-01'; where = { isp = 'one'; };", "protocol",
			"else = 'b';") ",\n" DAYS("b", "since = '2021-12';", "fallback", "")),
		"");
	/* The same match on days that do not meet hides nothing. */
	says_of(false,
		RULES(DAYS("a", "since = '2022-01'; until = '2022-07';", "protocol", "") ",\n" DAYS(
			"b", "since = '2022-06';", "protocol", "")),
		"rules.[1]: unreachable rule 'b' | DIR/rulebook/rules.cfg:1: 'a' matches the same earlier in "
		"the same phase\n");
	says_of(false,
		RULES(DAYS("a", "since = '2022-01'; until = '2022-06';", "protocol", "") ",\n" DAYS(
			"b", "since = '2022-06';", "protocol", "")),
		"");
}

/* Where a box that sees one way only is on a path, a rule may stand in there alone. */
static void test_lint_else_boxes(void **state)
{
#define BOXES                                                                                                \
	"boxes = ( { id = 'near'; evidence = { match = 'X-THR-2021'; }; },\n"                                \
	"  { id = 'out'; sees = 'upstream'; evidence = { match = 'X-THR-2021'; }; },\n"                      \
	"  { id = 'off'; sees = 'upstream'; evidence = { match = 'X-THR-2021'; }; } );\n"                    \
	"paths = ( { id = 'p'; boxes = [ 'near', 'out' ]; evidence = { match = "                             \
	"'X-THR-2021'; }; } );\n"
#define FIRST(then, more)                                                                                    \
	"{ id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; }; else = 'b'; then " \
	"= { " then " }; evidence = { match = 'X-THR-2021'; then = 'X-THR-2021'; }; " more " }"
#define SECOND(where) DAYS("b", "since = '2022-01'; where = { " where " };", "fallback", "")
	static const char elsewhere[] = "?rules.[0].else: 'b' is not in force wherever 'a' is | "
					"DIR/rulebook/rules.cfg:6: 'b' is limited to other days or places\n";

	(void)state;
	says_of(false, BOXES RULES(FIRST("mechanism = 'reset';", "") ",\n" SECOND("box = 'out';")), "");
	says_of(false,
		BOXES RULES(FIRST("mechanism = 'reset';", "") ",\n" SECOND("box = [ 'out', 'near' ];")), "");
	says_of(false, BOXES RULES(FIRST("mechanism = 'reset';", "") ",\n" SECOND("box = 'near';")),
		elsewhere);
	/* Not on the path. */
	says_of(false, BOXES RULES(FIRST("mechanism = 'reset';", "") ",\n" SECOND("box = 'off';")),
		elsewhere);
	/* It can act there as well. */
	says_of(false,
		BOXES RULES(FIRST("mechanism = 'reset'; form = 'inject';", "") ",\n" SECOND("box = 'out';")),
		elsewhere);
	says_of(false,
		BOXES RULES(FIRST("mechanism = 'reset';", "") ",\n" SECOND("box = 'out'; network = 'home';")),
		elsewhere);
	says_of(false,
		BOXES RULES(FIRST("mechanism = 'reset';", "where = { box = 'near'; };") ",\n" SECOND(
			"box = 'out';")),
		elsewhere);
}

/* What a file that cannot be read would have cited is not known. */
static void test_lint_unread(void **state)
{
	static const char spare[] =
		"claims = ( { id = 'X-SPARE'; source = 'example.org/a'; date = '2021-03'; tag = 'P'; grade = "
		"'measured';\n  read = 'primary'; text = 't'; } );\n";

	(void)state;
	says_of(false, spare, "?claims.[0]: unused claim 'X-SPARE'\n");
	put_file("signatures/s.cfg", "signatures = ( { must = [ 1, '01' ]; } );");
	says_of(false, spare,
		"-: mismatched element type in array | write the numbers in quotes: [ '443', "
		"'1024-65535' ]\n");
	put_file("signatures/s.cfg", small_files[2].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lint_hidden),
		cmocka_unit_test(test_lint_else),
		cmocka_unit_test(test_lint_fakes),
		cmocka_unit_test(test_lint_already),
		cmocka_unit_test(test_lint_days),
		cmocka_unit_test(test_lint_else_boxes),
		cmocka_unit_test(test_lint_unread),
	};

	return cmocka_run_group_tests_name("lint", tests, make_book, drop_book);
}
