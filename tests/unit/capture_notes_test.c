/* SPDX-License-Identifier: BSD-3-Clause */
/* Notes of a capture that kordon wrote: in front of their packet, at their time, cut where there is no room;
 * those of other programs, or of no interface, are none; and more than have room end the reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_bytes.h"

#define ROOM (sizeof(((struct kd_capture_note *)NULL)->text) - 1)

static void note(struct bytes *b, uint32_t iface, uint64_t ticks, const char *text)
{
	size_t at = block_begin(b, 5);

	put32(b, iface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	option(b, 1, text, (uint16_t)strlen(text));
	option(b, 0, "", 0);
	block_end(b, at);
}

static void begin(struct bytes *b, bool little, const char *who)
{
	*b = (struct bytes){.little = little};
	section(b, who);
	interface(b, 1, 0, "inside", 9, 0);
}

static void expect_note(struct reading *r, uint64_t time_ns, const char *text)
{
	struct kd_capture_note n;

	assert_true(kd_capture_note(r->c, &n));
	assert_true(n.time_ns == time_ns);
	assert_string_equal(n.text, text);
}

static void expect_no_note(struct reading *r)
{
	struct kd_capture_note n;

	assert_false(kd_capture_note(r->c, &n));
}

static void test_in_their_place(void **state)
{
	char longer[ROOM + 2];

	(void)state;
	memset(longer, 'x', ROOM + 1);
	longer[ROOM + 1] = '\0';
	for (int little = 0; little < 2; little++) {
		struct bytes b;
		struct reading r;

		begin(&b, little, "kordon 0.1.0");
		note(&b, 0, 0x100000005, "first");
		note(&b, 1, 0x100000006, "of an interface that is none");
		note(&b, 0, 0x100000007, "");
		enhanced(&b, 0, 0x100000008, "one", 3, -1);
		enhanced(&b, 0, 0x100000009, "two", 3, -1);
		note(&b, 0, 0x10000000a, longer);
		assert_int_equal(open_bytes(&r, b.at, b.len), 0);
		expect_no_note(&r);
		expect_packet(&r, "one", 0x100000008);
		expect_note(&r, 0x100000005, "first");
		expect_note(&r, 0x100000007, "");
		expect_no_note(&r);
		expect_packet(&r, "two", 0x100000009);
		expect_no_note(&r);
		assert_int_equal(next(&r), 0);
		expect_note(&r, 0x10000000a, longer + 1);
		expect_end(&r);
		close_bytes(&r);
		free(b.at);
	}
}

static void test_of_others(void **state)
{
	struct bytes b;
	struct reading r;

	(void)state;
	begin(&b, true, "dumpcap");
	for (unsigned int i = 0; i < 100; i++)
		note(&b, 0, i, "no word of kordon's");
	enhanced(&b, 0, 100, "one", 3, -1);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "one", 100);
	expect_no_note(&r);
	close_bytes(&r);
	free(b.at);
}

/* 16 fit; and what was taken makes room. */
static void test_bounded(void **state)
{
	struct bytes b;
	struct reading r;
	size_t last = 0;

	(void)state;
	begin(&b, true, "kordon 0.1.0");
	for (unsigned int i = 0; i < 16; i++)
		note(&b, 0, i, "fits");
	enhanced(&b, 0, 16, "one", 3, -1);
	for (unsigned int i = 0; i < 17; i++) {
		last = b.len;
		note(&b, 0, 17, "fits, but for the last");
	}
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "one", 16);
	for (unsigned int i = 0; i < 16; i++)
		expect_note(&r, i, "fits");
	expect_error(&r, last, "unsupported: more than 16 notes between two packets");
	close_bytes(&r);
	free(b.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_their_place),
		cmocka_unit_test(test_of_others),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
