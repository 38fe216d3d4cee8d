/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules as the book has them after reading, part by part: what each key comes to, and every mistake by
 * the setting it is said at. The terms of `when` are read here only as far as a rule needs one.
 */
#include "small_book.h"

#include <errno.h>

#include "engine/mechanism.h"
#include "engine/protocol.h"
#include "rulebook/option.h"

static void test_missing(void **state)
{
	(void)state;
	own(RULES("{ }"), "rules.[0]: 'id' is missing\n"
			  "rules.[0]: 'phase' is missing\n"
			  "rules.[0]: 'when' is missing\n"
			  "rules.[0]: 'then' is missing\n");
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; }"), "");
	own(RULES("{ id = 'a'; phase = 'obsrve'; when = { }; " DROP " }"),
		"rules.[0].phase: unknown phase 'obsrve' - did you mean 'observe'? | known: addresses, "
		"observe, names-allowed, names-blocked, protocol, fallback\n");
	own(RULES(TLS("a", DROP "colour = 1; title = 'two\\nlines';")),
		"rules.[0].colour: unknown setting | known here: id, title, phase, since, until, where, "
		"share, flap, when, then, residual, miss, else, default, variants, draw, evidence, pending\n"
		"rules.[0].title: a title is one line\n");
	own(RULES(TLS("a", "then = { form = 'rewrite'; };")), "rules.[0].then: 'mechanism' is missing\n");
	own(RULES(TLS("a", "then = { mechanism = 1; };")),
		"rules.[0].then.mechanism: expected a string in quotes\n");
	own(RULES(TLS("a", "then = { mechanism = 'drop'; direction = 'up'; form = 'x'; };")),
		"rules.[0].then.form: unknown setting | known here: mechanism, direction, after, share, "
		"delay_before, scope, allow\n"
		"rules.[0].then.direction: unknown direction 'up' | known: both, to-inside, to-outside\n");
}

static void test_head(void **state)
{
	struct loaded l = fine(true,
		RULES(TLS("a",
			DROP "title = 'TLS'; draw = 'both'; else = 'b';") ", { id = 'b'; phase = 'fallback'; "
									  "when = { }; " DROP " }"));
	const struct kd_book_rule *a = rule_of(&l, "a"), *b = rule_of(&l, "b");

	(void)state;
	assert_string_equal(a->title, "TLS");
	assert_string_equal(a->draw, "both");
	assert_string_equal(a->other, "b");
	assert_string_equal(a->other_at.path, "rules.[0].else");
	assert_int_equal(a->phase, KD_PHASE_PROTOCOL);
	assert_non_null(a->when);
	assert_string_equal(a->mechanism, "drop");
	assert_int_equal(a->mechanism_index, kd_mechanism_find("drop"));
	assert_string_equal(a->then, " direction=both");
	assert_int_equal(a->closes, 0);
	assert_false(a->residual.given);
	assert_int_equal(a->nmisses + a->nnumbers + a->nvariants + a->needs.n, 0);
	assert_false(a->numbers_given || a->unranged || a->broken || a->deny);
	assert_null(a->share.text);
	assert_null(a->pending);
	assert_string_equal(b->draw, "rule:b");
	assert_null(b->title);
	assert_null(b->other);
	assert_null(b->when);
	drop(&l);
}

static void test_deny(void **state)
{
	struct loaded l = fine(
		true, RULES("{ id = 'a'; default = 'deny'; }, { id = 'b'; phase = 'observe'; when = { }; }"));
	const struct kd_book_rule *a = rule_of(&l, "a"), *b = rule_of(&l, "b");

	(void)state;
	assert_true(a->deny);
	assert_int_equal(a->phase, KD_PHASE_DEFAULT);
	assert_null(a->when);
	assert_string_equal(a->mechanism, "drop");
	assert_string_equal(a->then, " direction=both");
	assert_int_equal(b->phase, KD_PHASE_OBSERVE);
	assert_null(b->mechanism);
	assert_int_equal(b->mechanism_index, -1);
	drop(&l);
	own(RULES("{ id = 'a'; default = 'deny'; then = { mechanism = 'reset'; }; }"), "");
	own(RULES("{ id = 'a'; default = 'denny'; phase = 'protocol'; when = { protocol = 'tls'; };\n"
		  "  then = { allow = 'default'; }; }"),
		"rules.[0].default: unknown default 'denny' - did you mean 'deny'? | known: deny\n"
		"rules.[0].phase: 'phase' beside 'default' | it stands behind all phases: leave the line "
		"out\n"
		"rules.[0].when: 'when' beside 'default' | it takes every flow that nothing let through\n"
		"rules.[0].then.allow: what default denies cannot allow | what is to pass is let through by "
		"a rule of another phase\n");
}

