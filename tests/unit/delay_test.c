/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay: when packets leave, by hand from the rule's settings; what its queue takes; and who overtakes whom.
 * IP packets of 1460 bytes of payload are 1500 bytes, 12 ms at 1 Mbit/s.
 */
#include "impaired.h"

#include "engine/decode.h"

/* A hello alone, then `n` packets from the inside so many ms apart, from T0 + 1 s on. */
static struct feed *train(unsigned int n, uint64_t gap_ns)
{
	struct feed *f = new_feed();

	hello_at(f, &w0, T0);
	for (unsigned int i = 0; i < n; i++)
		data_at(f, &w0, KD_INSIDE, T0 + SEC + i * gap_ns, 1460);
	return f;
}

/* Somebody else's packet much later lets all of it leave. */
static void close_with(struct feed *f)
{
	static const struct who other = {.client = CLIENT, .server = SERVER, .port = 50000};

	data_at(f, &other, KD_INSIDE, T0 + 100 * SEC, 10);
}

static void run_of(struct feed *f, struct result *r)
{
	struct kd_engine *e = engine(64, 4096);

	same_in_any_burst(f);
	run_on(e, f, 32, 0, r);
	assert_true(r->count.held == 0);
	kd_engine_free(e);
}

static void time_alone(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = train(3, MS);
	struct result r;

	(void)state;
	set(d, "time", 40 * MS);
	data_at(f, &w0, KD_OUTSIDE, T0 + SEC + 5 * MS, 100);
	close_with(f);
	run_of(f, &r);
	for (unsigned int i = 1; i <= 5; i++) {
		assert_string_equal(fared(&r, i), "hold later.held 1");
		assert_true(held_for(&r, f, i) == 40 * MS);
	}
	assert_string_equal(fared(&r, 6), "emit classify.unknown");
	assert_true(r.count.fates[KD_HOLD] == 5 && r.count.fates[KD_EMIT] == 6);
	assert_int_equal(last_flow(&r)->outcome <= KD_OUTCOME_DEGRADED, 1);
	result_free(&r);
	feed_free(f);
}

static void one_way(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	set(d, "time", 40 * MS);
	set(d, "direction", 1);
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_OUTSIDE, T0 + MS, 100);
	data_at(f, &w0, KD_INSIDE, T0 + 2 * MS, 100);
	close_with(f);
	run_of(f, &r);
	assert_string_equal(fared(&r, 1), "emit delay.other_way 1");
	assert_true(held_for(&r, f, 2) == 40 * MS);
	assert_string_equal(fared(&r, 3), "emit delay.other_way 1");
	result_free(&r);
	feed_free(f);
}

/* Four packets at once over 1 Mbit/s leave after 12, 24, 36 and 48 ms; one that comes when the queue is empty
 * again after 12. Each way has a queue of its own. */
static void rate(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = train(4, 0);
	struct result r;

	(void)state;
	set(d, "rate", 1000000);
	data_at(f, &w0, KD_OUTSIDE, T0 + SEC, 1460);
	data_at(f, &w0, KD_INSIDE, T0 + 2 * SEC, 1460);
	close_with(f);
	run_of(f, &r);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(held_for(&r, f, 2 + i) == (i + 1) * 12 * MS);
	assert_true(held_for(&r, f, 6) == 12 * MS);
	assert_true(held_for(&r, f, 7) == 12 * MS);
	result_free(&r);

	/* A packet that comes while the one before is on its way, but off the link, does not wait for that.
	 */
	set(d, "time", 100 * MS);
	f->pkt[5].time_ns = T0 + SEC;
	run_of(f, &r);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(held_for(&r, f, 2 + i) == 100 * MS + (i + 1) * 12 * MS);
	assert_true(held_for(&r, f, 7) == 112 * MS);
	result_free(&r);
	feed_free(f);
}

/* 3000 bytes are two packets; a third finds no room until the first has left, 12 ms later. */
static void queue(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = train(4, 4 * MS);
	struct result r;

	(void)state;
	set(d, "rate", 1000000);
	set(d, "queue", 3000);
	close_with(f);
	run_of(f, &r);
	assert_true(held_for(&r, f, 2) == 12 * MS);
	assert_true(held_for(&r, f, 3) == 20 * MS);
	assert_string_equal(fared(&r, 4), "drop delay.queue_full 1");
	assert_true(held_for(&r, f, 5) == 24 * MS); /* on its own time again: came at 12, leaves at 36 */
	result_free(&r);
	set(d, "queue", 2999);
	run_of(f, &r);
	assert_string_equal(fared(&r, 3), "drop delay.queue_full 1");
	result_free(&r);
	feed_free(f);
}

/* Within the time and the jitter, not all alike, and never before one of those before it. */
static void jitter(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = train(200, MS);
	uint64_t least = UINT64_MAX, most = 0, last_ns = 0;
	struct result r;

	(void)state;
	set(d, "time", 50 * MS);
	set(d, "jitter", 10 * MS);
	close_with(f);
	run_of(f, &r);
	for (unsigned int i = 2; i <= 201; i++) {
		uint64_t ns = held_for(&r, f, i), at_ns = f->pkt[i - 1].time_ns + ns;

		assert_true(ns >= 40 * MS && ns <= 60 * MS);
		assert_true(at_ns >= last_ns);
		last_ns = at_ns;
		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	/* Of 200, some in each quarter: a miss of one in 10^24. */
	assert_true(least < 45 * MS + 10 * MS && most > 55 * MS);
	result_free(&r);

	/* More jitter than time is no time at the least. */
	set(d, "time", MS);
	run_of(f, &r);
	for (unsigned int i = 2; i <= 201; i++)
		if (strncmp(fared(&r, i), "hold", 4) == 0)
			assert_true(held_for(&r, f, i) <= 11 * MS);
	result_free(&r);
	feed_free(f);
}

/* Within five standard deviations of n draws of one half; sqrt(1000 * 1/4) is 15.8. */
static void reorder(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);
	struct feed *f = train(1000, MS);
	unsigned int n = 0;
	struct result r;

	(void)state;
	set(d, "time", 20 * MS);
	set(d, "reorder", percent(50));
	close_with(f);
	run_of(f, &r);
	for (unsigned int i = 2; i <= 1001; i++) {
		if (strcmp(fared(&r, i), "emit delay.overtakes 1") == 0)
			n++;
		else
			assert_true(held_for(&r, f, i) == 20 * MS);
	}
	assert_true(n > 500 - 80 && n < 500 + 80);
	result_free(&r);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(time_alone, start),
		cmocka_unit_test_setup(one_way, start),
		cmocka_unit_test_setup(rate, start),
		cmocka_unit_test_setup(queue, start),
		cmocka_unit_test_setup(jitter, start),
		cmocka_unit_test_setup(reorder, start),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
