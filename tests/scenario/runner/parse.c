/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines to a scenario: directives and flows; step.c has the time line. The language is described in
 * tests/README.md. A line that starts with white space continues the one above it.
 */
#include "scn.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "engine/decode.h"
#include "rulebook/scale.h"

/* "198.18.0.2:40000", "[2001:db8::1]:443", "198.18.0.2", "198.18.0.2:20000-23999" */
static bool read_end(const char *text, uint8_t *version, uint8_t *addr, uint16_t *port, unsigned int *more)
{
	char host[64], *last;
	const char *colon;
	uint64_t n = 0;

	if (text == NULL || strlen(text) >= sizeof(host))
		return false;
	strcpy(host, text);
	if (text[0] == '[') {
		char *shut = strchr(host, ']');

		if (shut == NULL)
			return false;
		*shut = '\0';
		colon = text + (shut - host) + 1;
		memmove(host, host + 1, strlen(host));
		*version = 6;
	} else {
		colon = strchr(text, ':');
		if (colon != NULL)
			host[colon - text] = '\0';
		*version = 4;
	}
	*more = 0;
	if (colon != NULL && *colon == ':') {
		char ports[sizeof(host)];
		uint64_t to;

		strcpy(ports, colon + 1);
		last = strchr(ports, '-');
		if (last != NULL)
			*last++ = '\0';
		if (!scn_u64(ports, 65535, &n) || (last != NULL && !scn_u64(last, 65535, &to)))
			return false;
		if (last != NULL && (to <= n || to - n >= SCN_TIMES))
			return false;
		*more = last != NULL ? (unsigned int)(to - n) : 0;
	}
	*port = (uint16_t)n;
	return inet_pton(*version == 6 ? AF_INET6 : AF_INET, host, addr) == 1;
}

/* The same from the opener's other ports, each a flow of its own. */
static void more_flows(struct scn *s, unsigned int first)
{
	for (unsigned int i = 1; i <= s->flows[first].more; i++) {
		struct scn_flow *f = scn_grow((void **)&s->flows, &s->nflows, sizeof(*s->flows));

		*f = s->flows[first];
		f->more = 0;
		f->port[f->opens] = (uint16_t)(f->port[f->opens] + i);
	}
}

/* flow NAME tcp|udp|icmp INSIDE > OUTSIDE [no-timestamps] (or <: the outside opens it) */
static bool parse_flow(struct scn_parser *p)
{
	struct scn *s = p->s;
	const char *name = scn_word(p->w), *proto = scn_word(p->w), *inside = scn_word(p->w);
	const char *way = scn_word(p->w), *outside = scn_word(p->w);
	unsigned int more[2];
	struct scn_flow *f;
	uint8_t version;

	if (outside == NULL || strlen(name) >= SCN_NAME)
		return scn_fail(p->e, p->w->line, "flow NAME tcp|udp|icmp INSIDE:PORT > OUTSIDE:PORT");
	if (scn_flow_find(s, name) >= 0)
		return scn_fail(p->e, p->w->line, "flow \"%s\" exists already", name);
	f = scn_grow((void **)&s->flows, &s->nflows, sizeof(*s->flows));
	strcpy(f->name, name);
	if (strcmp(way, ">") != 0 && strcmp(way, "<") != 0)
		return scn_fail(p->e, p->w->line, "between the ends stands > (the inside opens) or <");
	f->no_timestamps = scn_word_is(p->w, "no-timestamps");
	/* Where both ends are when no SYN of theirs is seen: picked up in the middle. */
	f->next[KD_INSIDE] = 0x10000001u;
	f->next[KD_OUTSIDE] = 0xa0000001u;
	f->opens = way[0] == '>' ? KD_INSIDE : KD_OUTSIDE;
	if (!read_end(inside, &f->version, f->addr[KD_INSIDE], &f->port[KD_INSIDE], &more[KD_INSIDE]))
		return scn_fail(p->e, p->w->line, "\"%s\" is no address:port", inside);
	if (!read_end(outside, &version, f->addr[KD_OUTSIDE], &f->port[KD_OUTSIDE], &more[KD_OUTSIDE]) ||
		version != f->version)
		return scn_fail(p->e, p->w->line, "\"%s\" is no address:port of the same family", outside);
	if (strcmp(proto, "tcp") == 0)
		f->proto = KD_PROTO_TCP;
	else if (strcmp(proto, "udp") == 0)
		f->proto = KD_PROTO_UDP;
	else if (strcmp(proto, "icmp") == 0)
		f->proto = f->version == 4 ? KD_PROTO_ICMP : KD_PROTO_ICMP6;
	else
		return scn_fail(p->e, p->w->line, "\"%s\" is none of tcp, udp, icmp", proto);
	if (more[f->opens == KD_INSIDE ? KD_OUTSIDE : KD_INSIDE] != 0)
		return scn_fail(p->e, p->w->line, "only who opens it may have FIRST-LAST ports");
	f->more = more[f->opens];
	more_flows(s, s->nflows - 1);
	return true;
}

