/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets, actions and records as one line of text each. The same thing gives the same text, so runs are
 * compared by what they say; a difference is then readable as it stands.
 */
#include "run.h"

#include <inttypes.h>
#include <string.h>

#include "engine/decode.h"
#include "engine/protocol.h"
#include "engine/spot.h"

static const char *const fate_names[KD_FATE_COUNT] = {"emit", "rewrite", "drop", "hold", "inject"};

/* Since the beginning; the difference is taken in whole nanoseconds, which a double holds. */
static double seconds(uint64_t time_ns)
{
	return (double)(int64_t)(time_ns - SCN_EPOCH_NS) / 1e9;
}

static const char *flag_text(uint8_t flags, char *buf)
{
	static const char names[] = "FSRPAU";
	unsigned int n = 0;

	for (int i = 0; i < 6; i++)
		if ((flags >> i & 1) != 0)
			buf[n++] = names[i];
	buf[n] = '\0';
	return buf;
}

static const char *payload_text(const struct wire *w)
{
	if (w->payload_len > 5 && w->payload[0] == 0x16 && w->payload[5] == 1)
		return " ClientHello";
	if (w->payload_len > 5 && memcmp(w->payload, "GET ", 4) == 0)
		return " HTTP request";
	return "";
}

static int describe_wire(char *buf, size_t room, unsigned int link, const uint8_t *frame, size_t len)
{
	struct wire w;
	char flags[8];

	wire_read(&w, link, frame, len);
	if (w.proto != KD_PROTO_TCP || w.fragment)
		return snprintf(buf, room, "%sproto %u ttl %u len %zu", w.fragment ? "fragment of " : "",
			w.proto, w.ttl, w.payload_len);
	return snprintf(buf, room, "%s seq %" PRIu32 " ack %" PRIu32 " ttl %u len %zu%s",
		flag_text(w.flags, flags), w.seq, w.ack, w.ttl, w.payload_len, payload_text(&w));
}

void describe_packet(char *buf, size_t room, const struct scn *s, unsigned int packet)
{
	const struct scn_packet *p = &s->packets[packet];
	int n = snprintf(buf, room, "%3u %12.6f %s %c ", packet + 1, seconds(p->time_ns),
		s->flows[p->flow].name, p->side == KD_INSIDE ? '>' : '<');

	describe_wire(buf + n, room - (size_t)n, s->link.kind, p->frame, p->len);
}

const char *describe_rule(const struct run *r, unsigned int box, unsigned int rule)
{
	const struct kd_policy *policy = box < r->boxes->n ? r->boxes->policy[box] : NULL;

	return rule == 0 || policy == NULL || rule > policy->nrules ? "none" : policy->rules[rule].id;
}

