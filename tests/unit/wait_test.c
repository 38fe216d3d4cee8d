/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands between a match and its mechanism: so many packets, bytes or seconds, of one side or kind,
 * behind some event; a share of flows; some bytes of the flow. The mechanism is drop, whose packets are
 * counted.
 */
#include "feed.h"

#define DATA 100

static const struct who first = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};

/* A mark for each packet: w waits, D dropped as the first, d as a later one, o other bytes, . anything else.
 */
static char *fates(struct feed *f, unsigned int burst)
{
	static const struct {
		const char *reason;
		char mark;
	} marks[] = {{"decide.waits", 'w'}, {"drop.trigger", 'D'}, {"drop.later", 'd'},
		{"decide.other_bytes", 'o'}};
	static char text[PKTS_MAX + 1];
	struct kd_engine *e = engine(512, 2048);
	struct result r;
	unsigned int n = 0;

	run_on(e, f, burst, 0, &r);
	for (char *line = r.actions; line < r.actions + r.actions_len; line = strchr(line, '\n') + 1) {
		char reason[64] = "";

		assert_int_equal(sscanf(line, "%*s %*u %*u %63s", reason), 1);
		text[n] = '.';
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			if (strcmp(reason, marks[i].reason) == 0)
				text[n] = marks[i].mark;
		n++;
	}
	text[n] = '\0';
	result_free(&r);
	kd_engine_free(e);
	return text;
}

static void expect(struct feed *f, const char *marks)
{
	assert_string_equal(fates(f, 1), marks);
	assert_string_equal(fates(f, 32), marks);
	feed_free(f);
}

static void waiting(struct kd_after after)
{
	rules[1].mechanism = KD_MECHANISM_drop;
	rules[1].residual_ns = 0;
	rules[1].after = after;
	rules[1].delay_before_ns = rules[1].spared = 0;
	rules[1].scope = KD_EXTENT_FROM_HERE;
}

#define AFTER(unit_, event_, n)                                                                              \
	(struct kd_after)                                                                                    \
	{                                                                                                    \
		.unit = KD_AFTER_##unit_, .side = KD_ANY_SIDE, .event = KD_EVENT_OF_##event_, .lo = (n),     \
		.hi = (n)                                                                                    \
	}

static void hello(struct feed *f, const struct who *w, uint64_t at_ns, uint32_t seq)
{
	uint8_t bytes[512];

	add(f, w, KD_INSIDE, at_ns, KD_TCP_ACK | KD_TCP_PSH, seq, bytes, put_hello(bytes, "listed.example"));
}

/* Letters: < > data of 100 bytes, { } pure ACKs, h a record of a handshake and A of application data from the
 * outside; a millisecond apart. */
static void play(struct feed *f, const struct who *w, uint64_t at_ns, const char *letters)
{
	static uint8_t data[DATA], handshake[DATA] = {0x16, 3, 3, 0, 95, 2}, app[DATA] = {0x17, 3, 3, 0, 95};

	memset(data, 0xee, sizeof(data));
	for (unsigned int i = 0; letters[i] != '\0'; i++) {
		unsigned int side = letters[i] == '>' || letters[i] == '}' ? KD_INSIDE : KD_OUTSIDE;
		const uint8_t *bytes = letters[i] == 'h' ? handshake : letters[i] == 'A' ? app : data;
		bool pure = letters[i] == '{' || letters[i] == '}';

		add(f, w, side, at_ns + i * 1000000ull, pure ? KD_TCP_ACK : KD_TCP_ACK | KD_TCP_PSH,
			20000 + i * DATA, pure ? NULL : bytes, pure ? 0 : DATA);
	}
}

static struct feed *after_hello(const char *letters)
{
	struct feed *f = calloc(1, sizeof(*f));

	hello(f, &first, T0, 1001);
	play(f, &first, T0 + 1000000, letters);
	return f;
}

