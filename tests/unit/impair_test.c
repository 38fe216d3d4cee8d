/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * impair: how many packets are lost, doubled and spoilt, against exact binomial bounds that the test works
 * out itself, for several seeds; and that none of it depends on who else is there.
 */
#include "impaired.h"

#include <math.h>

#include "engine/decode.h"

#define FLOWS 10
#define EACH 400 /* packets of a flow behind its hello */

static uint64_t seed;

static struct kd_engine *seeded(void)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.seed = seed;
	c.flows4_max = c.flows6_max = 64;
	c.events_max = 4096;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

/* FLOWS connections of a hello and EACH packets, alternately from both sides. */
static struct feed *many(void)
{
	struct feed *f = new_feed();

	for (unsigned int i = 0; i < EACH + 1; i++) {
		for (unsigned int w = 0; w < FLOWS; w++) {
			const struct who who = {CLIENT, SERVER, (uint16_t)(40000 + w)};

			if (i == 0)
				hello_at(f, &who, T0 + w);
			else
				data_at(f, &who, i % 2, T0 + i * MS + w, 100);
		}
	}
	return f;
}

/* P(X <= k) of n draws of p, summed exactly in logarithms. */
static double at_most(unsigned int k, unsigned int n, double p)
{
	double sum = 0;

	for (unsigned int i = 0; i <= k; i++)
		sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) +
			   (n - i) * log1p(-p));
	return sum;
}

/* Neither tail of what was seen is below one in a million. */
static void fits(unsigned int seen, unsigned int n, double p)
{
	assert_true(at_most(seen, n, p) > 1e-6);
	assert_true(seen == 0 || 1 - at_most(seen - 1, n, p) > 1e-6);
}

static unsigned int reasons(const struct result *r, const char *reason)
{
	for (unsigned int i = 0; i < KD_REASON_COUNT; i++)
		if (strcmp(kd_reason_name((uint16_t)i), reason) == 0)
			return (unsigned int)(r->count.reasons[i] + r->count.inject_reasons[i]);
	fail();
	return 0;
}

/* Each of so many seeds over the same packets. */
static void for_seeds(void (*check)(const struct result *r, const struct feed *f))
{
	struct feed *f = many();

	for (seed = 1; seed <= 5; seed++) {
		struct kd_engine *e = seeded();
		struct result r;

		run_on(e, f, 32, 0, &r);
		check(&r, f);
		result_free(&r);
		kd_engine_free(e);
	}
	same_in_any_burst(f);
	feed_free(f);
}

static void half_pass(const struct result *r, const struct feed *f)
{
	fits(reasons(r, "impair.passed"), f->n, 0.5);
	assert_int_equal(reasons(r, "impair.passed") + reasons(r, "impair.capacity"), f->n);
	assert_true(r->count.fates[KD_DROP] == reasons(r, "impair.capacity"));
}

static void all_pass(const struct result *r, const struct feed *f)
{
	assert_int_equal(reasons(r, "impair.passed"), f->n);
}

static void none_passes(const struct result *r, const struct feed *f)
{
	assert_int_equal(reasons(r, "impair.capacity"), f->n);
}

static void five_pass(const struct result *r, const struct feed *f)
{
	fits(reasons(r, "impair.passed"), f->n, 0.05);
}

static void capacity(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);

	(void)state;
	set(d, "capacity", 50);
	for_seeds(half_pass);
	set(d, "capacity", 100);
	for_seeds(all_pass);
	set(d, "capacity", 0);
	for_seeds(none_passes);
	set(d, "capacity", 5);
	for_seeds(five_pass);
}

static void three_lost(const struct result *r, const struct feed *f)
{
	fits(reasons(r, "impair.lost"), f->n, 0.03);
}

/* Capacity and loss are drawn each for itself: 0.5 * 0.8 pass. */
static void both_lose(const struct result *r, const struct feed *f)
{
	fits(reasons(r, "impair.passed"), f->n, 0.4);
}

static void loss(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);

	(void)state;
	set(d, "capacity", 100);
	set(d, "loss", percent(3));
	for_seeds(three_lost);
	set(d, "capacity", 50);
	set(d, "loss", percent(20));
	for_seeds(both_lose);
}

