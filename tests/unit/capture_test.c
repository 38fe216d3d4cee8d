/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The capture reader: opening, pcap, and reading in pieces from files and pipes. capture_pcapng_test.c has
 * the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture_bytes.h"

static void expect_refused(const void *bytes, size_t len, const char *message)
{
	struct reading r;

	assert_int_equal(open_bytes(&r, bytes, len), -EINVAL);
	assert_null(r.c);
	assert_string_equal(r.err.message, message);
	assert_int_equal(r.err.offset, 0);
	free(r.copy);
}

static void pcap_magics(void **state)
{
	static const struct {
		uint32_t magic;
		bool little;
		uint64_t time_ns;
	} row[] = {
		{0xa1b2c3d4, false, 1700000000123456000},
		{0xa1b2c3d4, true, 1700000000123456000},
		{0xa1b23c4d, false, 1700000000000123456},
		{0xa1b23c4d, true, 1700000000000123456},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bytes b = {.little = row[i].little};
		struct reading r;

		pcap_header(&b, row[i].magic, 1);
		pcap_record(&b, 1700000000, 123456, "hello", 60);
		assert_int_equal(open_bytes(&r, b.at, b.len), 0);
		expect_packet(&r, "hello", row[i].time_ns);
		assert_int_equal(r.pkt.wire_len, 60);
		assert_int_equal(r.pkt.dlt, 1);
		assert_int_equal(r.pkt.iface, 0);
		assert_int_equal(r.pkt.direction, KD_DIR_UNKNOWN);
		assert_string_equal(r.pkt.if_name, "");
		assert_false(kd_capture_is_kordon(r.c));
		expect_end(&r);
		close_bytes(&r);
		free(b.at);
	}
}

static void pcap_tolerates(void **state)
{
	struct bytes b = {.little = true};
	struct reading r;

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 0x54000071); /* 4 bytes of FCS on LINKTYPE_LINUX_SLL */
	patch32(&b, 16, 0);			 /* snaplen */
	pcap_record(&b, 10, 2500000, "longer", 5);
	pcap_record(&b, 0, 0, "", 0);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "longer", 12500000000);
	assert_int_equal(r.pkt.wire_len, 6);
	assert_int_equal(r.pkt.dlt, 113);
	expect_packet(&r, "", 0);
	expect_end(&r);
	close_bytes(&r);
	free(b.at);
}

static void pcap_impossible_record(void **state)
{
	struct bytes b = {.little = true};
	struct reading r;

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 1);
	pcap_record(&b, 1, 0, "hello", 5);
	pcap_record(&b, 2, 0, "x", 5);
	patch32(&b, 24 + 16 + 5 + 8, KD_CAPTURE_PACKET_MAX + 1);
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "hello", 1000000000);
	expect_error(&r, 24 + 16 + 5, "broken: a record of 262145 bytes");
	close_bytes(&r);

	patch32(&b, 24 + 16 + 5 + 8, KD_CAPTURE_PACKET_MAX); /* possible, but not there */
	assert_int_equal(open_bytes(&r, b.at, b.len), 0);
	expect_packet(&r, "hello", 1000000000);
	expect_error(&r, 24 + 16 + 5, "truncated: the file ends 1 bytes into a record of 262144");
	close_bytes(&r);
	free(b.at);
}

static void pcap_cut(void **state)
{
	static const size_t start[] = {24, 24 + 21, 24 + 21 + 19, 24 + 21 + 19 + 16};
	static const bool is_packet[] = {true, true, true};
	struct bytes b = {.little = false};

	(void)state;
	pcap_header(&b, 0xa1b23c4d, 101);
	pcap_record(&b, 1, 0, "hello", 5);
	pcap_record(&b, 2, 0, "ipv", 5);
	pcap_record(&b, 2, 0, "", 5);
	for (size_t len = 4; len < 24; len++) {
		struct reading r;

		assert_int_equal(open_bytes(&r, b.at, len), -EINVAL);
		assert_int_equal(strncmp(r.err.message, "truncated: ", 11), 0);
		assert_int_equal(r.err.offset, 0);
		free(r.copy);
	}
	cut_everywhere(&b, start, 4, is_packet);
	free(b.at);
}

