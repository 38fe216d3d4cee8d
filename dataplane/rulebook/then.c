/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads `then`: a mechanism with its settings, or the phases that an allow closes; and when, on how many
 * flows and on what of them the mechanism acts.
 */
#include "rulebook/option.h"
#include "rulebook/rule.h"

#include <stdio.h>
#include <string.h>

static void allow(struct kd_book *book, const config_setting_t *then, const config_setting_t *list,
	struct kd_book_rule *rule)
{
	static const struct kd_key keys[] = {{"allow", KD_TYPE_STRINGS, true}, {NULL, 0, false}};
	unsigned int first = rule->phase < KD_PHASE_COUNT ? rule->phase : 0;
	char words[128] = "";
	size_t len = 0;

	kd_schema_check(book, then, keys);
	/* An allow that is wrong is still an allow: nothing else is asked of it. */
	rule->closes = 1u << KD_PHASE_DEFAULT;
	if (rule->phase == KD_PHASE_OBSERVE || rule->deny) {
		kd_schema_error(book, list,
			rule->deny ? "what is to pass is let through by a rule of another phase"
				   : "nothing it does is final: an allow stands in another phase, as "
				     "names-allowed",
			"%s cannot allow", rule->deny ? "what default denies" : "a rule that observes");
		return;
	}
	for (unsigned int p = first; p < KD_PHASE_COUNT; p++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", p > first ? "|" : "", kd_phase_name(p));
	rule->closes = 0;
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		int found = kd_schema_word(book, e, "phase to close", words);

		rule->closes |= 1u << (found >= 0 ? first + (unsigned int)found : KD_PHASE_DEFAULT);
	}
}

/* handshake, hello, first_appdata, or a signature. */
static void event(struct kd_book *book, const config_setting_t *s, struct kd_book_rule *rule)
{
	static const uint8_t events[] = {KD_EVENT_OF_HANDSHAKE, KD_EVENT_OF_HELLO, KD_EVENT_OF_APPDATA};
	char words[2048] = "handshake|hello|first_appdata";
	size_t len = strlen(words);
	int found;

	for (unsigned int i = 0; i < book->nsignatures && len < sizeof(words); i++)
		len += (size_t)snprintf(words + len, sizeof(words) - len, "|%s", book->signatures[i].id);
	for (unsigned int i = 0; i < book->nsignatures; i++) {
		if (strcmp(book->signatures[i].id, config_setting_get_string(s)) == 0) {
			rule->after.event = KD_EVENT_OF_SIGNATURE;
			rule->after.signature = (uint16_t)(i + 1);
			kd_option_append(book, rule, "after.event", book->signatures[i].id);
			return;
		}
	}
	found = kd_schema_word(book, s, "event", words);
	if (found < 0)
		return;
	if ((size_t)found < sizeof(events))
		rule->after.event = events[found];
	kd_option_append(book, rule, "after.event", config_setting_get_string(s));
}

static void after(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule)
{
	static const struct kd_key keys[] = {{"event", KD_TYPE_STRING, false},
		{"packets", KD_TYPE_NUMBER, false}, {"bytes", KD_TYPE_STRING, false},
		{"time", KD_TYPE_STRING, false}, {"side", KD_TYPE_STRING, false},
		{"kind", KD_TYPE_STRING, false}, {"per", KD_TYPE_STRING, false}, {NULL, 0, false}};
	static const struct amount {
		const char *name, *key;
		uint8_t type, unit, after;
	} amounts[] = {{"packets", "then.after.packets", KD_TYPE_NUMBER, KD_UNIT_COUNT, KD_AFTER_PACKETS},
		{"bytes", "then.after.bytes", KD_TYPE_STRING, KD_UNIT_BYTES, KD_AFTER_BYTES},
		{"time", "then.after.time", KD_TYPE_STRING, KD_UNIT_DURATION, KD_AFTER_TIME}};
	static const struct choice {
		const char *name, *option, *words; /* the first is the default */
		uint8_t values[3];
	} choices[] = {{"side", "after.side", "any|inside|outside", {KD_ANY_SIDE, KD_INSIDE, KD_OUTSIDE}},
		{"kind", "after.kind", "any|payload|data", {KD_AFTER_ANY, KD_AFTER_PAYLOAD, KD_AFTER_DATA}},
		{"per", "after.per", "flow|box", {false, true, true}}};
	uint8_t chosen[3];
	struct kd_book_number number;
	const config_setting_t *s;
	unsigned int given = 0;

	kd_schema_check(book, group, keys);
	s = kd_schema_get(group, "event", KD_TYPE_STRING);
	if (s != NULL)
		event(book, s, rule);
	for (unsigned int i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		const struct amount *a = &amounts[i];

		given += config_setting_get_member(group, a->name) != NULL;
		s = kd_schema_get(group, a->name, (enum kd_type)a->type);
		/* + 5: without "then." */
		if (s == NULL || !kd_rule_number(book, s, a->key, a->unit, rule, &number))
			continue;
		rule->after.unit = a->after;
		rule->after_amount = number;
		kd_option_append(book, rule, a->key + 5, number.text);
	}
	if (given != 1)
		kd_schema_error(book, group, "expected one of packets, bytes, time",
			given == 0 ? "\"after\" without a number" : "\"after\" with more than one number");
	for (unsigned int i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *c = &choices[i];
		int word = 0;

		s = kd_schema_get(group, c->name, KD_TYPE_STRING);
		if (s != NULL)
			word = kd_schema_word(book, s, c->name, c->words);
		chosen[i] = c->values[word >= 0 ? word : 0];
		if (word < 0)
			continue;
		kd_option_append(book, rule, c->option,
			s != NULL ? config_setting_get_string(s) : (i < 2 ? "any" : "flow"));
	}
	rule->after.side = chosen[0];
	rule->after.kind = chosen[1];
	rule->after.per_box = chosen[2];
}

