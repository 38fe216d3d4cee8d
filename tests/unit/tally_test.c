/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules that count: what advances a counter and when, its window and spacing to the nanosecond, by whom it is
 * kept, and what happens when there is no room for another tally. */
#include "by_hand.h"

#define TERM(...) ((struct kd_term){__VA_ARGS__})
#define REASON(name) KD_REASON_DECIDE_##name
#define PHASE(name) BIT(KD_PHASE_##name)

static struct who from_port(unsigned int port)
{
	return (struct who){.client = CLIENT, .server = SERVER, .port = (uint16_t)port};
}

static uint16_t is_tls(void)
{
	return term(TERM(.kind = KD_TERM_PROTOCOL, .mask = TLS));
}

static uint16_t count_rule(uint16_t first_term, unsigned int phase, struct kd_counter c)
{
	uint16_t it = drop_rule("burst", phase, first_term);

	c.rule = it;
	counters[policy.ncounters] = c;
	rules[it].counter = (uint16_t)(policy.ncounters + 1);
	policy.ncounters++;
	return it;
}

/* Payload and the count. */
static uint16_t tls_and_count(void)
{
	uint16_t first = is_tls();

	return and_then(first, TERM(.kind = KD_TERM_COUNT, .set = 0));
}

/* Flows that an allow lets through count as well; the rule then takes the next that nobody allows. */
static void test_count_sees_allowed(void **state)
{
	for (unsigned int others = 0; others < 4; others++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		allow_rule("pass", KD_PHASE_NAMES_ALLOWED, named(ALLOWED), PHASE(PROTOCOL));
		count_rule(tls_and_count(), KD_PHASE_PROTOCOL,
			(struct kd_counter){.keys = KD_KEY_CLIENT, .window_ns = 10 * SEC, .more_than = 2});
		for (unsigned int i = 0; i < others; i++) {
			struct who w = from_port(41000 + i);

			say_hello(f, &w, "allowed.example");
		}
		say_hello(f, &w0, "x.example");
		go(f, &r);
		assert_int_equal(r.count.reasons[REASON(ALLOWED)], others);
		assert_string_equal(
			fared(&r, others + 1), others < 2 ? "emit decide.no_rule" : "drop drop.trigger 2");
		result_free(&r);
	}
}

/* Behind a `not` it ends what its rule does: the first two, and no more. The count runs on whether or not its
 * rule still holds. */
static void test_count_negated(void **state)
{
	struct feed *f = new_feed();
	struct result r;
	uint16_t first;

	(void)state;
	first = is_tls();
	and_then(first, TERM(.kind = KD_TERM_COUNT, .set = 0, .on_true = NO, .on_false = YES));
	count_rule(first, KD_PHASE_PROTOCOL,
		(struct kd_counter){
			.keys = KD_KEY_CLIENT, .window_ns = 10 * SEC, .more_than = 2, .negated = true});
	for (unsigned int i = 0; i < 5; i++) {
		struct who w = from_port(41000 + i);

		say_hello(f, &w, "x.example");
	}
	f->pkt[4].time_ns = T0 + 10 * SEC; /* another window */
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 2), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 3), "emit decide.no_rule");
	assert_string_equal(fared(&r, 4), "emit decide.no_rule");
	assert_string_equal(fared(&r, 5), "drop drop.trigger 1");
	result_free(&r);
}

/* What the rest of its rule does not match is not counted. */
static void test_count_only_its_own(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	count_rule(tls_and_count(), KD_PHASE_PROTOCOL,
		(struct kd_counter){.keys = KD_KEY_CLIENT, .window_ns = 10 * SEC, .more_than = 1});
	for (unsigned int i = 0; i < 5; i++) {
		struct who w = from_port(41000 + i);

		say_text(f, &w, KD_INSIDE, "x");
	}
	say_hello(f, &w0, "x.example");
	go(f, &r);
	assert_int_equal(r.count.fates[KD_DROP], 0);
	result_free(&r);
}

/* Hellos at these times, each of a flow of its own: bit i, whether hello i was dropped. */
static unsigned int dropped_at(struct kd_counter c, const uint64_t *at_ns, unsigned int n)
{
	struct feed *f = new_feed();
	unsigned int bits = 0;
	struct result r;

	start(NULL);
	c.keys = KD_KEY_CLIENT;
	count_rule(tls_and_count(), KD_PHASE_PROTOCOL, c);
	for (unsigned int i = 0; i < n; i++) {
		struct who w = from_port(41000 + i);

		say_hello(f, &w, "x.example");
		f->pkt[i].time_ns = T0 + at_ns[i];
	}
	go(f, &r);
	for (unsigned int i = 0; i < n; i++)
		bits |= (fared(&r, i + 1)[0] == 'd' ? 1u : 0u) << i;
	result_free(&r);
	return bits;
}

