/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expectations against made-up event streams: what they parse, which flows they are held against, when they
 * are met, not met or inconclusive; and the JUnit file that carries the answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/protocol.h"
#include "report/expect.h"
#include "report/junit.h"
#include "rulebook/boxes.h"

static struct kd_rule rules[3] = {[1] = {.id = "sni-i"}, [2] = {.id = "slow"}};
static struct kd_policy policy = {.profile = "p", .rules = rules, .nrules = 2};

static struct kd_expect *expect(const char *text)
{
	struct kd_expect *x = NULL;
	const char *why = "";

	assert_int_equal(kd_expect_new(&x, &policy), 0);
	assert_int_equal(kd_expect_add(x, text, &why), 0);
	return x;
}

static void named(struct kd_expect *x, uint64_t flow, const char *name)
{
	struct kd_event e = {.type = KD_EVENT_APP, .app = KD_PROTOCOL_tls, .flow_id = flow};

	e.field[0].len = e.text_len = (uint16_t)strlen(name);
	memcpy(e.text, name, e.text_len);
	assert_int_equal(kd_expect_event(x, &e), 0);
}

static void pending(struct kd_expect *x, uint64_t flow)
{
	struct kd_event e = {.type = KD_EVENT_VERDICT,
		.app = KD_APP_NONE,
		.flow_id = flow,
		.rule = 2,
		.reason = KD_REASON_DECIDE_PENDING};

	assert_int_equal(kd_expect_event(x, &e), 0);
}

/* rule: the acting one, of a flow that passed the armed one. */
static void ended_for(
	struct kd_expect *x, uint64_t flow, enum kd_outcome outcome, uint16_t rule, uint16_t reason)
{
	struct kd_event e = {.type = KD_EVENT_FLOW,
		.app = KD_APP_NONE,
		.flow_id = flow,
		.outcome = (uint8_t)outcome,
		.reason = reason};

	if (outcome == KD_OUTCOME_PASSED)
		e.armed = rule;
	else
		e.rule = rule;
	assert_int_equal(kd_expect_event(x, &e), 0);
}

static void ended(struct kd_expect *x, uint64_t flow, enum kd_outcome outcome, uint16_t rule)
{
	ended_for(x, flow, outcome, rule, KD_REASON_DECIDE_NO_RULE);
}

