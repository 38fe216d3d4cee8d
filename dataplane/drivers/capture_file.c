/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The window through which a capture is read: a file or a pipe is never in memory as a whole, bytes in memory
 * are never copied. Knows nothing of what the bytes mean.
 */
#include "drivers/capture_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST (1024u * 1024)

int kd_source_open(struct kd_source *s, const char *path)
{
	bool standard_input = strcmp(path, "-") == 0;
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf;

	if (fd < 0)
		return -errno;
	buf = malloc(ROOM_FIRST);
	if (buf == NULL) {
		if (!standard_input)
			close(fd);
		return -ENOMEM;
	}
	*s = (struct kd_source){
		.fd = fd, .buf = buf, .room = ROOM_FIRST, .p = buf, .close_fd = !standard_input};
	return 0;
}

void kd_source_close(struct kd_source *s)
{
	free(s->buf);
	if (s->close_fd)
		close(s->fd);
}

/* Makes room behind the bytes at p: by moving them to the front, or with twice the memory once they fill it.
 */
static int source_make_room(struct kd_source *s)
{
	size_t at = (size_t)(s->p - s->buf);
	uint8_t *buf;

	if (at + s->have < s->room)
		return 0;
	if (at > 0) {
		memmove(s->buf, s->p, s->have);
		s->p = s->buf;
		return 0;
	}
	buf = realloc(s->buf, s->room * 2);
	if (buf == NULL)
		return -ENOMEM;
	s->buf = buf;
	s->room *= 2;
	s->p = buf;
	return 0;
}

int kd_source_want(struct kd_source *s, size_t want)
{
	while (s->have < want && !s->eof) {
		ssize_t got;
		int r = source_make_room(s);

		if (r < 0)
			return r;
		got = read(s->fd, s->buf + (s->p - s->buf) + s->have,
			s->room - (size_t)(s->p - s->buf) - s->have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			s->eof = true;
		s->have += (size_t)got;
	}
	return 0;
}

void kd_source_skip(struct kd_source *s, size_t n)
{
	s->p += n;
	s->have -= n;
	s->offset += n;
}
