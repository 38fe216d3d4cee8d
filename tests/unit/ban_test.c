/* SPDX-License-Identifier: BSD-3-Clause */
/* Residuals that reach other flows: each key and holder against the neighbour that it must not reach, times
 * to the nanosecond, what sets them back, what is published and when, and a table without room. */
#include <errno.h>

#include "by_hand.h"
#include "engine/guard.h"

#define TERM(...) ((struct kd_term){__VA_ARGS__})

static const uint8_t abc[] = "abc", get[] = "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n";
static const struct kd_engine_config defaults = KD_ENGINE_CONFIG_DEFAULT;

/* "listed.example" over TLS is dropped and leaves that residual, of 10 s. */
static struct kd_rule *ban_rule(uint8_t key, uint8_t whom)
{
	struct kd_rule *r = &rules[drop_rule("ban", KD_PHASE_NAMES_BLOCKED, named(LISTED))];

	r->residual_key = key;
	r->residual_for = whom;
	r->residual_ns = 10 * SEC;
	return r;
}

static void hello_at(struct feed *f, const struct who *w, uint64_t at_ns, const char *name)
{
	uint8_t hello[512];

	add(f, w, KD_INSIDE, at_ns, KD_TCP_ACK | KD_TCP_PSH, 1001, hello, put_hello(hello, name));
}

static void syn_at(struct feed *f, const struct who *w, uint64_t at_ns)
{
	add(f, w, KD_INSIDE, at_ns, KD_TCP_SYN, 1000, NULL, 0);
}

static struct who who(uint32_t client, uint32_t server, unsigned int port)
{
	return (struct who){.client = client, .server = server, .port = (uint16_t)port};
}

/* Whether a SYN between these ends, and UDP to port 443 of that server, is under a ban that w0's hello left.
 */
static void reaches(uint8_t key, uint8_t whom, struct who other, bool tcp, bool udp)
{
	struct feed *f = new_feed();
	struct result r;

	start(NULL);
	ban_rule(key, whom);
	hello_at(f, &w0, T0, "listed.example");
	syn_at(f, &other, T0 + SEC);
	other.port++;
	add_ip(f, &other, KD_INSIDE, T0 + SEC, KD_PROTO_UDP, (const uint8_t *)"x", 1);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 2), tcp ? "drop decide.residual 1" : "emit flow.no_payload");
	assert_string_equal(fared(&r, 3), udp ? "drop decide.residual 1" : "emit classify.unknown");
	assert_int_equal(verdicts(&r, 1, KD_REASON_DECIDE_RESIDUAL), tcp + udp);
	assert_int_equal(r.count.bans_new, key != KD_RESIDUAL_FLOW);
	assert_int_equal(r.count.bans_hit, tcp + udp);
	result_free(&r);
}

