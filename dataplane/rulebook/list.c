/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds lists, reads their files, packed or not, and says in one place what was wrong with each. What a line
 * means is decided in list_lines.c.
 */
#include "rulebook/list_lines.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BYTES_MAX ((size_t)512 << 20) /* unpacked; some 30 million names */

/* Bytes of a file, unpacked. */
struct bytes {
	char *at; /* with room for one more behind len */
	size_t len, room;
};

static bool id_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && name[len] == '\0';
}

/* Below DIR, by its own name. */
static bool path_ok(const char *path)
{
	return path[0] != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
	       strstr(path, "/../") == NULL;
}

static int more_room(struct bytes *b)
{
	size_t room = b->room != 0 ? b->room * 2 : (size_t)1 << 16;
	char *at;

	if (room > BYTES_MAX + 1)
		room = BYTES_MAX + 1;
	if (room <= b->room)
		return -EFBIG;
	at = realloc(b->at, room);
	if (at == NULL)
		return -ENOMEM;
	b->at = at;
	b->room = room;
	return 0;
}

/* zlib's words: an errno of its own kind hides behind Z_ERRNO. */
static void why_not(char *why, size_t room, gzFile file)
{
	int number = Z_OK;
	const char *text = gzerror(file, &number);

	snprintf(why, room, "%s", number == Z_ERRNO ? strerror(errno) : text);
}

/* The whole file into *b. -EIO with *why, -EFBIG, -ENOMEM; b->at is the caller's in any case. */
static int unpack(struct bytes *b, const char *path, char *why, size_t room)
{
	gzFile file = gzopen(path, "re");
	int got = 0, rc = 0, status;

	if (file == NULL) {
		snprintf(why, room, "%s", strerror(errno));
		return errno == ENOMEM ? -ENOMEM : -EIO;
	}
	gzbuffer(file, 1 << 17);
	do {
		if (b->room - b->len < 2)
			rc = more_room(b);
		if (rc < 0)
			break;
		got = gzread(file, b->at + b->len, (unsigned int)(b->room - b->len - 1));
		if (got > 0)
			b->len += (size_t)got;
	} while (got > 0);
	if (got < 0) {
		why_not(why, room, file);
		rc = -EIO;
	}
	status = gzclose_r(file);
	if (rc == 0 && status == Z_BUF_ERROR) {
		snprintf(why, room, "its packed data ends too early");
		rc = -EIO;
	}
	return rc;
}

static int digest(char ret[65], const struct bytes *b)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (EVP_Digest(b->at, b->len, md, &len, EVP_sha256(), NULL) != 1 || len != 32)
		return -ENOMEM;
	for (unsigned int i = 0; i < 32; i++)
		snprintf(ret + 2 * (size_t)i, 3, "%02x", md[i]);
	return 0;
}

/* "line 5 "a b" (why), line 9 ..." */
static void spell_bad(char *buf, size_t room, const struct kd_list_lines *found)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < found->garbage && i < KD_LIST_SHOWN && len < room; i++) {
		const struct kd_list_bad *bad = &found->bad[i];

		len += (size_t)snprintf(buf + len, room - len, "%sline %u \"%s\"%s%s%s", i > 0 ? ", " : "",
			bad->line, bad->text, bad->why[0] != '\0' ? " (" : "", bad->why,
			bad->why[0] != '\0' ? ")" : "");
	}
	if (found->garbage > KD_LIST_SHOWN && len < room)
		snprintf(buf + len, room - len, ", ...");
}

