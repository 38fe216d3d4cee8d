/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's end of a live run's socket. Knows no request by name.
 */
#include "cmd/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *kd_dial_path(const struct kd_args *args)
{
	const char *path = args->noperands == 1 ? args->operands[0] : getenv("KORDON_STATS");

	if (args->noperands > 1)
		kd_usage_error(args, "expected one socket");
	else if (path == NULL)
		kd_usage_error(args,
			"expected the socket given to 'kordon run --stats SOCKET'; or set KORDON_STATS");
	return args->noperands > 1 ? NULL : path;
}

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

ssize_t kd_dial(const char *path, const char *request, char *text, size_t room)
{
	char line[256];
	int fd = dial(path), n = snprintf(line, sizeof(line), "%s\n", request);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	if (n < 0 || (size_t)n >= sizeof(line)) {
		close(fd);
		errno = EMSGSIZE;
		return -1;
	}
	got = send(fd, line, (size_t)n, MSG_NOSIGNAL);
	while (got > 0 && len < room - 1 && (got = read(fd, text + len, room - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	text[len] = '\0';
	return got < 0 ? -1 : (ssize_t)len;
}

int kd_dial_failed(const char *path, ssize_t len)
{
	kd_complain("%s: %s; a run answers there when it has --stats %s", path,
		len < 0 ? strerror(errno) : "no answer", path);
	return KD_EXIT_ENVIRONMENT;
}