#define ALLOW(id, phase, what)                                                                               \
	"{ id = '" id "'; phase = '" phase "'; when = { protocol = 'tls'; }; then = { allow = " what "; }; " \
	"}"

static void test_allow(void **state)
{
	struct loaded l = fine(true,
		RULES(ALLOW("a", "names-allowed", "[ 'names-blocked', 'fallback', 'default' ]") ", " ALLOW(
			"b", "protocol", "'protocol'")));
	const struct kd_book_rule *a = rule_of(&l, "a"), *b = rule_of(&l, "b");

	(void)state;
	assert_int_equal(
		a->closes, 1 << KD_PHASE_NAMES_BLOCKED | 1 << KD_PHASE_FALLBACK | 1 << KD_PHASE_DEFAULT);
	assert_null(a->mechanism);
	assert_int_equal(b->closes, 1 << KD_PHASE_PROTOCOL);
	drop(&l);
	own(RULES(ALLOW("a", "names-blocked", "[ 'names-allowed', 'fall-back' ]")),
		"rules.[0].then.allow.[0]: unknown phase to close 'names-allowed' - did you mean "
		"'names-blocked'? | known: names-blocked, protocol, fallback, default\n"
		"rules.[0].then.allow.[1]: unknown phase to close 'fall-back' - did you mean 'fallback'? | "
		"known: names-blocked, protocol, fallback, default\n");
	own(RULES(ALLOW("a", "observe", "'default'")),
		"rules.[0].then.allow: a rule that observes cannot allow | nothing it does is final: an "
		"allow stands in another phase, as names-allowed\n");
	own(RULES(TLS("a", "then = { mechanism = 'drop'; allow = 'default'; };")),
		"rules.[0].then.allow: 'allow' beside 'mechanism' | a rule does the one or the other\n");
	own(RULES(TLS("a", "then = { allow = 1; };")), "rules.[0].then.allow: expected a string in quotes, "
						       "or a list of them: [ 'a', 'b' ], not a number\n");
	own(RULES(TLS("a", "then = { allow = 'default'; share = '5 %'; };")),
		"rules.[0].then.share: unknown setting | known here: allow\n");
	own(RULES(TLS("a", "then = { allow = 'default'; }; residual = { key = '4-tuple'; time = '1 s'; };")),
		"rules.[0]: a residual beside 'allow' | an allow holds for its flow alone\n");
}

static void test_then(void **state)
{
	/* In the file in another order. */
	struct loaded l = fine(
		true, RULES(TLS("a",
			      "then = { scope = 'name_end'; delay_before = '5 s (4..6)';\n"
			      "  share = '50 %'; after = { per = 'flow'; kind = 'payload'; side = 'inside';\n"
			      "  packets = '25 pkt (10..30)'; event = 'hello'; }; mechanism = 'drop'; "
			      "};") ", " HTTP("b",
			      "then = { mechanism = 'drop'; after = { event = 'hi'; packets = 3; }; };\n"
			      "share = '10 %';")));
	const struct kd_book_rule *a = rule_of(&l, "a"), *b = rule_of(&l, "b");

	(void)state;
	assert_string_equal(a->then,
		" direction=both after.event=hello after.packets=25 pkt (10..30) after.side=inside "
		"after.kind=payload after.per=flow share=50 % delay_before=5 s (4..6) scope=name_end");
	assert_int_equal(a->nnumbers, 3);
	has_number(a, "then.after.packets", KD_UNIT_COUNT, 25, 10, 30);
	has_number(a, "then.share", KD_UNIT_SHARE, 1ull << 63, 1ull << 63, 1ull << 63);
	has_number(a, "then.delay_before", KD_UNIT_DURATION, 5000000000, 4000000000, 6000000000);
	assert_int_equal(a->needs.n, 0);
	assert_int_equal(a->after.unit, KD_AFTER_PACKETS);
	assert_int_equal(a->after.side, KD_INSIDE);
	assert_int_equal(a->after.kind, KD_AFTER_PAYLOAD);
	assert_int_equal(a->after.event, KD_EVENT_OF_HELLO);
	assert_false(a->after.per_box);
	assert_int_equal(a->extent, KD_EXTENT_NAME_END);
	assert_string_equal(a->flow_share.text, "50 %");
	assert_string_equal(a->delay_before.text, "5 s (4..6)");
	assert_int_equal(b->after.event, KD_EVENT_OF_SIGNATURE);
	assert_int_equal(b->after.signature, 1);
	assert_int_equal(b->after.side, KD_ANY_SIDE);
	assert_int_equal(b->extent, KD_EXTENT_FROM_HERE);
	assert_string_equal(b->then, " direction=both after.event=hi after.packets=3 after.side=any "
				     "after.kind=any after.per=flow");
	has_number(b, "then.after.packets", KD_UNIT_COUNT, 3, 3, 3);
	drop(&l);
	/* What goes without saying and is said comes to the same. */
	l = fine(true,
		RULES(HTTP("a", "then = { mechanism = 'drop'; after = { event = 'hi'; packets = 3; per = "
				"'flow'; side = 'any';\n  kind = 'any'; }; };")));
	assert_string_equal(rule_of(&l, "a")->then, " direction=both after.event=hi after.packets=3 "
						    "after.side=any after.kind=any after.per=flow");
	drop(&l);
}

