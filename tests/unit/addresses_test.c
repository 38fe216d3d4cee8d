/* SPDX-License-Identifier: BSD-3-Clause */
/* What is decided at a flow's first packet, whatever its IP protocol: once, for how long, and what the flow's
 * record makes of connections that never came about. */
#include "by_hand.h"

#define TERM(...) ((struct kd_term){__VA_ARGS__})

static struct who from_port(unsigned int port)
{
	return (struct who){.client = CLIENT, .server = SERVER, .port = (uint16_t)port};
}

static uint16_t to_server(void)
{
	return term(TERM(.kind = KD_TERM_ADDRESS, .of = KD_END_TO, .set = P_SERVER));
}

static void test_dead_address(void **state)
{
	struct who other = w0;
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	drop_rule("ip", KD_PHASE_ADDRESSES, to_server());
	other.server = 0xc0000201; /* 192.0.2.1 */
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &w0, KD_INSIDE, T0 + SEC, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &other, KD_INSIDE, T0 + SEC, KD_TCP_SYN, 1000, NULL, 0);
	add_ip(f, &w0, KD_INSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &w0, KD_OUTSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &other, KD_INSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &other, KD_OUTSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 2), "drop drop.later 1");
	assert_string_equal(fared(&r, 3), "emit flow.no_payload");
	assert_string_equal(fared(&r, 4), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 5), "drop drop.later 1");
	assert_string_equal(fared(&r, 6), "emit flow.other_protocol");
	assert_string_equal(fared(&r, 7), "emit flow.other_protocol");
	for (unsigned int i = 0; i < r.events; i++)
		if (r.event[i].type == KD_EVENT_FLOW)
			assert_int_equal(r.event[i].outcome,
				r.event[i].rule != 0 ? KD_OUTCOME_BLOCKED : KD_OUTCOME_PASSED);
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "drop.later"), 2);
	result_free(&r);
}

/* Once: what the first packet passed, the second does too. */
static void test_addresses_once(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	drop_rule("from-outside", KD_PHASE_ADDRESSES, term(TERM(.kind = KD_TERM_FROM, .of = KD_OUTSIDE)));
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &w0, KD_OUTSIDE, T0, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &w0, KD_OUTSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_int_equal(r.count.fates[KD_EMIT], 4);
	result_free(&r);
}

/* A flow that found no room is on its first packet all the time. */
static void test_addresses_untracked(void **state)
{
	struct feed *f = new_feed();
	struct who other = from_port(40001);
	struct kd_engine *e;
	struct result r;

	(void)state;
	drop_rule("ip", KD_PHASE_ADDRESSES, to_server());
	e = engine(1, 64);
	for (unsigned int i = 0; i < 3; i++) {
		add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
		add(f, &other, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
		add_ip(f, &other, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	}
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.untracked, 6);
	assert_int_equal(r.count.fates[KD_DROP], 9);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A residual lets go of ICMP as well, whose payload nobody looks at then. */
static void test_residual_of_icmp(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	rules[drop_rule("ip", KD_PHASE_ADDRESSES, to_server())].residual_ns = 10 * SEC;
	drop_rule("deny", KD_PHASE_FALLBACK, YES);
	policy.settings.fallback_pkts = 0;
	for (unsigned int i = 0; i < 3; i++)
		add_ip(f, &w0, KD_INSIDE, T0 + i * 10 * SEC, KD_PROTO_ICMP, (const uint8_t *)"abc", 3);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 2), "emit flow.other_protocol");
	assert_string_equal(fared(&r, 3), "emit flow.done");
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "decide.residual_over"), 1);
	result_free(&r);
}

/* Who gets no answer to what opens a flow has no connection, whatever went out. */
static void test_answers_lost(void **state)
{
	static const uint8_t to_inside = 1; /* as in the words of its option */
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	rules[drop_rule("ip", KD_PHASE_ADDRESSES, to_server())].params[0] = to_inside;
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &w0, KD_OUTSIDE, T0, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &w0, KD_OUTSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit drop.other_way 1");
	assert_string_equal(fared(&r, 2), "drop drop.later 1");
	assert_string_equal(fared(&r, 4), "drop drop.later 1");
	for (unsigned int i = 0; i < r.events; i++)
		if (r.event[i].type == KD_EVENT_FLOW)
			assert_int_equal(r.event[i].outcome, KD_OUTCOME_BLOCKED);
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "drop.later"), 2);
	result_free(&r);
}

/* A SYN that gets through after all: the flow was held up. */
static void test_syn_gets_through(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	rules[drop_rule("ip", KD_PHASE_ADDRESSES, to_server())].residual_ns = SEC;
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &w0, KD_INSIDE, T0 + SEC, KD_TCP_SYN, 1000, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 2), "emit flow.no_payload");
	assert_int_equal(last_flow(&r)->outcome, KD_OUTCOME_DEGRADED);
	result_free(&r);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dead_address),
		TEST(test_addresses_once),
		TEST(test_addresses_untracked),
		TEST(test_residual_of_icmp),
		TEST(test_answers_lost),
		TEST(test_syn_gets_through),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