static void say(const struct kd_book *book, const struct kd_list *list, const char *path,
	const struct kd_list_lines *found)
{
	static const char *const nouns[] = {"names", "prefixes", "pairs of name and prefix"};
	char bad[600], hint[400];

	spell_bad(bad, sizeof(bad), found);
	if (list->count == 0) {
		snprintf(hint, sizeof(hint), "expected %s, one a line; asked for at %.250s:%d",
			nouns[list->kind], list->at.file != NULL ? list->at.file : "?", list->at.line);
		if (found->garbage > 0)
			kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, hint, "no line can be used: %s",
				bad);
		else
			kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, hint, "the list is empty");
		return;
	}
	if (found->garbage > 0)
		kd_diag(book->diags, KD_DIAG_WARNING, path, 0, NULL, "the rest is used",
			"%u of %u lines cannot be used: %s", found->garbage, found->lines, bad);
	if (found->converted > 0)
		kd_diag(book->diags, KD_DIAG_WARNING, path, 0, NULL,
			"names are compared in the form they have on the wire",
			"%u name%s not in ASCII: taken in punycode", found->converted,
			found->converted == 1 ? " is" : "s are");
}

/* Reads its lines. */
static int open_list(const struct kd_book *book, struct kd_list *list)
{
	struct kd_list_lines found;
	int rc = kd_list_lines(list, book->arena, list->text, list->len, &found);

	list->text = NULL;
	if (rc == 0)
		say(book, list, list->path, &found);
	return rc;
}

/* Reads what stands in path into *list. 0, -EIO with *why, -EFBIG, -ENOMEM. */
static int load(struct kd_book *book, struct kd_list *list, const char *path, char *why, size_t room)
{
	struct bytes b = {0};
	int rc = unpack(&b, path, why, room);

	if (rc == 0)
		rc = digest(list->digest, &b);
	if (rc < 0)
		goto out;
	/* Names point into it. */
	list->text = kd_arena_alloc(book->arena, b.len + 1);
	if (list->text != NULL && b.len > 0)
		memcpy(list->text, b.at, b.len);
	list->len = b.len;
	list->path = path;
	rc = list->text != NULL ? 0 : -ENOMEM;
	if (rc == 0 && (book->cache == NULL || list->kind == KD_LIST_PAIRS || list->len < KD_LIST_LAZY_BYTES))
		rc = open_list(book, list);
out:
	free(b.at);
	return rc;
}

int kd_lists_open(const struct kd_book *book)
{
	int rc = 0;

	for (unsigned int i = 0; i < book->nlists && rc == 0; i++)
		if (book->lists[i]->text != NULL)
			rc = open_list(book, book->lists[i]);
	return rc;
}

/* path, or path.gz when only that is there; NULL when neither is, or no memory. */
static const char *existing(struct kd_book *book, const char *path)
{
	const char *packed;

	if (path == NULL || access(path, F_OK) == 0)
		return path;
	packed = kd_arena_printf(book->arena, "%s.gz", path);
	if (packed == NULL)
		book->no_memory = true;
	return packed != NULL && access(packed, F_OK) == 0 ? packed : NULL;
}

static struct kd_list *known(const struct kd_book *book, const char *name, enum kd_list_kind kind)
{
	for (unsigned int i = 0; i < book->nlists; i++)
		if (book->lists[i]->kind == kind && strcmp(book->lists[i]->name, name) == 0)
			return book->lists[i];
	return NULL;
}

static struct kd_list *keep(
	struct kd_book *book, const config_setting_t *at, const char *name, enum kd_list_kind kind)
{
	struct kd_list *list = kd_arena_alloc(book->arena, sizeof(*list));

	if (list != NULL) {
		list->kind = (uint8_t)kind;
		list->name = kd_schema_keep(book, name);
		list->at = kd_schema_at(book, at);
		book->lists = kd_arena_grow(book->arena, book->lists, book->nlists, sizeof(struct kd_list *));
	}
	if (list == NULL || list->name == NULL || book->lists == NULL) {
		book->no_memory = true;
		book->nlists = book->lists != NULL ? book->nlists : 0;
		return NULL;
	}
	book->lists[book->nlists++] = list;
	return list;
}

