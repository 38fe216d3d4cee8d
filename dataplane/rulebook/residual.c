/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads `residual` (for whom, to where and for how long a rule goes on) and `miss` (how often it does not
 * act). Whatever of a residual the engine has not yet is checked all the same and becomes a need of the rule.
 */
#include "rulebook/rule.h"

#include "rulebook/announced.h"
#include "rulebook/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(struct kd_book *book, struct kd_book_rule *rule, const char *name)
{
	char what[64];

	if (kd_announced_find(kd_announced_residual, name) == NULL)
		return;
	snprintf(what, sizeof(what), "residual:%s", name);
	kd_rule_need(book, rule, what, true);
}

/* The word of a setting if it is one of words, else `deflt`. */
static const char *word(struct kd_book *book, const config_setting_t *group, const char *key,
	const char *noun, const char *words, const char *deflt)
{
	const config_setting_t *s = kd_schema_get(group, key, KD_TYPE_STRING);

	if (s == NULL || kd_schema_word(book, s, noun, words) < 0)
		return deflt;
	return kd_schema_keep(book, config_setting_get_string(s));
}

static int by_word(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_transport(const char *word)
{
	return strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0 || strcmp(word, "icmp") == 0;
}

/* Of IP, and those that are recognised: kept as words, for nothing reads them yet. */
static void protocols(struct kd_book *book, const config_setting_t *list, struct kd_residual *r)
{
	unsigned int kept = 0;

	r->protocols = kd_arena_alloc(book->arena, (kd_schema_count(list) + 1) * sizeof(*r->protocols));
	for (unsigned int i = 0; r->protocols != NULL && i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *word = config_setting_get_string(e);

		if (!is_transport(word) && kd_protocol_word(book, e, "protocol", "tcp|udp|icmp|") < 0)
			continue;
		r->protocols[r->nprotocols] = kd_schema_keep(book, word);
		r->nprotocols += r->protocols[r->nprotocols] != NULL;
	}
	if (r->protocols == NULL)
		book->no_memory = true;
	if (r->nprotocols == 0)
		return;
	qsort(r->protocols, r->nprotocols, sizeof(*r->protocols), by_word);
	for (unsigned int i = 1; i < r->nprotocols; i++)
		if (strcmp(r->protocols[kept], r->protocols[i]) != 0)
			r->protocols[++kept] = r->protocols[i];
	r->nprotocols = kept + 1;
}

void kd_residual_read(struct kd_book *book, const config_setting_t *residual, struct kd_book_rule *rule)
{
	static const struct kd_key keys[] = {{"key", KD_TYPE_STRING, true},
		{"protocols", KD_TYPE_STRINGS, false}, {"for", KD_TYPE_STRING, false},
		{"time", KD_TYPE_STRING, true}, {"restart", KD_TYPE_STRING, false},
		{"publish_after", KD_TYPE_STRING, false}, {NULL, 0, false}};
	struct kd_residual *r = &rule->residual;
	const config_setting_t *s;

	kd_schema_check(book, residual, keys);
	r->given = true;
	r->key = word(book, residual, "key", "residual key",
		"4-tuple|3-tuple|pair|address|address:port|prefix|tag", "4-tuple");
	r->whom = word(book, residual, "for", "holder of a residual", "client|subscriber|everyone", "client");
	r->restart = word(book, residual, "restart", "restart", "nothing|any_packet|next_trigger", "nothing");
	s = kd_schema_get(residual, "protocols", KD_TYPE_STRINGS);
	if (s != NULL) {
		protocols(book, s, r);
		need(book, rule, "protocols");
	}
	s = kd_schema_get(residual, "time", KD_TYPE_STRING);
	if (s != NULL && kd_rule_number(book, s, "residual.time", KD_UNIT_DURATION, rule, &r->time) &&
		r->time.n.lo == 0)
		kd_schema_error(book, s,
			"leave the residual out: the rule then holds for the life of the flow",
			"a residual of no time");
	s = kd_schema_get(residual, "publish_after", KD_TYPE_STRING);
	if (s != NULL) {
		kd_rule_number(book, s, "residual.publish_after", KD_UNIT_DURATION, rule, &r->publish_after);
		need(book, rule, "publish_after");
	}
	if (book->no_memory)
		return;
	if (strcmp(r->key, "4-tuple") != 0)
		need(book, rule, r->key);
	if (strcmp(r->whom, "client") != 0)
		need(book, rule, "for");
	if (strcmp(r->restart, "nothing") != 0)
		need(book, rule, "restart");
}

enum kd_type kd_miss_type(const config_setting_t *group)
{
	const config_setting_t *s = config_setting_get_member(group, "miss");

	return s != NULL && config_setting_is_list(s) ? KD_TYPE_GROUPS : KD_TYPE_STRING;
}

static void miss_add(struct kd_book *book, struct kd_book_rule *rule, const struct kd_miss *m)
{
	rule->misses = kd_arena_grow(book->arena, rule->misses, rule->nmisses, sizeof(*m));
	if (rule->misses == NULL) {
		book->no_memory = true;
		rule->nmisses = 0;
		return;
	}
	rule->misses[rule->nmisses++] = *m;
}

void kd_miss_read(struct kd_book *book, const config_setting_t *miss, struct kd_book_rule *rule)
{
	static const struct kd_key keys[] = {
		{"value", KD_TYPE_STRING, true}, {"where", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	const config_setting_t *value;
	char key[32];

	if (config_setting_type(miss) == CONFIG_TYPE_STRING) {
		struct kd_miss m = {.scope = {.since = {INT32_MIN, INT32_MIN},
					    .until = {INT32_MAX, INT32_MAX},
					    .networks = (1u << KD_NETWORK_COUNT) - 1}};

		if (kd_rule_number(book, miss, "miss", KD_UNIT_SHARE, rule, &m.value))
			miss_add(book, rule, &m);
		return;
	}
	for (int i = 0; i < config_setting_length(miss); i++) {
		const config_setting_t *e = config_setting_get_elem(miss, (unsigned int)i);
		struct kd_miss m = {0};

		if (!config_setting_is_group(e))
			continue; /* said by kd_schema_check */
		kd_schema_check(book, e, keys);
		kd_scope_read(book, e, &m.scope);
		snprintf(key, sizeof(key), "miss.[%d]", i);
		value = kd_schema_get(e, "value", KD_TYPE_STRING);
		if (value != NULL && kd_rule_number(book, value, key, KD_UNIT_SHARE, rule, &m.value))
			miss_add(book, rule, &m);
	}
}
