/* SPDX-License-Identifier: BSD-3-Clause */
/* police: buckets by hand. 8 kbit/s are 1000 bytes a second, so that a bucket of 1000 bytes fills in 1 s. */
#include "feed.h"

#define RATE 8000
#define BURST 1000
#define HEADERS 40 /* IPv4 and TCP of feed.h */

static const struct who who = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};

/* As police.c lays its settings out. */
static void policed(uint64_t rate, uint64_t burst, uint8_t direction)
{
	rules[1].mechanism = KD_MECHANISM_police;
	rules[1].residual_ns = 0;
	memset(rules[1].params, 0, sizeof(rules[1].params));
	memcpy(rules[1].params, &rate, sizeof(rate));
	memcpy(rules[1].params + 8, &burst, sizeof(burst));
	rules[1].params[16] = direction;
}

/* n packets of so many IP bytes from a side, at once or apart. */
static void send(
	struct feed *f, unsigned int side, uint64_t at_ns, unsigned int n, size_t ip_len, uint64_t every_ns)
{
	static const uint8_t zeros[2000];

	for (unsigned int i = 0; i < n; i++)
		add(f, &who, side, at_ns + i * every_ns, KD_TCP_ACK | KD_TCP_PSH, 9000 + i, zeros,
			ip_len - HEADERS);
}

static struct feed *triggered(void)
{
	struct feed *f = calloc(1, sizeof(*f));
	uint8_t hello[512];

	add(f, &who, KD_INSIDE, T0, KD_TCP_ACK | KD_TCP_PSH, 1001, hello, put_hello(hello, "listed.example"));
	return f;
}

static uint64_t reasons(const struct result *r, const char *name)
{
	for (unsigned int i = 0; i < KD_REASON_COUNT; i++)
		if (kd_reason((uint16_t)i) != NULL && strcmp(kd_reason_name((uint16_t)i), name) == 0)
			return r->count.reasons[i];
	return UINT64_MAX;
}

