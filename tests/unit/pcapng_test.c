/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcapng writer: two packets against a file written out by hand, and what it writes read back by the
 * reader.
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
#include <unistd.h>

#include "report/pcapng.h"

/* A file that is gone after the test. */
struct file {
	char path[40];
	uint8_t *bytes;
	size_t len;
};

static struct kd_pcapng *begin(struct file *f)
{
	struct kd_pcapng *w = NULL;
	int fd;

	*f = (struct file){.path = "/tmp/kordon-pcapng-XXXXXX"};
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(kd_pcapng_open(&w, f->path, "kordon 0.1.0"), 0);
	return w;
}

static void load(struct file *f)
{
	FILE *in = fopen(f->path, "rb");

	assert_non_null(in);
	f->bytes = malloc(1 << 20);
	f->len = fread(f->bytes, 1, 1 << 20, in);
	fclose(in);
	unlink(f->path);
}

static const uint8_t two_packets[] = {
	0x0a, 0x0d, 0x0d, 0x0a, 48, 0, 0, 0,		/* section header of 48 bytes */
	0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,		/* byte-order magic, version 1.0 */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* section length: unknown */
	4, 0, 12, 0, 'k', 'o', 'r', 'd', 'o', 'n', ' ', '0', '.', '1', '.', '0', /* shb_userappl */
	0, 0, 0, 0, 48, 0, 0, 0,						 /* opt_endofopt, length */
	1, 0, 0, 0, 44, 0, 0, 0,						 /* interface 0 */
	101, 0, 0, 0, 0, 0, 0, 0,				    /* LINKTYPE_RAW, snaplen unlimited */
	2, 0, 7, 0, 'o', 'u', 't', 's', 'i', 'd', 'e', 0,	    /* if_name */
	9, 0, 1, 0, 9, 0, 0, 0,					    /* if_tsresol: 10^-9 */
	0, 0, 0, 0, 44, 0, 0, 0,				    /* opt_endofopt, length */
	6, 0, 0, 0, 60, 0, 0, 0,				    /* enhanced packet */
	0, 0, 0, 0, 0xd2, 0xa9, 0x97, 0x17, 0x15, 0x4d, 0x2b, 0x6e, /* interface, time 0x1797a9d26e2b4d15 */
	3, 0, 0, 0, 0xdc, 5, 0, 0, 'a', 'b', 'c', 0,		    /* 3 bytes of 1500 */
	2, 0, 4, 0, 2, 0, 0, 0,					    /* epb_flags: outbound */
	1, 0, 6, 0, 'd', 'r', 'o', 'p', '.', 'x', 0, 0,		    /* opt_comment */
	0, 0, 0, 0, 60, 0, 0, 0,				    /* opt_endofopt, length */
	1, 0, 0, 0, 44, 0, 0, 0,				    /* interface 1 */
	1, 0, 0, 0, 0, 0, 0, 0,					    /* LINKTYPE_ETHERNET */
	2, 0, 6, 0, 'i', 'n', 's', 'i', 'd', 'e', 0, 0,		    /* if_name */
	9, 0, 1, 0, 9, 0, 0, 0,					    /* if_tsresol */
	0, 0, 0, 0, 44, 0, 0, 0,				    /* opt_endofopt, length */
	6, 0, 0, 0, 36, 0, 0, 0,				    /* enhanced packet */
	1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,			    /* interface, time 5 */
	4, 0, 0, 0, 4, 0, 0, 0, 'w', 'x', 'y', 'z',		    /* neither padding nor options */
	36, 0, 0, 0,						    /* length */
};

static void exact_bytes(void **state)
{
	struct file f;
	struct kd_pcapng *w = begin(&f);

	(void)state;
	kd_pcapng_write(w, KD_OUTSIDE, KD_LINK_RAW, KD_DIR_OUTBOUND, 0x1797a9d26e2b4d15,
		(const uint8_t *)"abc", 3, 1500, "drop.x");
	kd_pcapng_write(
		w, KD_INSIDE, KD_LINK_ETHERNET, KD_DIR_UNKNOWN, 5, (const uint8_t *)"wxyz", 4, 4, NULL);
	assert_int_equal(kd_pcapng_close(w), 0);
	load(&f);
	assert_int_equal(f.len, sizeof(two_packets));
	assert_memory_equal(f.bytes, two_packets, sizeof(two_packets));
	free(f.bytes);
}

static void no_packets(void **state)
{
	struct file f;
	struct kd_pcapng *w = begin(&f);

	(void)state;
	assert_int_equal(kd_pcapng_close(w), 0);
	load(&f);
	assert_int_equal(f.len, 48);
	assert_memory_equal(f.bytes, two_packets, 48);
	free(f.bytes);
}