static void test_count_limits(void **state)
{
	static const uint64_t quick[] = {0, 1, 2, 3}, inside[] = {0, 1, 10 * SEC - 1, 10 * SEC - 1},
			      over[] = {0, 1, 10 * SEC, 10 * SEC, 10 * SEC},
			      near[] = {0, 2 * SEC, 4 * SEC, 6 * SEC},
			      far[] = {0, 2 * SEC, 4 * SEC + 1, 5 * SEC},
			      late[] = {0, 5, 10 * SEC, 10 * SEC + 1, 10 * SEC + 2};
	struct kd_counter c = {.window_ns = 10 * SEC, .more_than = 2};

	(void)state;
	assert_int_equal(dropped_at(c, quick, 4), 0xc); /* the third is more than two, and so is the fourth */
	assert_int_equal(dropped_at(c, inside, 4), 0xc); /* the window's last moment */
	assert_int_equal(dropped_at(c, over, 5), 0x10);	 /* its end: starts again from 1 */
	assert_int_equal(dropped_at(c, late, 5), 0x10);
	c.spacing_ns = 2 * SEC;
	assert_int_equal(dropped_at(c, near, 4), 0xc); /* each just in time after the one before */
	assert_int_equal(dropped_at(c, far, 4), 0x0);  /* a gap too long by a moment: 1, 2, 1, 2 */
	c.spacing_ns = 60 * SEC;		       /* longer than the window, which ends all the same */
	assert_int_equal(dropped_at(c, over, 5), 0x10);
	c.spacing_ns = 2 * SEC;
	c.more_than = 0;
	assert_int_equal(dropped_at(c, far, 4), 0xf);
}

/* Two flows that differ in one thing, more than one wanted: whether the second is taken says whether they are
 * counted together. */
static bool together(uint16_t keys, struct who a, const char *a_name, struct who b, const char *b_name)
{
	static const uint16_t tags[] = {P_HALF, P_SERVER};
	struct feed *f = new_feed();
	struct result r;
	bool dropped;

	start(NULL);
	count_rule(tls_and_count(), KD_PHASE_PROTOCOL,
		(struct kd_counter){
			.keys = keys, .window_ns = SEC, .more_than = 1, .tags = tags, .ntags = 2});
	say_hello(f, &a, a_name);
	say_hello(f, &b, b_name);
	go(f, &r);
	dropped = r.count.fates[KD_DROP] == 1;
	result_free(&r);
	return dropped;
}

static void test_count_keys(void **state)
{
	struct who a = from_port(41000), port = from_port(41001), client = port, near = port, half = port,
		   far = port;

	(void)state;
	client.client++;
	near.server++;		  /* 203.0.113.11 */
	half.server = 0xcb007181; /* 203.0.113.129 */
	far.server = 0xcb007201;  /* 203.0.114.1 */
#define SAME(keys, b) assert_true(together(keys, a, "x.example", b, "x.example"))
#define APART(keys, b) assert_false(together(keys, a, "x.example", b, "x.example"))
	SAME(0, client);
	SAME(KD_KEY_CLIENT, port);
	SAME(KD_KEY_CLIENT, far);
	APART(KD_KEY_CLIENT, client);
	APART(KD_KEY_SUBSCRIBER, client);
	SAME(KD_KEY_SERVER, client);
	APART(KD_KEY_SERVER, near);
	SAME(KD_KEY_SERVER_PREFIX, half);
	APART(KD_KEY_SERVER_PREFIX, far);
	SAME(KD_KEY_TAG, near);
	APART(KD_KEY_TAG, half);
	APART(KD_KEY_TAG, far);
	SAME(KD_KEY_PORT, far); /* both to 443 */
	APART(KD_KEY_FLOW, port);
	APART(KD_KEY_CLIENT | KD_KEY_SERVER, near);
	assert_true(together(KD_KEY_NAME, a, "x.example", far, "X.Example"));
	assert_false(together(KD_KEY_NAME, a, "x.example", far, "y.example"));
}

/* Packets of one flow, as long as they are looked at. */
static void test_count_within_flow(void **state)
{
	struct who other = from_port(40001);
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	count_rule(term(TERM(.kind = KD_TERM_COUNT)), KD_PHASE_PROTOCOL,
		(struct kd_counter){.keys = KD_KEY_FLOW, .window_ns = SEC, .more_than = 1});
	say_text(f, &w0, KD_INSIDE, "x");
	say_text(f, &other, KD_INSIDE, "x");
	say_text(f, &w0, KD_OUTSIDE, "x");
	go(f, &r);
	assert_string_equal(fared(&r, 2), "emit classify.unknown");
	assert_string_equal(fared(&r, 3), "drop drop.trigger 1");
	result_free(&r);
}