static void test_then_wrong(void **state)
{
	(void)state;
	own(RULES(TLS("a", "then = { mechanism = 'drop'; share = 'half'; delay_before = '5'; scope = 'all';\n"
			   "  after = { }; };")),
		"rules.[0].then.after: 'after' without a number | expected one of packets, bytes, time\n"
		"rules.[0].then.share: 'half' is not a share | expected a number and %\n"
		"rules.[0].then.delay_before: '5' is not a duration | expected a number and one of ns, us, "
		"ms, s, min, h, d\n"
		"rules.[0].then.scope: unknown scope 'all' | known: from_here, this_packet, name_end\n");
	own(RULES(TLS("a",
		    "then = { mechanism = 'drop'; after = { event = 'helo'; packets = 3; time = '1 s';\n"
		    "  side = 'left'; kind = 'syn'; per = 'node'; count = 1; }; };")),
		"rules.[0].then.after.count: unknown setting | known here: event, packets, bytes, time, "
		"side, kind, per\n"
		"rules.[0].then.after.event: unknown event 'helo' - did you mean 'hello'? | known: "
		"handshake, hello, first_appdata, hi\n"
		"rules.[0].then.after: 'after' with more than one number | expected one of packets, bytes, "
		"time\n"
		"rules.[0].then.after.side: unknown side 'left' | known: any, inside, outside\n"
		"rules.[0].then.after.kind: unknown kind 'syn' | known: any, payload, data\n"
		"rules.[0].then.after.per: unknown per 'node' | known: flow, box\n");
	own(RULES(TLS("a", "then = { mechanism = 'drop'; after = { bytes = 16000; }; };")),
		"rules.[0].then.after.bytes: expected a string in quotes, not a number\n");
}