/* FNV-1a, to name bytes in a line. */
static uint32_t hash(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

void describe_action(char *buf, size_t room, const struct run *r, const struct run_action *x)
{
	const struct kd_action *a = &x->a;
	int n = snprintf(buf, room, "%s %c box %u reason %s rule %s", fate_names[a->fate],
		a->side == KD_OUTSIDE ? '>' : '<', a->box, kd_reason_name(a->reason),
		describe_rule(r, a->box, a->rule));

	if (a->fate == KD_DROP || a->fate == KD_HOLD)
		return;
	n += snprintf(
		buf + n, room - (size_t)n, " at %.9f #%08x: ", seconds(a->time_ns), hash(a->data, a->len));
	describe_wire(buf + n, room - (size_t)n, a->link, a->data, a->len);
}

int event_flow(const struct scn *s, const struct kd_event *e)
{
	for (unsigned int i = 0; i < s->nflows; i++) {
		const struct scn_flow *f = &s->flows[i];
		size_t bytes = f->version == 4 ? 4 : 16;
		bool ports = f->proto == KD_PROTO_TCP || f->proto == KD_PROTO_UDP;
		unsigned int nth = (unsigned int)e->tuple.port[f->opens] - f->port[f->opens];

		i += f->more;
		if (e->tuple.ip_version != f->version || e->tuple.ip_proto != f->proto)
			continue;
		if (memcmp(e->tuple.addr[0], f->addr[0], bytes) != 0 ||
			memcmp(e->tuple.addr[1], f->addr[1], bytes) != 0)
			continue;
		if (ports && (nth > f->more || e->tuple.port[!f->opens] != f->port[!f->opens]))
			continue;
		return (int)(i - f->more + (ports ? nth : 0));
	}
	return -1;
}

void describe_blind(char *buf, size_t room, const struct kd_event *e)
{
	size_t n = 0;

	snprintf(buf, room, "none");
	for (unsigned int i = 0; i < KD_SPOT_COUNT && n < room; i++)
		if ((e->spots >> i & 1) != 0)
			n += (size_t)snprintf(buf + n, room - n, "%s%s", n > 0 ? "," : "", kd_spots[i].name);
}

static int describe_flow_record(char *buf, size_t room, const struct run *r, const struct kd_event *e)
{
	static const char *const outcomes[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};

	char blind[512];

	describe_blind(blind, sizeof(blind), e);
	return snprintf(buf, room,
		" opened %s outcome %s end %s armed %s packets %" PRIu64 "/%" PRIu64 " bytes %" PRIu64
		"/%" PRIu64 " blind %s unseen %s",
		e->tuple.opened == KD_INSIDE ? "inside" : "outside",
		e->outcome < KD_OUTCOME_COUNT ? outcomes[e->outcome] : "?", kd_reason_name(e->end_reason),
		describe_rule(r, e->box, e->armed), e->pkts[0], e->pkts[1], e->bytes[0], e->bytes[1], blind,
		describe_rule(r, e->box, e->unseen));
}

static int describe_fields(char *buf, size_t room, const struct kd_event *e)
{
	const struct kd_protocol *proto = e->app < KD_PROTOCOL_COUNT ? kd_protocols[e->app] : NULL;
	int n = snprintf(buf, room, " app %s", proto != NULL ? proto->name : "none");

	for (unsigned int i = 0; proto != NULL && i < KD_FIELDS_MAX; i++) {
		const struct kd_event_field *f = &e->field[i];
		size_t left = room - (size_t)n;

		if (proto->fields[i].name == NULL || f->len == 0xffff)
			continue;
		if (proto->fields[i].kind == KD_FIELD_TEXT && f->off + f->len <= e->text_len)
			n += snprintf(buf + n, left, " %s=%.*s", proto->fields[i].name, f->len,
				(const char *)e->text + f->off);
		else
			n += snprintf(buf + n, left, " %s=#%x", proto->fields[i].name,
				proto->fields[i].kind == KD_FIELD_HEX16 || f->off + f->len > e->text_len
					? f->num
					: hash(e->text + f->off, f->len));
		if ((size_t)n >= room)
			return (int)room - 1;
	}
	return n;
}

void describe_event(char *buf, size_t room, const struct run *r, const struct kd_event *e)
{
	static const char *const types[] = {"app", "verdict", "flow"};
	int flow = event_flow(r->scn, e);
	int n = snprintf(buf, room,
		"%s %s at %.9f packet %" PRId64 " box %u n %u id %" PRIx64 " reason %s rule %s",
		e->type < 3 ? types[e->type] : "?", flow >= 0 ? r->scn->flows[flow].name : "?",
		seconds(e->time_ns), (int64_t)e->number, e->box, e->n, e->flow_id, kd_reason_name(e->reason),
		describe_rule(r, e->box, e->rule));

	if (e->type == KD_EVENT_BOX)
		n += snprintf(buf + n, room - (size_t)n, " box %s", e->bypassed ? "bypassed" : "inline");
	else if (e->type == KD_EVENT_FLOW)
		n += describe_flow_record(buf + n, room - (size_t)n, r, e);
	else
		n += describe_fields(buf + n, room - (size_t)n, e);
	if (e->type == KD_EVENT_VERDICT && e->until_ns != 0)
		snprintf(buf + n, room - (size_t)n, " until +%.9f", (double)(e->until_ns - e->time_ns) / 1e9);
}

void describe_difference(char *buf, size_t room, const struct run *a, const struct run *b)
{
	char one[1200], two[1200];

	buf[0] = '\0';
	for (unsigned int i = 0; i < a->nactions && i < b->nactions; i++) {
		describe_action(one, sizeof(one), a, &a->actions[i]);
		describe_action(two, sizeof(two), b, &b->actions[i]);
		if (strcmp(one, two) == 0 && a->actions[i].packet == b->actions[i].packet)
			continue;
		snprintf(buf, room, "packet %u: expected %.200s, got %.200s", a->actions[i].packet + 1, one,
			two);
		return;
	}
	for (unsigned int i = 0; i < a->nevents && i < b->nevents; i++) {
		describe_event(one, sizeof(one), a, &a->events[i]);
		describe_event(two, sizeof(two), b, &b->events[i]);
		if (strcmp(one, two) == 0)
			continue;
		snprintf(buf, room, "record: expected %.220s, got %.220s", one, two);
		return;
	}
	if (a->nactions != b->nactions || a->nevents != b->nevents)
		snprintf(buf, room, "expected %u actions and %u records, got %u and %u", a->nactions,
			a->nevents, b->nactions, b->nevents);
}
