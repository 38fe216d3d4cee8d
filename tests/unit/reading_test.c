/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a flow is read, and how its names compare, on the whole engine: http.requests, names.case,
 * names.trailing_dot, flow.clean_hello, each value beside the other. Rules are made by hand; what they do is
 * drop.
 */
#include "by_hand.h"

static struct kd_knob knobs[4];

static void set(unsigned int index, unsigned int value)
{
	knobs[policy.nknobs++] = (struct kd_knob){.name = kd_knob_rows[index].name,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = ALL};
	policy.knobs = knobs;
	policy.settings.stream_depth = 16000;
	policy.settings.stream_timeout_ns = 60 * SEC;
}

/* One rule, against listed.example, and one knob. */
static void make(unsigned int index, unsigned int value)
{
	start(NULL);
	drop_rule("listed", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	set(index, value);
}

#define GET(host) "GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define POST(host, length, body)                                                                             \
	"POST / HTTP/1.1\r\nHost: " host "\r\nContent-Length: " length "\r\n\r\n" body

/* Whether the rule took the flow; the texts are payloads of the client, on a flow each time. */
static bool caught(const char *const *texts)
{
	struct feed *f = new_feed();
	struct result r;
	bool got;

	for (; *texts != NULL; texts++)
		say_text(f, &w0, KD_INSIDE, *texts);
	go(f, &r);
	got = strcmp(kd_reason_name(last_flow(&r)->reason), "drop.trigger") == 0 ||
	      verdicts(&r, 1, KD_REASON_MECHANISM(KD_MECHANISM_drop, 0)) > 0;
	result_free(&r);
	return got;
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_requests(void **state)
{
	(void)state;
	for (unsigned int value = KD_REQUESTS_FIRST; value <= KD_REQUESTS_ALL; value++) {
		bool all = value == KD_REQUESTS_ALL;

		make(KD_KNOB_HTTP_REQUESTS, value);
		assert_true(caught(TEXTS(GET("listed.example") GET("clean.example"))));
		assert_false(caught(TEXTS(GET("clean.example") GET("clean.example"), GET("clean.example"))));
		/* In the same payload, behind a body, in a later payload, behind both. */
		assert_int_equal(caught(TEXTS(GET("clean.example") GET("listed.example"))), all);
		assert_int_equal(
			caught(TEXTS(POST("clean.example", "4", "GET ") GET("listed.example"))), all);
		assert_int_equal(caught(TEXTS(GET("clean.example"), GET("listed.example"))), all);
		assert_int_equal(caught(TEXTS(GET("clean.example") GET("clean.example"), GET("clean.example"),
					 GET("clean.example") GET("listed.example"))),
			all);
		/* What stands in a body is no request. */
		assert_false(caught(TEXTS(POST("clean.example", "44", GET("listed.example")))));
	}
}

/* Three requests in three segments, wherever they are cut, with segments put together: the last is read. */
static void test_cut_request(void **state)
{
	static const char whole[] = GET("clean.example") GET("other.example") GET("listed.example");
	const unsigned int len = sizeof(whole) - 1;

	(void)state;
	for (unsigned int a = 1; a < len - 1; a++) {
		for (unsigned int b = a + 1; b < len; b += 7) {
			struct feed *f = new_feed();
			unsigned int at = 0;
			struct result r;

			make(KD_KNOB_HTTP_REQUESTS, KD_REQUESTS_ALL);
			set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
			for (unsigned int k = 0; k < 3; k++) {
				unsigned int to = k == 0 ? a : k == 1 ? b : len;

				add(f, &w0, KD_INSIDE, T0 + k * MS, KD_TCP_ACK, 0xffffffb0u + at,
					(const uint8_t *)whole + at, to - at);
				at = to;
			}
			go(f, &r);
			assert_int_equal(count_of(&r, KD_EVENT_VERDICT, NULL), 1);
			result_free(&r);
		}
	}
}

static void test_case(void **state)
{
	(void)state;
	for (unsigned int value = KD_NAME_CASE_IGNORED; value <= KD_NAME_CASE_EXACT; value++) {
		bool ignored = value == KD_NAME_CASE_IGNORED;

		make(KD_KNOB_NAMES_CASE, value);
		assert_true(caught(TEXTS(GET("listed.example"))));
		assert_true(caught(
			TEXTS(GET("WWW.listed.example")))); /* what the list says is in small letters */
		assert_int_equal(caught(TEXTS(GET("Listed.example"))), ignored);
		assert_int_equal(caught(TEXTS(GET("LISTED.EXAMPLE"))), ignored);
		assert_int_equal(caught(TEXTS(GET("www.listed.examplE"))), ignored);
		assert_false(caught(TEXTS(GET("listed.example."))));
	}
}

static void test_trailing_dot(void **state)
{
	(void)state;
	for (unsigned int value = KD_TRAILING_DOT_EXACT; value <= KD_TRAILING_DOT_IGNORED; value++) {
		bool ignored = value == KD_TRAILING_DOT_IGNORED;

		make(KD_KNOB_NAMES_TRAILING_DOT, value);
		assert_true(caught(TEXTS(GET("listed.example"))));
		assert_int_equal(caught(TEXTS(GET("listed.example."))), ignored);
		assert_int_equal(caught(TEXTS(GET("www.LISTED.example."))), ignored);
		assert_false(caught(TEXTS(GET("listed.example.."))));
		assert_false(caught(TEXTS(GET("."))));
	}
	make(KD_KNOB_NAMES_TRAILING_DOT, KD_TRAILING_DOT_IGNORED);
	set(KD_KNOB_NAMES_CASE, KD_NAME_CASE_EXACT);
	assert_true(caught(TEXTS(GET("listed.example."))));
	assert_false(caught(TEXTS(GET("Listed.example."))));
}

/* A hello that no rule takes, then one that is listed, on the same flow. */
static void test_clean_hello(void **state)
{
	(void)state;
	for (unsigned int value = KD_CLEAN_HELLO_CLEARS; value <= KD_CLEAN_HELLO_LOOKS_ON; value++) {
		struct feed *f = new_feed();
		struct result r;

		make(KD_KNOB_FLOW_CLEAN_HELLO, value);
		say_hello(f, &w0, "clean.example");
		say_hello(f, &w0, "listed.example");
		go(f, &r);
		assert_string_equal(fared(&r, 1), "emit decide.no_rule");
		assert_string_equal(fared(&r, 2),
			value == KD_CLEAN_HELLO_CLEARS ? "emit decide.no_rule" : "drop drop.trigger 1");
		result_free(&r);
		/* It is about hellos; requests have http.requests. */
		assert_false(caught(TEXTS(GET("clean.example"), GET("listed.example"))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_cut_request),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_trailing_dot),
		cmocka_unit_test(test_clean_hello),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
