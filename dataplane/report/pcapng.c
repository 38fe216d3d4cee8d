/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes annotated captures. Always little-endian, one section, interfaces in the order of their first
 * packet: the bytes depend on the calls alone. Takes packets as they come: putting them in the order of their
 * times is the caller's.
 */
#include "report/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_STATISTICS 5
#define BLOCK_ENHANCED 6

#define OPTION_COMMENT 1
#define OPTION_IF_NAME 2
#define OPTION_ISB_ENDTIME 3
#define OPTION_EPB_FLAGS 2
#define OPTION_SHB_USERAPPL 4
#define OPTION_IF_TSRESOL 9

#define OPTION_LEN_MAX 65532 /* the most that is a multiple of 4 */
#define ENHANCED_FIELDS_LEN 20
#define FRAME_LEN 12
#define BUFFER_LEN (1024u * 1024)

struct kd_pcapng {
	FILE *file;
	int error; /* the first -errno */
	uint32_t nifaces;
	uint32_t iface[2][KD_LINK_COUNT]; /* number + 1, 0 = not declared yet */
};

static void put(struct kd_pcapng *w, const void *bytes, size_t len)
{
	if (w->error != 0 || len == 0)
		return;
	errno = 0;
	if (fwrite_unlocked(bytes, 1, len, w->file) != len)
		w->error = errno != 0 ? -errno : -EIO;
}

static void put_padding(struct kd_pcapng *w, size_t len)
{
	static const uint8_t zero[3];

	put(w, zero, -len & 3u);
}

static uint8_t *le16(uint8_t *p, uint32_t v)
{
	*p++ = (uint8_t)v;
	*p++ = (uint8_t)(v >> 8);
	return p;
}

static uint8_t *le32(uint8_t *p, uint32_t v)
{
	return le16(le16(p, v), v >> 16);
}

static void put_le32(struct kd_pcapng *w, uint32_t v)
{
	uint8_t bytes[4];

	le32(bytes, v);
	put(w, bytes, sizeof(bytes));
}

/* An option's length in the file, padding and header included. */
static uint32_t option_room(size_t len)
{
	return 4 + (uint32_t)(len + (-len & 3u));
}

static void put_option(struct kd_pcapng *w, uint32_t code, const void *value, size_t len)
{
	uint8_t head[4];

	le16(le16(head, code), (uint32_t)len);
	put(w, head, sizeof(head));
	put(w, value, len);
	put_padding(w, len);
}

static void put_section(struct kd_pcapng *w, const char *userappl)
{
	size_t app_len = strnlen(userappl, OPTION_LEN_MAX);
	uint32_t len = FRAME_LEN + 16 + option_room(app_len) + 4;
	uint8_t head[24];
	uint8_t *p = head;

	p = le32(p, BLOCK_SECTION);
	p = le32(p, len);
	p = le32(p, 0x1a2b3c4d);
	p = le16(p, 1);
	p = le16(p, 0);
	p = le32(p, UINT32_MAX); /* section length: not known */
	le32(p, UINT32_MAX);
	put(w, head, sizeof(head));
	put_option(w, OPTION_SHB_USERAPPL, userappl, app_len);
	put_le32(w, 0);
	put_le32(w, len);
}

static void put_interface(struct kd_pcapng *w, unsigned int side, unsigned int link)
{
	static const uint16_t linktype[KD_LINK_COUNT] = {
		[KD_LINK_ETHERNET] = 1,
		[KD_LINK_RAW] = 101,
		[KD_LINK_SLL] = 113,
		[KD_LINK_SLL2] = 276,
		[KD_LINK_NULL] = 0,
	};
	static const uint8_t nanoseconds = 9;
	const char *name = side == KD_INSIDE ? "inside" : "outside";
	uint32_t len = FRAME_LEN + 8 + option_room(strlen(name)) + option_room(1) + 4;
	uint8_t head[16];
	uint8_t *p = head;

	p = le32(p, BLOCK_INTERFACE);
	p = le32(p, len);
	p = le16(p, linktype[link]);
	p = le16(p, 0);
	le32(p, 0); /* snaplen: no limit */
	put(w, head, sizeof(head));
	put_option(w, OPTION_IF_NAME, name, strlen(name));
	put_option(w, OPTION_IF_TSRESOL, &nanoseconds, 1);
	put_le32(w, 0);
	put_le32(w, len);
}

