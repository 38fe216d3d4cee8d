/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generic part of the schema: tables of keys against groups, where a setting stands, words. Knows no
 * particular key.
 */
#include "rulebook/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 256

const char *kd_schema_keep(struct kd_book *book, const char *text)
{
	const char *copy = kd_arena_strdup(book->arena, text);

	if (copy == NULL)
		book->no_memory = true;
	return copy;
}

/* "rules.[2].then.rate" */
static void path_of(const config_setting_t *setting, char *buf, size_t room)
{
	const config_setting_t *parent = config_setting_parent(setting);
	const char *name = config_setting_name(setting);
	size_t len;

	if (parent == NULL) {
		buf[0] = '\0';
		return;
	}
	path_of(parent, buf, room);
	len = strlen(buf);
	if (name != NULL)
		snprintf(buf + len, room - len, "%s%s", len > 0 ? "." : "", name);
	else
		snprintf(buf + len, room - len, "%s[%d]", len > 0 ? "." : "", config_setting_index(setting));
}

static const char *file_of(const struct kd_book *book, const config_setting_t *setting)
{
	const char *file = config_setting_source_file(setting);

	return file != NULL ? file : book->reading;
}

struct kd_at kd_schema_at(struct kd_book *book, const config_setting_t *setting)
{
	char path[PATH_MAX_LEN];

	path_of(setting, path, sizeof(path));
	return (struct kd_at){
		.file = kd_schema_keep(book, file_of(book, setting)),
		.line = (int)config_setting_source_line(setting),
		.path = kd_schema_keep(book, path),
	};
}

static void say(struct kd_book *book, enum kd_diag_level level, const config_setting_t *setting,
	const char *hint, const char *format, va_list args)
{
	char message[512], path[PATH_MAX_LEN];

	vsnprintf(message, sizeof(message), format, args);
	path_of(setting, path, sizeof(path));
	kd_diag(book->diags, level, file_of(book, setting), (int)config_setting_source_line(setting), path,
		hint, "%s", message);
}

void kd_schema_error(
	struct kd_book *book, const config_setting_t *setting, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(book, KD_DIAG_ERROR, setting, hint, format, args);
	va_end(args);
}

void kd_schema_warn(
	struct kd_book *book, const config_setting_t *setting, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(book, KD_DIAG_WARNING, setting, hint, format, args);
	va_end(args);
}

void kd_schema_fault(struct kd_book *book, const config_setting_t *setting, const struct kd_fault *fault)
{
	kd_schema_error(book, setting, fault->hint[0] != '\0' ? fault->hint : NULL, "%s", fault->message);
}

/* "a, b, c" from "a|b|c". */
static void spell(char *buf, size_t room, const char *words)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const char *w = words; *w != '\0' && len + 3 < room; w++) {
		if (*w == '|') {
			buf[len++] = ',';
			buf[len++] = ' ';
		} else {
			buf[len++] = *w;
		}
		buf[len] = '\0';
	}
}

void kd_schema_unknown(struct kd_book *book, const config_setting_t *setting, const char *noun,
	const char *word, const char *words)
{
	char *near = kd_did_you_mean(word, words);
	char all[600], hint[640];

	spell(all, sizeof(all), words);
	snprintf(hint, sizeof(hint), "known: %s", all[0] != '\0' ? all : "none yet");
	if (near != NULL)
		kd_schema_error(
			book, setting, hint, "unknown %s \"%.80s\" - did you mean \"%s\"?", noun, word, near);
	else
		kd_schema_error(book, setting, hint, "unknown %s \"%.80s\"", noun, word);
	free(near);
}

static bool is_integer(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64;
}

/* A string, with `integers` a whole number too, or a list of these. */
static bool is_values(const config_setting_t *s, bool integers)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING || (integers && is_integer(s)))
		return true;
	if (!config_setting_is_list(s) && !config_setting_is_array(s))
		return false;
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned int)i);

		if (config_setting_type(e) != CONFIG_TYPE_STRING && !(integers && is_integer(e)))
			return false;
	}
	return true;
}

static bool is_type(const config_setting_t *s, enum kd_type type)
{
	switch (type) {
	case KD_TYPE_STRING:
		return config_setting_type(s) == CONFIG_TYPE_STRING;
	case KD_TYPE_STRINGS:
		return is_values(s, false);
	case KD_TYPE_VALUES:
		return is_values(s, true);
	case KD_TYPE_GROUP:
		return config_setting_is_group(s);
	case KD_TYPE_GROUPS:
		return config_setting_is_list(s); /* its elements are looked at one by one */
	case KD_TYPE_NUMBER:
		return is_integer(s) || config_setting_type(s) == CONFIG_TYPE_STRING;
	case KD_TYPE_SCALAR:
		return config_setting_is_scalar(s);
	}
	return false;
}

