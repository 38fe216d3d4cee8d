/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events and the run record as JSON lines. Decides the order and the names of the keys, which
 * docs/events.schema.json repeats for readers; a key without a value is left out, never null. Decides nothing
 * about when an event is written or in which order. Protocol fields come from the protocol's manifest, so a
 * new protocol needs no line here.
 */
#include "report/json.h"

#include <string.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "engine/protocol.h"
#include "engine/spot.h"
#include "kd_version.h"
#include "rulebook/boxes.h"

static void put_proto(struct kd_json *j, unsigned int ip_proto)
{
	char number[4];

	if (ip_proto == 6)
		kd_json_str(j, "proto", "TCP");
	else if (ip_proto == 17)
		kd_json_str(j, "proto", "UDP");
	else if (ip_proto == 1)
		kd_json_str(j, "proto", "ICMP");
	else if (ip_proto == 58)
		kd_json_str(j, "proto", "ICMPv6");
	else {
		snprintf(number, sizeof(number), "%u", ip_proto & 0xff);
		kd_json_str(j, "proto", number);
	}
}

/* eve's source is the client: the end that opened the flow, whichever way this packet went. */
static void put_tuple(struct kd_json *j, const struct kd_tuple *t)
{
	unsigned int client = t->opened & 1, server = client ^ 1;
	bool ports = t->ip_proto == 6 || t->ip_proto == 17;

	kd_json_address(j, "src_ip", t->addr[client], t->ip_version);
	if (ports)
		kd_json_u64(j, "src_port", t->port[client]);
	kd_json_address(j, "dest_ip", t->addr[server], t->ip_version);
	if (ports)
		kd_json_u64(j, "dest_port", t->port[server]);
	put_proto(j, t->ip_proto);
}

/* A list may have been cut to the room an event has: whole elements only. */
static void put_list(struct kd_json *j, const char *key, unsigned int kind, const uint8_t *bytes, size_t len)
{
	struct kd_cur c = kd_cur(bytes, len);

	kd_json_open(j, key, '[');
	while (kd_cur_left(&c) > 0) {
		if (kind == KD_FIELD_LIST_U16) {
			uint16_t v = kd_cur_be16(&c);

			if (c.bad)
				break;
			kd_json_u64(j, NULL, v);
		} else {
			size_t n = kd_cur_u8(&c);
			const uint8_t *at = kd_cur_take(&c, n);

			if (at == NULL)
				break;
			kd_json_text(j, NULL, at, n);
		}
	}
	kd_json_close(j, ']');
}

static void put_field(struct kd_json *j, const struct kd_field_spec *spec, const struct kd_event *e,
	const struct kd_event_field *f)
{
	const uint8_t *bytes = e->text + f->off;
	char hex[8];

	if (f->len == KD_FIELD_ABSENT || (size_t)f->off + f->len > e->text_len)
		return;
	switch (spec->kind) {
	case KD_FIELD_TEXT:
		kd_json_text(j, spec->name, bytes, f->len);
		break;
	case KD_FIELD_HEX16:
		snprintf(hex, sizeof(hex), "0x%04x", f->num & 0xffff);
		kd_json_str(j, spec->name, hex);
		break;
	default:
		put_list(j, spec->name, spec->kind, bytes, f->len);
	}
}

/* The fields of the protocol, as an object of its name. only_name: what a verdict matched, not all that was
 * seen. */
static void put_app(struct kd_json *j, const struct kd_event *e, bool only_name)
{
	const struct kd_protocol *p = kd_protocols[e->app];
	unsigned int n = only_name ? 1 : KD_FIELDS_MAX;

	if (only_name && (!p->has_name || e->field[0].len == KD_FIELD_ABSENT))
		return;
	kd_json_open(j, p->name, '{');
	for (unsigned int i = 0; i < n && p->fields[i].name != NULL; i++)
		put_field(j, &p->fields[i], e, &e->field[i]);
	kd_json_close(j, '}');
}

static const struct kd_rule *rule_of(const struct kd_policy *policy, uint16_t rule)
{
	return policy != NULL && rule != KD_RULE_NONE && rule <= policy->nrules ? &policy->rules[rule] : NULL;
}

/* The mechanism's name when it takes hold of the flow; "wait" when it will later, and then says so once more;
 * "pass" when the rule matched and lets go; "allow" and
 * "observe" for rules that do nothing else. */