/* A comment is cut, between two characters of its UTF-8, where an option ends. */
static size_t comment_len(const char *comment)
{
	size_t len = comment == NULL ? 0 : strnlen(comment, OPTION_LEN_MAX + 1);

	if (len <= OPTION_LEN_MAX)
		return len;
	for (len = OPTION_LEN_MAX; len > 0 && ((uint8_t)comment[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

int kd_pcapng_open(struct kd_pcapng **ret, const char *path, const char *userappl)
{
	struct kd_pcapng *w;
	int fd, r;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		r = -ENOMEM;
		goto fail_fd;
	}
	w->file = fdopen(fd, "wb");
	if (w->file == NULL) {
		r = -errno;
		goto fail_writer;
	}
	if (setvbuf(w->file, NULL, _IOFBF, BUFFER_LEN) != 0) {
		fclose(w->file);
		free(w);
		return -ENOMEM;
	}
	put_section(w, userappl);
	*ret = w;
	return 0;

fail_writer:
	free(w);
fail_fd:
	close(fd);
	return r;
}

void kd_pcapng_write(struct kd_pcapng *w, unsigned int side, unsigned int link, enum kd_direction direction,
	uint64_t time_ns, const uint8_t *data, uint32_t len, uint32_t wire_len, const char *comment)
{
	size_t text_len = comment_len(comment);
	bool flags = direction != KD_DIR_UNKNOWN;
	uint32_t options = (flags ? option_room(4) : 0) + (text_len > 0 ? option_room(text_len) : 0);
	uint32_t total;
	uint8_t head[8 + ENHANCED_FIELDS_LEN];
	uint8_t value[4];
	uint8_t *p = head;

	if (w->error == 0 && (side > KD_OUTSIDE || link >= KD_LINK_COUNT || len > KD_CAPTURE_PACKET_MAX))
		w->error = -EINVAL;
	if (w->error != 0)
		return;
	if (w->iface[side][link] == 0) {
		put_interface(w, side, link);
		w->iface[side][link] = ++w->nifaces;
	}
	if (options > 0)
		options += 4;
	total = FRAME_LEN + ENHANCED_FIELDS_LEN + len + (-len & 3u) + options;
	p = le32(p, BLOCK_ENHANCED);
	p = le32(p, total);
	p = le32(p, w->iface[side][link] - 1);
	p = le32(p, (uint32_t)(time_ns >> 32));
	p = le32(p, (uint32_t)time_ns);
	p = le32(p, len);
	le32(p, wire_len < len ? len : wire_len);
	put(w, head, sizeof(head));
	put(w, data, len);
	put_padding(w, len);
	if (flags) {
		le32(value, direction == KD_DIR_INBOUND ? 1 : 2);
		put_option(w, OPTION_EPB_FLAGS, value, sizeof(value));
	}
	if (text_len > 0)
		put_option(w, OPTION_COMMENT, comment, text_len);
	if (options > 0)
		put_le32(w, 0);
	put_le32(w, total);
}

void kd_pcapng_note(struct kd_pcapng *w, uint64_t time_ns, const char *comment)
{
	size_t text_len = comment_len(comment);
	uint32_t len = FRAME_LEN + 12 + option_room(text_len) + 4;
	uint8_t head[20], *p = le32(head, BLOCK_STATISTICS);

	if (w->nifaces == 0) {
		put_interface(w, KD_INSIDE, KD_LINK_ETHERNET);
		w->iface[KD_INSIDE][KD_LINK_ETHERNET] = ++w->nifaces;
	}
	p = le32(p, len);
	p = le32(p, 0);
	p = le32(p, (uint32_t)(time_ns >> 32));
	le32(p, (uint32_t)time_ns);
	put(w, head, sizeof(head));
	put_option(w, OPTION_COMMENT, comment, text_len);
	put_le32(w, 0);
	put_le32(w, len);
}

void kd_pcapng_end(struct kd_pcapng *w, uint64_t end_ns)
{
	uint32_t len = FRAME_LEN + 12 + option_room(8) + 4;
	uint8_t head[20], value[8];

	le32(le32(value, (uint32_t)(end_ns >> 32)), (uint32_t)end_ns);
	for (uint32_t i = 0; i < w->nifaces; i++) {
		uint8_t *p = le32(head, BLOCK_STATISTICS);

		p = le32(p, len);
		p = le32(p, i);
		p = le32(p, (uint32_t)(end_ns >> 32));
		le32(p, (uint32_t)end_ns);
		put(w, head, sizeof(head));
		put_option(w, OPTION_ISB_ENDTIME, value, sizeof(value));
		put_le32(w, 0);
		put_le32(w, len);
	}
}

int kd_pcapng_close(struct kd_pcapng *w)
{
	int error;

	errno = 0;
	if (fclose(w->file) != 0 && w->error == 0)
		w->error = errno != 0 ? -errno : -EIO;
	error = w->error;
	free(w);
	return error;
}