/* "100,200" into out; returns how many, 0 if that is not such a list. */
static unsigned int number_list(const char *text, uint64_t max, uint32_t *out)
{
	unsigned int count = 0;

	while (text != NULL && count < SCN_TAGS) {
		char *end;
		unsigned long n = strtoul(text, &end, 0);

		if (end == text || n > max || (*end != '\0' && *end != ','))
			return 0;
		out[count++] = (uint32_t)n;
		if (*end == '\0')
			return count;
		text = end + 1;
	}
	return 0;
}

/* link ethernet [vlan A,B] [pppoe SID | mpls L,L] | raw | sll | sll2 | null */
static bool parse_link(struct scn_parser *p)
{
	static const char *const kinds[] = {"ethernet", "raw", "sll", "sll2", "null"};
	struct scn_link *l = &p->s->link;
	const char *word = scn_word(p->w);
	uint32_t list[SCN_TAGS];
	bool found = false;

	memset(l, 0, sizeof(*l));
	for (unsigned int i = 0; i < 5 && word != NULL; i++) {
		if (strcmp(word, kinds[i]) != 0)
			continue;
		l->kind = i; /* the order of enum kd_link */
		found = true;
	}
	if (!found)
		return scn_fail(p->e, p->w->line, "link is one of ethernet, raw, sll, sll2, null");
	while ((word = scn_word(p->w)) != NULL) {
		const char *v = scn_word(p->w);

		if (l->kind != KD_LINK_ETHERNET)
			return scn_fail(p->e, p->w->line, "only ethernet carries tags");
		if (strcmp(word, "vlan") == 0 && (l->vlans = number_list(v, 4095, list)) != 0) {
			for (unsigned int i = 0; i < l->vlans; i++)
				l->vlan[i] = (uint16_t)list[i];
		} else if (strcmp(word, "mpls") == 0 && !l->pppoe) {
			l->labels = number_list(v, (1u << 20) - 2, l->label);
			if (l->labels == 0)
				return scn_fail(p->e, p->w->line, "mpls wants labels below 2^20");
		} else if (strcmp(word, "pppoe") == 0 && l->labels == 0 && number_list(v, 65535, list) == 1) {
			l->pppoe = true;
			l->session = (uint16_t)list[0];
		} else {
			return scn_fail(
				p->e, p->w->line, "link ethernet [vlan A,B] [pppoe SESSION | mpls L,L]");
		}
	}
	return true;
}

static bool parse_engine(struct scn_parser *p)
{
	const char *word, *v;
	uint64_t n;

	while ((word = scn_word(p->w)) != NULL) {
		v = strchr(word, '=');
		if (v == NULL || !scn_u64(v + 1, 1u << 24, &n))
			return scn_fail(p->e, p->w->line, "engine flows4=N flows6=N events=N seed=N");
		if (scn_after(word, "flows4=") != NULL)
			p->s->flows4_max = (uint32_t)n;
		else if (scn_after(word, "flows6=") != NULL)
			p->s->flows6_max = (uint32_t)n;
		else if (scn_after(word, "events=") != NULL)
			p->s->events_max = (uint32_t)n;
		else if (scn_after(word, "seed=") != NULL)
			p->s->seed = n;
		else
			return scn_fail(p->e, p->w->line, "engine has no setting \"%s\"", word);
	}
	return true;
}

/* What an observer goes by. */
static bool parse_endpoint(struct scn_parser *p)
{
	const char *word = scn_word(p->w), *hops = word != NULL ? scn_after(word, "hops=") : NULL;
	uint64_t n;

	if (hops == NULL || !scn_u64(hops, UINT8_MAX, &n))
		return scn_fail(p->e, p->w->line, "endpoint hops=N, 0 = not known");
	p->s->endpoint.hops = (uint8_t)n;
	return true;
}

static bool parse_burst(struct scn_parser *p)
{
	uint64_t n;

	if (!scn_u64(scn_word(p->w), 1024, &n) || n == 0)
		return scn_fail(p->e, p->w->line, "burst wants a number of steps");
	p->s->burst = (unsigned int)n;
	p->s->in_burst = 0;
	return true;
}

