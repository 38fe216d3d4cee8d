/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads files with libconfig. It looks at each text once more by itself, because libconfig 1.5 cuts an
 * integer beyond 32 bits without a word.
 */
#include "rulebook/source.h"

#include "rulebook/schema.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void unreadable(struct kd_book *book, const char *path, const char *why)
{
	book->unread = true;
	kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, NULL, "cannot be read: %s", why);
}

/* Where the text stands: what an integer literal must not be mistaken for. */
enum where { PLAIN, STRING, LINE_COMMENT, BLOCK_COMMENT };

struct scan {
	enum where where;
	int line;
	int before; /* the character before */
};

static void cut(struct kd_book *book, const char *path, int line, const char *text)
{
	kd_diag(book->diags, KD_DIAG_ERROR, path, line, NULL,
		"write it as a string with its unit: \"3 Gbit/s\"", "%s does not fit in 32 bits", text);
	book->cuts = kd_arena_grow(book->arena, book->cuts, book->ncuts, sizeof(*book->cuts));
	if (book->cuts == NULL) {
		book->no_memory = true;
		book->ncuts = 0;
		return;
	}
	book->cuts[book->ncuts++] = (struct kd_at){.file = path, .line = line};
}

/* Takes one integer literal that starts with c; returns the first character behind it. */
static int integer(struct kd_book *book, const char *path, int line, FILE *file, int c)
{
	unsigned long long value = 0;
	char text[40];
	size_t len = 0;
	int base = 10;

	do {
		int digit = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;

		if (len + 1 < sizeof(text))
			text[len++] = (char)c;
		if (len == 2 && tolower(c) == 'x')
			base = 16;
		else if (value < 1ull << 40)
			value = value * (unsigned int)base + (unsigned int)digit;
		c = fgetc(file);
	} while (isdigit(c) || (len == 1 && text[0] == '0' && tolower(c) == 'x') ||
		 (base == 16 && isxdigit(c)));
	text[len] = '\0';
	if (c != 'L' && c != '.' && c != 'e' && c != 'E' && value > (base == 16 ? UINT32_MAX : INT32_MAX))
		cut(book, path, line, text);
	/* The decimals of a float are no integer. */
	while (c == '.' || c == 'e' || c == 'E' || c == 'L' || isdigit(c))
		c = fgetc(file);
	return c;
}

static void scan_char(struct scan *s, int c)
{
	switch (s->where) {
	case PLAIN:
		if (c == '"')
			s->where = STRING;
		else if (c == '#' || (c == '/' && s->before == '/'))
			s->where = LINE_COMMENT;
		else if (c == '*' && s->before == '/')
			s->where = BLOCK_COMMENT;
		break;
	case STRING:
		if (c == '"' && s->before != '\\')
			s->where = PLAIN;
		else if (c == '\\' && s->before == '\\')
			c = 0; /* an escaped backslash escapes nothing */
		break;
	case LINE_COMMENT:
		if (c == '\n')
			s->where = PLAIN;
		break;
	case BLOCK_COMMENT:
		if (c == '/' && s->before == '*')
			s->where = PLAIN;
		break;
	}
	if (c == '\n')
		s->line++;
	s->before = c;
}

static void big_integers(struct kd_book *book, const char *path)
{
	struct scan s = {.where = PLAIN, .line = 1};
	FILE *file = fopen(path, "re");
	int c;

	if (file == NULL)
		return;
	c = fgetc(file);
	while (c != EOF) {
		bool word = isalnum(s.before) || s.before == '_' || s.before == '-';

		if (s.where == PLAIN && isdigit(c) && (!word || s.before == '-')) {
			c = integer(book, path, s.line, file, c);
			s.before = '0';
			continue;
		}
		scan_char(&s, c);
		c = fgetc(file);
	}
	fclose(file);
}

/* Includes are found beside the file that asks for them. */
static void include_dir(config_t *config, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (slash == NULL)
		return;
	dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir != NULL)
		config_set_include_dir(config, dir);
	free(dir);
}

static void unparsed(struct kd_book *book, const char *path, const config_t *config)
{
	const char *at = config_error_file(config), *why = config_error_text(config), *hint = NULL;

	/* Where a rule lists ports, a range is a string and a port a number. */
	if (strcmp(why, "mismatched element type in array") == 0)
		hint = "write the numbers in quotes: [ \"443\", \"1024-65535\" ]";
	book->unread = true;
	kd_diag(book->diags, KD_DIAG_ERROR, at != NULL ? at : path, config_error_line(config), NULL, hint,
		"%s", why);
}

void kd_source_file(struct kd_book *book, const char *path, struct kd_source ***tail)
{
	struct kd_source *s;
	struct stat st;
	FILE *file;

	/* libconfig ends the program when a read fails; so what can be known before is asked before. */
	if (stat(path, &st) < 0) {
		unreadable(book, path, strerror(errno));
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		unreadable(book, path, strerror(EISDIR));
		return;
	}
	file = fopen(path, "re");
	if (file == NULL) {
		unreadable(book, path, strerror(errno));
		return;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		book->no_memory = true;
		fclose(file);
		return;
	}
	fclose(file);
	s->path = kd_schema_keep(book, path);
	config_init(&s->config);
	include_dir(&s->config, path);
	if (config_read_file(&s->config, path) != CONFIG_TRUE) {
		unparsed(book, path, &s->config);
		config_destroy(&s->config);
		free(s);
		return;
	}
	if (s->path != NULL)
		big_integers(book, s->path);
	**tail = s;
	*tail = &s->next;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_config(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".cfg") == 0;
}

void kd_source_folder(struct kd_book *book, const char *path, bool must, struct kd_source ***tail)
{
	DIR *dir = opendir(path);
	const char **names = NULL;
	unsigned int n = 0;
	struct dirent *e;

	if (dir == NULL) {
		if (must || errno != ENOENT)
			kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL,
				"--policies or KORDON_POLICIES names the folder of policies",
				"cannot be read: %s", strerror(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (!is_config(e->d_name))
			continue;
		names = kd_arena_grow(book->arena, names, n, sizeof(*names));
		if (names == NULL) {
			book->no_memory = true;
			n = 0;
			break;
		}
		names[n] = kd_arena_printf(book->arena, "%s/%s", path, e->d_name);
		if (names[n] == NULL) {
			book->no_memory = true;
			break;
		}
		n++;
	}
	closedir(dir);
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	for (unsigned int i = 0; i < n; i++)
		kd_source_file(book, names[i], tail);
}

void kd_sources_free(struct kd_source *list)
{
	struct kd_source *next;

	for (; list != NULL; list = next) {
		next = list->next;
		config_destroy(&list->config);
		free(list);
	}
}
