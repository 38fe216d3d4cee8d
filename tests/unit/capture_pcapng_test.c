/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcapng half of the capture reader, against files written out from draft-ietf-opsawg-pcapng.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_bytes.h"

static void ng_both_orders(void **state)
{
	(void)state;
	for (int little = 0; little < 2; little++) {
		struct bytes b = {.little = little};
		struct reading r;

		section(&b, "kordon 0.1.0");
		interface(&b, 1, 0, "inside", 9, 0);
		interface(&b, 101, 0, NULL, -1, 0);
		enhanced(&b, 0, 1700000000123456789, "hello", 60, 1);
		enhanced(&b, 1, 1700000000123456, "raw", 2, 2);
		enhanced(&b, 0, 1700000000123456790, "four", 4, 3);
		enhanced(&b, 0, 1700000000123456791, "", 0, -1);
		enhanced(&b, 0, 5, "fcs", 3, 0x84); /* other flag bits, no direction */
		assert_int_equal(open_bytes(&r, b.at, b.len), 0);
		assert_true(kd_capture_is_kordon(r.c));
		expect_packet(&r, "hello", 1700000000123456789);
		assert_int_equal(r.pkt.wire_len, 60);
		assert_int_equal(r.pkt.dlt, 1);
		assert_int_equal(r.pkt.iface, 0);
		assert_string_equal(r.pkt.if_name, "inside");
		assert_int_equal(r.pkt.direction, KD_DIR_INBOUND);
		expect_packet(&r, "raw", 1700000000123456000);
		assert_int_equal(r.pkt.wire_len, 3);
		assert_int_equal(r.pkt.dlt, 101);
		assert_int_equal(r.pkt.iface, 1);
		assert_string_equal(r.pkt.if_name, "");
		assert_int_equal(r.pkt.direction, KD_DIR_OUTBOUND);
		expect_packet(&r, "four", 1700000000123456790);
		assert_int_equal(r.pkt.direction, KD_DIR_UNKNOWN);
		expect_packet(&r, "", 1700000000123456791);
		assert_int_equal(r.pkt.direction, KD_DIR_UNKNOWN);
		expect_packet(&r, "fcs", 5);
		assert_int_equal(r.pkt.direction, KD_DIR_UNKNOWN);
		expect_end(&r);
		close_bytes(&r);
		free(b.at);
	}
}

