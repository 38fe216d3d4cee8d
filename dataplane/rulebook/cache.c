/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries are files: a header with the size and a checksum of each part, then the parts, each at a multiple
 * of 64 bytes. The checksum is against accidents; against others stands that the file must be the user's own
 * and writable by nobody else. A file is written beside its name and moved over it, so that no reader sees
 * half of one.
 */
#include "rulebook/cache.h"

#include "engine/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "kordon cache 1\n"
#define ALIGN 64
#define SUFFIX ".kdc"

struct header {
	char magic[16];
	char key[KD_CACHE_KEY + 7];
	struct {
		uint64_t at, len, sum;
	} part[KD_CACHE_PARTS];
	uint64_t sum; /* of all the above */
};

struct kd_cache_entry {
	const uint8_t *map;
	size_t len;
};

/* Eight bytes a step; not for adversaries. */
static uint64_t checksum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t h = len, word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x9fb21c651e98df25ull;
		h ^= h >> 35;
	}
	word = 0;
	memcpy(&word, p, len);
	return kd_mix(h, word);
}

static size_t aligned(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool whole(const uint8_t *map, size_t len, const char *key)
{
	const struct header *h = (const void *)map;

	if (len < sizeof(*h) || memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return false;
	if (h->sum != checksum(h, offsetof(struct header, sum)) || memcmp(h->key, key, KD_CACHE_KEY) != 0)
		return false;
	for (unsigned int i = 0; i < KD_CACHE_PARTS; i++) {
		if (h->part[i].at > len || h->part[i].len > len - h->part[i].at)
			return false;
		if (h->part[i].sum != checksum(map + h->part[i].at, h->part[i].len))
			return false;
	}
	return true;
}

static int path_of(char path[PATH_MAX], const char *dir, const char *key, const char *suffix)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", dir, key, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int kd_cache_load(struct kd_cache_entry **ret, const char *dir, const char key[KD_CACHE_KEY])
{
	struct kd_cache_entry *e = NULL;
	char path[PATH_MAX];
	void *map = MAP_FAILED;
	struct stat st;
	int fd, err = -ENOENT;

	if (path_of(path, dir, key, SUFFIX) < 0)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		(st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || st.st_size < (off_t)sizeof(struct header))
		goto out;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED || !whole(map, (size_t)st.st_size, key))
		goto out;
	e = malloc(sizeof(*e));
	if (e == NULL)
		goto out;
	*e = (struct kd_cache_entry){.map = map, .len = (size_t)st.st_size};
	*ret = e;
	err = 0;
	/* What was used last goes last. */
	(void)futimens(fd, NULL);
out:
	if (err < 0 && map != MAP_FAILED)
		munmap(map, (size_t)st.st_size);
	close(fd);
	return err;
}

struct kd_cache_part kd_cache_part(const struct kd_cache_entry *entry, unsigned int part)
{
	const struct header *h = (const void *)entry->map;

	if (part >= KD_CACHE_PARTS || h->part[part].len == 0)
		return (struct kd_cache_part){NULL, 0};
	return (struct kd_cache_part){entry->map + h->part[part].at, h->part[part].len};
}

void kd_cache_free(struct kd_cache_entry *entry)
{
	if (entry == NULL)
		return;
	munmap((void *)(uintptr_t)entry->map, entry->len);
	free(entry);
}

static int make_folder(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = path + 1; *slash != '\0'; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static bool is_entry(const char *name)
{
	return strlen(name) == KD_CACHE_KEY - 1 + strlen(SUFFIX) &&
	       strcmp(name + KD_CACHE_KEY - 1, SUFFIX) == 0;
}

/* Removes the entry used longest ago; false when there are few enough. */
static bool let_one_go(int folder)
{
	char oldest[NAME_MAX + 1] = "";
	struct timespec when = {0};
	unsigned int n = 0;
	int copy = dup(folder);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;
	struct stat st;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	rewinddir(dir);
	while ((e = readdir(dir)) != NULL) {
		if (!is_entry(e->d_name) || fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n++ == 0 || st.st_mtim.tv_sec < when.tv_sec ||
			(st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
			when = st.st_mtim;
			snprintf(oldest, sizeof(oldest), "%s", e->d_name);
		}
	}
	closedir(dir);
	return n > KD_CACHE_ENTRIES && unlinkat(folder, oldest, 0) == 0;
}

static void tidy(const char *dir)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return;
	while (let_one_go(folder))
		;
	close(folder);
}

static int put(FILE *file, const void *bytes, size_t len)
{
	static const uint8_t none[ALIGN];

	if (len > 0 && fwrite(bytes, len, 1, file) != 1)
		return -EIO;
	len = aligned(len) - len;
	return len > 0 && fwrite(none, len, 1, file) != 1 ? -EIO : 0;
}

static int write_all(FILE *file, struct header *h, const struct kd_cache_part *parts, unsigned int n)
{
	int err = put(file, h, sizeof(*h));

	for (unsigned int i = 0; i < n && err == 0; i++)
		err = put(file, parts[i].bytes, parts[i].len);
	return err;
}

int kd_cache_store(
	const char *dir, const char key[KD_CACHE_KEY], const struct kd_cache_part *parts, unsigned int n)
{
	struct header h = {.magic = MAGIC};
	char path[PATH_MAX], temp[PATH_MAX], suffix[32];
	size_t at = aligned(sizeof(h));
	FILE *file = NULL;
	int err, fd;

	if (n > KD_CACHE_PARTS)
		return -EINVAL;
	memcpy(h.key, key, KD_CACHE_KEY);
	for (unsigned int i = 0; i < KD_CACHE_PARTS; i++) {
		size_t len = i < n ? parts[i].len : 0;

		h.part[i].at = len > 0 ? at : 0;
		h.part[i].len = len;
		h.part[i].sum = checksum(len > 0 ? parts[i].bytes : "", len);
		at += aligned(len);
	}
	h.sum = checksum(&h, offsetof(struct header, sum));
	snprintf(suffix, sizeof(suffix), ".%ld", (long)getpid());
	err = path_of(path, dir, key, SUFFIX);
	if (err == 0)
		err = path_of(temp, dir, key, suffix);
	if (err == 0)
		err = make_folder(dir);
	if (err < 0)
		return err;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (file == NULL) {
		err = -errno;
		close(fd);
		goto fail;
	}
	err = write_all(file, &h, parts, n);
	if (fclose(file) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(temp, path) < 0)
		err = -errno;
	if (err == 0) {
		tidy(dir);
		return 0;
	}
fail:
	unlink(temp);
	return err;
}