static const char *type_wanted(enum kd_type type)
{
	static const char *const words[] = {
		[KD_TYPE_STRING] = "a string in quotes",
		[KD_TYPE_STRINGS] = "a string in quotes, or a list of them: [ \"a\", \"b\" ]",
		[KD_TYPE_VALUES] = "a whole number, a string in quotes, or a list of them",
		[KD_TYPE_GROUP] = "a group: { ... }",
		[KD_TYPE_GROUPS] = "a list of groups: ( { ... }, { ... } )",
		[KD_TYPE_NUMBER] = "a whole number, or a string with a number and its unit",
		[KD_TYPE_SCALAR] = "one value",
	};

	return words[type];
}

static const char *type_found(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		return "a list";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_FLOAT:
		return "a number with decimals";
	default:
		return "a number";
	}
}

static bool is_empty(const config_setting_t *s, enum kd_type type)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return type != KD_TYPE_SCALAR && config_setting_get_string(s)[0] == '\0';
	return (type == KD_TYPE_STRINGS || type == KD_TYPE_VALUES) && !is_integer(s) &&
	       config_setting_length(s) == 0;
}

static void unknown_key(struct kd_book *book, const config_setting_t *member, const struct kd_key *keys)
{
	char words[1024] = "", all[1100], hint[1120];
	size_t len = 0;
	char *near;

	for (const struct kd_key *k = keys; k->name != NULL && len < sizeof(words); k++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", len > 0 ? "|" : "", k->name);
	near = kd_did_you_mean(config_setting_name(member), words);
	if (near != NULL) {
		kd_schema_error(book, member, NULL, "unknown setting - did you mean \"%s\"?", near);
		free(near);
		return;
	}
	spell(all, sizeof(all), words);
	snprintf(hint, sizeof(hint), "known here: %s", all);
	kd_schema_error(book, member, hint, "unknown setting");
}

static void only_groups(struct kd_book *book, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *e = config_setting_get_elem(list, (unsigned int)i);

		if (!config_setting_is_group(e))
			kd_schema_error(book, e, NULL, "expected %s, not %s", type_wanted(KD_TYPE_GROUP),
				type_found(e));
	}
}

void kd_schema_check(struct kd_book *book, const config_setting_t *group, const struct kd_key *keys)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *member = config_setting_get_elem(group, (unsigned int)i);
		const struct kd_key *k = keys;

		while (k->name != NULL && strcmp(k->name, config_setting_name(member)) != 0)
			k++;
		if (k->name == NULL)
			unknown_key(book, member, keys);
		else if (!is_type(member, k->type))
			kd_schema_error(book, member, NULL, "expected %s, not %s", type_wanted(k->type),
				type_found(member));
		else if (is_empty(member, k->type))
			kd_schema_error(book, member, NULL, "must not be empty");
		else if (k->type == KD_TYPE_GROUPS)
			only_groups(book, member);
	}
	for (const struct kd_key *k = keys; k->name != NULL; k++)
		if (k->required && config_setting_get_member(group, k->name) == NULL)
			kd_schema_error(book, group, NULL, "\"%s\" is missing", k->name);
}

config_setting_t *kd_schema_get(const config_setting_t *group, const char *name, enum kd_type type)
{
	config_setting_t *s = config_setting_get_member(group, name);

	return s != NULL && is_type(s, type) && !is_empty(s, type) ? s : NULL;
}

void kd_schema_each(struct kd_book *book, const config_setting_t *root, const char *name,
	void (*each)(struct kd_book *book, const config_setting_t *group))
{
	const config_setting_t *list = kd_schema_get(root, name, KD_TYPE_GROUPS);

	for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
		const config_setting_t *e = config_setting_get_elem(list, (unsigned int)i);

		if (config_setting_is_group(e))
			each(book, e);
	}
}

const char *kd_schema_string(const config_setting_t *group, const char *name)
{
	const config_setting_t *s = kd_schema_get(group, name, KD_TYPE_STRING);

	return s != NULL ? config_setting_get_string(s) : NULL;
}

unsigned int kd_schema_count(const config_setting_t *list)
{
	if (list == NULL)
		return 0;
	return config_setting_is_scalar(list) ? 1 : (unsigned int)config_setting_length(list);
}

const config_setting_t *kd_schema_element(const config_setting_t *list, unsigned int i)
{
	return config_setting_is_scalar(list) ? list : config_setting_get_elem(list, i);
}

int kd_schema_word(struct kd_book *book, const config_setting_t *setting, const char *noun, const char *words)
{
	const char *word = config_setting_get_string(setting);
	size_t len = strlen(word), n;
	int index = 0;

	for (const char *w = words; *w != '\0'; w += n + (w[n] == '|'), index++) {
		n = strcspn(w, "|");
		if (n == len && memcmp(w, word, n) == 0)
			return index;
	}
	kd_schema_unknown(book, setting, noun, word, words);
	return -1;
}

bool kd_schema_cut(const struct kd_book *book, const config_setting_t *setting)
{
	for (unsigned int i = 0; i < book->ncuts; i++)
		if (book->cuts[i].line == (int)config_setting_source_line(setting) &&
			strcmp(book->cuts[i].file, file_of(book, setting)) == 0)
			return true;
	return false;
}
