/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's own books: an engine that loses a packet, gives one back twice, or says otherwise than it
 * counted must end the run as an internal error. The linker puts __wrap_kd_engine_burst between the two
 * (--wrap), which spoils what the true engine said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "drivers/offline.h"
#include "rulebook/diag.h"
#include "rulebook/policy.h"

/* More than six packets, fewer than a burst; none of them is touched under null. */
#define CAPTURE "tests/replay/tls13-other/in.pcap"

static void (*spoil)(struct kd_out *out);
static uint8_t flags[KD_OFFLINE_BURST_MAX]; /* of the packets of the burst */

void __real_kd_engine_burst(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n, struct kd_out *out);
void __wrap_kd_engine_burst(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n, struct kd_out *out);

void __wrap_kd_engine_burst(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n, struct kd_out *out)
{
	for (unsigned int i = 0; i < n; i++)
		flags[i] = pkts[i].flags;
	__real_kd_engine_burst(e, pkts, n, out);
	if (spoil != NULL)
		spoil(out);
}

/* All of the capture is one burst, so packet numbers are places in `out`, from 1. */
static struct kd_offline_result run_on(
	const char *capture, enum kd_checksums checksums, void (*how)(struct kd_out *out))
{
	struct kd_policy_request request = {.profile = "null", .dir = "policies"};
	struct kd_offline o = {.input = capture, .checksums = checksums, .burst = KD_OFFLINE_BURST_MAX};
	struct kd_offline_result result;
	struct kd_policy *policy = NULL;
	struct kd_diags diags = {0};
	enum kd_offline_end end;

	assert_int_equal(kd_policy_load(&policy, &request, &diags), 0);
	kd_diags_free(&diags);
	o.policy = policy;
	spoil = how;
	end = kd_offline_run(&o, &result);
	assert_int_equal(end, result.end);
	kd_policy_free(policy);
	return result;
}

static struct kd_offline_result run(void (*how)(struct kd_out *out))
{
	return run_on(CAPTURE, KD_CHECKSUMS_AUTO, how);
}

static void internal(void (*how)(struct kd_out *out), const char *message)
{
	struct kd_offline_result result = run(how);

	assert_int_equal(result.end, KD_OFFLINE_INTERNAL);
	assert_int_equal(result.end, KD_EXIT_INTERNAL); /* replay and explain end with it as it is */
	assert_string_equal(result.message, message);
}

static void lose_the_fifth(struct kd_out *out)
{
	if (out->count < 5)
		return;
	out->count--;
	memmove(&out->actions[4], &out->actions[5], (out->count - 4) * sizeof(out->actions[0]));
}

static void repeat_the_fifth(struct kd_out *out)
{
	if (out->count >= 6)
		out->actions[5] = out->actions[4];
}

static void turn_a_fate(struct kd_out *out)
{
	if (out->count >= 5)
		out->actions[4].fate = KD_DROP;
}

static void no_such_fate(struct kd_out *out)
{
	if (out->count >= 5)
		out->actions[4].fate = KD_FATE_COUNT;
}

static void test_sound(void **state)
{
	struct kd_offline_result result = run(NULL);

	(void)state;
	assert_int_equal(result.end, KD_OFFLINE_OK);
	assert_true(result.packets > 6 && result.packets <= KD_OFFLINE_BURST_MAX);
	assert_int_equal(result.fates[KD_EMIT], result.packets);
}

static void test_lost(void **state)
{
	(void)state;
	internal(lose_the_fifth, "packet 5 never came back");
}

static void test_twice(void **state)
{
	(void)state;
	internal(repeat_the_fifth, "packet 5 came back twice or in no known way");
}

static void test_miscounted(void **state)
{
	(void)state;
	internal(turn_a_fate, "the engine counted other packets than came out of it");
}

static void test_unknown_fate(void **state)
{
	(void)state;
	internal(no_such_fate, "packet 5 came back twice or in no known way");
}

/* What the engine is told of a capture whose first packet has another TTL than its checksum was made for. */
static void test_checksums(void **state)
{
	static const struct {
		enum kd_checksums mode;
		uint8_t wrong, right;
	} told[] = {{KD_CHECKSUMS_AUTO, KD_PKT_SUMS_JUDGED | KD_PKT_WRONG_SUM, KD_PKT_SUMS_JUDGED},
		{KD_CHECKSUMS_TRUST, KD_PKT_SUMS_JUDGED, KD_PKT_SUMS_JUDGED},
		{KD_CHECKSUMS_VERIFY, KD_PKT_BAD_CHECKSUM, KD_PKT_SUMS_JUDGED}};
	char name[] = "/tmp/kordon-test-XXXXXX";
	uint8_t bytes[65536];
	FILE *from = fopen(CAPTURE, "rb"), *to = fdopen(mkstemp(name), "wb");
	size_t len = fread(bytes, 1, sizeof(bytes), from);

	(void)state;
	fclose(from);
	bytes[24 + 16 + 14 + 8]--; /* behind the headers of file, record and Ethernet */
	assert_int_equal(fwrite(bytes, 1, len, to), len);
	fclose(to);
	for (unsigned int i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct kd_offline_result result = run_on(name, told[i].mode, NULL);

		assert_int_equal(result.end, KD_OFFLINE_OK);
		assert_int_equal(result.wrong, told[i].mode != KD_CHECKSUMS_TRUST);
		assert_int_equal(flags[0], told[i].wrong);
		assert_int_equal(flags[1], told[i].right);
	}
	remove(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_miscounted),
		cmocka_unit_test(test_unknown_fate),
		cmocka_unit_test(test_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
