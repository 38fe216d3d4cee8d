/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments: what is held, how it leaves and how it is lost (X-FR-1..6). Numbers are those of the settings in
 * feed.h: 45 fragments, 5 s.
 */
#include "feed.h"

#include <errno.h>
#include <malloc.h>

#include "engine/guard.h"

#define UNIT 8

/* One fragment: bytes [from, to) in units of eight, of the packet `id`. */
struct piece {
	unsigned int version, side, id, from, to;
	bool last;
	uint8_t ttl;
};

static uint16_t sum_of(const uint8_t *ip)
{
	uint32_t s = 0;

	for (unsigned int i = 0; i < 20; i += 2)
		s += i == 10 ? 0 : kd_get16(ip + i);
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void put4(uint8_t *ip, const struct piece *p, size_t len)
{
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(20 + len));
	kd_put16(ip + 4, (uint16_t)p->id);
	kd_put16(ip + 6, (uint16_t)(p->from | (p->last ? 0u : 0x2000u)));
	ip[8] = p->ttl;
	ip[9] = KD_PROTO_UDP;
	kd_put32(ip + 12, p->side == KD_INSIDE ? 0xc6120002 : 0xcb00710a);
	kd_put32(ip + 16, p->side == KD_INSIDE ? 0xcb00710a : 0xc6120002);
	kd_put16(ip + 10, sum_of(ip));
}

static void put6(uint8_t *ip, const struct piece *p, size_t len)
{
	ip[0] = 0x60;
	kd_put16(ip + 4, (uint16_t)(8 + len));
	ip[6] = 44;
	ip[7] = p->ttl;
	kd_put32(ip + 8, 0x20010db8);
	ip[23] = p->side == KD_INSIDE ? 2 : 10;
	kd_put32(ip + 24, 0x20010db8);
	ip[39] = p->side == KD_INSIDE ? 10 : 2;
	ip[40] = KD_PROTO_UDP;
	kd_put16(ip + 42, (uint16_t)(p->from * UNIT | (p->last ? 0 : 1)));
	kd_put32(ip + 44, p->id);
}

static struct kd_pkt *put(struct feed *f, uint64_t at_ns, struct piece p)
{
	size_t len = (size_t)(p.to - p.from) * UNIT, header = p.version == 6 ? 48 : 20;
	uint8_t *frame = calloc(1, 14 + header + len + 64);
	struct kd_pkt *pkt = &f->pkt[f->n];

	kd_put16(frame + 12, p.version == 6 ? 0x86dd : 0x0800);
	if (p.version == 6)
		put6(frame + 14, &p, len);
	else
		put4(frame + 14, &p, len);
	memset(frame + 14 + header, (int)('a' + p.from % 26), len);
	assert_true(f->n < PKTS_MAX);
	f->block[f->n] = frame;
	*pkt = (struct kd_pkt){.data = frame,
		.len = (uint32_t)(14 + header + len),
		.wire_len = (uint32_t)(14 + header + len),
		.tailroom = 64,
		.side = (uint8_t)p.side,
		.time_ns = at_ns,
		.number = f->n + 1,
		.handle = pkt};
	f->n++;
	return pkt;
}

/* The n-th of `of` fragments of one unit each. */
static struct kd_pkt *nth(struct feed *f, uint64_t at_ns, unsigned int id, unsigned int n, unsigned int of)
{
	return put(f, at_ns, (struct piece){4, KD_INSIDE, id, n, n + 1, n + 1 == of, 64});
}

static struct kd_engine *holding(uint32_t held_max)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flows4_max = c.flows6_max = 16;
	c.events_max = 64;
	c.held_max = held_max;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
static struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};

/* One packet; the last action is its own. */
static const struct kd_action *give(struct kd_engine *e, struct kd_pkt *p)
{
	kd_engine_burst(e, p, 1, &out);
	assert_true(out.count >= 1);
	assert_ptr_equal(actions[out.count - 1].handle, p->handle);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	return &actions[out.count - 1];
}

static void is(const struct kd_action *a, unsigned int fate, const char *reason)
{
	assert_string_equal(kd_reason_name(a->reason), reason);
	assert_int_equal(a->fate, fate);
}