/* The subscriber of an IPv6 address is its /64. */
static void test_count_v6(void **state)
{
	static const uint16_t keys[] = {
		KD_KEY_CLIENT, KD_KEY_SUBSCRIBER, KD_KEY_SERVER, KD_KEY_SERVER_PREFIX};
	/* Byte that differs, and which keys it parts. */
	static const struct {
		uint8_t at, parted;
	} row[] = {{7, 0x3}, {8, 0x1}, {16 + 5, 0xc}, {16 + 6, 0x4}};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int k = 0; k < 4; k++) {
			struct feed *f = new_feed();
			struct result r;

			start(NULL);
			count_rule(term(TERM(.kind = KD_TERM_COUNT)), KD_PHASE_PROTOCOL,
				(struct kd_counter){.keys = keys[k], .window_ns = SEC, .more_than = 1});
			add_ip6_udp(f, 0xff, 0);
			add_ip6_udp(f, row[i].at, 1);
			go(f, &r);
			assert_int_equal(r.count.fates[KD_DROP], (row[i].parted >> k & 1) == 0);
			result_free(&r);
		}
	}
}

/* A rule about addresses counts first packets, before it is asked. */
static void test_count_addresses(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	count_rule(term(TERM(.kind = KD_TERM_COUNT)), KD_PHASE_ADDRESSES,
		(struct kd_counter){.keys = KD_KEY_CLIENT, .window_ns = SEC, .more_than = 1});
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 2), "emit flow.other_protocol"); /* not a first packet */
	assert_string_equal(fared(&r, 3), "drop drop.trigger 1");
	result_free(&r);
}

static struct kd_engine *counting_engine(uint32_t counts_max)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.counts_max = counts_max;
	assert_int_equal(kd_engine_new(&e, &c), counts_max != 0 ? 0 : -22);
	return e;
}

/* Room for two: the third client is not counted, which is counted, until a window has ended. */
static void test_counts_full(void **state)
{
	static const unsigned int burst[] = {1, 3, 256};
	struct feed *f = new_feed();

	(void)state;
	count_rule(tls_and_count(), KD_PHASE_PROTOCOL,
		(struct kd_counter){.keys = KD_KEY_CLIENT, .window_ns = SEC, .more_than = 0});
	assert_null(counting_engine(0));
	for (unsigned int i = 0; i < 4; i++) {
		struct who w = {
			.client = CLIENT + (i < 3 ? i : 2), .server = SERVER, .port = (uint16_t)(41000 + i)};

		say_hello(f, &w, "x.example");
	}
	f->pkt[3].time_ns = T0 + SEC;
	for (unsigned int i = 0; i < 3; i++) {
		struct kd_engine *e = counting_engine(1);
		struct result r;

		for (unsigned int again = 0; again < 2; again++) {
			run_on(e, f, burst[i], 0, &r);
			assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
			assert_string_equal(fared(&r, 2), "drop drop.trigger 1");
			assert_string_equal(fared(&r, 3), "emit decide.no_rule");
			assert_string_equal(fared(&r, 4), "drop drop.trigger 1");
			assert_int_equal(r.count.counts_full, 1);
			result_free(&r);
			kd_engine_reset(e);
		}
		kd_engine_free(e);
	}
	feed_free(f);
}

/* A reset forgets what was counted. */
static void test_reset_forgets_counts(void **state)
{
	struct kd_engine *e;
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	count_rule(tls_and_count(), KD_PHASE_PROTOCOL,
		(struct kd_counter){.keys = KD_KEY_CLIENT, .window_ns = 3600 * SEC, .more_than = 1});
	say_hello(f, &w0, "x.example");
	e = counting_engine(16);
	for (unsigned int i = 0; i < 3; i++) {
		run_on(e, f, 1, 0, &r);
		assert_int_equal(r.count.fates[KD_DROP], 0);
		result_free(&r);
		kd_engine_reset(e);
	}
	kd_engine_free(e);
	feed_free(f);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_count_sees_allowed),
		TEST(test_count_negated),
		TEST(test_count_only_its_own),
		TEST(test_count_limits),
		TEST(test_count_keys),
		TEST(test_count_within_flow),
		TEST(test_count_v6),
		TEST(test_count_addresses),
		TEST(test_counts_full),
		TEST(test_reset_forgets_counts),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