static void test_keys(void **state)
{
	static const struct {
		uint8_t key, whom;
		bool same, other_client, other_server, other_prefix;
	} rows[] = {
		{KD_RESIDUAL_FLOW, KD_FOR_CLIENT, false, false, false, false},
		{KD_RESIDUAL_3_TUPLE, KD_FOR_CLIENT, true, false, false, false},
		{KD_RESIDUAL_PAIR, KD_FOR_CLIENT, true, false, false, false},
		{KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT, true, false, false, false},
		{KD_RESIDUAL_ADDRESS, KD_FOR_SUBSCRIBER, true, false, false, false},
		{KD_RESIDUAL_ADDRESS, KD_FOR_EVERYONE, true, true, false, false},
		{KD_RESIDUAL_PORT, KD_FOR_EVERYONE, true, true, false, false},
		{KD_RESIDUAL_PREFIX, KD_FOR_CLIENT, true, false, true, false},
		{KD_RESIDUAL_PREFIX, KD_FOR_EVERYONE, true, true, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t k = rows[i].key, w = rows[i].whom;

		reaches(k, w, who(CLIENT, SERVER, 41000), rows[i].same, rows[i].same);
		reaches(k, w, who(CLIENT + 1, SERVER, 41000), rows[i].other_client, rows[i].other_client);
		reaches(k, w, who(CLIENT, SERVER + 1, 41000), rows[i].other_server, rows[i].other_server);
		reaches(k, w, who(CLIENT, SERVER + 256, 41000), rows[i].other_prefix, rows[i].other_prefix);
	}
}

/* Of TCP only, and what has no ports. */
static void test_protocols(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct who other = who(CLIENT, SERVER, 41000);
		struct feed *f = new_feed();
		struct kd_rule *b;
		struct result r;

		start(state);
		b = ban_rule(i == 3 ? KD_RESIDUAL_PORT : KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT);
		b->residual_transports = i == 0 ? KD_TRANSPORT_TCP : i == 1 ? KD_TRANSPORT_ICMP : 0;
		hello_at(f, &w0, T0, "listed.example");
		syn_at(f, &other, T0 + SEC);
		add_ip(f, &other, KD_INSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
		go(f, &r);
		assert_string_equal(fared(&r, 2), i == 1 ? "emit flow.no_payload" : "drop decide.residual 1");
		assert_string_equal(fared(&r, 3),
			i == 0 || i == 3 ? "emit flow.other_protocol" : "drop decide.residual 1");
		result_free(&r);
	}
}

/* For TLS only: from the packet on that shows it is. */
static void test_recognised(void **state)
{
	struct who other = who(CLIENT, SERVER, 41000), web = who(CLIENT, SERVER, 42000);
	struct feed *f = new_feed();
	struct result r;

	start(state);
	ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT)->residual_protocols = TLS;
	hello_at(f, &w0, T0, "listed.example");
	syn_at(f, &other, T0 + SEC);
	hello_at(f, &other, T0 + SEC, "x.example");
	add(f, &web, KD_INSIDE, T0 + SEC, KD_TCP_ACK, 1, get, sizeof(get) - 1);
	go(f, &r);
	assert_string_equal(fared(&r, 2), "emit flow.no_payload");
	assert_string_equal(fared(&r, 3), "drop decide.residual 1");
	assert_string_equal(fared(&r, 4), "emit decide.no_rule");
	result_free(&r);
}

/* A flow that was let through before dies too, and both are looked at anew when the time is over, whatever
 * else the rule bans then. */
static void test_times(void **state)
{
	struct who old = who(CLIENT, SERVER, 41000), late = who(CLIENT, SERVER, 42000),
		   far = who(CLIENT, SERVER + 9, 43000);
	struct feed *f = new_feed();
	struct result r;

	start(state);
	ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT);
	hello_at(f, &old, T0 - SEC, "x.example");
	hello_at(f, &w0, T0, "listed.example");
	add(f, &old, KD_INSIDE, T0 + 1, KD_TCP_ACK, 2000, abc, 3);
	hello_at(f, &far, T0 + 9 * SEC, "listed.example");
	add(f, &old, KD_OUTSIDE, T0 + 10 * SEC - 1, KD_TCP_ACK, 7000, abc, 3);
	syn_at(f, &late, T0 + 10 * SEC - 1);
	add(f, &old, KD_OUTSIDE, T0 + 10 * SEC, KD_TCP_ACK, 7003, abc, 3);
	syn_at(f, &late, T0 + 10 * SEC);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit decide.no_rule");
	assert_string_equal(fared(&r, 3), "drop decide.residual 1");
	assert_string_equal(fared(&r, 5), "drop drop.later 1");
	assert_string_equal(fared(&r, 6), "drop decide.residual 1");
	assert_string_equal(fared(&r, 7), "emit classify.unknown");
	assert_string_equal(fared(&r, 8), "emit flow.no_payload");
	assert_int_equal(verdicts(&r, 1, KD_REASON_DECIDE_RESIDUAL_OVER), 2);
	result_free(&r);
}

/* A scope is of the trigger's bytes: beside them its own flow passes, while one under the ban has none and
 * dies whole, both ways. */