static void ng_clocks(void **state)
{
	static const struct {
		int tsresol;
		int64_t offset_s;
		uint64_t ticks;
		bool fits;
		uint64_t time_ns;
	} row[] = {
		{-1, 0, 1500000, true, 1500000000},
		{6, 0, 1500000, true, 1500000000},
		{0, 0, 18446744073, true, 18446744073000000000u},
		{0, 0, 18446744074, false, 0},
		{3, 0, 1500, true, 1500000000},
		{8, 0, 3, true, 30},
		{9, 0, UINT64_MAX, true, UINT64_MAX},
		{9, 1, UINT64_MAX, false, 0},
		{9, -1, UINT64_MAX, true, UINT64_MAX - 1000000000},
		{9, -1, 999999999, false, 0},
		{9, -1, 1000000000, true, 0},
		{9, INT64_MAX, 0, false, 0},
		{9, INT64_MIN, 0, false, 0},
		{12, 0, 1999, true, 1},
		{12, 0, UINT64_MAX, true, 18446744073709551},
		{28, 0, UINT64_MAX, true, 1}, /* 10^19 < 2^64 */
		{29, 0, UINT64_MAX, true, 0},
		{127, 0, UINT64_MAX, true, 0},
		{0x80, 0, 7, true, 7000000000},
		{0x80 | 1, 0, 3, true, 1500000000},
		{0x80 | 10, 0, 1024 + 1, true, 1000976562}, /* 1 s + 1/1024 s = 976562.5 ns */
		{0x80 | 32, 0, 0x180000000, true, 1500000000},
		{0x80 | 64, 0, UINT64_MAX, true, 999999999},
		{0x80 | 127, 0, UINT64_MAX, true, 0},
		{0x80, 0, UINT64_MAX, false, 0},
		{6, 1700000000, 123456, true, 1700000000123456000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bytes b = {.little = i % 2};
		struct reading r;
		size_t start;

		section(&b, NULL);
		interface(&b, 1, 0, "eth0", row[i].tsresol, row[i].offset_s);
		start = b.len;
		enhanced(&b, 0, row[i].ticks, "x", 1, -1);
		assert_int_equal(open_bytes(&r, b.at, b.len), 0);
		if (row[i].fits)
			expect_packet(&r, "x", row[i].time_ns);
		else
			expect_error(&r, start, "broken: a packet's time");
		close_bytes(&r);
		free(b.at);
	}
}

static void ng_sections(void **state)
{
	struct bytes b = {.little = true};
	struct reading r;

	(void)state;
	section(&b, "kordon 0.1.0");
	interface(&b, 1, 0, "inside", 9, 0);
	interface(&b, 1, 0, "outside", 9, 0);
	enhanced(&b, 1, 1, "one", 3, 1);
	b.little = false;
	section(&b, "Dumpcap 4.0");
	interface(&b, 113, 0, "any", 9, 0);
	enhanced(&b, 0, 2, "two", 3, 1);
	b.little = true;
	section(&b, NULL);
	interface(&b, 276, 0, NULL, 9, 0);
	enhanced(&b, 0, 3, "three", 5, 1);
	enhanced(&b, 1, 4, "none", 4, 1);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "one", 1);
	assert_true(kd_capture_is_kordon(r.c));
	assert_int_equal(r.pkt.iface, 1);
	expect_packet(&r, "two", 2);
	assert_false(kd_capture_is_kordon(r.c));
	assert_int_equal(r.pkt.iface, 2);
	assert_int_equal(r.pkt.dlt, 113);
	assert_string_equal(r.pkt.if_name, "any");
	expect_packet(&r, "three", 3);
	assert_false(kd_capture_is_kordon(r.c));
	assert_int_equal(r.pkt.iface, 3);
	assert_int_equal(r.pkt.dlt, 276);
	assert_string_equal(r.pkt.if_name, "");
	/* Interface 1 was the first section's: */
	expect_error(
		&r, b.len - (32 + 4 + 16 + 8 + 4), "broken: a packet of interface 1 where the section has");
	close_bytes(&r);
	free(b.at);
}

static void ng_other_packets(void **state)
{
	struct bytes b = {.little = true};
	struct reading r;
	size_t at;

	(void)state;
	section(&b, NULL);
	interface(&b, 101, 4, "if0", 9, 0);
	interface(&b, 1, 0, "if1", 9, 0);
	at = block_begin(&b, 3); /* simple, before any time is known */
	put32(&b, 3);
	put(&b, "abc", 3);
	block_end(&b, at);
	at = block_begin(&b, 2); /* obsolete: interface, drops, time, lengths, data, pack_flags */
	put16(&b, 1);
	put16(&b, 0xffff);
	put32(&b, 0);
	put32(&b, 77);
	put32(&b, 5);
	put32(&b, 9);
	put(&b, "hello", 5);
	pad(&b);
	put16(&b, 2);
	put16(&b, 4);
	put32(&b, 2);
	block_end(&b, at);
	at = block_begin(&b, 3); /* simple, cut to the first interface's snaplen */
	put32(&b, 1000);
	put(&b, "abcd", 4);
	block_end(&b, at);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "abc", 0);
	assert_int_equal(r.pkt.dlt, 101);
	assert_int_equal(r.pkt.wire_len, 3);
	expect_packet(&r, "hello", 77);
	assert_int_equal(r.pkt.iface, 1);
	assert_int_equal(r.pkt.wire_len, 9);
	assert_int_equal(r.pkt.direction, KD_DIR_OUTBOUND);
	expect_packet(&r, "abcd", 77);
	assert_int_equal(r.pkt.iface, 0);
	assert_string_equal(r.pkt.if_name, "if0");
	assert_int_equal(r.pkt.wire_len, 1000);
	expect_end(&r);
	close_bytes(&r);
	free(b.at);
}