static void test_packets(void **state)
{
	(void)state;
	waiting(AFTER(PACKETS, HELLO, 3));
	expect(after_hello("<><><"), "wwwwDd");
	expect(after_hello("{}{}<"), "wwwwDd");
	waiting(AFTER(PACKETS, HELLO, 0));
	expect(after_hello("<>"), "Ddd");
	/* Of one side; then of both. */
	waiting(AFTER(PACKETS, HELLO, 2));
	rules[1].after.side = KD_OUTSIDE;
	expect(after_hello(">>>><><<"), "wwwwwwwwD");
	rules[1].after.side = KD_INSIDE;
	expect(after_hello("<<<>>><"), "wwwwwwDd");
	/* Of one kind. */
	rules[1].after.side = KD_ANY_SIDE;
	rules[1].after.kind = KD_AFTER_PAYLOAD;
	expect(after_hello("{}{}h}<}<"), "wwwwwwwwDd");
	rules[1].after.kind = KD_AFTER_DATA;
	expect(after_hello("hhAh<}<"), "wwwwwwDd");
}

static void test_bytes_and_time(void **state)
{
	struct feed *f;

	(void)state;
	/* 100, 200, 300: the packet that reaches 250 passes. */
	waiting(AFTER(BYTES, HELLO, 250));
	rules[1].after.kind = KD_AFTER_PAYLOAD;
	expect(after_hello("<}><<"), "wwwwwD");
	/* With headers of 40: 140, 280. */
	rules[1].after.kind = KD_AFTER_ANY;
	expect(after_hello("<><"), "wwwD");
	waiting(AFTER(TIME, HELLO, 2 * SEC));
	f = after_hello("<");
	play(f, &first, T0 + 2 * SEC - 1, ">");
	play(f, &first, T0 + 2 * SEC, "><");
	expect(f, "wwwDd");
	/* The delay begins where the packets end. */
	waiting(AFTER(PACKETS, HELLO, 1));
	rules[1].delay_before_ns = SEC;
	f = after_hello("<<");
	play(f, &first, T0 + 2000000 + SEC - 1, "<");
	play(f, &first, T0 + 2000000 + SEC, "<>");
	expect(f, "wwwwDd");
	waiting((struct kd_after){0});
	rules[1].delay_before_ns = SEC;
	f = after_hello("<");
	play(f, &first, T0 + SEC, "<");
	expect(f, "wwD");
}

static void test_events(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	/* From the flow's start: SYN, SYN/ACK, ACK, hello and the answer are five. */
	waiting(AFTER(PACKETS, START, 6));
	talk(f, &first, T0, "listed.example");
	play(f, &first, T0 + SEC, "<<<");
	expect(f, "...ww"
		  "wDd");
	/* With payload: hello and answer are two. Bytes from the outside: 46, with the
	 * padding of its frame, 240 and 140. */
	waiting(AFTER(PACKETS, START, 3));
	rules[1].after.kind = KD_AFTER_PAYLOAD;
	f = calloc(1, sizeof(*f));
	talk(f, &first, T0, "listed.example");
	play(f, &first, T0 + SEC, "}<<<");
	expect(f, "...wwwwDd");
	waiting(AFTER(BYTES, START, 287));
	rules[1].after.side = KD_OUTSIDE;
	f = calloc(1, sizeof(*f));
	talk(f, &first, T0, "listed.example");
	play(f, &first, T0 + SEC, "}<<<");
	expect(f, "...wwwwDd");
	/* It began before the match with more than that. */
	waiting(AFTER(PACKETS, START, 3));
	f = calloc(1, sizeof(*f));
	talk(f, &first, T0, "listed.example");
	expect(f, "...Dd");
	/* The first application data is lost itself, or counted from. */
	waiting(AFTER(PACKETS, APPDATA, 0));
	expect(after_hello("h}hA<"), "wwwwDd");
	waiting(AFTER(PACKETS, APPDATA, 1));
	expect(after_hello("h}hA<>"), "wwwwwwD");
	/* Both have spoken, and the opener does again. */
	waiting(AFTER(PACKETS, HANDSHAKE, 1));
	expect(after_hello("<{>>>"), "wwwwwD");
}

static unsigned int count(const char *text, char mark)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += *text == mark;
	return n;
}

/* 5 to 8 by the draw of each flow: all of them, and each flow the same again. */
static void test_draw(void **state)
{
	unsigned int seen[16] = {0};

	(void)state;
	waiting(AFTER(PACKETS, HELLO, 5));
	rules[1].after.hi = 8;
	for (unsigned int i = 0; i < 64; i++) {
		struct who w = first;
		struct feed *f = calloc(1, sizeof(*f));
		unsigned int n;

		w.port = (uint16_t)(40000 + i);
		hello(f, &w, T0, 1001);
		play(f, &w, T0 + 1000000, "<><><><><><>");
		n = count(fates(f, 1), 'w') - 1;
		assert_in_range(n, 5, 8);
		assert_int_equal(count(fates(f, 32), 'w') - 1, n);
		seen[n]++;
		feed_free(f);
	}
	/* A quarter each; less than 4 of 64 would be a chance of 1 to 4000. */
	for (unsigned int n = 5; n <= 8; n++)
		assert_true(seen[n] >= 4);
}