/* A mechanism with numbers: what a rule states can be drawn, what it leaves out cannot. */
static void test_options(void **state)
{
	static const struct kd_option options[] = {
		{.name = "form", .kind = KD_OPTION_WORD, .offset = 0, .words = "one|two", .deflt = "two"},
		{.name = "count", .kind = KD_OPTION_COUNT, .offset = 4, .min = 1, .max = 100, .deflt = "7"},
		{.name = "other", .kind = KD_OPTION_COUNT, .offset = 8, .min = 1, .max = 100, .deflt = "9"},
		{.name = "time",
			.kind = KD_OPTION_DURATION,
			.offset = 16,
			.min = 1,
			.max = 10000000000,
			.deflt = "1 s"},
		{.name = NULL}};
	static const struct kd_mechanism mechanism = {.name = "made", .options = options};
	struct kd_diags diags = {0};
	struct kd_book book = {.arena = kd_arena_new(), .diags = &diags, .own = "own", .reading = "own"};
	struct kd_book_rule r = {.id = "a"}, plain = {.id = "b"}, wrong = {.id = "c"};
	config_t config;
	uint32_t count;
	uint64_t time;
	char *text =
		quoted("then = { mechanism = 'made'; count = '5 pkt (2..8)'; time = '2 s'; form = 'one'; };\n"
		       "bad = { mechanism = 'made'; count = 101; time = '9 s (1..11)'; other = 'x'; };\n");

	(void)state;
	config_init(&config);
	assert_int_equal(config_read_string(&config, text), CONFIG_TRUE);
	kd_options_read(&book, config_lookup(&config, "then"), &mechanism, &r);
	assert_int_equal(diags.count, 0);
	assert_string_equal(r.then, " form=one count=5 pkt (2..8) other=9 time=2 s");
	memcpy(&count, r.params + 4, sizeof(count));
	assert_int_equal(count, 5);
	memcpy(&count, r.params + 8, sizeof(count));
	assert_int_equal(count, 9);
	memcpy(&time, r.params + 16, sizeof(time));
	assert_true(time == 2000000000);
	assert_int_equal(r.nnumbers, 2);
	has_number(&r, "then.count", KD_UNIT_COUNT, 5, 2, 8);
	has_number(&r, "then.time", KD_UNIT_DURATION, 2000000000, 2000000000, 2000000000);
	assert_int_equal(r.numbers[0].size, 4);
	assert_int_equal(r.numbers[0].offset, 4);
	assert_int_equal(r.numbers[1].size, 8);
	assert_int_equal(r.numbers[1].offset, 16);
	assert_true(r.numbers_given && r.unranged);

	kd_options_default(&book, config_lookup(&config, "then"), &mechanism, &plain);
	assert_string_equal(plain.then, " form=two count=7 other=9 time=1 s");
	assert_int_equal(plain.params[0], 1);
	assert_int_equal(plain.nnumbers, 0);
	assert_false(plain.numbers_given);

	kd_options_read(&book, config_lookup(&config, "bad"), &mechanism, &wrong);
	check_said(&diags, text,
		"bad.count: '101' is out of range | expected 1 pkt to 100 pkt\n"
		"bad.other: 'x' is not a count | expected a whole number, with pkt or nothing behind it\n"
		"bad.time: '9 s (1..11)' is out of range | expected 1 ns to 10 s\n");
	free(text);
	config_destroy(&config);
	kd_diags_free(&diags);
	kd_arena_free(book.arena);
}

/* Rates, sizes, shares and texts; equal texts are one. */
static void test_option_kinds(void **state)
{
	static const struct kd_option options[] = {{.name = "rate",
							   .kind = KD_OPTION_RATE,
							   .offset = 0,
							   .min = 1,
							   .max = 10000,
							   .deflt = "8 bit/s"},
		{.name = "size", .kind = KD_OPTION_BYTES, .offset = 8, .deflt = "2 kB"},
		{.name = "part", .kind = KD_OPTION_SHARE, .offset = 16, .deflt = "100 %"},
		{.name = "to", .kind = KD_OPTION_TEXT, .offset = 24, .deflt = ""},
		{.name = "or", .kind = KD_OPTION_TEXT, .offset = 26, .deflt = "b"}, {.name = NULL}};
	static const struct kd_mechanism mechanism = {.name = "made", .options = options};
	struct kd_diags diags = {0};
	struct kd_book book = {.arena = kd_arena_new(), .diags = &diags, .own = "own", .reading = "own"};
	struct kd_book_rule r = {.id = "a"}, plain = {.id = "b"}, wrong = {.id = "c"};
	uint64_t numbers[3];
	uint16_t texts[2];
	config_t config;
	char *text =
		quoted("then = { mechanism = 'made'; rate = '1 kbit/s'; size = '16 kB'; part = '50 %'; to = "
		       "'a'; or = 'a'; };\n"
		       "bad = { mechanism = 'made'; rate = '11 kbit/s'; };\n");

	(void)state;
	config_init(&config);
	assert_int_equal(config_read_string(&config, text), CONFIG_TRUE);
	kd_options_read(&book, config_lookup(&config, "then"), &mechanism, &r);
	assert_string_equal(r.then, " rate=1 kbit/s size=16 kB part=50 % to=a or=a");
	memcpy(numbers, r.params, sizeof(numbers));
	memcpy(texts, r.params + 24, sizeof(texts));
	assert_true(numbers[0] == 1000 && numbers[1] == 16000 && numbers[2] == 1ull << 63);
	assert_int_equal(texts[0], 1);
	assert_int_equal(texts[1], 1);
	assert_string_equal(book.texts[0], "a");
	assert_int_equal(r.numbers[0].size, 8);
	kd_options_default(&book, config_lookup(&config, "then"), &mechanism, &plain);
	memcpy(numbers, plain.params, sizeof(numbers));
	memcpy(texts, plain.params + 24, sizeof(texts));
	assert_true(numbers[0] == 8 && numbers[1] == 2000 && numbers[2] == UINT64_MAX);
	assert_int_equal(texts[0], 0);
	assert_int_equal(texts[1], 2);
	assert_int_equal(book.ntexts, 2);
	assert_int_equal(diags.count, 0);
	kd_options_read(&book, config_lookup(&config, "bad"), &mechanism, &wrong);
	check_said(&diags, text, "bad.rate: '11 kbit/s' is out of range | expected 1 bit/s to 10 kbit/s\n");
	free(text);
	config_destroy(&config);
	kd_diags_free(&diags);
	kd_arena_free(book.arena);
}

