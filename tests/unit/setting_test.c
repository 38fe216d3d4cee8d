/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Knobs and settings: what the book keeps of them, every mistake by its place, and which value a query
 * gets.
 */
#include "small_book.h"

#include "engine/protocol.h"
#include "rulebook/setting.h"
#include "rulebook/when.h"

static void test_knobs(void **state)
{
	struct loaded l = fine(false,
		"knobs = ( { set = 'tcp.reassemble'; value = 'in-order'; since = '2024-01'; to = [ '@cloud' "
		"];\n"
		"  protocol = [ 'tls', 'quic' ]; share = '50 % (25..75)'; evidence = { then = 'assumed'; };\n"
		"  pending = 'protocol:quic'; },\n"
		"{ set = 'fake.ttl'; variants = ( { weight = 2; value = 'believe'; }, { value = 'ignore'; } "
		"); draw = 'fakes';\n"
		"  evidence = { then = 'X-THR-2021'; }; } );\n");
	const struct kd_book_knob *k = l.book->knobs;

	(void)state;
	assert_int_equal(l.book->nknobs, 2);
	assert_string_equal(k[0].name, "tcp.reassemble");
	assert_string_equal(k[0].draw, "knob:tcp.reassemble");
	assert_int_equal(k[0].nvalues, 1);
	assert_string_equal(k[0].values[0], "in-order");
	assert_true(k[0].share.n.value == 1ull << 63 && k[0].share.n.lo == 1ull << 62);
	assert_string_equal(k[0].share.key, "share");
	assert_int_equal(k[0].to->ntags, 1);
	assert_true((k[0].protocols >> kd_protocol_find("tls") & 1) == 1);
	assert_true((k[0].protocols >> kd_protocol_find("http") & 1) == 0);
	assert_string_equal(k[0].pending, "protocol:quic");
	assert_string_equal(k[0].scope.since_text, "2024-01");
	assert_string_equal(k[1].draw, "fakes");
	assert_int_equal(k[1].nvalues, 2);
	assert_string_equal(k[1].values[1], "ignore");
	assert_int_equal(k[1].weights[0], 2);
	assert_int_equal(k[1].weights[1], 1);
	assert_null(k[1].to);
	assert_true(k[1].protocols == 0);
	drop(&l);
	/* Only what does not exist yet: still not "any protocol". */
	l = fine(true, "knobs = ( { set = 'fake.ttl'; value = 'ignore'; protocol = 'quic'; pending = "
		       "'protocol:quic'; } );\n");
	assert_true(l.book->knobs[0].protocols != 0);
	assert_true((l.book->knobs[0].protocols & ((1ull << KD_PROTOCOL_COUNT) - 1)) == 0);
	drop(&l);
	own("knobs = ( { set = 'tcp.overlap'; value = 'fist'; protocol = 'tsl'; share = 'x'; },\n"
	    "  { set = 'tcp.overlaps'; }, { set = 'tls.certificates'; value = 1; variants = ( { value = "
	    "'read'; "
	    "} ); } );\n",
		"knobs.[0].value: unknown value 'fist' - did you mean 'first'? | known: first, last, strict\n"
		"knobs.[0].protocol: unknown protocol 'tsl' - did you mean 'tls'? | known: tls, http, "
		"dns, ...\n"
		"knobs.[0].share: 'x' is not a share | expected a number and %\n"
		"knobs.[1]: 'value' is missing\n"
		"knobs.[1].set: unknown knob 'tcp.overlaps' - did you mean 'tcp.overlap'? | known: "
		"tcp.reassemble, ...\n"
		"knobs.[2].value: 'value' beside 'variants' | each variant has its own\n"
		"knobs.[2].variants: variants are two at least | write it without 'variants'\n"
		"knobs.[2]: knob 'tls.certificates' does not exist yet | write pending = "
		"'knob:tls.certificates'\n");
}

static void test_flaps(void **state)
{
	struct loaded l = fine(true,
		"knobs = ( { set = 'tcp.overlap'; value = 'last'; flap = '30 min (10 min..40 min)'; },\n"
		"  { set = 'tcp.overlap'; value = 'strict'; } );\n");

	(void)state;
	assert_true(l.book->knobs[0].flap.n.value == 1800000000000);
	assert_true(
		l.book->knobs[0].flap.n.lo == 600000000000 && l.book->knobs[0].flap.n.hi == 2400000000000);
	assert_string_equal(l.book->knobs[0].flap.key, "flap");
	assert_null(l.book->knobs[1].flap.text);
	drop(&l);
	own("knobs = ( { set = 'tcp.overlap'; value = 'last'; flap = '0 s'; },\n"
	    "  { set = 'names.case'; value = 'exact'; flap = '30'; } );\n",
		"knobs.[0].flap: a flap of no time | expected a time such as '30 min (10 min..40 min)'\n"
		"knobs.[1].flap: '30' is not a duration | ...\n");
}

#define OVERLAP(value, more)                                                                                 \
	"{ set = 'tcp.overlap'; value = '" value "'; " more "\n  evidence = { then "                         \
	"= 'X-THR-2021'; numbers = 'X-THR-2021'; }; }"
