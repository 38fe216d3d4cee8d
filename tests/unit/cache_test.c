/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries of the cache: what was stored comes back, and whatever is wrong with an entry, it is not there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rulebook/cache.h"

static char top[] = "/tmp/kordon-cache-test-XXXXXX", dir[64];

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	snprintf(dir, sizeof(dir), "%s/deep/er", top);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) == 0 ? 0 : -1;
}

static void path_of(char path[256], const char *key)
{
	snprintf(path, 256, "%s/%s.kdc", dir, key);
}

static void store(const char *key, const char *text)
{
	const struct kd_cache_part parts[] = {{text, strlen(text)}, {NULL, 0}, {"xyz", 3}};

	assert_int_equal(kd_cache_store(dir, key, parts, 3), 0);
}

static bool loads(const char *key)
{
	struct kd_cache_entry *e;

	if (kd_cache_load(&e, dir, key) < 0)
		return false;
	kd_cache_free(e);
	return true;
}

static void comes_back(void **state)
{
	struct kd_cache_entry *e = NULL;
	struct kd_cache_part p;

	(void)state;
	assert_int_equal(kd_cache_load(&e, dir, KEY_A), -ENOENT);
	store(KEY_A, "one");
	store(KEY_B, "two is longer than sixty-four bytes, so that the next part does not begin at once");
	assert_int_equal(kd_cache_load(&e, dir, KEY_B), 0);
	p = kd_cache_part(e, 0);
	assert_int_equal(p.len, 81);
	assert_memory_equal(p.bytes, "two is longer", 13);
	assert_int_equal((uintptr_t)p.bytes % 64, 0);
	assert_null(kd_cache_part(e, 1).bytes);
	p = kd_cache_part(e, 2);
	assert_int_equal(p.len, 3);
	assert_memory_equal(p.bytes, "xyz", 3);
	assert_int_equal((uintptr_t)p.bytes % 64, 0);
	assert_null(kd_cache_part(e, 3).bytes);
	assert_null(kd_cache_part(e, KD_CACHE_PARTS).bytes);
	kd_cache_free(e);
	kd_cache_free(NULL);
	store(KEY_A, "anew");
	assert_int_equal(kd_cache_load(&e, dir, KEY_A), 0);
	assert_int_equal(kd_cache_part(e, 0).len, 4);
	kd_cache_free(e);
}

/* Every byte of an entry matters, or is padding that no part holds. */
static void damage(void **state)
{
	char path[256], other[256];
	unsigned int refused = 0, size;
	uint8_t byte;
	int fd;

	(void)state;
	store(KEY_A, "0123456789");
	path_of(path, KEY_A);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	size = (unsigned int)lseek(fd, 0, SEEK_END);
	for (unsigned int at = 0; at < size; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		refused += !loads(KEY_A);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_true(loads(KEY_A));
	/* 16 + 72 + 9 * 24 + 8 bytes of header and 13 of parts. */
	assert_int_equal(refused, 16 + 72 + 9 * 24 + 8 + 13);
	for (unsigned int len = 0; len < size - 64; len++) {
		assert_int_equal(ftruncate(fd, len), 0);
		assert_false(loads(KEY_A));
	}
	close(fd);
	store(KEY_A, "0123456789");
	path_of(other, KEY_B);
	assert_int_equal(rename(path, other), 0);
	assert_false(loads(KEY_B)); /* holds another key */
}

static void not_ours(void **state)
{
	char path[256], other[256];

	(void)state;
	store(KEY_A, "x");
	path_of(path, KEY_A);
	path_of(other, KEY_B);
	assert_int_equal(chmod(path, 0620), 0);
	assert_false(loads(KEY_A));
	assert_int_equal(chmod(path, 0602), 0);
	assert_false(loads(KEY_A));
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(loads(KEY_A));
	unlink(other);
	assert_int_equal(symlink(path, other), 0);
	assert_false(loads(KEY_B));
	unlink(other);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_false(loads(KEY_B));
	assert_int_equal(rmdir(other), 0);
}

static void oldest_goes(void **state)
{
	struct timespec times[2];
	char key[KD_CACHE_KEY], path[256];

	(void)state;
	path_of(path, KEY_A);
	unlink(path);
	for (unsigned int i = 0; i < KD_CACHE_ENTRIES; i++) {
		snprintf(key, sizeof(key), "%064x", i);
		store(key, "x");
		path_of(path, key);
		times[0].tv_sec = times[1].tv_sec = 1000000 + i;
		times[0].tv_nsec = times[1].tv_nsec = 0;
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	snprintf(key, sizeof(key), "%064x", 0);
	assert_true(loads(key)); /* used: now the youngest */
	store(KEY_A, "x");
	assert_true(loads(KEY_A));
	assert_true(loads(key));
	snprintf(key, sizeof(key), "%064x", 1);
	assert_false(loads(key));
	snprintf(key, sizeof(key), "%064x", 2);
	assert_true(loads(key));
}

static void errors(void **state)
{
	const struct kd_cache_part part = {"x", 1};
	char file[128];
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "%s/file", top);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(file, sizeof(file), "%s/file/below", top);
	assert_int_equal(kd_cache_store(file, KEY_A, &part, 1), -ENOTDIR);
	assert_int_equal(kd_cache_store(dir, KEY_A, &part, KD_CACHE_PARTS + 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(damage),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(oldest_goes),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests_name("cache", tests, set_up, tear_down);
}
