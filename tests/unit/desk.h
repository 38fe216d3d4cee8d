/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A folder of policies in the making, an empty book that reads from it, and what tests of the rulebook's
 * readers ask of both: files put into DIR/lists, settings from text, diagnostics by number. Include after
 * cmocka.h.
 */
#ifndef KD_TEST_DESK_H
#define KD_TEST_DESK_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "rulebook/list.h"

/* A folder of policies, an empty book of it, and a file whose settings ask for lists. */
struct desk {
	char dir[64];
	struct kd_diags diags;
	struct kd_book book;
	config_t config;
};

static inline void path_in(const struct desk *d, const char *name, char buf[128])
{
	snprintf(buf, 128, "%s/lists/%s", d->dir, name);
}

static inline int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	char path[128];

	assert_non_null(d);
	strcpy(d->dir, "/tmp/kordon-list-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	path_in(d, "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	d->book = (struct kd_book){
		.arena = kd_arena_new(), .diags = &d->diags, .dir = d->dir, .reading = "rules.cfg"};
	assert_non_null(d->book.arena);
	config_init(&d->config);
	*state = d;
	return 0;
}

static inline int tear_down(void **state)
{
	struct desk *d = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", d->dir);
	assert_int_equal(system(command), 0);
	config_destroy(&d->config);
	kd_arena_free(d->book.arena);
	kd_diags_free(&d->diags);
	free(d);
	return 0;
}

static inline void put_bytes(const struct desk *d, const char *name, const char *bytes, size_t len)
{
	char path[128];
	FILE *file;

	path_in(d, name, path);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static inline void put(const struct desk *d, const char *name, const char *text)
{
	put_bytes(d, name, text, strlen(text));
}

static inline void put_packed(const struct desk *d, const char *name, const char *text)
{
	char path[128];
	gzFile file;

	path_in(d, name, path);
	file = gzopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(gzwrite(file, text, (unsigned int)strlen(text)), strlen(text));
	assert_int_equal(gzclose(file), Z_OK);
}

/* The member `it` of a file with that text. */
static inline const config_setting_t *setting(struct desk *d, const char *text)
{
	const config_setting_t *it;

	assert_int_equal(config_read_string(&d->config, text), CONFIG_TRUE);
	it = config_lookup(&d->config, "it");
	assert_non_null(it);
	return it;
}

static inline const struct kd_list *get(struct desk *d, const char *name, enum kd_list_kind kind)
{
	return kd_list_get(&d->book, setting(d, "it = \"x\";"), name, kind);
}

/* What was said as diagnostic number i; NULL hint: any. */
static inline void said(
	const struct desk *d, unsigned int i, enum kd_diag_level level, const char *message, const char *hint)
{
	assert_true(i < d->diags.count);
	assert_int_equal(d->diags.list[i].level, level);
	assert_string_equal(d->diags.list[i].message, message);
	if (hint != NULL)
		assert_string_equal(d->diags.list[i].hint, hint);
}

static inline void assert_name(const struct kd_name *n, const char *text, const char *host, unsigned int what)
{
	assert_string_equal(n->text, text);
	assert_int_equal(n->what, what);
	if (host == NULL) {
		assert_null(n->host);
		assert_non_null(n->expr);
		return;
	}
	assert_string_equal(n->host, host);
	assert_null(n->expr);
}

static inline void assert_prefix(const struct kd_prefix *p, const char *text)
{
	char got[KD_PREFIX_TEXT];

	kd_prefix_text(got, p);
	assert_string_equal(got, text);
}

#define BOTH (KD_NAME_SELF | KD_NAME_BELOW)

#define DESK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