/* A quarter of flows is acted on, by a draw of each. */
static void test_share(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(512, 2048);
	struct result r;
	unsigned int spared;

	(void)state;
	waiting((struct kd_after){0});
	rules[1].spared = UINT64_MAX - (1ull << 62);
	for (unsigned int i = 0; i < 400; i++) {
		struct who w = first;

		w.port = (uint16_t)(40000 + i);
		hello(f, &w, T0 + i * 1000000ull, 1001 + i);
	}
	run_on(e, f, 32, 0, &r);
	spared = count_of(&r, KD_EVENT_VERDICT, "decide.not_in_share");
	/* 300 expected; the standard deviation is 8.7. */
	assert_in_range(spared, 265, 335);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "drop.trigger"), 400 - spared);
	assert_int_equal(r.count.fates[KD_DROP], 400 - spared);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A verdict at the match and one when it bites; the residual is counted from the match. */
static void test_verdicts(void **state)
{
	struct feed *f = after_hello("<<<");
	struct kd_engine *e = engine(8, 64);
	struct result r;

	(void)state;
	waiting(AFTER(PACKETS, HELLO, 2));
	rules[1].residual_ns = 75 * SEC;
	play(f, &first, T0 + 75 * SEC - 1, "<");
	play(f, &first, T0 + 75 * SEC, "<");
	run_on(e, f, 1, 0, &r);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, NULL), 3);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "decide.waits"), 1);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "drop.trigger"), 1);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "decide.residual_over"), 1);
	for (unsigned int i = 0; i < r.events; i++)
		if (r.event[i].type == KD_EVENT_VERDICT && r.event[i].until_ns != 0)
			assert_true(r.event[i].until_ns == T0 + 75 * SEC);
	assert_int_equal(r.count.fates[KD_DROP], 2);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_scope(void **state)
{
	struct feed *f = after_hello("><");
	uint8_t bytes[512];
	size_t len = put_hello(bytes, "listed.example");

	(void)state;
	waiting((struct kd_after){0});
	rules[1].scope = KD_EXTENT_THIS_PACKET;
	/* Sent again, whole, its first byte alone and what stands behind it; from the other side. */
	hello(f, &first, T0 + SEC, 1001);
	add(f, &first, KD_INSIDE, T0 + 2 * SEC, KD_TCP_ACK, 1001, bytes, 1);
	add(f, &first, KD_INSIDE, T0 + 3 * SEC, KD_TCP_ACK, 1001 + (uint32_t)len, bytes, 10);
	add(f, &first, KD_INSIDE, T0 + 4 * SEC, KD_TCP_ACK, 1001 + (uint32_t)len - 1, bytes, 10);
	add(f, &first, KD_INSIDE, T0 + 5 * SEC, KD_TCP_ACK, 1001, NULL, 0);
	add(f, &first, KD_OUTSIDE, T0 + 6 * SEC, KD_TCP_ACK, 1001, bytes, len);
	expect(f, "DooDDoDoo");
	/* The name is the hello's end: its last byte, and nothing before it. */
	rules[1].scope = KD_EXTENT_NAME_END;
	f = after_hello("><");
	add(f, &first, KD_INSIDE, T0 + SEC, KD_TCP_ACK, 1001, bytes, len - 1);
	add(f, &first, KD_INSIDE, T0 + 2 * SEC, KD_TCP_ACK, 1001 + (uint32_t)len - 1, bytes + len - 1, 1);
	hello(f, &first, T0 + 3 * SEC, 1001);
	expect(f, "DoooDD");
	/* Waited for first: then the packet it bites. */
	waiting(AFTER(PACKETS, HELLO, 1));
	rules[1].scope = KD_EXTENT_THIS_PACKET;
	expect(after_hello("<<<"), "wwDo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_packets, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_bytes_and_time, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_events, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_draw, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_share, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_verdicts, make_policy, drop_policy),
		cmocka_unit_test_setup_teardown(test_scope, make_policy, drop_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