static void test_scope(void **state)
{
	for (uint8_t scope = KD_EXTENT_THIS_PACKET; scope <= KD_EXTENT_NAME_END; scope++) {
		struct who other = who(CLIENT, SERVER, 41000);
		struct feed *f = new_feed();
		struct result r;

		start(state);
		ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT)->scope = scope;
		hello_at(f, &w0, T0, "listed.example");
		add(f, &w0, KD_OUTSIDE, T0 + 1, KD_TCP_ACK, 7000, abc, 3);
		syn_at(f, &other, T0 + SEC);
		add(f, &other, KD_OUTSIDE, T0 + SEC, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
		add(f, &other, KD_INSIDE, T0 + SEC, KD_TCP_ACK, 1001, abc, 3);
		add_ip(f, &other, KD_INSIDE, T0 + SEC, KD_PROTO_UDP, abc, 3);
		add_ip(f, &other, KD_INSIDE, T0 + SEC, KD_PROTO_UDP, abc, 3);
		go(f, &r);
		assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
		assert_string_equal(fared(&r, 2), "emit decide.other_bytes 1");
		assert_string_equal(fared(&r, 3), "drop decide.residual 1");
		assert_string_equal(fared(&r, 4), "drop drop.later 1");
		assert_string_equal(fared(&r, 5), "drop drop.later 1");
		assert_string_equal(fared(&r, 6), "drop decide.residual 1");
		assert_string_equal(fared(&r, 7), "drop drop.later 1");
		result_free(&r);
	}
}

static unsigned int recognised(const struct result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->events; i++)
		n += r->event[i].type == KD_EVENT_APP;
	return n;
}

/* Seven seconds on: a packet of a flow that is held, then another listed hello on it; at 12 s something new.
 */
static void test_restart(void **state)
{
	static const struct {
		uint8_t restart;
		bool hello;
		const char *at_12;
	} rows[] = {
		{KD_RESTART_NOTHING, true, "emit flow.no_payload"},
		{KD_RESTART_ANY_PACKET, false, "drop decide.residual 1"},
		{KD_RESTART_NEXT_TRIGGER, false, "emit flow.no_payload"},
		{KD_RESTART_NEXT_TRIGGER, true, "drop decide.residual 1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct who other = who(CLIENT, SERVER, 41000), late = who(CLIENT, SERVER, 42000);
		struct feed *f = new_feed();
		struct result r;

		start(state);
		ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT)->residual_restart = rows[i].restart;
		hello_at(f, &w0, T0, "listed.example");
		syn_at(f, &other, T0 + SEC);
		hello_at(f, &other, T0 + 7 * SEC, rows[i].hello ? "listed.example" : "x.example");
		syn_at(f, &late, T0 + 12 * SEC);
		syn_at(f, &other, T0 + 12 * SEC);
		go(f, &r);
		assert_string_equal(fared(&r, 3), "drop drop.later 1");
		assert_string_equal(fared(&r, 4), rows[i].at_12);
		/* The flow that is held goes by the same end as all others. */
		assert_string_equal(
			fared(&r, 5), rows[i].at_12[0] == 'd' ? "drop drop.later 1" : "emit flow.no_payload");
		/* What was asked of the second hello is told to nobody. */
		assert_int_equal(recognised(&r), 1);
		result_free(&r);
	}
}

/* The residual that lies in the flow. */
static void test_restart_of_flow(void **state)
{
	for (uint8_t restart = KD_RESTART_NOTHING; restart <= KD_RESTART_NEXT_TRIGGER; restart++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		ban_rule(KD_RESIDUAL_FLOW, KD_FOR_CLIENT)->residual_restart = restart;
		hello_at(f, &w0, T0, "listed.example");
		add(f, &w0, KD_INSIDE, T0 + 5 * SEC, KD_TCP_ACK, 2000, abc, 3);
		add(f, &w0, KD_OUTSIDE, T0 + 12 * SEC, KD_TCP_ACK, 7000, NULL, 0);
		go(f, &r);
		assert_string_equal(fared(&r, 3),
			restart == KD_RESTART_ANY_PACKET ? "drop drop.later 1" : "emit flow.no_payload");
		result_free(&r);
	}
}