/* Packets of one flow and side that are lost one behind the other, from `lost` in order of numbers. */
static void burst_lengths(
	const struct result *r, const struct feed *f, unsigned int *ret_n, unsigned int *ret_sum)
{
	*ret_n = *ret_sum = 0;
	for (unsigned int w = 0; w < FLOWS; w++) {
		for (unsigned int side = 0; side < 2; side++) {
			bool before = false;

			for (unsigned int i = w; i < f->n; i += FLOWS) {
				bool lost;

				if (f->pkt[i].side != side)
					continue;
				lost = strcmp(fared(r, i + 1), "drop impair.burst 1") == 0;
				*ret_n += lost && !before;
				*ret_sum += lost;
				before = lost;
			}
		}
	}
}

/* A burst starts with each tenth packet and ends with each fourth of its own: it is 1 / 0.25 = 4 long, and
 * 0.1 / (0.1 + 0.25) = 2 of 7 packets are lost. Both within five standard deviations: of a mean of n
 * geometric lengths sqrt(12 / n); of the share, whose packets hang together by 1 - 0.35 from one to the next,
 * sqrt(p q (1 + 0.65) / (1 - 0.65) / n). */
static void in_bursts(const struct result *r, const struct feed *f)
{
	unsigned int n, sum;
	double share = 2.0 / 7, mean;

	burst_lengths(r, f, &n, &sum);
	mean = (double)sum / n;
	assert_true(fabs(mean - 4) < 5 * sqrt(12.0 / n));
	assert_true(fabs((double)sum / f->n - share) <
		    5 * sqrt(share * (1 - share) * 1.65 / 0.35 / f->n) + FLOWS * 2 * 4.0 / f->n);
}

static void half_in_bursts(const struct result *r, const struct feed *f)
{
	unsigned int n, sum;

	burst_lengths(r, f, &n, &sum);
	assert_true(sum > f->n / 7 * 0.75 && sum < f->n / 7 * 1.25);
}

static void bursts(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);

	(void)state;
	set(d, "capacity", 100);
	set(d, "burst_start", percent(10));
	set(d, "burst_end", percent(25));
	set(d, "burst_loss", percent(100));
	for_seeds(in_bursts);
	set(d, "burst_loss", percent(50));
	for_seeds(half_in_bursts);
}

/* Twice, the copy right behind it, byte for byte the same. */
static void doubled(const struct result *r, const struct feed *f)
{
	unsigned int copies = 0;

	fits(reasons(r, "impair.duplicate"), f->n, 0.25);
	assert_true(r->count.fates[KD_INJECT] == reasons(r, "impair.duplicate"));
	assert_true(r->count.fates[KD_EMIT] == f->n && r->count.inject_refused == 0);
	for (const char *line = r->actions, *next; *line != '\0'; line = next) {
		unsigned int number, n, fate;

		next = strchr(line, '\n') + 1;
		assert_int_equal(sscanf(line, "%u.%u %u", &number, &n, &fate), 3);
		if (fate != KD_INJECT)
			continue;
		assert_int_equal(n, 1);
		copies++;
	}
	assert_int_equal(copies, reasons(r, "impair.duplicate"));
}

static void duplicate(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);
	struct kd_action *room = calloc(KD_OUT_ROOM(1), sizeof(*room));
	struct kd_out out = {.actions = room, .room = KD_OUT_ROOM(1)};
	struct feed *f = new_feed();
	struct kd_engine *e;
	uint8_t *big;

	(void)state;
	set(d, "capacity", 100);
	set(d, "duplicate", percent(25));
	for_seeds(doubled);

	set(d, "duplicate", percent(100));
	seed = 1;
	e = seeded();
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_OUTSIDE, T0 + MS, 1460);
	kd_engine_burst(e, f->pkt, 1, &out);
	kd_engine_burst(e, f->pkt + 1, 1, &out);
	assert_int_equal(out.count, 2);
	assert_int_equal(room[1].fate, KD_INJECT);
	assert_int_equal(room[1].side, KD_INSIDE);
	assert_int_equal(room[1].len, f->pkt[1].len);
	assert_true(room[1].data != room[0].data);
	assert_memory_equal(room[1].data, room[0].data, room[1].len);
	/* One byte too many for a copy. */
	big = calloc(1, KD_FRAME_BYTES + 1);
	memcpy(big, f->pkt[1].data, f->pkt[1].len);
	f->pkt[1].data = big;
	f->pkt[1].wire_len = f->pkt[1].len = KD_FRAME_BYTES;
	kd_engine_burst(e, f->pkt + 1, 1, &out);
	assert_int_equal(out.count, 2);
	f->pkt[1].wire_len = f->pkt[1].len = KD_FRAME_BYTES + 1;
	kd_engine_burst(e, f->pkt + 1, 1, &out);
	assert_int_equal(out.count, 1);
	assert_true(kd_engine_counters(e)->inject_reasons[KD_REASON_INJECT_FRAME_TOO_LONG] == 1);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	free(big);
	free(room);
	kd_engine_free(e);
	feed_free(f);
}

