/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scenario parser on any text. What it refuses it refuses with a line of the text and a sentence; what it
 * takes is packets inside their frames, in order of time, each of one step and one flow that exist, and the
 * same ones when it is parsed again. What the packets do to an engine is the runner's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scn.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_packets(const struct scn *s)
{
	unsigned int next = 0;

	must(s->npackets != 0 && s->profile[0] != '\0');
	for (unsigned int i = 0; i < s->nsteps; i++) {
		must(s->steps[i].first == next && s->steps[i].burst <= s->bursts);
		next += s->steps[i].count;
	}
	must(next == s->npackets);
	for (unsigned int i = 0; i < s->npackets; i++) {
		const struct scn_packet *p = &s->packets[i];

		must(p->frame != NULL && p->len != 0);
		must(p->side <= KD_OUTSIDE && p->time_ns >= SCN_EPOCH_NS);
		must(i == 0 || p->time_ns >= p[-1].time_ns);
		must(p->flow >= 0 && (unsigned int)p->flow < s->nflows);
		must(p->step >= 0 && i - s->steps[p->step].first < s->steps[p->step].count);
	}
}

static void check_switches(const struct scn *s)
{
	must(s->nswitches <= SCN_SWITCHES);
	for (unsigned int i = 0; i < s->nswitches; i++) {
		const struct scn_switch *sw = &s->switches[i];

		must(sw->line > 0 && sw->before <= s->npackets && sw->time_ns >= SCN_EPOCH_NS);
		must(sw->before == 0 || sw->time_ns > s->packets[sw->before - 1].time_ns);
		must(sw->before == s->npackets || sw->time_ns <= s->packets[sw->before].time_ns);
		must(i == 0 || sw->before >= sw[-1].before);
	}
}

static void check_expects(const struct scn *s)
{
	for (unsigned int i = 0; i < s->nexpects; i++) {
		const struct scn_expect *x = &s->expects[i];

		must(x->line > 0 && x->step < (int)s->nsteps && x->flow < (int)s->nflows);
		if (x->kind == SCN_EXPECT_FINAL)
			must(x->step >= 0 && x->which <= s->steps[x->step].count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scn first, second;
	struct scn_error e = {0};
	int lines = 1;
	bool taken;
	char *text;

	if (size > TEXT_MAX)
		return 0;
	text = malloc(size + 1);
	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	taken = scn_parse(&first, "text", text, &e);
	if (taken) {
		check_packets(&first);
		check_switches(&first);
		check_expects(&first);
		must(scn_parse(&second, "text", text, &e) && second.npackets == first.npackets);
		for (unsigned int i = 0; i < first.npackets; i++)
			must(first.packets[i].len == second.packets[i].len &&
				memcmp(first.packets[i].frame, second.packets[i].frame,
					first.packets[i].len) == 0);
		scn_free(&second);
	} else {
		must(e.line >= 0 && e.line <= lines && e.text[0] != '\0');
	}
	scn_free(&first);
	free(text);
	return 0;
}