static void refused(void **state)
{
	static const uint8_t version_2_3[24] = {0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 3};
	static const uint8_t no_byte_order[28] = {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t ng_version_2[28] = {
		0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 2, [27] = 28};

	(void)state;
	expect_refused("", 0, "empty file");
	expect_refused("\xa1", 1, "not a capture: only 1 byte");
	expect_refused("\xa1\xb2\xc3", 3, "not a capture: only 3 bytes");
	expect_refused(
		"GET / HTTP/1.1", 14, "not a capture: starts with 47 45 54 20, not as pcap or pcapng do");
	expect_refused("\xa1\xb2\xcd\x34", 4,
		"unsupported: pcap with Kuznetzov's longer record headers (magic a1b2cd34); rewrite it with "
		"editcap -F pcap");
	expect_refused("\x34\xcd\xb2\xa1", 4,
		"unsupported: pcap with Kuznetzov's longer record headers (magic a1b2cd34); rewrite it with "
		"editcap -F pcap");
	expect_refused("\x1f\x8b\x08\x00", 4,
		"compressed: unpack it first (gzip; e.g. gunzip -c FILE | kordon replay ... -)");
	expect_refused("\x28\xb5\x2f\xfd", 4,
		"compressed: unpack it first (zstd; e.g. zstd -dc FILE | kordon replay ... -)");
	expect_refused(version_2_3, 24, "unsupported: pcap version 2.3; 2.4 is read");
	expect_refused(
		no_byte_order, 28, "not a capture: a section header whose byte-order magic is 01020304");
	expect_refused(ng_version_2, 28, "unsupported: pcapng version 2.0; 1.0 is read");
}

/* More than the reader's window, with blocks of all sizes, one of them larger than the window itself. */
static void big_capture(struct bytes *b)
{
	char *data = malloc(200001);
	size_t at;

	*b = (struct bytes){.little = true};
	assert_non_null(data);
	section(b, NULL);
	interface(b, 1, 0, "eth0", 9, 0);
	for (uint32_t i = 0; i < 3000; i++) {
		size_t len = i % 500 == 499 ? 200000 : i % 1500;

		memset(data, 'a' + (int)(i % 26), len);
		data[len] = '\0';
		enhanced(b, 0, i, data, 1500, i % 3 == 0 ? 1 : -1);
		if (i == 1000) {
			at = block_begin(b, 0x80000bad);
			for (int j = 0; j < 3 * 1024 * 1024; j += 4)
				put32(b, (uint32_t)j);
			block_end(b, at);
		}
	}
	free(data);
}

static void expect_same(struct kd_capture *c, const struct bytes *b)
{
	struct kd_capture_error err;
	struct kd_captured pkt;
	struct reading r;
	uint32_t n = 0;

	assert_int_equal(open_bytes(&r, b->at, b->len), 0);
	while (next(&r) == 1) {
		assert_int_equal(kd_capture_next(c, &pkt, &err), 1);
		assert_int_equal(pkt.time_ns, n++);
		assert_int_equal(pkt.len, r.pkt.len);
		assert_int_equal(pkt.direction, r.pkt.direction);
		assert_memory_equal(pkt.data, r.pkt.data, pkt.len);
	}
	assert_int_equal(n, 3000);
	assert_int_equal(kd_capture_next(c, &pkt, &err), 0);
	close_bytes(&r);
}

static void from_file(void **state)
{
	char path[] = "/tmp/kordon-capture-XXXXXX";
	int fd = mkstemp(path);
	struct kd_capture_error err;
	struct kd_capture *c = NULL;
	struct bytes b;

	(void)state;
	assert_true(fd >= 0);
	big_capture(&b);
	assert_int_equal(write(fd, b.at, b.len), b.len);
	assert_int_equal(kd_capture_open(&c, path, &err), 0);
	expect_same(c, &b);
	kd_capture_close(c);

	/* Cut in the last block: its offset counts from the start of the file, not of the window. */
	assert_int_equal(ftruncate(fd, (off_t)b.len - 1), 0);
	assert_int_equal(kd_capture_open(&c, path, &err), 0);
	for (int i = 0; i < 2999; i++)
		assert_int_equal(kd_capture_next(c, &(struct kd_captured){0}, &err), 1);
	assert_int_equal(kd_capture_next(c, &(struct kd_captured){0}, &err), -EINVAL);
	assert_int_equal(err.offset, b.len - (32 + 200000));
	kd_capture_close(c);
	close(fd);
	unlink(path);
	free(b.at);
}

static void from_standard_input(void **state)
{
	struct kd_capture_error err;
	struct kd_capture *c = NULL;
	struct bytes b;
	int ends[2], saved, status;
	pid_t child;

	(void)state;
	big_capture(&b);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		size_t done = 0;

		close(ends[0]);
		while (done < b.len) {
			size_t len = b.len - done < 7001 ? b.len - done : 7001;
			ssize_t put_len = write(ends[1], b.at + done, len);

			if (put_len < 0)
				_exit(1);
			done += (size_t)put_len;
		}
		_exit(0);
	}
	close(ends[1]);
	saved = dup(STDIN_FILENO);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(kd_capture_open(&c, "-", &err), 0);
	expect_same(c, &b);
	kd_capture_close(c);
	assert_int_equal(read(STDIN_FILENO, &status, 1), 0); /* still open, at its end */
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	free(b.at);
}

static void cannot_open(void **state)
{
	struct kd_capture_error err;
	struct kd_capture *c = NULL;

	(void)state;
	assert_int_equal(kd_capture_open(&c, "/nonexistent/capture.pcap", &err), -ENOENT);
	assert_string_equal(err.message, "cannot be opened: No such file or directory");
	assert_int_equal(kd_capture_open(&c, "/tmp", &err), -EISDIR);
	assert_string_equal(err.message, "unreadable: Is a directory");
	assert_int_equal(kd_capture_open(&c, "/dev/null", &err), -EINVAL);
	assert_string_equal(err.message, "empty file");
	assert_null(c);
	kd_capture_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_magics),
		cmocka_unit_test(pcap_tolerates),
		cmocka_unit_test(pcap_impossible_record),
		cmocka_unit_test(pcap_cut),
		cmocka_unit_test(refused),
		cmocka_unit_test(from_file),
		cmocka_unit_test(from_standard_input),
		cmocka_unit_test(cannot_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