/* Whether the mechanism has an option of that name, which then is what is meant. */
static bool own_option(const struct kd_book_rule *rule, const char *name)
{
	if (rule->mechanism_index < 0)
		return false;
	for (const struct kd_option *o = kd_mechanisms[rule->mechanism_index]->options;
		o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

static void general(struct kd_book *book, const config_setting_t *then, struct kd_book_rule *rule)
{
	const config_setting_t *s;

	s = own_option(rule, "after") ? NULL : kd_schema_get(then, "after", KD_TYPE_GROUP);
	if (s != NULL) {
		after(book, s, rule);
	}
	s = own_option(rule, "share") ? NULL : kd_schema_get(then, "share", KD_TYPE_STRING);
	if (s != NULL) {
		if (kd_rule_number(book, s, "then.share", KD_UNIT_SHARE, rule, &rule->flow_share))
			kd_option_append(book, rule, "share", rule->flow_share.text);
	}
	s = own_option(rule, "delay_before") ? NULL : kd_schema_get(then, "delay_before", KD_TYPE_STRING);
	if (s != NULL) {
		if (kd_rule_number(book, s, "then.delay_before", KD_UNIT_DURATION, rule, &rule->delay_before))
			kd_option_append(book, rule, "delay_before", rule->delay_before.text);
	}
	s = own_option(rule, "scope") ? NULL : kd_schema_get(then, "scope", KD_TYPE_STRING);
	if (s != NULL) {
		int extent = kd_schema_word(book, s, "scope", "from_here|this_packet|name_end");

		if (extent >= 0) {
			rule->extent = (uint8_t)extent;
			kd_option_append(book, rule, "scope", config_setting_get_string(s));
		}
	}
}

static void unknown_mechanism(
	struct kd_book *book, const config_setting_t *s, const config_setting_t *pending, const char *name)
{
	char words[1024] = "", waited[128];
	size_t len = 0;

	snprintf(waited, sizeof(waited), "mechanism:%.100s", name);
	if (kd_pending_has(pending, waited))
		return; /* what is said of `pending` is enough */
	for (int i = 0; i < KD_MECHANISM_COUNT && len < sizeof(words); i++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", i > 0 ? "|" : "", kd_mechanisms[i]->name);
	kd_schema_unknown(book, s, "mechanism", name, words);
}

void kd_then_read(struct kd_book *book, const config_setting_t *then, const config_setting_t *pending,
	struct kd_book_rule *rule)
{
	const config_setting_t *s = kd_schema_get(then, "mechanism", KD_TYPE_STRING),
			       *list = kd_schema_get(then, "allow", KD_TYPE_STRINGS),
			       *other = config_setting_get_member(then, "mechanism");

	if (list != NULL && other == NULL) {
		allow(book, then, list, rule);
		return;
	}
	if (list != NULL)
		kd_schema_error(
			book, list, "a rule does the one or the other", "\"allow\" beside \"mechanism\"");
	if (s == NULL) {
		if (other != NULL)
			kd_schema_error(book, other, NULL, "expected a string in quotes");
		else if (config_setting_get_member(then, "allow") == NULL)
			kd_schema_error(book, then, NULL, "\"mechanism\" is missing");
		else
			kd_schema_check(book, then,
				(const struct kd_key[]){{"allow", KD_TYPE_STRINGS, true}, {NULL, 0, false}});
		return;
	}
	rule->mechanism = kd_schema_keep(book, config_setting_get_string(s));
	if (rule->mechanism == NULL)
		return;
	rule->mechanism_index = kd_mechanism_find(rule->mechanism);
	if (rule->mechanism_index >= 0)
		kd_options_read(book, then, kd_mechanisms[rule->mechanism_index], rule);
	else
		unknown_mechanism(book, s, pending, rule->mechanism);
	general(book, then, rule);
}

void kd_then_deny(struct kd_book *book, const config_setting_t *at, struct kd_book_rule *rule)
{
	rule->mechanism = "drop";
	rule->mechanism_index = kd_mechanism_find("drop");
	if (rule->mechanism_index >= 0)
		kd_options_default(book, at, kd_mechanisms[rule->mechanism_index], rule);
}