static void held(const struct kd_engine *e, uint64_t n)
{
	assert_true(kd_engine_counters(e)->held == n);
}

/* Three fragments in every order of arrival leave in that order, with the TTL of the one at offset 0. */
static void leave_in_order(unsigned int version)
{
	static const uint8_t orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const uint8_t ttl[3] = {64, 10, 64};
	struct kd_engine *e = holding(8);

	for (unsigned int o = 0; o < 6; o++) {
		struct feed *f = calloc(1, sizeof(*f));

		for (unsigned int i = 0; i < 3; i++) {
			unsigned int n = orders[o][i];

			put(f, T0 + (o * 3 + i) * SEC,
				(struct piece){version, KD_OUTSIDE, 7, n * 2, n * 2 + 2, n == 2, ttl[n]});
		}
		is(give(e, &f->pkt[0]), KD_HOLD, "frag.held");
		is(give(e, &f->pkt[1]), KD_HOLD, "frag.held");
		assert_int_equal(out.count, 1);
		held(e, 2);
		give(e, &f->pkt[2]);
		assert_int_equal(out.count, 3);
		held(e, 0);
		for (unsigned int i = 0; i < 3; i++) {
			const struct kd_action *a = &actions[i];
			const uint8_t *ip = a->data + 14;

			is(a, orders[o][i] == 1 ? KD_REWRITE : KD_EMIT, "frag.not_inspected");
			assert_ptr_equal(a->handle, &f->pkt[i]);
			assert_true(a->number == i + 1 && a->side == KD_INSIDE && a->len == f->pkt[i].len);
			assert_true(a->time_ns == T0 + (o * 3 + 2) * SEC);
			assert_int_equal(ip[version == 4 ? 8 : 7], 64);
			if (version == 4)
				assert_int_equal(kd_get16(ip + 10), sum_of(ip));
			/* still what it was: no merging, no other byte */
			assert_int_equal(ip[version == 4 ? 20 : 48], 'a' + orders[o][i] * 2);
		}
		feed_free(f);
	}
	kd_engine_free(e);
}

static void test_order4(void **state)
{
	(void)state;
	leave_in_order(4);
}

static void test_order6(void **state)
{
	(void)state;
	leave_in_order(6);
}

/* The checksum moved is the checksum made anew, for every pair of TTLs. */
static void test_checksum(void **state)
{
	struct kd_engine *e = holding(4);

	(void)state;
	for (unsigned int i = 0; i < 65536; i += 251) {
		struct feed *f = calloc(1, sizeof(*f));

		put(f, T0, (struct piece){4, KD_INSIDE, i, 0, 1, false, (uint8_t)i});
		put(f, T0, (struct piece){4, KD_INSIDE, i, 1, 2, true, (uint8_t)(i >> 8)});
		give(e, &f->pkt[0]);
		give(e, &f->pkt[1]);
		for (unsigned int k = 0; k < 2; k++) {
			assert_int_equal(f->pkt[k].data[14 + 8], i & 0xff);
			assert_int_equal(kd_get16(f->pkt[k].data + 24), sum_of(f->pkt[k].data + 14));
		}
		feed_free(f);
	}
	kd_engine_free(e);
}

static void test_most(void **state)
{
	struct kd_engine *e = holding(100);
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	for (unsigned int i = 0; i < 45; i++)
		give(e, nth(f, T0, 1, i, 45));
	assert_int_equal(out.count, 45);
	is(&actions[0], KD_EMIT, "frag.not_inspected");
	is(&actions[44], KD_EMIT, "frag.not_inspected");
	for (unsigned int i = 0; i < 45; i++)
		is(give(e, nth(f, T0, 2, i, 47)), KD_HOLD, "frag.held");
	is(give(e, nth(f, T0, 2, 45, 47)), KD_DROP, "frag.too_many");
	assert_int_equal(out.count, 46);
	is(&actions[0], KD_DROP, "frag.too_many");
	assert_true(actions[0].number == 46 && actions[0].n == 1);
	/* what comes behind them is lost too, until their time is over */
	is(give(e, nth(f, T0 + 5 * SEC - 1, 2, 46, 47)), KD_DROP, "frag.too_many");
	is(give(e, nth(f, T0 + 5 * SEC, 2, 46, 47)), KD_HOLD, "frag.held");
	assert_int_equal(out.count, 1);
	feed_free(f);
	kd_engine_free(e);
}

