/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads `residual` (for whom, to where and for how long a rule goes on) and `miss` (how often it does not
 * act). Protocols that nothing recognises yet become a need of the rule.
 */
#include "rulebook/rule.h"

#include "engine/protocol.h"
#include "rulebook/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The word of a setting if it is one of words, else `deflt`, the first. */
static const char *word(struct kd_book *book, const config_setting_t *group, const char *key,
	const char *noun, const char *words, const char *deflt, uint8_t *ret)
{
	const config_setting_t *s = kd_schema_get(group, key, KD_TYPE_STRING);
	int index = s != NULL ? kd_schema_word(book, s, noun, words) : -1;

	*ret = index < 0 ? 0 : (uint8_t)index;
	return index < 0 ? deflt : kd_schema_keep(book, config_setting_get_string(s));
}

static int by_word(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static unsigned int transport(const char *word)
{
	if (strcmp(word, "tcp") == 0)
		return KD_TRANSPORT_TCP;
	if (strcmp(word, "udp") == 0)
		return KD_TRANSPORT_UDP;
	return strcmp(word, "icmp") == 0 ? KD_TRANSPORT_ICMP : 0;
}

/* False: it is neither of IP nor recognised, which was said. */
static bool protocol(struct kd_book *book, const config_setting_t *e, struct kd_book_rule *rule)
{
	const char *word = config_setting_get_string(e);
	char what[64];
	int index;

	if (transport(word) != 0) {
		rule->residual.transports |= (uint8_t)transport(word);
		return true;
	}
	index = kd_protocol_word(book, e, "protocol", "tcp|udp|icmp|");
	if (index < 0)
		return false;
	if (index < 64)
		rule->residual.recognised |= 1ull << index;
	if (index >= KD_PROTOCOL_COUNT) {
		snprintf(what, sizeof(what), "protocol:%s", word);
		kd_rule_need(book, rule, what, false);
	}
	return true;
}

/* Of IP, and those that are recognised. */
static void protocols(struct kd_book *book, const config_setting_t *list, struct kd_book_rule *rule)
{
	struct kd_residual *r = &rule->residual;
	unsigned int kept = 0;

	r->protocols = kd_arena_alloc(book->arena, (kd_schema_count(list) + 1) * sizeof(*r->protocols));
	for (unsigned int i = 0; r->protocols != NULL && i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *word = config_setting_get_string(e);

		if (!protocol(book, e, rule))
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
	r->key = word(book, residual, "key", "residual key", KD_RESIDUAL_KEY_WORDS, "4-tuple", &r->keyed_by);
	r->whom = word(
		book, residual, "for", "holder of a residual", KD_RESIDUAL_FOR_WORDS, "client", &r->held_for);
	r->restart =
		word(book, residual, "restart", "restart", KD_RESTART_WORDS, "nothing", &r->restarted_by);
	s = kd_schema_get(residual, "protocols", KD_TYPE_STRINGS);
	if (s != NULL)
		protocols(book, s, rule);
	s = kd_schema_get(residual, "time", KD_TYPE_STRING);
	if (s != NULL && kd_rule_number(book, s, "residual.time", KD_UNIT_DURATION, rule, &r->time) &&
		r->time.n.lo == 0)
		kd_schema_error(book, s,
			"leave the residual out: the rule then holds for the life of the flow",
			"a residual of no time");
	s = kd_schema_get(residual, "publish_after", KD_TYPE_STRING);
	if (s != NULL)
		kd_rule_number(book, s, "residual.publish_after", KD_UNIT_DURATION, rule, &r->publish_after);
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
		/* What holds everywhere else is drawn as the rule's only miss would be: numbers of places
		 * change no sampled box of another place. */
		if (config_setting_get_member(e, "where") == NULL)
			strcpy(key, "miss");
		else
			snprintf(key, sizeof(key), "miss.[%d]", i);
		value = kd_schema_get(e, "value", KD_TYPE_STRING);
		if (value != NULL && kd_rule_number(book, value, key, KD_UNIT_SHARE, rule, &m.value))
			miss_add(book, rule, &m);
	}
}