static bool parse_time_scale(struct scn_parser *p)
{
	uint64_t n;

	if (!scn_u64(scn_word(p->w), KD_TIME_SCALE_MAX, &n) || n == 0)
		return scn_fail(
			p->e, p->w->line, "time-scale wants a number from 1 to %d", KD_TIME_SCALE_MAX);
	p->s->time_scale = (uint32_t)n;
	return true;
}

static bool parse_set(struct scn_parser *p)
{
	const char *word = scn_word(p->w);
	unsigned int n = 0;

	while (p->s->set[n] != NULL)
		n++;
	if (word == NULL || strchr(word, '=') == NULL || n == SCN_SETS)
		return scn_fail(p->e, p->w->line,
			"set PATH=VALUE, at most %d times; quote a value with spaces", SCN_SETS);
	if (word[0] == '"')
		word = scn_text(p->s, word + 1, strlen(word) - 2);
	p->s->set[n] = word;
	return true;
}

/* with PATH=VALUE: what is expected from here on is expected of the same packets on a box set so. */
static bool parse_with(struct scn_parser *p)
{
	struct scn *s = p->s;
	const char *word = scn_word(p->w);

	if (word == NULL || strchr(word, '=') == NULL || s->nwith == SCN_SETS)
		return scn_fail(p->e, p->w->line,
			"with PATH=VALUE, at most %d times; quote a value with spaces", SCN_SETS);
	if (word[0] == '"')
		word = scn_text(s, word + 1, strlen(word) - 2);
	s->with[s->nwith].set = word;
	s->with[s->nwith++].line = p->w->line;
	return true;
}

static bool parse_name(struct scn_parser *p, char *to, size_t room, int *line)
{
	const char *word = scn_word(p->w);

	if (word == NULL || strlen(word) >= room || to[0] != '\0')
		return scn_fail(p->e, p->w->line, "%s wants one name, once", p->w->word[0]);
	strcpy(to, word);
	*line = p->w->line;
	return true;
}

static bool parse_line(struct scn_parser *p)
{
	struct scn *s = p->s;
	const char *word = scn_word(p->w);

	if (strcmp(word, "profile") == 0)
		return parse_name(p, s->profile, sizeof(s->profile), &s->profile_line);
	if (strcmp(word, "policies") == 0)
		return parse_name(p, s->policies, sizeof(s->policies), &s->policies_line);
	if (strcmp(word, "case") == 0)
		return parse_name(p, s->case_id, sizeof(s->case_id), &s->case_line);
	if (strcmp(word, "control") == 0)
		return s->control = true;
	if (strcmp(word, "set") == 0)
		return parse_set(p);
	if (strcmp(word, "engine") == 0)
		return parse_engine(p);
	if (strcmp(word, "endpoint") == 0)
		return parse_endpoint(p);
	if (strcmp(word, "time-scale") == 0)
		return parse_time_scale(p);
	if (strcmp(word, "burst") == 0)
		return parse_burst(p);
	if (strcmp(word, "link") == 0)
		return parse_link(p);
	if (strcmp(word, "flow") == 0)
		return parse_flow(p);
	if (strcmp(word, "expect") == 0)
		return scn_parse_expect(s, p->w, -1, p->e);
	if (strcmp(word, "with") == 0)
		return parse_with(p);
	if (s->nwith != 0)
		return scn_fail(
			p->e, p->w->line, "behind `with` stands what is expected, and another `with`");
	return scn_parse_step(p, word);
}

static bool parse_words(struct scn *s, struct scn_words *w, struct scn_error *e)
{
	struct scn_parser p = {.s = s, .w = w, .e = e};
	bool fine;

	if (w->count == 0)
		return true;
	fine = parse_line(&p);
	if (fine && w->at < w->count)
		return scn_fail(e, w->line, "\"%s\": nothing more belongs on this line", w->word[w->at]);
	w->count = w->at = 0;
	return fine;
}

bool scn_parse(struct scn *s, const char *file, const char *text, struct scn_error *e)
{
	struct scn_words w = {0};
	int number = 0;

	memset(s, 0, sizeof(*s));
	s->file = file;
	s->seed = 1;
	s->flows4_max = s->flows6_max = 256;
	s->events_max = 1024;
	s->burst = 1;
	s->now_ns = SCN_EPOCH_NS;
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		bool more = (text[0] == ' ' || text[0] == '\t') && w.count != 0;
		int line = w.line;

		number++;
		if (!more && !parse_words(s, &w, e))
			return false;
		if (!scn_words(s, &w, text, len, number, e))
			return false;
		if (more)
			w.line = line;
		text += len + (text[len] == '\n');
	}
	if (!parse_words(s, &w, e))
		return false;
	if (s->profile[0] == '\0')
		return scn_fail(e, 1, "no profile");
	return s->npackets != 0 || scn_fail(e, number, "no steps");
}