#define KNOBS(a, b) "knobs = ( " a ",\n" b " );\n"

/* The first that fits is taken: a second one for the same flows never is. */
static void test_knobs_twice(void **state)
{
	static const char twice[] =
		"knobs.[1]: 'tcp.overlap' is set twice for the same days and flows | first "
		"at DIR/rulebook/rules.cfg:1\n";

	(void)state;
	says_of(false, KNOBS(OVERLAP("first", ""), OVERLAP("last", "")), twice);
	says_of(false,
		KNOBS(OVERLAP("first", "to = [ '@cloud', '192.0.2.0/24' ]; protocol = 'tls';"),
			OVERLAP("last",
				"to = [ '192.0.2.0/24', '@cloud' ]; protocol = 'tls'; share = '5 %';")),
		twice);
	says_of(false, KNOBS(OVERLAP("first", "until = '2022-01';"), OVERLAP("last", "since = '2022-01';")),
		"");
	says_of(false, KNOBS(OVERLAP("first", "to = '@cloud';"), OVERLAP("last", "")), "");
	says_of(false,
		KNOBS(OVERLAP("first", "to = '192.0.2.0/24';"), OVERLAP("last", "to = '192.0.2.0/25';")), "");
	says_of(false, KNOBS(OVERLAP("first", "protocol = 'tls';"), OVERLAP("last", "protocol = 'http';")),
		"");
	/* A share leaves some nodes to the next. */
	says_of(false, KNOBS(OVERLAP("first", "share = '60 %';"), OVERLAP("last", "")), "");
	/* Announced protocols are not one. */
	own("knobs = ( { set = 'fake.ttl'; value = 'ignore'; protocol = 'quic'; pending = "
	    "'protocol:quic'; },\n"
	    "  { set = 'fake.ttl'; value = 'punish'; protocol = 'dtls'; pending = "
	    "'protocol:dtls'; } );\n",
		"");
}

static void test_settings_wrong(void **state)
{
	(void)state;
	says_of(false,
		"settings = ( { set = 'inspect.packets'; value = 7; evidence = { numbers = 'assumed'; }; },\n"
		"{ set = 'flow.idle_tcp'; value = '5 min'; },\n"
		"{ set = 'inspect.packets'; value = 8; since = '2022-01'; evidence = { numbers = "
		"'X-THR-2021'; }; },\n"
		"{ set = 'flow.idle_established'; value = '45 s'; evidence = { numbers = 'X-THR-2021'; };\n"
		"  pending = 'setting:flow.idle_established'; } );\n",
		"settings.[0]: an assumed number without a range | expected 'VALUE UNIT (LO..HI)'\n"
		"settings.[1]: a box number without a claim | expected evidence = { numbers = [ ... ]; }, "
		"with claims or 'assumed'\n"
		"settings.[2]: 'inspect.packets' is set twice for the same days | first at "
		"DIR/rulebook/rules.cfg:1\n"
		"settings.[3].pending: pending on setting 'flow.idle_established', which exists | take the "
		"line out\n");
	own("settings = ( { set = 'flow.idle_udp'; value = '0 s'; variants = ( { value = '0 s (0..1)'; }, { "
	    "value = '1'; } ); },\n"
	    "  { set = 'flow.idle_tpc'; value = '1 s'; }, { set = 'flow.idle_syn'; value = 'x'; pending = "
	    "'knob:tls.certificates'; },\n"
	    "  { set = 'flow.idle_tcp'; } );\n",
		"settings.[0].value: 'value' beside 'variants' | each variant has its own\n"
		"settings.[0].variants.[0].value: '0 s (0..1)': must be more than 0\n"
		"settings.[0].variants.[1].value: '1' is not a duration | expected a number and one of ns, "
		"us, ms, s, min, h, d\n"
		"settings.[1].set: unknown setting 'flow.idle_tpc' - did you mean 'flow.idle_tcp'? | known: "
		"flow.idle_tcp, flow.idle_syn, flow.idle_established, flow.idle_udp, flow.idle_other, "
		"inspect.packets, inspect.give_up_bytes, "
		"inspect.later_packets, stream.depth, stream.timeout, fallback.packets, frag.most, "
		"frag.lifetime, overload.packets, fake.ttl_slack, fake.near, fake.ahead\n"
		"settings.[2].value: 'x' is not a duration | expected a number and one of ns, us, ms, s, "
		"min, h, d\n"
		"settings.[2].pending: pending on knob 'tls.certificates', which is not used here | take the "
		"line "
		"out\n"
		"settings.[3]: 'value' is missing\n");
}

static struct kd_settings applied(
	const struct kd_book *book, const struct kd_query *query, const char *const *set)
{
	struct kd_settings s;

	kd_settings_apply(book, query, set, &s);
	return s;
}