static void read_back(void **state)
{
	static const uint32_t linktype[KD_LINK_COUNT] = {
		[KD_LINK_ETHERNET] = 1,
		[KD_LINK_RAW] = 101,
		[KD_LINK_SLL] = 113,
		[KD_LINK_SLL2] = 276,
		[KD_LINK_NULL] = 0,
	};
	static const char data[] = "0123456789";
	struct kd_capture_error err;
	struct kd_capture *c = NULL;
	struct kd_captured pkt;
	struct file f;
	struct kd_pcapng *w = begin(&f);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		kd_pcapng_write(w, i / 5 % 2, i % 5, 1 + i % 2, 1700000000000000000 + i,
			(const uint8_t *)data, i % 11, i % 7, i % 3 == 0 ? "why" : "");
	assert_int_equal(kd_pcapng_close(w), 0);
	load(&f);
	assert_int_equal(kd_capture_open_bytes(&c, f.bytes, f.len, &err), 0);
	assert_true(kd_capture_is_kordon(c));
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(kd_capture_next(c, &pkt, &err), 1);
		assert_int_equal(pkt.time_ns, 1700000000000000000 + i);
		assert_int_equal(pkt.len, i % 11);
		assert_int_equal(pkt.wire_len, i % 7 < i % 11 ? i % 11 : i % 7);
		assert_memory_equal(pkt.data, data, i % 11);
		assert_int_equal(pkt.dlt, linktype[i % 5]);
		assert_int_equal(pkt.iface, i % 10); /* by first use */
		assert_string_equal(pkt.if_name, i / 5 % 2 == KD_INSIDE ? "inside" : "outside");
		assert_int_equal(pkt.direction, i % 2 == 0 ? KD_DIR_INBOUND : KD_DIR_OUTBOUND);
	}
	assert_int_equal(kd_capture_next(c, &pkt, &err), 0);
	kd_capture_close(c);
	free(f.bytes);
}

/* 65532 bytes of comment fit; a longer one ends with a whole character. */
static void long_comment(void **state)
{
	char *comment = malloc(70001);
	struct file f;
	struct kd_pcapng *w = begin(&f);

	(void)state;
	memset(comment, 'x', 70000);
	comment[70000] = '\0';
	memcpy(comment + 65530, "\xe2\x82\xac", 3); /* a euro sign over the limit */
	kd_pcapng_write(w, KD_INSIDE, KD_LINK_RAW, KD_DIR_UNKNOWN, 0, NULL, 0, 0, comment);
	comment[65532] = '\0';
	comment[65531] = comment[65530] = 'x';
	kd_pcapng_write(w, KD_INSIDE, KD_LINK_RAW, KD_DIR_UNKNOWN, 0, NULL, 0, 0, comment);
	assert_int_equal(kd_pcapng_close(w), 0);
	load(&f);
	/* Section 48, interface 44; then an enhanced packet block of 28 + (4 + 65532) + 4 + 4 bytes, twice.
	 */
	assert_int_equal(f.len, 48 + 44 + 2 * 65572);
	assert_memory_equal(f.bytes + 48 + 44 + 28, "\x01\x00\xfa\xffxxx", 7); /* 65530 */
	assert_memory_equal(
		f.bytes + 48 + 44 + 28 + 4 + 65529, "x\0\0\0\0\0\0", 7); /* padding, end of options */
	assert_memory_equal(f.bytes + 48 + 44 + 65572 + 28, "\x01\x00\xfc\xffxxx", 7);
	free(f.bytes);
	free(comment);
}

static void errors_stick(void **state)
{
	struct kd_pcapng *w = NULL;
	struct file f;

	(void)state;
	assert_int_equal(kd_pcapng_open(&w, "/nonexistent/out.pcapng", "kordon"), -ENOENT);
	assert_null(w);
	assert_int_equal(kd_pcapng_open(&w, "/dev/full", "kordon"), 0);
	for (int i = 0; i < 100000; i++)
		kd_pcapng_write(
			w, KD_INSIDE, KD_LINK_RAW, KD_DIR_INBOUND, 0, (const uint8_t *)"abc", 3, 3, NULL);
	assert_int_equal(kd_pcapng_close(w), -ENOSPC);

	assert_int_equal(kd_pcapng_open(&w, "/dev/full", "kordon"), 0); /* seen by the last flush only */
	assert_int_equal(kd_pcapng_close(w), -ENOSPC);

	w = begin(&f);
	kd_pcapng_write(w, KD_INSIDE, KD_LINK_COUNT, KD_DIR_INBOUND, 0, (const uint8_t *)"abc", 3, 3, NULL);
	kd_pcapng_write(w, KD_INSIDE, KD_LINK_RAW, KD_DIR_INBOUND, 0, (const uint8_t *)"abc", 3, 3, NULL);
	assert_int_equal(kd_pcapng_close(w), -EINVAL);
	load(&f);
	assert_int_equal(f.len, 48); /* nothing behind the section header */
	free(f.bytes);
}

static void to_standard_output(void **state)
{
	struct kd_pcapng *w = NULL;
	uint8_t got[64];
	int ends[2], saved;

	(void)state;
	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	saved = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	assert_int_equal(kd_pcapng_open(&w, "-", "kordon 0.1.0"), 0);
	assert_int_equal(kd_pcapng_close(w), 0);
	assert_int_equal(write(STDOUT_FILENO, "+", 1), 1); /* still open */
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(read(ends[0], got, sizeof(got)), 49);
	assert_memory_equal(got, two_packets, 48);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_bytes),
		cmocka_unit_test(no_packets),
		cmocka_unit_test(read_back),
		cmocka_unit_test(long_comment),
		cmocka_unit_test(errors_stick),
		cmocka_unit_test(to_standard_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
