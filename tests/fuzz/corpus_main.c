/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a fuzz harness over its committed corpus with any compiler: each file as it is, cut at every length,
 * and with a few hundred single bytes changed. The changes are a function of the file's bytes, so a failure
 * comes back on every machine. Every input is a heap copy of its exact size, so that a sanitizer sees one
 * byte too many. It finds nothing new by itself: that is libFuzzer's work (tests/fuzz/run).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every cut of files up to this size; longer ones are also cut at CUTS_MAX lengths spread over the rest. */
#define CUTS_MAX 4096
#define CHANGES 384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct list {
	char **path;
	size_t count, room;
};

/* What runs now, for the one line a crash leaves behind. */
static char running[512];

static _Noreturn void die(const char *what, const char *path)
{
	fprintf(stderr, "corpus: %s: %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static void on_crash(int sig)
{
	(void)!write(STDOUT_FILENO, running, strlen(running));
	signal(sig, SIG_DFL);
	raise(sig);
}

static void list_add(struct list *l, const char *path)
{
	if (l->count == l->room) {
		l->room = l->room * 2 + 64;
		l->path = realloc(l->path, l->room * sizeof(*l->path));
		if (l->path == NULL)
			die("list", path);
	}
	l->path[l->count] = strdup(path);
	if (l->path[l->count++] == NULL)
		die("list", path);
}

static void list_walk(struct list *l, const char *path)
{
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (stat(path, &st) != 0)
		die("stat", path);
	if (!S_ISDIR(st.st_mode)) {
		list_add(l, path);
		return;
	}
	d = opendir(path);
	if (d == NULL)
		die("open", path);
	while ((e = readdir(d)) != NULL) {
		size_t room = strlen(path) + strlen(e->d_name) + 2;
		char *below;

		if (e->d_name[0] == '.')
			continue;
		below = malloc(room);
		if (below == NULL)
			die("list", path);
		snprintf(below, room, "%s/%s", path, e->d_name);
		list_walk(l, below);
		free(below);
	}
	closedir(d);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint8_t *slurp(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	long len;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
		die("open", path);
	bytes = malloc((size_t)len + 1);
	if (bytes == NULL || fread(bytes, 1, (size_t)len, f) != (size_t)len)
		die("read", path);
	fclose(f);
	*ret_len = (size_t)len;
	return bytes;
}

/* One input, as an exact-size copy; at < 0 leaves it as it is, else byte `at` becomes `value`. */
static void one(const uint8_t *bytes, size_t len, long at, uint8_t value)
{
	uint8_t *copy = malloc(len);

	if (copy == NULL && len > 0)
		die("copy", "out of memory");
	if (len > 0)
		memcpy(copy, bytes, len);
	if (at >= 0)
		copy[at] = value;
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void cuts(const uint8_t *bytes, size_t len, const char *path, size_t number)
{
	size_t step;

	for (size_t cut = 0; cut < len; cut += step) {
		snprintf(running, sizeof(running), "not ok %zu - %s cut to %zu bytes\n", number, path, cut);
		one(bytes, cut, -1, 0);
		step = cut < CUTS_MAX ? 1 : 1 + len / CUTS_MAX;
	}
}

static void changes(const uint8_t *bytes, size_t len, const char *path, size_t number)
{
	static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	uint64_t x = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		x = (x ^ bytes[i]) * 0x100000001b3u;
	x |= 1;
	for (int i = 0; i < CHANGES && len > 0; i++) {
		uint8_t value;
		size_t at;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Length and type bytes stand early: half of the changes go to the first 64 bytes. */
		at = (size_t)(x >> 16) % ((x & 0x100) != 0 && len > 64 ? 64 : len);
		value = (x & 0x200) != 0 ? telling[(x >> 10) % sizeof(telling)]
					 : (uint8_t)(bytes[at] ^ (1u << (x >> 61)));
		snprintf(running, sizeof(running), "not ok %zu - %s byte %zu set to 0x%02x\n", number, path,
			at, value);
		one(bytes, len, (long)at, value);
	}
}

int main(int argc, char **argv)
{
	static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	struct list files = {0};

	for (int i = 1; i < argc; i++)
		list_walk(&files, argv[i]);
	if (files.count == 0) {
		fprintf(stderr, "usage: %s FILE|FOLDER...    (none given, or no file in them)\n", argv[0]);
		return 2;
	}
	qsort(files.path, files.count, sizeof(*files.path), by_path);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], on_crash);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", files.count);
	for (size_t i = 0; i < files.count; i++) {
		size_t len;
		uint8_t *bytes = slurp(files.path[i], &len);

		snprintf(running, sizeof(running), "not ok %zu - %s\n", i + 1, files.path[i]);
		one(bytes, len, -1, 0);
		cuts(bytes, len, files.path[i], i + 1);
		changes(bytes, len, files.path[i], i + 1);
		printf("ok %zu - %s\n", i + 1, files.path[i]);
		free(bytes);
		free(files.path[i]);
	}
	free(files.path);
	return 0;
}