/* Observed, logged, and after 5 s dead for everyone, the flow that gave it away with them. */
static void test_publish(void **state)
{
	struct who other = who(CLIENT + 9, SERVER, 41000), late = who(CLIENT + 8, SERVER, 42000);
	struct feed *f = new_feed();
	struct kd_rule *b;
	struct result r;

	start(state);
	b = &rules[drop_rule("two-stage", KD_PHASE_OBSERVE, named(LISTED))];
	b->residual_key = KD_RESIDUAL_PORT;
	b->residual_for = KD_FOR_EVERYONE;
	b->residual_ns = 10 * SEC;
	b->publish_after_ns = 5 * SEC;
	hello_at(f, &w0, T0, "listed.example");
	add(f, &w0, KD_OUTSIDE, T0 + 5 * SEC - 1, KD_TCP_ACK, 7000, abc, 3);
	syn_at(f, &other, T0 + 5 * SEC - 1);
	add(f, &w0, KD_OUTSIDE, T0 + 5 * SEC, KD_TCP_ACK, 7003, abc, 3);
	add(f, &other, KD_OUTSIDE, T0 + 5 * SEC, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	syn_at(f, &late, T0 + 15 * SEC - 1);
	syn_at(f, &late, T0 + 15 * SEC);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit decide.no_rule");
	assert_string_equal(fared(&r, 2), "emit decide.no_rule");
	assert_string_equal(fared(&r, 3), "emit flow.no_payload");
	assert_string_equal(fared(&r, 4), "drop decide.residual 1");
	assert_string_equal(fared(&r, 5), "drop decide.residual 1");
	assert_string_equal(fared(&r, 6), "drop decide.residual 1");
	assert_string_equal(fared(&r, 7), "emit flow.no_payload");
	for (unsigned int i = 0; i < r.events; i++)
		if (r.event[i].type == KD_EVENT_VERDICT && r.event[i].reason == KD_REASON_DECIDE_OBSERVED)
			assert_true(r.event[i].until_ns == T0 + 15 * SEC);
	assert_int_equal(verdicts(&r, 1, KD_REASON_DECIDE_OBSERVED), 1);
	result_free(&r);
}

/* By the tag that covers the address, the first if several do. */
static void test_tag(void **state)
{
	static const uint16_t tags[] = {P_HALF, P_SERVER};

	for (unsigned int half = 0; half < 2; half++) {
		struct who in = who(CLIENT, SERVER + (half != 0 ? 0x90 : 0x20), 41000),
			   far = who(CLIENT, SERVER + 256, 42000);
		struct feed *f = new_feed();
		struct kd_rule *b;
		struct result r;

		start(state);
		b = ban_rule(KD_RESIDUAL_TAG, KD_FOR_CLIENT);
		b->residual_tags = tags;
		b->nresidual_tags = 2;
		hello_at(f, &w0, T0, "listed.example"); /* 203.0.113.10: not of the half */
		syn_at(f, &in, T0 + SEC);
		syn_at(f, &far, T0 + SEC);
		hello_at(f, &far, T0 + SEC, "listed.example"); /* of no tag: nothing to ban */
		go(f, &r);
		assert_string_equal(
			fared(&r, 2), half != 0 ? "emit flow.no_payload" : "drop decide.residual 1");
		assert_string_equal(fared(&r, 3), "emit flow.no_payload");
		assert_string_equal(fared(&r, 4), "drop drop.trigger 1");
		assert_int_equal(r.count.bans_new, 1);
		result_free(&r);
	}
}

/* The first drops and bans; a client of the same /64, one of the next. */
static void test_subscriber(void **state)
{
	for (uint8_t whom = KD_FOR_CLIENT; whom <= KD_FOR_EVERYONE; whom++) {
		struct feed *f = new_feed();
		struct kd_rule *b;
		struct result r;

		start(state);
		b = &rules[drop_rule("ban", KD_PHASE_ADDRESSES, term(TERM(.kind = KD_TERM_COUNT, .set = 0)))];
		b->counter = 1;
		counters[policy.ncounters++] =
			(struct kd_counter){.rule = 1, .keys = KD_KEY_PORT, .window_ns = SEC, .more_than = 0};
		b->residual_key = KD_RESIDUAL_ADDRESS;
		b->residual_for = whom;
		b->residual_ns = 10 * SEC;
		add_ip6_udp(f, 0xff, 0);
		add_ip6_udp(f, 15, 1);
		add_ip6_udp(f, 7, 1);
		add_ip6_udp(f, 16 + 15, 1);
		go(f, &r);
		assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
		assert_string_equal(fared(&r, 2),
			whom != KD_FOR_CLIENT ? "drop decide.residual 1" : "drop drop.trigger 1");
		assert_string_equal(fared(&r, 3),
			whom == KD_FOR_EVERYONE ? "drop decide.residual 1" : "drop drop.trigger 1");
		assert_string_equal(fared(&r, 4), "drop drop.trigger 1");
		result_free(&r);
	}
}

/* The half of the server's /24 is no lab: a ban of the /24 does not reach there. */
static void test_guard(void **state)
{
	struct kd_engine_config config = defaults;
	struct who in = who(CLIENT, SERVER + 1, 41000), out = who(CLIENT, SERVER + 150, 41000);
	struct feed *f = new_feed();
	struct kd_engine *e = NULL;
	struct result r;

	start(state);
	ban_rule(KD_RESIDUAL_PREFIX, KD_FOR_CLIENT);
	config.policy = &policy;
	assert_int_equal(kd_guard_new(&config.guard), 0);
	assert_int_equal(kd_guard_add(config.guard, false, (const uint8_t[]){203, 0, 113, 0}, 25), 0);
	assert_int_equal(kd_guard_add(config.guard, false, (const uint8_t[]){198, 18, 0, 0}, 24), 0);
	assert_int_equal(kd_engine_new(&e, &config), 0);
	hello_at(f, &w0, T0, "listed.example");
	syn_at(f, &in, T0 + SEC);
	syn_at(f, &out, T0 + SEC);
	run_on(e, f, 32, 0, &r);
	assert_string_equal(fared(&r, 2), "drop decide.residual 1");
	assert_string_equal(fared(&r, 3), "emit guard.outside_lab");
	result_free(&r);
	kd_engine_free(e);
	kd_guard_free(config.guard);
	feed_free(f);
}

static struct kd_engine *small(uint32_t bans_max, uint32_t notes)
{
	struct kd_engine_config config = defaults;
	struct kd_engine *e = NULL;

	config.policy = &policy;
	config.bans_max = bans_max;
	config.ban_notes = notes;
	assert_int_equal(kd_engine_new(&e, &config), 0);
	return e;
}

/* Two places: the third is named and counted, holds its own flow all the same, and finds room when one is
 * over. After a reset all is as it was. */
static void test_no_room(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;
	struct result r;

	start(state);
	ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_CLIENT);
	e = small(2, 0);
	for (unsigned int i = 0; i < 5; i++) {
		struct who w = who(CLIENT, SERVER + i, 41000);

		hello_at(f, &w, T0 + (i < 3 ? i : i + 7) * SEC, "listed.example");
	}
	for (unsigned int i = 0; i < 5; i++) {
		struct who w = who(CLIENT, SERVER + i, 42000);

		syn_at(f, &w, T0 + 11 * SEC);
	}
	for (unsigned int round = 0; round < 2; round++) {
		run_on(e, f, 32, 0, &r);
		assert_string_equal(fared(&r, 3), "drop drop.trigger 1");
		assert_int_equal(verdicts(&r, 1, KD_REASON_DECIDE_RESIDUAL_NO_ROOM), 1);
		assert_int_equal(r.count.bans_full, 1);
		assert_int_equal(r.count.bans_new, 4);
		assert_string_equal(fared(&r, 6), "emit flow.no_payload"); /* over since 10 s */
		assert_string_equal(fared(&r, 7), "emit flow.no_payload"); /* since 11 s */
		assert_string_equal(fared(&r, 8), "emit flow.no_payload"); /* had no room */
		assert_string_equal(fared(&r, 9), "drop decide.residual 1");
		assert_string_equal(fared(&r, 10), "drop decide.residual 1");
		result_free(&r);
		kd_engine_reset(e);
	}
	kd_engine_free(e);
	feed_free(f);
}

