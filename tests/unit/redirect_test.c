/* SPDX-License-Identifier: BSD-3-Clause */
/* redirect: addresses and sums of what leaves, by an independent sum over the bytes; a table without room; a
 * target that is no lab; a flow that is gone before its answer; and the same in any burst. */
#include <errno.h>

#include "impaired.h"

#include "engine/craft.h"
#include "engine/guard.h"

#define TARGET 0xcb007163u /* 203.0.113.99 */

/* UDP is redirected to TARGET; so long is an answer known. */
static uint16_t redirect_rule(uint64_t time_ns)
{
	static const uint8_t to[16] = {[10] = 0xff, 0xff, 203, 0, 113, 99};
	uint16_t r = rule((struct kd_rule){.id = "redirect",
		.phase = KD_PHASE_ADDRESSES,
		.mechanism = KD_MECHANISM_redirect,
		.first_term =
			term((struct kd_term){.kind = KD_TERM_ADDRESS, .of = KD_END_TO, .set = P_SERVER})});

	memcpy(rules[r].params, to, sizeof(to));
	set(r, "time", time_ns);
	return r;
}

static struct who who(uint32_t server, unsigned int port)
{
	return (struct who){.client = CLIENT, .server = server, .port = (uint16_t)port};
}

static uint16_t sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 != 0 ? 0 : 8);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t udp_sum(const uint8_t *ip, size_t len)
{
	return sum(sum(17 + (uint32_t)len, ip + 12, 8), ip + 20, len);
}

/* The last packet of a feed gets its sums; with a UDP sum only if asked for. */
static uint8_t *sums(struct feed *f, bool udp)
{
	uint8_t *ip = f->pkt[f->n - 1].data + 14;
	size_t len = kd_get16(ip + 2) - 20u;
	uint16_t s;

	kd_craft_sum_ip4(ip, 20);
	s = (uint16_t)~udp_sum(ip, len);
	if (udp)
		kd_put16(ip + 26, s != 0 ? s : 0xffff);
	return ip;
}

static void ask(struct feed *f, const struct who *w, uint64_t at_ns, const char *text, bool udp)
{
	add_ip(f, w, KD_INSIDE, at_ns, KD_PROTO_UDP, (const uint8_t *)text, strlen(text));
	sums(f, udp);
}

static void answer(struct feed *f, const struct who *w, uint64_t at_ns, const char *text, bool udp)
{
	add_ip(f, w, KD_OUTSIDE, at_ns, KD_PROTO_UDP, (const uint8_t *)text, strlen(text));
	sums(f, udp);
}

/* Moves an address back and forth over all that sums can be, odd payloads too: right, or none where none was;
 * and never 0 where there is one. */
static void test_sums(void **state)
{
	static const uint8_t to[4] = {203, 0, 113, 99};
	unsigned int wrapped = 0;

	(void)state;
	for (unsigned int i = 0; i < 1u << 16; i++) {
		uint8_t text[3] = {(uint8_t)(i >> 8), (uint8_t)i, 0x5a};
		struct feed *f = new_feed();
		struct kd_view v;
		uint8_t *ip;

		add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_UDP, text, 2 + i % 2);
		ip = sums(f, i % 16 != 0);
		kd_decode(&v, f->pkt[0].data, f->pkt[0].len, f->pkt[0].wire_len, KD_LINK_ETHERNET);
		assert_int_equal(v.reason, 0);
		kd_craft_readdress(&f->pkt[0], &v, v.dst, to);
		assert_memory_equal(ip + 16, to, 4);
		assert_int_equal(sum(0, ip, 20), 0xffff);
		if (i % 16 != 0) {
			assert_int_not_equal(kd_get16(ip + 26), 0);
			assert_int_equal(udp_sum(ip, 10 + i % 2), 0xffff);
			wrapped += kd_get16(ip + 26) == 0xffff;
		} else {
			assert_int_equal(kd_get16(ip + 26), 0);
		}
		feed_free(f);
	}
	assert_int_not_equal(wrapped, 0);
}

/* In the frame that left, hex as the result has it. */
static bool left_with(const struct result *r, unsigned int number, const char *hex)
{
	const char *line = line_of(r, number), *end = strchr(line, '\n'), *at = strstr(line, hex);

	return at != NULL && at < end;
}