static void test_residual(void **state)
{
	struct loaded l = fine(true,
		RULES(TLS("a", RESIDUAL("for = 'client'; restart = 'nothing';")) ", " HTTP("b",
			DROP "residual = { key = 'pair'; protocols = [ 'tls', 'icmp', 'tcp', 'quic', 'icmp' "
			     "]; for = 'everyone';\n"
			     "  time = '7 min (5..10)'; restart = 'any_packet'; publish_after = '10 min "
			     "(5..15)'; };\n"
			     "  pending = 'protocol:quic'; share = '1 %';")));
	const struct kd_book_rule *a = rule_of(&l, "a"), *b = rule_of(&l, "b");

	(void)state;
	assert_true(a->residual.given);
	assert_string_equal(a->residual.key, "4-tuple");
	assert_string_equal(a->residual.whom, "client");
	assert_string_equal(a->residual.restart, "nothing");
	assert_int_equal(a->residual.nprotocols, 0);
	assert_true(a->residual.time.n.value == 75000000000);
	assert_string_equal(a->residual.time.text, "75 s");
	assert_null(a->residual.publish_after.text);
	assert_int_equal(a->needs.n, 0);
	has_number(a, "residual.time", KD_UNIT_DURATION, 75000000000, 75000000000, 75000000000);
	assert_true(a->numbers_given && a->unranged);

	assert_string_equal(b->residual.key, "pair");
	assert_string_equal(b->residual.whom, "everyone");
	assert_string_equal(b->residual.restart, "any_packet");
	assert_int_equal(b->residual.nprotocols, 4);
	assert_string_equal(b->residual.protocols[0], "icmp");
	assert_string_equal(b->residual.protocols[1], "quic");
	assert_string_equal(b->residual.protocols[2], "tcp");
	assert_string_equal(b->residual.protocols[3], "tls");
	has_number(b, "residual.time", KD_UNIT_DURATION, 420000000000, 300000000000, 600000000000);
	has_number(b, "residual.publish_after", KD_UNIT_DURATION, 600000000000, 300000000000, 900000000000);
	assert_int_equal(b->residual.keyed_by, KD_RESIDUAL_PAIR);
	assert_int_equal(b->residual.held_for, KD_FOR_EVERYONE);
	assert_int_equal(b->residual.restarted_by, KD_RESTART_ANY_PACKET);
	assert_int_equal(b->residual.transports, KD_TRANSPORT_TCP | KD_TRANSPORT_ICMP);
	assert_true((b->residual.recognised >> KD_PROTOCOL_tls & 1) != 0);
	assert_int_equal(b->needs.n, 1);
	assert_false(b->needs.inert);
	drop(&l);
}