/* Two pieces that cannot both be of one packet. */
static void collision(struct piece a, struct piece b)
{
	struct kd_engine *e = holding(8);
	struct feed *f = calloc(1, sizeof(*f));

	is(give(e, put(f, T0, a)), KD_HOLD, "frag.held");
	is(give(e, put(f, T0, b)), KD_DROP, "frag.overlap");
	assert_int_equal(out.count, 2);
	is(&actions[0], KD_DROP, "frag.overlap");
	held(e, 0);
	is(give(e, nth(f, T0, a.id, 30, 31)), KD_DROP, "frag.overlap");
	feed_free(f);
	kd_engine_free(e);
}

static void test_overlap(void **state)
{
	struct piece two = {4, KD_INSIDE, 9, 2, 4, false, 64}, last = {4, KD_INSIDE, 9, 6, 8, true, 64};

	(void)state;
	collision(two, two);
	collision(last, last);
	collision(two, (struct piece){4, KD_INSIDE, 9, 3, 5, false, 64});
	collision(two, (struct piece){4, KD_INSIDE, 9, 0, 3, false, 64});
	collision(two, (struct piece){4, KD_INSIDE, 9, 0, 9, false, 64});
	/* another end, and bytes behind the end */
	collision(last, (struct piece){4, KD_INSIDE, 9, 2, 4, true, 64});
	collision(last, (struct piece){4, KD_INSIDE, 9, 8, 9, false, 64});
	collision(two, (struct piece){4, KD_INSIDE, 9, 1, 2, true, 64});
}

/* Neighbours do not overlap. */
static void test_touching(void **state)
{
	struct kd_engine *e = holding(8);
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	give(e, put(f, T0, (struct piece){4, KD_INSIDE, 9, 2, 4, false, 64}));
	is(give(e, put(f, T0, (struct piece){4, KD_INSIDE, 9, 0, 2, false, 64})), KD_HOLD, "frag.held");
	is(give(e, put(f, T0, (struct piece){4, KD_INSIDE, 9, 4, 5, true, 64})), KD_EMIT,
		"frag.not_inspected");
	assert_int_equal(out.count, 3);
	feed_free(f);
	kd_engine_free(e);
}

/* Lost at exactly 5 s after the first, whoever notices, and never sooner. */
static void test_lifetime(void **state)
{
	struct kd_engine *e = holding(8);
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	give(e, nth(f, T0, 1, 0, 3));
	give(e, nth(f, T0 + 4 * SEC, 1, 1, 3));
	kd_engine_advance(e, T0 + 5 * SEC - 1, &out);
	assert_int_equal(out.count, 0);
	held(e, 2);
	kd_engine_advance(e, T0 + 5 * SEC, &out);
	assert_int_equal(out.count, 2);
	for (unsigned int i = 0; i < 2; i++) {
		is(&actions[i], KD_DROP, "frag.timeout");
		assert_true(actions[i].time_ns == T0 + 5 * SEC && actions[i].number == i + 1);
	}
	held(e, 0);
	/* in time to the last nanosecond */
	give(e, nth(f, T0 + 10 * SEC, 1, 0, 2));
	is(give(e, nth(f, T0 + 15 * SEC - 1, 1, 1, 2)), KD_EMIT, "frag.not_inspected");
	/* too late: dropped first, at its own time, and another wait begins */
	give(e, nth(f, T0 + 20 * SEC, 1, 0, 2));
	is(give(e, nth(f, T0 + 27 * SEC, 1, 1, 2)), KD_HOLD, "frag.held");
	assert_int_equal(out.count, 2);
	is(&actions[0], KD_DROP, "frag.timeout");
	assert_true(actions[0].time_ns == T0 + 25 * SEC);
	is(give(e, nth(f, T0 + 32 * SEC - 1, 1, 0, 2)), KD_EMIT, "frag.not_inspected");
	feed_free(f);
	kd_engine_free(e);
}

