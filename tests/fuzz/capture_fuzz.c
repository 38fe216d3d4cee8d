/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The capture reader over any bytes. Whatever they are: packets lie within them and in order, an error has an
 * offset in the file and a message, the end and errors stay; and the same bytes read in pieces from a file
 * give the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check_error(const struct kd_capture_error *err, size_t size)
{
	must(err->offset <= size);
	must(err->message[0] != '\0');
	must(memchr(err->message, '\0', sizeof(err->message)) != NULL);
}

static void check_packet(
	const struct kd_captured *pkt, const uint8_t *bytes, size_t size, const uint8_t *after)
{
	uint8_t sum = 0;

	must(pkt->data >= after && pkt->data <= bytes + size);
	must(pkt->len <= (size_t)(bytes + size - pkt->data));
	must(pkt->len <= KD_CAPTURE_PACKET_MAX && pkt->len <= pkt->wire_len);
	must(pkt->dlt <= 0xffff && pkt->iface < KD_CAPTURE_IFACES_MAX);
	must(pkt->direction <= KD_DIR_OUTBOUND);
	must(pkt->if_name != NULL && strlen(pkt->if_name) <= 0xffff);
	for (uint32_t i = 0; i < pkt->len; i++)
		sum ^= pkt->data[i];
	*(volatile uint8_t *)&sum = sum;
}

static void check_same(const struct kd_captured *a, const struct kd_captured *b)
{
	must(a->len == b->len && a->wire_len == b->wire_len && a->time_ns == b->time_ns && a->dlt == b->dlt);
	must(a->iface == b->iface && a->direction == b->direction && strcmp(a->if_name, b->if_name) == 0);
	must(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The same notes in front of the packet or the end, each a text that ends. */
static void check_notes(struct kd_capture *c, struct kd_capture *file)
{
	struct kd_capture_note a, b;

	while (kd_capture_note(c, &a)) {
		must(kd_capture_is_kordon(c));
		must(memchr(a.text, '\0', sizeof(a.text)) != NULL);
		must(kd_capture_note(file, &b));
		must(a.time_ns == b.time_ns && strcmp(a.text, b.text) == 0);
	}
	must(!kd_capture_note(file, &b));
}

static int open_file(struct kd_capture **ret, const uint8_t *data, size_t size, struct kd_capture_error *err)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	char path[64];
	int r;

	must(fd >= 0);
	must(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = kd_capture_open(ret, path, err);
	close(fd);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_capture_error err = {.offset = UINT64_MAX};
	struct kd_capture_error file_err = {.offset = UINT64_MAX};
	struct kd_capture *c = NULL;
	struct kd_capture *file = NULL;
	uint8_t *copy = malloc(size);
	const uint8_t *after = copy;
	struct kd_captured pkt, same;
	int r, again;

	must(copy != NULL || size == 0);
	if (size > 0)
		memcpy(copy, data, size);
	r = kd_capture_open_bytes(&c, copy, size, &err);
	must(open_file(&file, data, size, &file_err) == r);
	if (r < 0) {
		must(r == -EINVAL && c == NULL && file == NULL);
		check_error(&err, size);
		must(err.offset == file_err.offset && strcmp(err.message, file_err.message) == 0);
		free(copy);
		return 0;
	}
	while ((r = kd_capture_next(c, &pkt, &err)) > 0) {
		must(r == 1);
		check_packet(&pkt, copy, size, after);
		after = pkt.data + pkt.len;
		must(kd_capture_next(file, &same, &file_err) == 1);
		check_same(&pkt, &same);
		must(kd_capture_is_kordon(c) == kd_capture_is_kordon(file));
		check_notes(c, file);
	}
	must(r == 0 || r == -EINVAL);
	must(kd_capture_next(file, &same, &file_err) == r);
	/* In front of bytes that are no capture one reader may come further: nobody's notes. */
	if (r == 0)
		check_notes(c, file);
	if (r < 0) {
		check_error(&err, size);
		must(err.offset == file_err.offset && strcmp(err.message, file_err.message) == 0);
	}
	again = kd_capture_next(c, &pkt, &err);
	must(again == r);
	kd_capture_close(file);
	kd_capture_close(c);
	free(copy);
	return 0;
}