/* One bit of the payload is another one; the rest, checksums too, is as it came. */
static void corrupt(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);
	struct kd_action *room = calloc(KD_OUT_ROOM(1), sizeof(*room));
	struct kd_out out = {.actions = room, .room = KD_OUT_ROOM(1)};
	unsigned int places = 0;
	bool seen[800] = {false};
	struct kd_engine *e;

	(void)state;
	set(d, "capacity", 100);
	set(d, "corrupt", percent(100));
	seed = 1;
	e = seeded();
	for (unsigned int i = 0; i < 200; i++) {
		struct feed *f = new_feed();
		unsigned int flipped = 0;
		uint8_t before[2000];

		if (i == 0)
			hello_at(f, &w0, T0);
		else
			data_at(f, &w0, KD_INSIDE, T0 + i * MS, i == 199 ? 0 : 100);
		memcpy(before, f->pkt[0].data, f->pkt[0].len);
		kd_engine_burst(e, f->pkt, 1, &out);
		assert_int_equal(room[0].fate, i == 199 ? KD_EMIT : KD_REWRITE);
		for (unsigned int b = 0; b < f->pkt[0].len * 8; b++) {
			if (((before[b / 8] ^ room[0].data[b / 8]) >> b % 8 & 1) == 0)
				continue;
			flipped++;
			assert_true(b >= 54 * 8);
			if (i != 0) {
				places += !seen[b - 54 * 8];
				seen[b - 54 * 8] = true;
			}
		}
		assert_int_equal(flipped, i != 199);
		feed_free(f);
	}
	/* 198 draws of 800 places hit 175 different ones on average, and hardly ever fewer than 150. */
	assert_true(places > 150);
	kd_engine_free(e);
	free(room);
}

/* What happens to a flow does not depend on who else is there. */
static void alone(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);
	const struct who third = {CLIENT, SERVER, 40003};
	struct feed *f = many(), *own = new_feed();
	struct result all, one;
	struct kd_engine *e;

	(void)state;
	seed = 7;
	set(d, "capacity", 50);
	set(d, "burst_start", percent(10));
	set(d, "burst_end", percent(25));
	set(d, "burst_loss", percent(100));
	for (unsigned int i = 0; i < EACH + 1; i++) {
		if (i == 0)
			hello_at(own, &third, T0);
		else
			data_at(own, &third, i % 2, T0 + i * SEC, 100);
	}
	e = seeded();
	run_on(e, f, 32, 0, &all);
	kd_engine_reset(e);
	run_on(e, own, 32, 0, &one);
	for (unsigned int i = 0; i < EACH + 1; i++) {
		char was[128];

		strcpy(was, fared(&all, i * FLOWS + 3 + 1));
		assert_string_equal(fared(&one, i + 1), was);
	}
	result_free(&all);
	result_free(&one);
	kd_engine_free(e);
	feed_free(f);
	feed_free(own);
}

static void one_way(void **state)
{
	uint16_t d = impaired_by(KD_MECHANISM_impair);
	struct feed *f = many();
	struct result r;
	struct kd_engine *e;

	(void)state;
	seed = 1;
	set(d, "capacity", 0);
	set(d, "direction", 1);
	e = seeded();
	run_on(e, f, 32, 0, &r);
	assert_int_equal(reasons(&r, "impair.capacity"), FLOWS * EACH / 2);
	assert_int_equal(reasons(&r, "impair.other_way"), FLOWS * (EACH / 2 + 1));
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(capacity, start),
		cmocka_unit_test_setup(loss, start),
		cmocka_unit_test_setup(bursts, start),
		cmocka_unit_test_setup(duplicate, start),
		cmocka_unit_test_setup(corrupt, start),
		cmocka_unit_test_setup(alone, start),
		cmocka_unit_test_setup(one_way, start),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