/* What finds no room passes, and with it the rest of its packet; the others wait on. */
static void test_no_room(void **state)
{
	struct kd_engine *e = holding(4);
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	give(e, nth(f, T0, 1, 0, 4));
	give(e, nth(f, T0, 1, 1, 4));
	give(e, nth(f, T0, 2, 0, 3));
	give(e, nth(f, T0, 2, 1, 3));
	held(e, 4);
	is(give(e, nth(f, T0, 3, 0, 2)), KD_EMIT, "frag.no_room");
	assert_int_equal(out.count, 1);
	is(give(e, nth(f, T0, 1, 2, 4)), KD_EMIT, "frag.no_room");
	assert_int_equal(out.count, 3);
	is(&actions[0], KD_EMIT, "frag.no_room");
	assert_true(actions[0].number == 1 && actions[1].number == 2);
	held(e, 2);
	is(give(e, nth(f, T0, 1, 3, 4)), KD_EMIT, "frag.no_room");
	is(give(e, nth(f, T0, 3, 1, 2)), KD_EMIT, "frag.no_room");
	/* the last fragment of a packet needs no room */
	is(give(e, nth(f, T0, 2, 2, 3)), KD_EMIT, "frag.not_inspected");
	assert_int_equal(out.count, 3);
	/* as many packets as fragments: two that passed still have their place */
	give(e, nth(f, T0, 4, 0, 2));
	give(e, nth(f, T0, 5, 0, 2));
	is(give(e, nth(f, T0, 6, 0, 2)), KD_EMIT, "frag.no_room");
	is(give(e, nth(f, T0 + 5 * SEC, 6, 0, 2)), KD_HOLD, "frag.held");
	assert_int_equal(out.count, 3);
	feed_free(f);
	kd_engine_free(e);
}

/* Packets are told apart by everything that they are told apart by. */
static void test_apart(void **state)
{
	static const struct piece first[] = {{4, KD_INSIDE, 1, 0, 1, false, 64},
		{4, KD_INSIDE, 2, 0, 1, false, 64}, {4, KD_OUTSIDE, 1, 0, 1, false, 64},
		{6, KD_INSIDE, 1, 0, 1, false, 64}, {6, KD_INSIDE, 0x10001, 0, 1, false, 64}};
	unsigned int n = sizeof(first) / sizeof(first[0]);
	struct kd_engine *e = holding(16);
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_pkt *other;

	(void)state;
	for (unsigned int i = 0; i < n; i++)
		is(give(e, put(f, T0, first[i])), KD_HOLD, "frag.held");
	/* another side, another protocol and other addresses, by hand */
	other = put(f, T0, first[0]);
	other->side = KD_OUTSIDE;
	is(give(e, other), KD_HOLD, "frag.held");
	other = put(f, T0, first[0]);
	other->data[14 + 9] = KD_PROTO_ICMP;
	is(give(e, other), KD_HOLD, "frag.held");
	other = put(f, T0, first[0]);
	other->data[14 + 15] = 3;
	is(give(e, other), KD_HOLD, "frag.held");
	other = put(f, T0, first[0]);
	other->data[14 + 19] = 3;
	is(give(e, other), KD_HOLD, "frag.held");
	held(e, n + 4);
	for (unsigned int i = n; i-- > 0;) {
		struct piece rest = first[i];

		rest.from = 1;
		rest.to = 2;
		rest.last = true;
		other = put(f, T0, rest);
		if (rest.version == 6)
			other->data[14 + 40] = 0; /* may differ, RFC 8200 4.5 */
		is(give(e, other), KD_EMIT, "frag.not_inspected");
		assert_int_equal(out.count, 2);
		assert_true(actions[0].number == i + 1);
	}
	held(e, 4);
	feed_free(f);
	kd_engine_free(e);
}