static void test_both_ways(void **state)
{
	struct who target = who(TARGET, 40000);
	struct feed *f = new_feed();
	struct kd_engine *e;
	struct result r;

	start(state);
	redirect_rule(2 * SEC);
	ask(f, &w0, T0, "\1\1?", true);
	answer(f, &target, T0 + 2 * SEC - 1, "\1\1!", true);
	ask(f, &w0, T0 + 3 * SEC, "\1\2?", false);
	answer(f, &target, T0 + 5 * SEC, "\1\2!", false);
	same_in_any_burst(f);
	e = engine(64, 64);
	run_on(e, f, 32, 0, &r);
	assert_string_equal(fared(&r, 1), "rewrite redirect.sent 1");
	assert_true(left_with(&r, 1, "c6120002cb0071639c4001bb"));
	assert_string_equal(fared(&r, 2), "rewrite redirect.turned 1");
	assert_true(left_with(&r, 2, "cb00710ac612000201bb9c40"));
	assert_true(left_with(&r, 3, "c6120002cb0071639c4001bb000b0000")); /* no sum */
	assert_string_equal(fared(&r, 4), "emit classify.unknown");
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "redirect.sent"), 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* Two places: the third question goes where it was sent, by its name, and finds room when one is over. */
static void test_no_room(void **state)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct feed *f = new_feed();
	struct kd_engine *e = NULL;
	struct result r;

	start(state);
	redirect_rule(2 * SEC);
	config.policy = &policy;
	config.nat_max = 0;
	assert_int_equal(kd_engine_new(&e, &config), -EINVAL);
	config.nat_max = 2;
	assert_int_equal(kd_engine_new(&e, &config), 0);
	ask(f, &w0, T0, "\1\1?", true);
	ask(f, &w0, T0, "\1\2?", true);
	ask(f, &w0, T0 + 2 * SEC - 1, "\1\3?", true);
	ask(f, &w0, T0 + 2 * SEC, "\1\3?", true);
	for (unsigned int round = 0; round < 2; round++) {
		run_on(e, f, 32, 0, &r);
		assert_string_equal(fared(&r, 2), "rewrite redirect.sent 1");
		assert_string_equal(fared(&r, 3), "emit redirect.no_room 1");
		assert_string_equal(fared(&r, 4), "rewrite redirect.sent 1");
		assert_int_equal(r.count.nat_full, 1);
		result_free(&r);
		kd_engine_reset(e);
	}
	kd_engine_free(e);
	feed_free(f);
}

/* The flow itself found no room: nobody could say whose an answer is, so it is as without room for the
 * question. */
static void test_no_flow(void **state)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct who second = who(SERVER, 40001);
	struct feed *f = new_feed();
	struct kd_engine *e = NULL;
	struct result r;

	start(state);
	redirect_rule(2 * SEC);
	config.policy = &policy;
	config.flows4_max = 1;
	assert_int_equal(kd_engine_new(&e, &config), 0);
	ask(f, &w0, T0, "\1\1?", true);
	ask(f, &second, T0, "\1\2?", true);
	run_on(e, f, 32, 0, &r);
	assert_string_equal(fared(&r, 1), "rewrite redirect.sent 1");
	assert_string_equal(fared(&r, 2), "emit redirect.no_room 1");
	assert_int_equal(r.count.untracked, 1);
	assert_int_equal(r.count.nat_full, 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* Client and server are in the lab, the target is not: live, nothing is sent there. */
static void test_guard(void **state)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct feed *f = new_feed();
	struct kd_engine *e = NULL;
	struct result r;

	start(state);
	redirect_rule(2 * SEC);
	config.policy = &policy;
	assert_int_equal(kd_guard_new(&config.guard), 0);
	assert_int_equal(kd_guard_add(config.guard, false, (const uint8_t[]){203, 0, 113, 0}, 26), 0);
	assert_int_equal(kd_guard_add(config.guard, false, (const uint8_t[]){198, 18, 0, 0}, 24), 0);
	assert_int_equal(kd_engine_new(&e, &config), 0);
	ask(f, &w0, T0, "\1\1?", true);
	run_on(e, f, 32, 0, &r);
	assert_string_equal(fared(&r, 1), "emit guard.outside_lab 1");
	result_free(&r);
	kd_engine_free(e);
	kd_guard_free(config.guard);
	feed_free(f);
}

/* What comes for a flow that is forgotten, or that nothing has hold of any more, is not turned. */
static void test_flow_is_gone(void **state)
{
	struct who target = who(TARGET, 40000);

	for (unsigned int idle = 0; idle < 2; idle++) {
		struct feed *f = new_feed();
		struct kd_engine *e;
		struct result r;
		uint16_t rule;

		start(state);
		rule = redirect_rule(100 * SEC);
		if (idle != 0)
			policy.settings.idle_udp_ns = 5 * SEC;
		else
			rules[rule].residual_ns = 5 * SEC;
		ask(f, &w0, T0, "\1\1?", true);
		if (idle == 0) /* lets go of the flow; addresses are not asked again */
			ask(f, &w0, T0 + 5 * SEC, "\1\1?", true);
		answer(f, &target, T0 + 5 * SEC, "\1\1!", true);
		same_in_any_burst(f);
		e = engine(64, 64);
		run_on(e, f, 32, 0, &r);
		assert_string_equal(fared(&r, f->n), "emit classify.unknown");
		result_free(&r);
		kd_engine_free(e);
		feed_free(f);
	}
}

/* An upstream-only box would leave the client with an answer of a stranger. */
static void test_upstream_only(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;
	struct result r;

	start(state);
	redirect_rule(2 * SEC);
	policy.box.sees = KD_SEES_UPSTREAM;
	ask(f, &w0, T0, "\1\1?", true);
	e = engine(64, 64);
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.fates[KD_EMIT], 1);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "decide.could_not_act"), 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_flow),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_flow_is_gone),
		cmocka_unit_test(test_upstream_only),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