static void test_residual_wrong(void **state)
{
	(void)state;
	own(RULES(TLS("a", DROP "residual = { key = '5-tuple'; protocols = [ 'tcp', 'sctp' ]; for = 'me';\n"
				"  time = '75'; restart = 'never'; publish_after = 'soon'; keys = 1; };")),
		"rules.[0].residual.keys: unknown setting - did you mean 'key'?\n"
		"rules.[0].residual.key: unknown residual key '5-tuple' - did you mean '4-tuple'? | known: "
		"4-tuple, 3-tuple, pair, address, address:port, prefix, tag\n"
		"rules.[0].residual.for: unknown holder of a residual 'me' | known: client, subscriber, "
		"everyone\n"
		"rules.[0].residual.restart: unknown restart 'never' | known: nothing, any_packet, "
		"next_trigger\n"
		"rules.[0].residual.protocols.[1]: unknown protocol 'sctp' | known: tcp, udp, "
		"icmp, tls, http, dns, ...\n"
		"rules.[0].residual.time: '75' is not a duration | expected a number and one of ns, us, ms, "
		"s, min, h, d\n"
		"rules.[0].residual.publish_after: 'soon' is not a duration | expected a number and one of "
		"ns, us, ms, s, min, h, d\n");
	own(RULES(TLS("a", DROP "residual = { key = '4-tuple'; };")),
		"rules.[0].residual: 'time' is missing\n");
	own(RULES(TLS("a", DROP "residual = { key = '4-tuple'; time = '0 s (0..5)'; };")),
		"rules.[0].residual.time: a residual of no time | leave the residual out: the rule then "
		"holds for the life of the flow\n");
	/* What only observes may ban, and then says how. */
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; residual = { key = 'pair'; time = '1 s'; }; }"),
		"rules.[0]: a residual without 'then' | in observe, 'then' says what a residual does\n");
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; " DROP
		  " residual = { key = '4-tuple'; time = '1 s'; "
		  "}; }"),
		"rules.[0].residual: a residual on the 4-tuple in a rule that observes: its own flow goes on "
		"| "
		"expected a key that other flows share: address, prefix, ...\n");
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; " DROP " }"),
		"?rules.[0]: 'then' has no effect in a rule that observes | it says what a residual does, "
		"and there is none\n");
	own(RULES("{ id = 'a'; phase = 'observe'; when = { }; " DROP
		  "residual = { key = 'pair'; time = '1 s'; }; }"),
		"");
}

static void test_miss(void **state)
{
	struct loaded l = fine(false,
		"rules = ( { id = 'a'; since = '2022-01'; phase = 'protocol'; when = { protocol = 'tls'; "
		"};\n" DROP
		"miss = ( { value = '1 % (0..2)'; where = { isp = 'one'; }; }, { value = '25 %'; } );\n"
		"share = '50 % (25..75)'; evidence = { match = [ 'X-THR-2021' ]; then = [ 'X-THR-2021' ]; "
		"numbers = [ 'X-THR-2021' ]; }; } );\n");
	const struct kd_book_rule *a = rule_of(&l, "a");

	(void)state;
	assert_int_equal(a->nmisses, 2);
	assert_int_equal(a->misses[0].scope.isps, 1);
	assert_string_equal(a->misses[0].value.text, "1 % (0..2)");
	assert_int_equal(a->misses[1].scope.isps, 0);
	assert_int_equal(a->misses[1].scope.networks, (1 << KD_NETWORK_COUNT) - 1);
	assert_true(a->misses[1].value.n.value == 1ull << 62);
	assert_true(a->share.n.value == 1ull << 63);
	assert_int_equal(a->nnumbers, 3);
	has_number(a, "miss", KD_UNIT_SHARE, 1ull << 62, 1ull << 62, 1ull << 62);
	has_number(a, "share", KD_UNIT_SHARE, 1ull << 63, 1ull << 62, 3ull << 62);
	assert_string_equal(a->numbers[0].key, "miss.[0]");
	drop(&l);
	l = fine(true, RULES(TLS("a", DROP "miss = '25 %';")));
	a = rule_of(&l, "a");
	assert_int_equal(a->nmisses, 1);
	assert_string_equal(a->misses[0].value.key, "miss");
	assert_int_equal(a->misses[0].scope.networks, (1 << KD_NETWORK_COUNT) - 1);
	assert_int_equal(a->misses[0].scope.since.first, INT32_MIN);
	assert_int_equal(a->misses[0].scope.until.last, INT32_MAX);
	drop(&l);
	own(RULES(TLS("a", DROP "miss = ( { value = '1'; }, 5, { were = 1; } ); share = '101 %';")),
		"rules.[0].miss.[1]: expected a group: { ... }, not a number\n"
		"rules.[0].miss.[0].value: '1' is not a share | expected a number and %\n"
		"rules.[0].miss.[2].were: unknown setting - did you mean 'where'?\n"
		"rules.[0].miss.[2]: 'value' is missing\n"
		"rules.[0].share: '101 %' is more than 100 %\n");
	own(RULES(TLS("a", DROP "miss = 3;")), "rules.[0].miss: expected a string in quotes, not a number\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_then),
		cmocka_unit_test(test_then_wrong),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_kinds),
		cmocka_unit_test(test_residual),
		cmocka_unit_test(test_residual_wrong),
		cmocka_unit_test(test_miss),
	};

	return cmocka_run_group_tests_name("rule", tests, make_book, drop_book);
}