/* What one engine banned for everyone another hears of, once, and what is a client's own nobody does. */
static void test_other_engines(void **state)
{
	for (uint8_t whom = KD_FOR_CLIENT; whom <= KD_FOR_EVERYONE; whom++) {
		struct who other = who(CLIENT + 1, SERVER, 41000);
		struct feed *f = new_feed(), *g = new_feed();
		struct kd_ban_note note[2];
		struct kd_engine *a, *b;
		struct result r;
		unsigned int n;

		start(state);
		ban_rule(KD_RESIDUAL_ADDRESS, whom);
		a = small(4, 4);
		b = small(4, 4);
		hello_at(f, &w0, T0, "listed.example");
		hello_at(f, &w0, T0 + SEC, "listed.example");
		run_on(a, f, 32, 0, &r);
		result_free(&r);
		n = kd_engine_bans_out(a, note, 2);
		assert_int_equal(n, whom == KD_FOR_EVERYONE);
		for (unsigned int i = 0; i < n; i++) {
			assert_true(note[i].from_ns == T0 && note[i].until_ns == T0 + 10 * SEC);
			assert_true(kd_engine_ban_in(b, &note[i]));
		}
		syn_at(g, &other, T0 + 10 * SEC - 1);
		syn_at(g, &other, T0 + 10 * SEC);
		run_on(b, g, 32, 0, &r);
		assert_string_equal(fared(&r, 1), n != 0 ? "drop decide.residual 1" : "emit flow.no_payload");
		assert_string_equal(fared(&r, 2), "emit flow.no_payload");
		assert_int_equal(kd_engine_bans_out(b, note, 2), 0);
		result_free(&r);
		kd_engine_free(a);
		kd_engine_free(b);
		feed_free(f);
		feed_free(g);
	}
}

