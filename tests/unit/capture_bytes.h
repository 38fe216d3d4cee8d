/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the capture reader share: captures written out field by field, and an open capture over
 * an exact-size heap copy of one, so that a sanitizer sees a read past its end. Include it after cmocka.h.
 */
#ifndef KD_TEST_CAPTURE_BYTES_H
#define KD_TEST_CAPTURE_BYTES_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/capture.h"

/* A file being written, in one byte order. */
struct bytes {
	uint8_t *at;
	size_t len, room;
	bool little;
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->at = realloc(b->at, b->room);
		assert_non_null(b->at);
	}
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static inline void put16(struct bytes *b, uint16_t v)
{
	uint8_t big[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	uint8_t little[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	put(b, b->little ? little : big, 2);
}

static inline void put32(struct bytes *b, uint32_t v)
{
	put16(b, (uint16_t)(b->little ? v : v >> 16));
	put16(b, (uint16_t)(b->little ? v >> 16 : v));
}

static inline void put64(struct bytes *b, uint64_t v)
{
	put32(b, (uint32_t)(b->little ? v : v >> 32));
	put32(b, (uint32_t)(b->little ? v >> 32 : v));
}

static inline void pad(struct bytes *b)
{
	while (b->len % 4 != 0)
		put(b, "", 1);
}

static inline void pcap_header(struct bytes *b, uint32_t magic, uint32_t linktype)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, 65535);
	put32(b, linktype);
}

static inline void pcap_record(
	struct bytes *b, uint32_t seconds, uint32_t fraction, const char *data, uint32_t wire_len)
{
	put32(b, seconds);
	put32(b, fraction);
	put32(b, (uint32_t)strlen(data));
	put32(b, wire_len);
	put(b, data, strlen(data));
}

static inline size_t block_begin(struct bytes *b, uint32_t type)
{
	put32(b, type);
	put32(b, 0);
	return b->len - 8;
}

static inline void patch32(struct bytes *b, size_t at, uint32_t v)
{
	struct bytes four = {.little = b->little};

	put32(&four, v);
	memcpy(b->at + at, four.at, 4);
	free(four.at);
}

static inline void block_end(struct bytes *b, size_t at)
{
	pad(b);
	patch32(b, at + 4, (uint32_t)(b->len - at + 4));
	put32(b, (uint32_t)(b->len - at + 4));
}

static inline void option(struct bytes *b, uint16_t code, const void *value, uint16_t len)
{
	put16(b, code);
	put16(b, len);
	put(b, value, len);
	pad(b);
}

static inline void section(struct bytes *b, const char *userappl)
{
	size_t at = block_begin(b, 0x0a0d0d0a);

	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put64(b, UINT64_MAX);
	if (userappl != NULL) {
		option(b, 4, userappl, (uint16_t)strlen(userappl));
		option(b, 0, "", 0);
	}
	block_end(b, at);
}

/* tsresol < 0: no such option; offset 0: none either. */
static inline void interface(
	struct bytes *b, uint16_t linktype, uint32_t snaplen, const char *name, int tsresol, int64_t offset)
{
	size_t at = block_begin(b, 1);
	uint8_t resolution = (uint8_t)tsresol;

	put16(b, linktype);
	put16(b, 0);
	put32(b, snaplen);
	if (name != NULL)
		option(b, 2, name, (uint16_t)strlen(name));
	if (tsresol >= 0)
		option(b, 9, &resolution, 1);
	if (offset != 0) {
		put16(b, 14);
		put16(b, 8);
		put64(b, (uint64_t)offset);
	}
	block_end(b, at); /* no opt_endofopt: it is optional */
}

/* flags < 0: no such option. */
static inline void enhanced(
	struct bytes *b, uint32_t iface, uint64_t ticks, const char *data, uint32_t wire_len, int flags)
{
	size_t at = block_begin(b, 6);

	put32(b, iface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, (uint32_t)strlen(data));
	put32(b, wire_len);
	put(b, data, strlen(data));
	pad(b);
	if (flags >= 0) {
		option(b, 1, "a comment", 9);
		put16(b, 2);
		put16(b, 4);
		put32(b, (uint32_t)flags);
		option(b, 0, "", 0);
	}
	block_end(b, at);
}

/* An open capture and the exact-size copy that it reads. */
struct reading {
	struct kd_capture *c;
	uint8_t *copy;
	struct kd_capture_error err;
	struct kd_captured pkt;
};

static inline int open_bytes(struct reading *r, const void *bytes, size_t len)
{
	*r = (struct reading){.copy = malloc(len)};
	if (len > 0)
		memcpy(r->copy, bytes, len);
	return kd_capture_open_bytes(&r->c, r->copy, len, &r->err);
}

static inline int next(struct reading *r)
{
	return kd_capture_next(r->c, &r->pkt, &r->err);
}

static inline void close_bytes(struct reading *r)
{
	kd_capture_close(r->c);
	free(r->copy);
}

static inline void expect_packet(struct reading *r, const char *data, uint64_t time_ns)
{
	assert_int_equal(next(r), 1);
	assert_int_equal(r->pkt.len, strlen(data));
	assert_memory_equal(r->pkt.data, data, strlen(data));
	assert_int_equal(r->pkt.time_ns, time_ns);
}

/* That, and every call after it. */
static inline void expect_error(struct reading *r, uint64_t offset, const char *begins)
{
	for (int i = 0; i < 2; i++) {
		r->err = (struct kd_capture_error){0};
		assert_int_equal(next(r), -EINVAL);
		assert_int_equal(r->err.offset, offset);
		assert_string_equal(
			strncmp(r->err.message, begins, strlen(begins)) == 0 ? begins : r->err.message,
			begins);
	}
}

static inline void expect_end(struct reading *r)
{
	assert_int_equal(next(r), 0);
	assert_int_equal(next(r), 0);
}

/* Cut at every length: all packets before the cut come, then the end or an error where the cut one began. */
static inline void cut_everywhere(
	const struct bytes *b, const size_t *start, size_t nstart, const bool *is_packet)
{
	for (size_t len = start[0]; len <= b->len; len++) {
		struct reading r;
		size_t i;

		assert_int_equal(open_bytes(&r, b->at, len), 0);
		for (i = 0; i + 1 < nstart && start[i + 1] <= len; i++) {
			if (is_packet[i])
				assert_int_equal(next(&r), 1);
		}
		if (len == start[i])
			expect_end(&r);
		else
			expect_error(&r, start[i], "truncated: ");
		close_bytes(&r);
	}
}

#endif