static void ng_skips_unknown(void **state)
{
	struct bytes b = {.little = false};
	struct reading r;
	size_t at;

	(void)state;
	section(&b, NULL);
	at = block_begin(&b, 4); /* name resolution */
	put32(&b, 0);
	block_end(&b, at);
	interface(&b, 1, 0, NULL, 9, 0);
	at = block_begin(&b, 0x80000bad);
	block_end(&b, at);
	enhanced(&b, 0, 1, "x", 1, -1);
	at = block_begin(&b, 5); /* interface statistics */
	put(&b, "whatever it is!!", 16);
	block_end(&b, at);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "x", 1);
	expect_end(&r);
	close_bytes(&r);
	free(b.at);
}

static void ng_cut(void **state)
{
	static const size_t start[] = {28, 48, 84, 84 + 68, 84 + 68 + 12};
	static const bool is_packet[] = {false, true, true, false};
	struct bytes b = {.little = true};
	size_t at;

	(void)state;
	section(&b, NULL);		      /* 28 */
	interface(&b, 1, 0, NULL, -1, 0);     /* + 20 */
	enhanced(&b, 0, 1, "1234", 4, -1);    /* + 36 */
	enhanced(&b, 0, 2, "12345678", 9, 1); /* + 40 + 16 + 8 + 4 */
	at = block_begin(&b, 4);
	block_end(&b, at);
	assert_int_equal(b.len, start[4]);
	for (size_t len = 4; len < 28; len++) {
		struct reading r;

		assert_int_equal(open_bytes(&r, b.at, len), -EINVAL);
		assert_int_equal(strncmp(r.err.message, "truncated: ", 11), 0);
		free(r.copy);
	}
	cut_everywhere(&b, start, 5, is_packet);
	free(b.at);
}

/* Section at 0 (28 bytes), interface at 28 (20), a packet of 5 bytes at 48 (40) and again at 88, with flags
 * (68). */
static void ng_broken_blocks(void **state)
{
	static const struct {
		size_t at; /* of the changed word */
		uint32_t word;
		bool first; /* whether the first packet still comes */
		uint64_t offset;
		const char *message;
	} row[] = {
		{92, 66, true, 88, "broken: a block of type 6 says its length is 66"},
		{92, 8, true, 88, "broken: a block of type 6 says its length is 8"},
		{92, 0, true, 88, "broken: a block of type 6 says its length is 0"},
		{92, 0x02000000, true, 88, "broken: a block of type 6 says its length is 33554432"},
		{92, 0x01000000, true, 88, "truncated: the file ends 68 bytes into a block of 16777216"},
		{92, 64, true, 88, "broken: a block of 64 ends with another length"},
		{152, 40, true, 88, "broken: a block of 68 ends with another length"},
		{96, 1, true, 88, "broken: a packet of interface 1 where the section has declared 1"},
		{108, 0x7fffffff, true, 88,
			"broken: a packet of 2147483647 bytes; at most 262144 are possible"},
		{108, 37, true, 88, "broken: a packet of 37 bytes in a block too short"},
		{108, 12, true, 88, "broken: an option runs past its block"},
		{124, 0x00ff0001, true, 88, "broken: an option runs past its block"},
		{140, 0x00020002, true, 88, "broken: the packet's flags are too short"},
		{52, 84, false, 48, "broken: a block of 84 ends with another length"},
		{32, 16, false, 28, "broken: a block of 16 ends with another length"},
	};
	struct bytes b = {.little = true};

	(void)state;
	section(&b, NULL);
	interface(&b, 1, 0, NULL, -1, 0);
	enhanced(&b, 0, 1, "hello", 5, -1);
	enhanced(&b, 0, 2, "hello", 5, 1);
	assert_int_equal(b.len, 156);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bytes changed = {.little = true};
		struct reading r;

		put(&changed, b.at, b.len);
		patch32(&changed, row[i].at, row[i].word);
		assert_int_equal(open_bytes(&r, changed.at, changed.len), 0);
		if (row[i].first)
			expect_packet(&r, "hello", 1000);
		expect_error(&r, row[i].offset, row[i].message);
		close_bytes(&r);
		free(changed.at);
	}
	free(b.at);
}