static const char *action_of(const struct kd_event *e, const struct kd_rule *rule)
{
	if (e->reason == KD_REASON_DECIDE_OBSERVED)
		return "observe";
	if (rule == NULL || rule->inert || e->reason == KD_REASON_DECIDE_MISSED ||
		e->reason == KD_REASON_DECIDE_PENDING || e->reason == KD_REASON_DECIDE_COULD_NOT_ACT ||
		e->reason == KD_REASON_FLOW_ROLE_LIFTED || e->reason == KD_REASON_DECIDE_RESIDUAL_OVER ||
		e->reason == KD_REASON_DECIDE_RESIDUAL_NO_ROOM || e->reason == KD_REASON_DECIDE_NOT_IN_SHARE)
		return "pass";
	if (e->reason == KD_REASON_DECIDE_WAITS)
		return "wait";
	if (rule->closes != 0)
		return "allow";
	return rule->mechanism < KD_MECHANISM_COUNT ? kd_mechanisms[rule->mechanism]->name : "pass";
}

static void put_verdict(struct kd_json *j, const struct kd_event *e, const struct kd_policy *policy)
{
	const struct kd_rule *rule = rule_of(policy, e->rule);

	kd_json_open(j, "verdict", '{');
	kd_json_str(j, "action", action_of(e, rule));
	if (rule != NULL && rule->mechanism < KD_MECHANISM_COUNT)
		kd_json_str(j, "mechanism", kd_mechanisms[rule->mechanism]->name);
	if (rule != NULL && rule->pending != NULL)
		kd_json_str(j, "pending", rule->pending);
	kd_json_str(j, "reason", kd_reason_name(e->reason));
	if (rule != NULL)
		kd_json_str(j, "rule", rule->id);
	if (policy != NULL)
		kd_json_str(j, "profile", policy->profile);
	if (e->until_ns != 0)
		kd_json_timestamp(j, "until", e->until_ns);
	kd_json_close(j, '}');
	if (e->app < KD_PROTOCOL_COUNT)
		put_app(j, e, true);
	kd_json_open(j, "evidence", '{');
	for (unsigned int i = 0; rule != NULL && i < KD_PART_COUNT; i++)
		if (rule->grade[i] < KD_GRADE_COUNT)
			kd_json_str(j, kd_part_name(i), kd_grade_name(rule->grade[i]));
	kd_json_close(j, '}');
}

static void put_flow(struct kd_json *j, const struct kd_event *e, const struct kd_policy *policy)
{
	static const char *const outcomes[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};
	const struct kd_rule *rule = rule_of(policy, e->rule), *armed = rule_of(policy, e->armed);
	const struct kd_rule *unseen = rule_of(policy, e->unseen);
	unsigned int client = e->tuple.opened & 1, server = client ^ 1;

	kd_json_open(j, "flow", '{');
	kd_json_str(j, "outcome", outcomes[e->outcome < KD_OUTCOME_COUNT ? e->outcome : 0]);
	kd_json_str(j, "reason", kd_reason_name(e->reason));
	if (rule != NULL)
		kd_json_str(j, "rule", rule->id);
	if (armed != NULL)
		kd_json_str(j, "armed", armed->id);
	kd_json_open(j, "blind_spots", '[');
	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++)
		if ((e->spots >> i & 1) != 0)
			kd_json_str(j, NULL, kd_spots[i].name);
	kd_json_close(j, ']');
	if (unseen != NULL)
		kd_json_str(j, "unseen", unseen->id);
	kd_json_u64(j, "pkts_toserver", e->pkts[client]);
	kd_json_u64(j, "pkts_toclient", e->pkts[server]);
	kd_json_u64(j, "bytes_toserver", e->bytes[client]);
	kd_json_u64(j, "bytes_toclient", e->bytes[server]);
	kd_json_str(j, "end", kd_reason_name(e->end_reason));
	kd_json_close(j, '}');
}

/* Of a box whose slow timers are not the real one's, in every line. */
static void put_scale(struct kd_json *j, const struct kd_policy *policy)
{
	if (policy != NULL && policy->time_scale > 1)
		kd_json_u64(j, "time_scale", policy->time_scale);
}

/* A box was bypassed, or a rule of it, or is inline again: no flow's. */
static size_t put_switch(char *buf, size_t room, const struct kd_event *e, const struct kd_policy *policy)
{
	const struct kd_rule *rule = rule_of(policy, e->rule);
	struct kd_json j;

	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	kd_json_timestamp(&j, "timestamp", e->time_ns);
	kd_json_str(&j, "event_type", "box");
	kd_json_u64(&j, "box", e->box);
	kd_json_open(&j, "switch", '{');
	kd_json_bool(&j, "bypassed", e->bypassed != 0);
	if (rule != NULL)
		kd_json_str(&j, "rule", rule->id);
	kd_json_close(&j, '}');
	put_scale(&j, policy);
	kd_json_close(&j, '}');
	return kd_json_line(&j);
}

