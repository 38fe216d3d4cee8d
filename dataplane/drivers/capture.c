/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens a capture and tells the formats apart; the formats themselves are capture_pcap.c and
 * capture_pcapng.c. An error sticks: what lies behind a broken block is never guessed at. Neither compressed
 * files nor other formats are read, but the common ones are called by their name.
 */
#include "drivers/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/capture_parts.h"

int kd_capture_fail(struct kd_capture *c, uint64_t offset, const char *format, ...)
{
	va_list args;

	c->failed = true;
	c->error.offset = offset;
	va_start(args, format);
	vsnprintf(c->error.message, sizeof(c->error.message), format, args);
	va_end(args);
	return -EINVAL;
}

int kd_capture_fail_read(struct kd_capture *c, int error)
{
	return kd_capture_fail(c, c->source.offset + c->source.have, "unreadable: %s", strerror(-error));
}

/* What else people hand us, by its first bytes. */
static int capture_refuse(struct kd_capture *c)
{
	static const struct {
		uint8_t bytes[4], len;
		const char *name, *unpack;
	} packed[] = {
		{{0x1f, 0x8b}, 2, "gzip", "gunzip -c"},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd", "zstd -dc"},
		{{0xfd, '7', 'z', 'X'}, 4, "xz", "xz -dc"},
		{{'B', 'Z', 'h'}, 3, "bzip2", "bzip2 -dc"},
		{{0x04, 0x22, 0x4d, 0x18}, 4, "lz4", "lz4 -dc"},
	};
	const uint8_t *p = c->source.p;
	size_t have = c->source.have;

	if (have == 0)
		return kd_capture_fail(c, 0, "empty file");
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (have < packed[i].len || memcmp(p, packed[i].bytes, packed[i].len) != 0)
			continue;
		return kd_capture_fail(c, 0,
			"compressed: unpack it first (%s; e.g. %s FILE | kordon replay ... -)",
			packed[i].name, packed[i].unpack);
	}
	if (have < 4)
		return kd_capture_fail(c, 0, "not a capture: only %zu byte%s", have, have == 1 ? "" : "s");
	return kd_capture_fail(c, 0,
		"not a capture: starts with %02x %02x %02x %02x, not as pcap or pcapng do", p[0], p[1], p[2],
		p[3]);
}

static int capture_begin(struct kd_capture *c)
{
	int r = kd_source_want(&c->source, 4);

	if (r < 0) {
		kd_capture_fail_read(c, r);
		return r;
	}
	if (c->source.have < 4)
		return capture_refuse(c);
	switch (kd_get32(c->source.p)) {
	case 0xa1b2c3d4:
	case 0xa1b23c4d:
	case 0xd4c3b2a1:
	case 0x4d3cb2a1:
		return kd_capture_pcap_begin(c);
	case 0xa1b2cd34:
	case 0x34cdb2a1:
		return kd_capture_fail(c, 0,
			"unsupported: pcap with Kuznetzov's longer record headers (magic a1b2cd34); rewrite "
			"it with "
			"editcap -F pcap");
	case 0x0a0d0d0a:
		return kd_capture_pcapng_begin(c);
	default:
		return capture_refuse(c);
	}
}

/* Takes the source over, also on failure. */
static int capture_start(
	struct kd_capture **ret, const struct kd_source *source, struct kd_capture_error *err)
{
	struct kd_capture *c = calloc(1, sizeof(*c));
	struct kd_source unused = *source;
	int r;

	if (c == NULL) {
		kd_source_close(&unused);
		*err = (struct kd_capture_error){.message = "out of memory"};
		return -ENOMEM;
	}
	c->source = *source;
	r = capture_begin(c);
	if (r < 0) {
		*err = c->error;
		kd_capture_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

int kd_capture_open(struct kd_capture **ret, const char *path, struct kd_capture_error *err)
{
	struct kd_source source;
	int r = kd_source_open(&source, path);

	if (r < 0) {
		*err = (struct kd_capture_error){0};
		snprintf(err->message, sizeof(err->message), "cannot be opened: %s", strerror(-r));
		return r;
	}
	return capture_start(ret, &source, err);
}

int kd_capture_open_bytes(
	struct kd_capture **ret, const uint8_t *bytes, size_t len, struct kd_capture_error *err)
{
	struct kd_source source = {.fd = -1, .p = bytes, .have = len, .eof = true};

	return capture_start(ret, &source, err);
}

void kd_capture_close(struct kd_capture *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->nifaces; i++)
		free(c->iface[i].name);
	kd_source_close(&c->source);
	free(c);
}

int kd_capture_next(struct kd_capture *c, struct kd_captured *pkt, struct kd_capture_error *err)
{
	struct kd_captured got;
	int r;

	c->nnotes = 0; /* nobody wanted them */
	if (c->ended)
		return 0;
	r = c->failed ? -EINVAL : c->next(c, &got);
	if (r < 0) {
		*err = c->error;
		return -EINVAL;
	}
	if (r == 0) {
		c->ended = true;
		return 0;
	}
	*pkt = got;
	return 1;
}

bool kd_capture_is_kordon(const struct kd_capture *c)
{
	return c->kordon;
}

const char *kd_capture_writer(const struct kd_capture *c)
{
	return c->writer;
}

uint64_t kd_capture_end_ns(const struct kd_capture *c)
{
	return c->end_ns;
}