/* Half a second, as a fast clock makes of minutes, set back by every packet: what another engine heard of
 * last never ends while the ban goes on here. */
static void test_short_is_told_in_time(void **state)
{
	uint64_t heard_ns = T0 + SEC / 2;
	struct kd_engine *e;
	struct kd_rule *b;

	start(state);
	b = ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_EVERYONE);
	b->residual_ns = SEC / 2;
	b->residual_restart = KD_RESTART_ANY_PACKET;
	e = small(4, 4);
	for (unsigned int i = 0; i < 20; i++) {
		struct feed *f = new_feed();
		struct kd_ban_note note[4];
		struct result r;
		unsigned int n;

		hello_at(f, &w0, T0 + i * SEC / 10, "listed.example");
		assert_true(f->pkt[0].time_ns < heard_ns);
		run_on(e, f, 1, 0, &r);
		n = kd_engine_bans_out(e, note, 4);
		assert_in_range(n, 0, 1);
		if (n != 0)
			heard_ns = note[0].until_ns;
		result_free(&r);
		feed_free(f);
	}
	kd_engine_free(e);
}

/* Nobody fetches: what finds no room is counted. */
static void test_untold(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;
	struct result r;

	start(state);
	ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_EVERYONE);
	e = small(8, 2);
	for (unsigned int i = 0; i < 5; i++) {
		struct who w = who(CLIENT, SERVER + i, 41000);

		hello_at(f, &w, T0, "listed.example");
	}
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.bans_new, 5);
	assert_int_equal(r.count.bans_untold, 3);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_sizes(void **state)
{
	struct kd_engine_config config = defaults;
	struct kd_engine *e = NULL;

	start(state);
	ban_rule(KD_RESIDUAL_ADDRESS, KD_FOR_EVERYONE);
	config.policy = &policy;
	config.bans_max = 0;
	assert_int_equal(kd_engine_new(&e, &config), -EINVAL);
	config.bans_max = 1;
	config.ban_notes = 3;
	assert_int_equal(kd_engine_new(&e, &config), -EINVAL);
	assert_null(e);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_keys), TEST(test_protocols), TEST(test_recognised),
		TEST(test_times), TEST(test_scope), TEST(test_restart), TEST(test_restart_of_flow),
		TEST(test_publish), TEST(test_tag), TEST(test_subscriber), TEST(test_guard),
		TEST(test_no_room), TEST(test_other_engines), TEST(test_short_is_told_in_time),
		TEST(test_untold), TEST(test_sizes)};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