/* Fragments between other packets: the same bytes and times whatever the bursts and empty calls. */
static void test_bursts(void **state)
{
	static const unsigned int bursts[] = {2, 3, 32, 256};
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct kd_engine *e = holding(24);
	struct feed *f = calloc(1, sizeof(*f));
	struct result want, got;
	uint64_t at = T0, x = 1;

	(void)state;
	for (unsigned int i = 0; i < 1500; i++) {
		x = kd_mix(x, i);
		at += (x >> 8 & 3) == 0 ? x % (SEC / 2) : 0;
		if ((x >> 16 & 7) == 0)
			add(f, &w, x >> 20 & 1, at, KD_TCP_ACK, i, NULL, 0);
		else
			put(f, at,
				(struct piece){x >> 24 & 1 ? 6 : 4, x >> 25 & 1, x >> 26 & 7, x >> 30 & 3,
					(unsigned int)(x >> 30 & 3) + 1, (x >> 30 & 3) == 3,
					(uint8_t)(60 + (x >> 34 & 3))});
	}
	run_on(e, f, 1, 0, &want);
	assert_true(want.count.reasons[KD_REASON_FRAG_TIMEOUT] > 10);
	assert_true(want.count.reasons[KD_REASON_FRAG_OVERLAP] > 10);
	assert_true(want.count.reasons[KD_REASON_FRAG_NO_ROOM] > 10);
	assert_true(want.count.reasons[KD_REASON_FRAG_NOT_INSPECTED] > 10);
	assert_true(want.count.fates[KD_REWRITE] > 10 && want.count.held == 0);
	for (unsigned int i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		kd_engine_reset(e);
		run_on(e, f, bursts[i], i, &got);
		assert_string_equal(got.actions, want.actions);
		assert_memory_equal(&got.count, &want.count, sizeof(got.count));
		result_free(&got);
	}
	result_free(&want);
	kd_engine_free(e);
	feed_free(f);
}

static void test_release(void **state)
{
	struct kd_engine *e = holding(8);
	struct feed *f = calloc(1, sizeof(*f));
	const struct kd_counters *c = kd_engine_counters(e);

	(void)state;
	give(e, nth(f, T0, 1, 0, 3));
	give(e, nth(f, T0, 2, 0, 3));
	give(e, nth(f, T0 + SEC, 1, 1, 3));
	assert_true(c->held == 3 && c->fates[KD_HOLD] == 3 && c->reasons[KD_REASON_FRAG_HELD] == 3);
	kd_engine_release(e, &out);
	assert_int_equal(out.count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		is(&actions[i], KD_DROP, "frag.end_of_run");
		assert_true(actions[i].time_ns == T0 + SEC);
	}
	assert_true(c->held == 0 && c->fates[KD_DROP] == 3 && c->reasons[KD_REASON_FRAG_END_OF_RUN] == 3);
	assert_null(kd_counters_unbalanced(c));
	kd_engine_release(e, &out);
	assert_int_equal(out.count, 0);
	kd_engine_reset(e);
	is(give(e, nth(f, T0, 1, 1, 3)), KD_HOLD, "frag.held");
	held(e, 1);
	feed_free(f);
	kd_engine_free(e);
}

/* A million first fragments: nothing is allocated, what is too much is named, and the box goes on. */
static void test_flood(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct kd_engine *e = holding(64);
	struct feed *f = calloc(1, sizeof(*f));
	const struct kd_counters *c = kd_engine_counters(e);
	struct kd_pkt *p = put(f, T0, (struct piece){6, KD_INSIDE, 0, 0, 1, false, 64});
	struct mallinfo2 before = mallinfo2(), after;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		p->time_ns = T0 + i * 19000ull; /* 19 s of it */
		kd_put32(p->data + 14 + 44, i);
		kd_engine_burst(e, p, 1, &out);
		assert_true(c->held <= 64);
	}
	after = mallinfo2();
	assert_int_equal(after.uordblks, before.uordblks);
	/* 64 each 5 s found room */
	assert_true(c->fates[KD_HOLD] == 4 * 64 && c->reasons[KD_REASON_FRAG_TIMEOUT] == 3 * 64);
	assert_true(c->reasons[KD_REASON_FRAG_NO_ROOM] == 1000000 - 4 * 64);
	talk(f, &w, p->time_ns, "listed.example");
	for (unsigned int i = 1; i < f->n; i++)
		kd_engine_burst(e, &f->pkt[i], 1, &out);
	assert_int_equal(actions[0].rule, 1);
	kd_engine_release(e, &out);
	assert_int_equal(out.count, 64);
	held(e, 0);
	assert_null(kd_counters_unbalanced(c));
	feed_free(f);
	kd_engine_free(e);
}