/* The list `name` from `path`; what cannot be read is said at `at` and not kept. */
static const struct kd_list *read_list(struct kd_book *book, const config_setting_t *at, const char *name,
	const char *path, enum kd_list_kind kind)
{
	char why[160] = "";
	struct kd_list *list = keep(book, at, name, kind);
	int rc;

	if (list == NULL)
		return NULL;
	rc = load(book, list, path, why, sizeof(why));
	if (rc == 0)
		return list;
	book->nlists--;
	if (rc == -ENOMEM)
		book->no_memory = true;
	else if (rc == -EFBIG)
		kd_schema_error(
			book, at, path, "list \"%.80s\" is larger than %zu MB", name, BYTES_MAX >> 20);
	else
		kd_schema_error(book, at, path, "list \"%.80s\" cannot be read: %s", name, why);
	return NULL;
}

/* "a|b", the lists of DIR/lists. */
static void list_words(char *buf, size_t room, const char *dir)
{
	char path[512];
	struct dirent *e;
	size_t len = 0;
	DIR *lists;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "%s/lists", dir);
	lists = opendir(path);
	if (lists == NULL)
		return;
	while ((e = readdir(lists)) != NULL) {
		const char *dot = strchr(e->d_name, '.');

		if (dot == NULL || (strcmp(dot, ".txt") != 0 && strcmp(dot, ".txt.gz") != 0))
			continue;
		if (len + (size_t)(dot - e->d_name) + 2 > room)
			break;
		len += (size_t)snprintf(buf + len, room - len, "%s%.*s", len > 0 ? "|" : "",
			(int)(dot - e->d_name), e->d_name);
	}
	closedir(lists);
}

static void unknown(struct kd_book *book, const config_setting_t *at, const char *name, const char *path)
{
	char words[2000], hint[700];
	char *near;

	if (!id_ok(name)) {
		kd_schema_error(book, at, "small letters, digits, - and _ make a list's name",
			"unknown list \"@%.80s\"", name);
		return;
	}
	list_words(words, sizeof(words), book->dir);
	near = kd_did_you_mean(name, words);
	snprintf(hint, sizeof(hint), "there is no %.600s and no %s.txt.gz beside it", path, name);
	if (near != NULL)
		kd_schema_error(
			book, at, hint, "unknown list \"@%.80s\" - did you mean \"@%s\"?", name, near);
	else
		kd_schema_error(book, at, hint, "unknown list \"@%.80s\"", name);
	free(near);
}

const struct kd_list *kd_list_get(
	struct kd_book *book, const config_setting_t *at, const char *name, enum kd_list_kind kind)
{
	const struct kd_list *list = known(book, name, kind);
	const char *path, *file = NULL;

	if (list != NULL)
		return list;
	path = kd_arena_printf(book->arena, "%s/lists/%s.txt", book->dir, name);
	if (path == NULL)
		book->no_memory = true;
	else if (id_ok(name))
		file = existing(book, path);
	if (book->no_memory)
		return NULL;
	if (file == NULL) {
		unknown(book, at, name, path);
		return NULL;
	}
	return read_list(book, at, name, file, kind);
}

const struct kd_list *kd_list_prefixes_at(struct kd_book *book, const config_setting_t *at, const char *path)
{
	const struct kd_list *list = known(book, path, KD_LIST_PREFIXES);
	const char *whole, *file;

	if (list != NULL)
		return list;
	if (!path_ok(path)) {
		kd_schema_error(book, at, "it is relative to the folder of the policies, and stays in it",
			"\"%.80s\" is not the path of a list", path);
		return NULL;
	}
	whole = kd_arena_printf(book->arena, "%s/%s", book->dir, path);
	if (whole == NULL)
		book->no_memory = true;
	file = existing(book, whole);
	if (book->no_memory)
		return NULL;
	if (file == NULL) {
		kd_schema_error(book, at, whole, "there is no list \"%.80s\"", path);
		return NULL;
	}
	return read_list(book, at, path, file, KD_LIST_PREFIXES);
}