static void test_settings(void **state)
{
	static const char *const set[] = {"inspect.packets=3", NULL};
	struct loaded l = fine(false,
		"settings = ( { set = 'inspect.packets'; value = '15 pkt (10..19)'; until = '2022-01-01';\n"
		"  evidence = { numbers = 'assumed'; }; },\n"
		"{ set = 'inspect.packets'; since = '2022-01-01'; where = { isp = 'one'; };\n"
		"  variants = ( { value = 5; }, { value = 6; weight = 2; } ); evidence = { numbers = "
		"'assumed'; }; },\n"
		"{ set = 'flow.idle_established'; value = '45 s'; draw = 'frags'; evidence = { numbers = "
		"'X-THR-2021'; }; } );\n");
	struct kd_query q = {.day = KD_FIRST_DAY, .network = KD_NETWORK_HOME};
	const struct kd_book_setting *st = l.book->settings;
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(l.book->nsettings, 3);
	assert_string_equal(st[0].draw, "setting:inspect.packets");
	assert_string_equal(st[0].values[0].key, "value"); /* what draws it has for an aspect */
	assert_int_equal(st[1].nvalues, 2);
	assert_int_equal(st[1].weights[1], 2);
	assert_string_equal(st[2].name, "flow.idle_established");
	assert_string_equal(st[2].draw, "frags");
	assert_null(st[2].pending);
	assert_int_equal(st[2].values[0].n.value, 45000000000);

	assert_int_equal(applied(l.book, &q, NULL).inspect_pkts, 15);
	assert_int_equal(applied(l.book, &q, set).inspect_pkts, 3);
	/* Nothing else is set: defaults. */
	assert_int_equal(applied(l.book, &q, NULL).fallback_pkts, 3);
	assert_true(applied(l.book, &q, NULL).idle_other_ns == 60000000000);
	/* 500 days on: the second entry, where that ISP is asked for, and its heavier variant. */
	q.day += 500;
	assert_int_equal(applied(l.book, &q, NULL).inspect_pkts, 20);
	q.isp = 1;
	assert_int_equal(applied(l.book, &q, NULL).inspect_pkts, 6);
	/* Boxes draw from the range, and from the variants. */
	q.seed = 7;
	for (q.sample = 1; q.sample <= 64; q.sample++)
		seen |= 1u << applied(l.book, &q, NULL).inspect_pkts;
	assert_int_equal(seen, 1u << 5 | 1u << 6);
	q.day -= 500;
	seen = 0;
	for (q.sample = 1; q.sample <= 200; q.sample++) {
		const struct kd_sample s = kd_sample_of(&q);

		seen |= 1u << applied(l.book, &q, NULL).inspect_pkts;
		/* What a list shows of a sampled box is what the box has. */
		assert_int_equal(applied(l.book, &q, NULL).inspect_pkts,
			kd_sample_number(&s, st[0].draw, st[0].values[0].key, &st[0].values[0].n));
	}
	assert_int_equal(seen, (1u << 20) - (1u << 10));
	assert_int_equal(l.diags.count, 0);
	drop(&l);
}

/* flow.idle_tcp stands for both states: in the book for those it does not set, on the command line for those
 * it does not set itself. */
static void idle_is(const struct kd_settings *s, uint64_t tcp, uint64_t syn, uint64_t established)
{
	assert_int_equal(s->idle_tcp_ns, tcp * 1000000000);
	assert_int_equal(s->idle_syn_ns, syn * 1000000000);
	assert_int_equal(s->idle_established_ns, established * 1000000000);
}

static void test_settings_follow(void **state)
{
	static const char *const both[] = {"flow.idle_tcp=90 s", NULL};
	static const char *const one[] = {"flow.idle_syn=7 s", "flow.idle_tcp=90 s", NULL};
	static const char *const other[] = {"flow.idle_established=8 s", NULL};
	struct loaded l = fine(false,
		"settings = ( { set = 'flow.idle_tcp'; value = '300 s'; since = '2022-01-01'; evidence = { "
		"numbers = 'X-THR-2021'; }; },\n"
		"{ set = 'flow.idle_syn'; value = '60 s'; since = '2023-01-01'; evidence = { numbers = "
		"'X-THR-2021'; }; } );\n");
	struct kd_query q = {.day = KD_FIRST_DAY, .network = KD_NETWORK_HOME};
	struct kd_settings s;

	(void)state;
	s = applied(l.book, &q, NULL);
	idle_is(&s, 600, 600, 600);
	q.day = 18993; /* 2022-01-01 */
	s = applied(l.book, &q, NULL);
	idle_is(&s, 300, 300, 300);
	q.day = 19358; /* 2023-01-01 */
	s = applied(l.book, &q, NULL);
	idle_is(&s, 300, 60, 300);
	s = applied(l.book, &q, both);
	idle_is(&s, 90, 90, 90);
	s = applied(l.book, &q, one);
	idle_is(&s, 90, 7, 90);
	s = applied(l.book, &q, other);
	idle_is(&s, 300, 60, 8);
	drop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knobs),
		cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_knobs_twice),
		cmocka_unit_test(test_settings_wrong),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_follow),
	};

	return cmocka_run_group_tests_name("setting", tests, make_book, drop_book);
}