/* What this stage leaves alone is forwarded at once. */
static void test_left_alone(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = holding(8);
	struct kd_pkt *p;

	(void)state;
	/* lengths: half a unit though more follows; nothing in it; behind 65535 */
	p = nth(f, T0, 1, 0, 3);
	kd_put16(p->data + 14 + 2, 20 + 4);
	is(give(e, p), KD_EMIT, "frag.bad_length");
	p = nth(f, T0, 1, 0, 3);
	kd_put16(p->data + 14 + 2, 20);
	is(give(e, p), KD_EMIT, "frag.bad_length");
	is(give(e, put(f, T0, (struct piece){4, KD_INSIDE, 1, 8191, 8192, true, 64})), KD_EMIT,
		"frag.bad_length");
	p = nth(f, T0, 1, 0, 3);
	p->flags = KD_PKT_BAD_CHECKSUM;
	is(give(e, p), KD_EMIT, "decode.bad_checksum");
	/* an atomic fragment is a whole packet, RFC 6946 */
	is(give(e, put(f, T0, (struct piece){6, KD_INSIDE, 1, 0, 1, true, 64})), KD_EMIT,
		"decode.udp_length");
	held(e, 0);
	kd_engine_free(e);
	/* a box that sees upstream only */
	policy.box.sees = KD_SEES_UPSTREAM;
	e = holding(8);
	is(give(e, put(f, T0, (struct piece){4, KD_OUTSIDE, 1, 0, 1, false, 64})), KD_EMIT, "box.not_seen");
	is(give(e, put(f, T0, (struct piece){4, KD_INSIDE, 1, 0, 1, false, 64})), KD_HOLD, "frag.held");
	kd_engine_free(e);
	policy.box.sees = KD_SEES_BOTH;
	/* no box: a profile without rules */
	policy.nrules = 0;
	e = holding(8);
	is(give(e, nth(f, T0, 1, 0, 2)), KD_EMIT, "frag.not_inspected");
	kd_engine_free(e);
	policy.nrules = 1;
	feed_free(f);
}

static void test_guard(void **state)
{
	static const uint8_t inside[4] = {198, 18, 0, 0}, outside[4] = {203, 0, 113, 0};
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = NULL;
	struct kd_pkt *p;

	(void)state;
	c.policy = &policy;
	assert_int_equal(kd_guard_new(&c.guard), 0);
	assert_int_equal(kd_guard_add(c.guard, false, inside, 24), 0);
	assert_int_equal(kd_guard_add(c.guard, false, outside, 24), 0);
	assert_int_equal(kd_engine_new(&e, &c), 0);
	is(give(e, nth(f, T0, 1, 0, 2)), KD_HOLD, "frag.held");
	p = nth(f, T0, 1, 0, 2);
	p->data[14 + 16] = 8; /* the server is somebody's */
	is(give(e, p), KD_EMIT, "guard.outside_lab");
	is(give(e, put(f, T0, (struct piece){6, KD_INSIDE, 1, 0, 1, false, 64})), KD_EMIT,
		"guard.outside_lab");
	held(e, 1);
	kd_engine_free(e);
	kd_guard_free(c.guard);
	feed_free(f);
}

static void test_sizes(void **state)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	(void)state;
	c.policy = &policy;
	c.held_max = 0;
	assert_int_equal(kd_engine_new(&e, &c), -EINVAL);
	c.held_max = KD_HELD_MAX + 1;
	assert_int_equal(kd_engine_new(&e, &c), -EINVAL);
	c.held_max = KD_HELD_MAX;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	kd_engine_free(e);
}

/* As many as an engine can hold end in one call, and it has room for them. */
static void test_room(void **state)
{
	struct kd_engine *e = holding(KD_HELD_MAX);
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	for (unsigned int i = 0; i < KD_HELD_MAX; i++)
		give(e, nth(f, T0, i, 0, 2));
	held(e, KD_HELD_MAX);
	out.room = KD_OUT_ROOM(0);
	kd_engine_advance(e, T0 + 5 * SEC, &out);
	assert_int_equal(out.count, KD_HELD_MAX);
	assert_true(out.count <= out.room);
	out.room = KD_OUT_ROOM(KD_BURST_MAX);
	held(e, 0);
	feed_free(f);
	kd_engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order4),
		cmocka_unit_test(test_order6),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_touching),
		cmocka_unit_test(test_lifetime),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, make_policy, drop_policy);
}
