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

/* By turns there and not, each for 30 min of packet time; where in its turns a node stands differs. */
static void test_flap(void **state)
{
	static struct kd_flap flap = {.draw = 7, .time_ns = 1800 * SEC};
	unsigned int there = 0, turned = 0;
	struct feed *f = new_feed();
	struct result r;
	uint16_t some;

	(void)state;
	policy.flaps = &flap;
	policy.nflaps = 1;
	some = drop_rule("some", KD_PHASE_ADDRESSES, YES);
	rules[some].flap = 1;
	/* 100 nodes, a flow each a minute for 150 minutes; the ports are all different. */
	for (unsigned int minute = 0; minute < 150; minute += 5)
		for (unsigned int i = 0; i < 100; i++) {
			struct who w = {
				.client = CLIENT, .server = SERVER + i, .port = (uint16_t)(1000 + minute)};

			add(f, &w, KD_INSIDE, T0 + minute * 60 * SEC, KD_TCP_SYN, minute + i, NULL, 0);
		}
	go(f, &r);
	for (unsigned int i = 0; i < 100; i++) {
		bool was = false;
		unsigned int changes = 0, since = 0;

		for (unsigned int k = 0; k < 30; k++) {
			bool is = fared(&r, k * 100 + i + 1)[0] == 'd';

			there += is;
			if (k > 0 && is != was) {
				/* Six looks a turn; the first turn is cut where the run began. */
				assert_true(changes == 0 || k - since == 6);
				changes++;
				since = k;
			}
			was = is;
		}
		assert_in_range(changes, 4, 5);
		turned += fared(&r, i + 1)[0] == 'd';
	}
	assert_in_range(turned, 30, 70);    /* 50 expected, sigma 5 */
	assert_in_range(there, 1350, 1650); /* half of the time */
	result_free(&r);
}

/* A flow keeps the turn in which it was first asked about, whatever comes later; another flow has its own. */
static void test_flap_is_of_the_first_moment(void **state)
{
	static struct kd_flap flap = {.draw = 7, .time_ns = 1800 * SEC};
	unsigned int both = 0;

	for (unsigned int i = 0; i < 40; i++) {
		struct who w = {.client = CLIENT, .server = SERVER + i, .port = 40000}, later = w;
		struct feed *f = new_feed();
		struct result r;
		uint16_t early;

		start(state);
		policy.flaps = &flap;
		policy.nflaps = 1;
		early = drop_rule("flaps", KD_PHASE_PROTOCOL, named(LISTED));
		rules[early].flap = 1;
		later.port++;
		/* The flow speaks of nothing known, then names itself after half an hour, kept alive. */
		say_text(f, &w, KD_INSIDE, "?");
		for (unsigned int k = 1; k < 4; k++)
			add(f, &w, KD_INSIDE, T0 + k * 500 * SEC, KD_TCP_ACK, 1001, NULL, 0);
		say_hello(f, &w, "listed.example");
		f->pkt[f->n - 1].time_ns = T0 + 1801 * SEC;
		say_hello(f, &later, "listed.example");
		go(f, &r);
		/* The new flow is asked about one turn later than the old one was. */
		assert_int_not_equal(fared(&r, 5)[0], fared(&r, 6)[0]);
		both |= fared(&r, 5)[0] == 'd' ? 1 : 2;
		result_free(&r);
	}
	assert_int_equal(both, 3);
}

/* What stands behind a knob's entry that is not there in turn is the next entry. */
static void test_flap_of_a_knob(void **state)
{
	static struct kd_flap flap = {.draw = 7, .time_ns = 1800 * SEC};
	static struct kd_knob knob = {.name = "names.case",
		.index = KD_KNOB_NAMES_CASE,
		.value_index = KD_NAME_CASE_EXACT,
		.share = ALL,
		.flap = 1};
	unsigned int exact = 0;
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	policy.flaps = &flap;
	policy.nflaps = 1;
	policy.knobs = &knob;
	policy.nknobs = 1;
	drop_rule("listed", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	for (unsigned int i = 0; i < 200; i++) {
		struct who w = {.client = CLIENT, .server = SERVER + i % 100, .port = (uint16_t)(1000 + i)};

		say_hello(f, &w, "LISTED.example");
		f->pkt[f->n - 1].time_ns = T0 + i / 100 * 1800 * SEC;
	}
	go(f, &r);
	for (unsigned int i = 0; i < 100; i++) {
		exact += fared(&r, i + 1)[0] == 'e';
		assert_int_not_equal(fared(&r, i + 1)[0], fared(&r, i + 101)[0]);
	}
	assert_in_range(exact, 30, 70);
	result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_presence, start),
		cmocka_unit_test_setup(test_presence_by_protocol, start),
		cmocka_unit_test_setup(test_presence_together, start),
		cmocka_unit_test_setup(test_flap, start),
		cmocka_unit_test_setup(test_flap_is_of_the_first_moment, start),
		cmocka_unit_test_setup(test_flap_of_a_knob, start),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
