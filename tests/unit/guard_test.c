/* SPDX-License-Identifier: BSD-3-Clause */
/* Lab only: which prefixes a lab may declare, which flows are acted on, and how many subscribers it may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>

#include <cmocka.h>

#include "drivers/lab_nets.h"
#include "engine/reason.h"

static uint16_t judge(struct kd_guard *g, const char *inside, const char *outside)
{
	bool v6 = strchr(inside, ':') != NULL;
	uint8_t a[16], b[16];

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, inside, a), 1);
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, outside, b), 1);
	return kd_guard_judge(g, v6, a, b);
}

static struct kd_guard *guard(const char *nets)
{
	struct kd_guard *g = NULL;
	char why[256] = "";

	assert_int_equal(kd_lab_nets(&g, nets, why, sizeof(why)), 0);
	return g;
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"8.8.8.0/24", "100.64.0.0/10", "0.0.0.0/0", "198.0.0.0/8",
		"2000::/3", "::/0", "10.0.0.1/8", "198.18.0.0", "198.18.0.0/33", "198.18.0.0/", "x/8", "",
		",", "10.0.0.0/8,1.1.1.1/32", "11.0.0.0/8", "172.32.0.0/16", "fe00::/9"};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kd_guard *g = NULL;

		why[0] = '\0';
		if (kd_lab_nets(&g, bad[i], why, sizeof(why)) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(strlen(why) > 10);
		assert_null(g);
	}
}

static void test_both_ends(void **state)
{
	struct kd_guard *g = guard("198.18.0.0/15,203.0.113.0/24,fd00::/8,2001:db8::/32");

	(void)state;
	assert_int_equal(judge(g, "198.18.0.2", "203.0.113.10"), KD_REASON_NONE);
	assert_int_equal(judge(g, "198.19.255.255", "198.18.0.1"), KD_REASON_NONE);
	assert_int_equal(judge(g, "198.20.0.0", "203.0.113.10"), KD_REASON_GUARD_OUTSIDE_LAB);
	assert_int_equal(judge(g, "198.18.0.2", "203.0.114.1"), KD_REASON_GUARD_OUTSIDE_LAB);
	assert_int_equal(judge(g, "10.0.0.1", "8.8.8.8"), KD_REASON_GUARD_OUTSIDE_LAB);
	assert_int_equal(judge(g, "198.18.0.2", "8.8.8.8"), KD_REASON_GUARD_OUTSIDE_LAB);
	assert_int_equal(judge(g, "fd00::2", "2001:db8::10"), KD_REASON_NONE);
	assert_int_equal(judge(g, "fd00::2", "2606:4700::1"), KD_REASON_GUARD_OUTSIDE_LAB);
	kd_guard_free(g);
}

static void test_size(void **state)
{
	struct kd_guard *g = guard("10.0.0.0/8,203.0.113.0/24,198.18.0.0/15");
	char addr[32];

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < KD_GUARD_INSIDE_MAX; i++) {
			snprintf(addr, sizeof(addr), "10.0.%u.%u", i / 100, i % 100);
			assert_int_equal(judge(g, addr, "203.0.113.10"), KD_REASON_NONE);
		}
	}
	assert_int_equal(judge(g, "10.1.0.1", "203.0.113.10"), KD_REASON_GUARD_LAB_SIZE);
	assert_int_equal(judge(g, "10.1.0.1", "203.0.113.11"), KD_REASON_GUARD_LAB_SIZE);
	/* Those who were first stay; the benchmarking range has no bound. */
	assert_int_equal(judge(g, "10.0.0.7", "203.0.113.10"), KD_REASON_NONE);
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(addr, sizeof(addr), "198.18.%u.%u", i / 250, i % 250);
		assert_int_equal(judge(g, addr, "203.0.113.10"), KD_REASON_NONE);
	}
	kd_guard_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