static void expect_broken_after_section(struct bytes *b, size_t start, const char *message)
{
	struct reading r;

	assert_int_equal(open_bytes(&r, b->at, b->len), 0);
	expect_error(&r, start, message);
	close_bytes(&r);
	free(b->at);
}

static void ng_broken_bodies(void **state)
{
	struct bytes b = {.little = true};
	size_t at;

	(void)state;
	section(&b, NULL);
	at = block_begin(&b, 1);
	put32(&b, 1);
	block_end(&b, at);
	expect_broken_after_section(&b, 28, "broken: an interface block too short");

	b = (struct bytes){.little = true};
	section(&b, NULL);
	at = block_begin(&b, 1);
	put32(&b, 1);
	put32(&b, 0);
	option(&b, 14, "1234567", 7);
	block_end(&b, at);
	expect_broken_after_section(&b, 28, "broken: interface option 14 is too short");

	b = (struct bytes){.little = true};
	section(&b, NULL);
	at = block_begin(&b, 1);
	put32(&b, 1);
	put32(&b, 0);
	option(&b, 9, "", 0);
	block_end(&b, at);
	expect_broken_after_section(&b, 28, "broken: interface option 9 is too short");

	b = (struct bytes){.little = true};
	section(&b, NULL);
	at = block_begin(&b, 3);
	put32(&b, 0);
	block_end(&b, at);
	expect_broken_after_section(
		&b, 28, "broken: a packet of interface 0 where the section has declared 0");

	b = (struct bytes){.little = true};
	section(&b, NULL);
	section(&b, NULL);
	memcpy(b.at + 36, "\0\0\0\0", 4);
	expect_broken_after_section(&b, 28, "broken: a section header whose byte-order magic is 00000000");

	b = (struct bytes){.little = true};
	section(&b, NULL);
	interface(&b, 1, 0, NULL, -1, 0);
	at = block_begin(&b, 6);
	put32(&b, 0);
	put32(&b, 0);
	block_end(&b, at);
	expect_broken_after_section(&b, 48, "broken: a packet block too short for its fields");
}

static void ng_interfaces_bounded(void **state)
{
	struct bytes b = {.little = true};
	struct reading r;

	(void)state;
	section(&b, NULL);
	for (unsigned int i = 0; i < KD_CAPTURE_IFACES_MAX; i++)
		interface(&b, 1, 0, NULL, -1, 0);
	enhanced(&b, KD_CAPTURE_IFACES_MAX - 1, 1, "x", 1, -1);
	interface(&b, 1, 0, NULL, -1, 0);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "x", 1000);
	assert_int_equal(r.pkt.iface, KD_CAPTURE_IFACES_MAX - 1);
	expect_error(&r, b.len - 20, "unsupported: more than 256 interfaces");
	close_bytes(&r);
	free(b.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ng_both_orders),
		cmocka_unit_test(ng_clocks),
		cmocka_unit_test(ng_sections),
		cmocka_unit_test(ng_other_packets),
		cmocka_unit_test(ng_skips_unknown),
		cmocka_unit_test(ng_cut),
		cmocka_unit_test(ng_broken_blocks),
		cmocka_unit_test(ng_broken_bodies),
		cmocka_unit_test(ng_interfaces_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
