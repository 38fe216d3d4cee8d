/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules that only a share of the nodes has: the same for every flow of a node, near the share over many. */
#include "by_hand.h"

/* 600 servers, two flows to each: alike on both, a quarter of the nodes, others for another seed. */
static void test_presence(void **state)
{
	static char taken[2][600];
	unsigned int share[2] = {0, 0}, moved = 0;

	(void)state;
	rules[drop_rule("some", KD_PHASE_PROTOCOL, YES)].presence = UINT64_MAX / 4;
	drop_rule("others", KD_PHASE_PROTOCOL, YES);
	for (unsigned int seed = 0; seed < 2; seed++) {
		struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
		struct feed *f = new_feed();
		struct kd_engine *e;
		struct result r;

		for (unsigned int i = 0; i < 1200; i++) {
			struct who w = {.client = CLIENT,
				.server = SERVER + i % 600,
				.port = (uint16_t)(40000 + 7 * (i / 600))};

			add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, i, (const uint8_t *)"x", 1);
		}
		c.policy = &policy;
		c.seed = seed + 1;
		assert_int_equal(kd_engine_new(&e, &c), 0);
		run_on(e, f, 256, 0, &r);
		for (unsigned int i = 0; i < r.events; i++) {
			const struct kd_event *v = &r.event[i];

			if (v->type != KD_EVENT_VERDICT)
				continue;
			if (v->number <= 600)
				taken[seed][v->number - 1] = (char)v->rule;
			else
				assert_int_equal(v->rule, taken[seed][v->number - 601]);
			share[seed] += v->number <= 600 && v->rule == 1;
		}
		for (unsigned int i = 0; i < 600; i++)
			assert_in_range(taken[seed][i], 1, 2);
		result_free(&r);
		kd_engine_free(e);
		feed_free(f);
	}
	assert_in_range(share[0], 108, 192); /* 150 expected, sigma 10.6 */
	assert_in_range(share[1], 108, 192);
	for (unsigned int i = 0; i < 600; i++)
		moved += taken[0][i] != taken[1][i];
	assert_in_range(moved, 150, 300); /* 2 * 1/4 * 3/4 of 600 is 225 */
}

/* The node is the pair and the IP protocol: ICMP between the same two ends has a draw of its own. */
static void test_presence_by_protocol(void **state)
{
	struct feed *f = new_feed();
	unsigned int differ = 0;
	struct result r;

	(void)state;
	rules[drop_rule("some", KD_PHASE_ADDRESSES, YES)].presence = UINT64_MAX / 2;
	for (unsigned int i = 0; i < 20; i++) {
		struct who w = {.client = CLIENT, .server = SERVER + i, .port = 40000};

		add(f, &w, KD_INSIDE, T0, KD_TCP_SYN, 1, NULL, 0);
		add_ip(f, &w, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	}
	go(f, &r);
	for (unsigned int i = 1; i <= 40; i += 2) {
		bool tcp = fared(&r, i)[0] == 'd';

		differ += tcp != (fared(&r, i + 1)[0] == 'd');
	}
	assert_in_range(differ, 2, 18); /* 10 expected */
	result_free(&r);
}

/* Rules drawn together are on the same nodes, the smaller share on some of those of the larger. */
static void test_presence_together(void **state)
{
	const uint64_t draws[] = {1, 1, 2}, shares[] = {UINT64_MAX / 2, UINT64_MAX / 4, UINT64_MAX / 2};
	unsigned int outside = 0, apart = 0;
	static bool has[3][200];

	(void)state;
	for (unsigned int k = 0; k < 3; k++) {
		struct feed *f = new_feed();
		struct result r;
		uint16_t rule;

		start(state);
		rule = drop_rule("some", KD_PHASE_ADDRESSES, YES);
		rules[rule].id = k == 0 ? "one" : "other";
		rules[rule].presence = shares[k];
		rules[rule].draw = draws[k];
		for (unsigned int i = 0; i < 200; i++) {
			struct who w = {.client = CLIENT, .server = SERVER + i, .port = 40000};

			add(f, &w, KD_INSIDE, T0, KD_TCP_SYN, 1, NULL, 0);
		}
		go(f, &r);
		for (unsigned int i = 0; i < 200; i++)
			has[k][i] = fared(&r, i + 1)[0] == 'd';
		result_free(&r);
	}
	for (unsigned int i = 0; i < 200; i++) {
		outside += has[1][i] && !has[0][i];
		apart += has[2][i] != has[0][i];
	}
	assert_int_equal(outside, 0);
	assert_in_range(apart, 60, 140); /* 100 expected, sigma 7 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_presence, start),
		cmocka_unit_test_setup(test_presence_by_protocol, start),
		cmocka_unit_test_setup(test_presence_together, start),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