size_t kd_json_event(
	char *buf, size_t room, const struct kd_event *e, const struct kd_policy *policy, bool open_loop)
{
	const char *app = e->app < KD_PROTOCOL_COUNT ? kd_protocols[e->app]->name : NULL;
	const char *type = e->type == KD_EVENT_VERDICT ? "verdict" : "flow";
	struct kd_json j;

	if (e->type == KD_EVENT_BOX)
		return put_switch(buf, room, e, policy);
	if (e->type == KD_EVENT_APP) {
		if (app == NULL)
			return 0;
		type = app;
	}
	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	kd_json_timestamp(&j, "timestamp", e->time_ns);
	kd_json_str(&j, "event_type", type);
	kd_json_u64_text(&j, "flow_id", e->flow_id);
	if (e->number != 0 &&
		e->number != UINT64_MAX) /* time's own records: expiry, and last of all the end */
		kd_json_u64(&j, "pcap_cnt", e->number);
	put_tuple(&j, &e->tuple);
	if (app != NULL)
		kd_json_str(&j, "app_proto", app);
	kd_json_u64(&j, "box", e->box);
	put_scale(&j, policy);
	if (open_loop)
		kd_json_bool(&j, "open_loop", true);
	if (e->type == KD_EVENT_APP)
		put_app(&j, e, false);
	else if (e->type == KD_EVENT_VERDICT)
		put_verdict(&j, e, policy);
	else
		put_flow(&j, e, policy);
	kd_json_close(&j, '}');
	return kd_json_line(&j);
}

static unsigned int boxes_of(const struct kd_run_record *run)
{
	return run->boxes != NULL ? run->boxes->n : 1;
}

/* A byte is six when it is escaped; quotes, colon and comma. */
size_t kd_json_run_room(const struct kd_run_record *run)
{
	size_t room = KD_JSON_LINE_MAX + 6 * strlen(run->policy->profile);

	for (unsigned int b = 0; b < boxes_of(run); b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		if (run->boxes != NULL)
			room += 6 * strlen(p->box.id) + 128;
		for (uint32_t i = 0; i < p->ndrawn; i++)
			room += 6 * (strlen(p->drawn[i].what) + strlen(p->drawn[i].value)) + 6;
	}
	return room;
}

/* Whether a box before drew it: what it is called and all that is drawn of it are the same at every box. */
static bool drawn_before(const struct kd_run_record *run, unsigned int box, const char *what)
{
	for (unsigned int b = 0; b < box; b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		for (uint32_t i = 0; i < p->ndrawn; i++)
			if (strcmp(p->drawn[i].what, what) == 0)
				return true;
	}
	return false;
}

static void put_drawn(struct kd_json *j, const struct kd_run_record *run)
{
	kd_json_open(j, "drawn", '{'); /* empty: a plain profile uses every number's default */
	for (unsigned int b = 0; b < boxes_of(run); b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		for (uint32_t i = 0; i < p->ndrawn; i++)
			if (!drawn_before(run, b, p->drawn[i].what))
				kd_json_str(j, p->drawn[i].what, p->drawn[i].value);
	}
	kd_json_close(j, '}');
}

static void put_boxes(struct kd_json *j, const struct kd_boxes *boxes)
{
	kd_json_open(j, "boxes", '[');
	for (unsigned int i = 0; i < boxes->n; i++) {
		kd_json_open(j, NULL, '{');
		kd_json_u64(j, "box", i);
		kd_json_str(j, "id", boxes->policy[i]->box.id);
		kd_json_str(j, "hash", boxes->policy[i]->hash);
		kd_json_close(j, '}');
	}
	kd_json_close(j, ']');
}

/* Nobody tells the system at the other end: it is taken for Linux (engine/observe_tcp.c). */
static void put_endpoint(struct kd_json *j, const struct kd_endpoint *endpoint, bool guessed)
{
	kd_json_open(j, "endpoint", '{');
	if (endpoint->hops != 0)
		kd_json_u64(j, "hops", endpoint->hops);
	kd_json_str(j, "os", "linux");
	kd_json_bool(j, "guessed", guessed);
	kd_json_close(j, '}');
}

size_t kd_json_run(char *buf, size_t room, const struct kd_run_record *run)
{
	struct kd_json j;

	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "event_type", "run");
	kd_json_open(&j, "run", '{');
	kd_json_u64(&j, "schema", KD_EVENT_SCHEMA_VERSION);
	kd_json_str(&j, "version", KD_VERSION);
	kd_json_str(&j, "profile", run->policy->profile);
	kd_json_str(&j, "hash", run->boxes != NULL ? run->boxes->hash : run->policy->hash);
	if (run->boxes != NULL)
		put_boxes(&j, run->boxes);
	kd_json_u64_text(&j, "seed", run->seed);
	put_scale(&j, run->policy);
	put_drawn(&j, run);
	kd_json_str(&j, "inside", run->inside);
	kd_json_str(&j, "checksums", run->checksums);
	if (run->endpoint != NULL)
		put_endpoint(&j, run->endpoint, run->endpoint_guessed);
	kd_json_close(&j, '}');
	kd_json_close(&j, '}');
	return kd_json_line(&j);
}