/* What passed and what did not, the hello not counted. */
static void expect(struct feed *f, uint64_t within, uint64_t over, uint64_t other_way)
{
	struct kd_engine *e = engine(8, 64);
	struct result r;

	run_on(e, f, 7, 0, &r);
	assert_int_equal(reasons(&r, "police.within"), within + 1);
	assert_int_equal(reasons(&r, "police.over"), over);
	assert_int_equal(reasons(&r, "police.other_way"), other_way);
	assert_int_equal(r.count.fates[KD_DROP], over);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_bucket(void **state)
{
	struct feed *f = triggered();

	(void)state;
	policed(RATE, BURST, 0);
	/* 10 of 100 bytes are the whole bucket; 100 ms bring one more, a nanosecond less does not. */
	send(f, KD_OUTSIDE, T0, 12, 100, 0);
	send(f, KD_OUTSIDE, T0 + SEC / 10 - 10, 1, 100, 0);
	send(f, KD_OUTSIDE, T0 + SEC / 10 + 10, 2, 100, 0);
	expect(f, 11, 4, 0);
	/* IP bytes, not the 60 of the frame: 25 of 40 bytes. */
	f = triggered();
	send(f, KD_OUTSIDE, T0, 30, 40, 0);
	expect(f, 25, 5, 0);
	/* A packet that fits the bucket to the byte, and one that never will. */
	f = triggered();
	send(f, KD_OUTSIDE, T0, 1, 1000, 0);
	send(f, KD_OUTSIDE, T0 + 500 * SEC, 1, 1001, 0);
	send(f, KD_OUTSIDE, T0 + 501 * SEC, 1, 1000, 0);
	expect(f, 2, 1, 0);
}

/* The 115 bytes of the hello count for its own direction, and each has its own bucket. */
static void test_directions(void **state)
{
	uint8_t hello[512];
	size_t left = BURST - HEADERS - put_hello(hello, "listed.example");
	struct feed *f = triggered();

	(void)state;
	policed(RATE, BURST, 0);
	send(f, KD_INSIDE, T0, 1, left, 0);
	send(f, KD_INSIDE, T0, 1, HEADERS, 0);
	send(f, KD_OUTSIDE, T0, 10, 100, 0);
	expect(f, 11, 1, 0);
	/* drop.c's words: 1 is to the inside, 2 to the outside. */
	f = calloc(1, sizeof(*f));
	for (unsigned int side = 0; side < 2; side++) {
		struct kd_engine *e = engine(8, 64);
		struct result r;

		policed(RATE, BURST, side == KD_OUTSIDE ? 1 : 2);
		f->n = 0;
		add(f, &who, KD_INSIDE, T0, KD_TCP_ACK | KD_TCP_PSH, 1001, hello,
			put_hello(hello, "listed.example"));
		send(f, KD_INSIDE, T0, 20, 100, 0);
		send(f, KD_OUTSIDE, T0, 20, 100, 0);
		run_on(e, f, 7, 0, &r);
		/* Of the inside's bucket the hello has taken more than one packet. */
		assert_int_equal(reasons(&r, "police.over"), side == KD_OUTSIDE ? 10 : 12);
		assert_int_equal(reasons(&r, "police.other_way"), side == KD_OUTSIDE ? 21 : 20);
		result_free(&r);
		kd_engine_free(e);
		for (unsigned int i = 0; i < f->n; i++)
			free(f->block[i]);
	}
	f->n = 0;
	feed_free(f);
}

/* Times of 32 bits wrap: after 8.59 s here. A silence of any length fills both buckets, and no more. */
static void test_silence(void **state)
{
	static const uint64_t gaps[] = {SEC, 2147483648, 4294967296, 4294967297, 6442450944, 8500000000,
		8589934592, 8589934593, 8600000000, 9589934592, 60 * SEC, 599 * SEC};

	(void)state;
	policed(RATE, BURST, 0);
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct feed *f = triggered();

		send(f, KD_OUTSIDE, T0, 10, 100, 0);
		send(f, KD_OUTSIDE, T0 + gaps[i], 12, 100, 0);
		expect(f, 20, 2, 0);
		/* The other side talks all the time. */
		f = triggered();
		send(f, KD_OUTSIDE, T0, 10, 100, 0);
		send(f, KD_INSIDE, T0 + 2 * SEC, 100, 40, SEC / 2);
		send(f, KD_OUTSIDE, T0 + 51 * SEC + gaps[i], 12, 100, 0);
		expect(f, 120, 2, 0);
	}
}

/* Over a minute the rate is what passes, to a packet: bucket + 60 s of tokens. */
static void test_rate(void **state)
{
	static const struct {
		uint64_t rate, burst, every_ns;
		size_t ip_len;
	} at[] = {{140000, 16000, SEC / 50, 1500}, {5200, 16000, SEC / 20, 400},
		{8000000000ull, 16000, 1000, 1500}, {1000000000ull, 64000, 4000, 1400},
		{8, 2000, SEC / 10, 40}, {1000000000000ull, 1000000, 10, 1500}};

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct feed *f = triggered();
		struct kd_engine *e = engine(8, 64);
		struct result r;
		uint64_t n = 3000, took_ns = (n - 1) * at[i].every_ns, most, passed;

		policed(at[i].rate, at[i].burst, 0);
		send(f, KD_OUTSIDE, T0, (unsigned int)n, at[i].ip_len, at[i].every_ns);
		run_on(e, f, 32, 0, &r);
		most = at[i].burst + (uint64_t)((unsigned __int128)took_ns * at[i].rate / 8000000000ull);
		most = most / at[i].ip_len < n ? most / at[i].ip_len : n;
		passed = reasons(&r, "police.within") - 1;
		assert_in_range(passed, most - 1, most + 1);
		result_free(&r);
		kd_engine_free(e);
		feed_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bucket, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_directions, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_silence, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_rate, make_policy, drop_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