static void check(struct kd_expect *x, enum kd_expect_status status, uint64_t flows, const char *message)
{
	struct kd_expect_result result;

	kd_expect_result(x, 0, &result);
	assert_int_equal(result.status, status);
	assert_int_equal(result.flows, flows);
	if (strstr(result.message, message) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", message, result.message);
	if (status == KD_EXPECT_MET)
		assert_string_equal(result.message, "");
	kd_expect_free(x);
}

static void test_parse(void **state)
{
	static const char *const good[] = {
		"passed", "degraded", "blocked", "blocked:sni-i", "x.org=passed", "x.org=blocked:slow"};
	static const char *const bad[] = {"", "block", "blockedx", "Blocked", "=passed",
		"x.org=", "x.org=maybe", "blocked:", "blocked:no-such", "passed:sni-ii"};
	struct kd_expect *x = NULL;
	const char *why;

	(void)state;
	assert_int_equal(kd_expect_new(&x, &policy), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(kd_expect_add(x, good[i], &why), 0);
	assert_int_equal(kd_expect_count(x), sizeof(good) / sizeof(good[0]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_int_equal(kd_expect_add(x, bad[i], &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(kd_expect_count(x), sizeof(good) / sizeof(good[0]));
	kd_expect_free(x);
}

static void box_ended(struct kd_expect *x, uint8_t box, uint16_t port, enum kd_outcome outcome, uint16_t rule)
{
	struct kd_event e = {.type = KD_EVENT_FLOW,
		.app = KD_APP_NONE,
		.box = box,
		.flow_id = 1000u * box + port,
		.outcome = (uint8_t)outcome,
		.rule = outcome != KD_OUTCOME_PASSED ? rule : 0,
		.armed = outcome == KD_OUTCOME_PASSED ? rule : 0,
		.reason = KD_REASON_DECIDE_NO_RULE,
		.tuple = {.port = {port, 443}, .ip_version = 4, .ip_proto = 6}};

	assert_int_equal(kd_expect_event(x, &e), 0);
}

/* Of several boxes the worst counts, whichever says it first; a rule is the one of that name at that box. */
static void test_boxes(void **state)
{
	static const struct {
		const char *text;
		enum kd_expect_status status;
		const char *message;
	} cases[] = {{"blocked", KD_EXPECT_NOT_MET, "got passed"},
		{"passed", KD_EXPECT_NOT_MET, "got blocked:sni-i"},
		{"blocked:slow", KD_EXPECT_NOT_MET, "expected blocked:slow"}};
	struct kd_rule swapped[3] = {[1] = {.id = "slow"}, [2] = {.id = "sni-i"}};
	struct kd_policy second = {.profile = "p", .rules = swapped, .nrules = 2};
	struct kd_boxes boxes = {.policy = {&policy, &second}, .n = 2};
	const char *why;

	(void)state;
	for (unsigned int i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		bool all_blocked = i == sizeof(cases) / sizeof(cases[0]);
		struct kd_expect *x = NULL;

		assert_int_equal(kd_expect_new(&x, &policy), 0);
		kd_expect_boxes(x, &boxes);
		assert_int_equal(kd_expect_add(x, all_blocked ? "blocked:sni-i" : cases[i].text, &why), 0);
		box_ended(x, 0, 1, KD_OUTCOME_PASSED, 2);
		box_ended(x, 1, 1, KD_OUTCOME_BLOCKED, 2);
		box_ended(x, 1, 2, all_blocked ? KD_OUTCOME_BLOCKED : KD_OUTCOME_PASSED, 2);
		box_ended(x, 0, 2, KD_OUTCOME_PASSED, 0);
		kd_expect_end(x);
		check(x, all_blocked ? KD_EXPECT_MET : cases[i].status, 2,
			all_blocked ? "" : cases[i].message);
	}
}

static void test_name(void **state)
{
	struct kd_expect *x = expect("www.X.org=blocked");

	(void)state;
	named(x, 1, "WWW.x.org");
	named(x, 2, "x.org");	   /* another name */
	named(x, 3, "www.x.org."); /* a trailing dot is another name too */
	ended(x, 1, KD_OUTCOME_BLOCKED, 1);
	ended(x, 2, KD_OUTCOME_PASSED, 0);
	ended(x, 3, KD_OUTCOME_PASSED, 0);
	ended(x, 4, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_MET, 1, "");
}

static void test_name_every_flow(void **state)
{
	struct kd_expect *x = expect("x.org=blocked");

	(void)state;
	named(x, 1, "x.org");
	ended(x, 1, KD_OUTCOME_BLOCKED, 1);
	named(x, 2, "x.org");
	ended(x, 2, KD_OUTCOME_DEGRADED, 2);
	named(x, 3, "x.org");
	ended(x, 3, KD_OUTCOME_BLOCKED, 1);
	check(x, KD_EXPECT_NOT_MET, 3,
		"expected x.org=blocked, got degraded:slow in flow 2 x.org, reason decide.no_rule: "
		"recognised, and no "
		"rule matches");
}

static void test_name_absent(void **state)
{
	struct kd_expect *x = expect("x.org=passed");

	(void)state;
	/* another's name, no payload, no transport: none of these can be x.org's */
	named(x, 1, "y.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	ended_for(x, 2, KD_OUTCOME_PASSED, 0, KD_REASON_FLOW_NO_PAYLOAD);
	ended_for(x, 3, KD_OUTCOME_PASSED, 0, KD_REASON_FLOW_OTHER_PROTOCOL);
	check(x, KD_EXPECT_NOT_MET, 0, "got no flow named x.org");
}

/* A flow whose payload showed no name may be the one: nobody knows. */
static void test_name_unread(void **state)
{
	struct kd_expect *x = expect("x.org=passed:slow");

	(void)state;
	named(x, 1, "y.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	ended_for(x, 2, KD_OUTCOME_PASSED, 0, KD_REASON_CLASSIFY_UNKNOWN);
	check(x, KD_EXPECT_INCONCLUSIVE, 0,
		"expected x.org=passed:slow, got no flow named x.org; but in 1 flow with payload the box "
		"read "
		"no name, as when a ClientHello is split over segments: try --expect passed:slow, ");
	x = expect("x.org=passed");
	pending(x, 1); /* known to the expectation, and without a name all the same */
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	ended(x, 2, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_INCONCLUSIVE, 0, "but in 2 flows with payload");
	x = expect("x.org=blocked"); /* the name is there: the others do not matter */
	named(x, 1, "x.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	ended(x, 2, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_NOT_MET, 1, "got passed in flow 1");
}

/* An id may come again once its flow has ended: the names of the first must not stick to the second. */
static void test_id_again(void **state)
{
	struct kd_expect *x = expect("x.org=blocked");

	(void)state;
	named(x, 1, "x.org");
	ended(x, 1, KD_OUTCOME_BLOCKED, 1);
	named(x, 1, "y.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_MET, 1, "");
}

/* A flow that changes its Host answers to both names. */
static void test_two_names(void **state)
{
	struct kd_expect *x = expect("y.org=blocked");

	(void)state;
	named(x, 1, "x.org");
	named(x, 1, "y.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_NOT_MET, 1, "got passed in flow 1");
}

static void test_bare_named_flows(void **state)
{
	struct kd_expect *x = expect("passed");

	(void)state;
	ended(x, 9, KD_OUTCOME_BLOCKED, 1); /* no name: does not count beside one that has */
	named(x, 1, "x.org");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_MET, 1, "");
}

static void test_bare_all_flows(void **state)
{
	struct kd_expect *x = expect("passed");

	(void)state;
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	ended(x, 2, KD_OUTCOME_BLOCKED, 1);
	check(x, KD_EXPECT_NOT_MET, 2, "got blocked:sni-i in flow 2,");
	check(expect("passed"), KD_EXPECT_NOT_MET, 0, "got no flow at all");
}

static void test_rule(void **state)
{
	struct kd_expect *x = expect("blocked:sni-i");

	(void)state;
	ended(x, 1, KD_OUTCOME_BLOCKED, 1);
	check(x, KD_EXPECT_MET, 1, "");
	x = expect("blocked:sni-i");
	ended(x, 1, KD_OUTCOME_BLOCKED, 2);
	check(x, KD_EXPECT_NOT_MET, 1, "expected blocked:sni-i, got blocked:slow in flow 1");
	x = expect("passed:sni-i"); /* armed */
	ended(x, 1, KD_OUTCOME_PASSED, 1);
	check(x, KD_EXPECT_MET, 1, "");
	x = expect("passed:sni-i");
	ended(x, 1, KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_NOT_MET, 1, "got passed in flow 1");
}

static void test_pending(void **state)
{
	struct kd_expect *x = expect("x.org=passed");

	(void)state;
	named(x, 1, "x.org");
	pending(x, 1);
	ended(x, 1, KD_OUTCOME_PASSED, 2);
	check(x, KD_EXPECT_INCONCLUSIVE, 1, "decide.pending");
	/* a mismatch elsewhere weighs more */
	x = expect("passed");
	named(x, 1, "x.org");
	pending(x, 1);
	ended(x, 1, KD_OUTCOME_PASSED, 2);
	named(x, 2, "y.org");
	ended(x, 2, KD_OUTCOME_BLOCKED, 1);
	check(x, KD_EXPECT_NOT_MET, 2, "got blocked:sni-i in flow 2 y.org");
}

/* Names come from packets; the message goes to terminals. */
static void test_unprintable(void **state)
{
	struct kd_expect *x = expect("passed");

	(void)state;
	named(x, 1, "a\033[31m\xff.org");
	ended(x, 1, KD_OUTCOME_BLOCKED, 1);
	check(x, KD_EXPECT_NOT_MET, 1, "flow 1 a?[31m?.org,");
}

/* More live flows than the map began with; none may be lost or mixed up. */
static void test_many_flows(void **state)
{
	struct kd_expect *x = expect("odd.org=blocked");

	(void)state;
	for (uint64_t id = 1; id <= 5000; id++)
		named(x, id, id % 2 != 0 ? "odd.org" : "even.org");
	for (uint64_t id = 5000; id >= 1; id--)
		ended(x, id, id % 2 != 0 ? KD_OUTCOME_BLOCKED : KD_OUTCOME_PASSED, 0);
	check(x, KD_EXPECT_MET, 2500, "");
}

static void test_junit(void **state)
{
	static const struct kd_junit_case cases[] = {
		{.classname = "tspu@2022-03-20/home", .name = "x.org=passed", .status = KD_JUNIT_PASSED},
		{.classname = "p", .name = "a<b&\"c'>", .status = KD_JUNIT_FAILED, .message = "x\ny\033"},
		{.classname = "p", .name = "n", .status = KD_JUNIT_SKIPPED, .message = "m"},
		{.classname = "p", .name = "n", .status = KD_JUNIT_ERROR, .message = "m"},
	};
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	assert_int_equal(kd_junit_write(to, "kordon replay", cases, 4), 0);
	fclose(to);
	assert_string_equal(text,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\">\n"
		"  <testsuite name=\"kordon replay\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\">\n"
		"    <testcase classname=\"tspu@2022-03-20/home\" name=\"x.org=passed\"/>\n"
		"    <testcase classname=\"p\" name=\"a&lt;b&amp;&quot;c&apos;&gt;\">\n"
		"      <failure message=\"x&#10;y?\"/>\n"
		"    </testcase>\n"
		"    <testcase classname=\"p\" name=\"n\">\n"
		"      <skipped message=\"m\"/>\n"
		"    </testcase>\n"
		"    <testcase classname=\"p\" name=\"n\">\n"
		"      <error message=\"m\"/>\n"
		"    </testcase>\n"
		"  </testsuite>\n"
		"</testsuites>\n");
	free(text);
}

static void test_junit_write_error(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_int_equal(kd_junit_write(full, "s", NULL, 0), -ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_boxes),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_name_every_flow),
		cmocka_unit_test(test_name_absent),
		cmocka_unit_test(test_name_unread),
		cmocka_unit_test(test_id_again),
		cmocka_unit_test(test_two_names),
		cmocka_unit_test(test_bare_named_flows),
		cmocka_unit_test(test_bare_all_flows),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_unprintable),
		cmocka_unit_test(test_many_flows),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_junit_write_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
