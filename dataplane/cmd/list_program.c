/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon list` says of the program itself, whatever stands in a rulebook: protocols, mechanisms with
 * their options, reasons, blind spots.
 */
#include "cmd/list.h"

#include <errno.h>

#include "cmd/table.h"
#include "engine/mechanism.h"
#include "engine/protocol.h"
#include "engine/spot.h"
#include "rulebook/units.h"

int kd_list_protocols(const struct kd_list_view *v)
{
	struct kd_table t = {
		.arena = v->arena, .heads = {"protocol", "over", "fields", "title"}, .columns = 4};
	int rc = 0;

	for (int i = 0; i < KD_PROTOCOL_COUNT && rc == 0; i++) {
		const struct kd_protocol *p = kd_protocols[i];
		const char *fields = "";

		for (unsigned int f = 0; f < KD_FIELDS_MAX && p->fields[f].name != NULL; f++)
			fields = kd_arena_printf(
				v->arena, "%s%s%s", fields, f > 0 ? " " : "", p->fields[f].name);
		if (fields == NULL)
			return -ENOMEM;
		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){p->name,
					      p->transports == KD_TRANSPORT_TCP	  ? "tcp"
					      : p->transports == KD_TRANSPORT_UDP ? "udp"
										  : "tcp udp",
					      fields, p->title});
	}
	return rc == 0 ? kd_table_print(&t, v->json, stdout) : rc;
}

static const char *option_values(const struct kd_list_view *v, const struct kd_option *o)
{
	static const struct {
		uint8_t unit;
		const char *noun;
	} kinds[] = {[KD_OPTION_COUNT] = {KD_UNIT_COUNT, "count"},
		[KD_OPTION_DURATION] = {KD_UNIT_DURATION, "duration"},
		[KD_OPTION_RATE] = {KD_UNIT_RATE, "rate"},
		[KD_OPTION_BYTES] = {KD_UNIT_BYTES, "bytes"},
		[KD_OPTION_SHARE] = {KD_UNIT_SHARE, "share"},
		[KD_OPTION_TEXT] = {KD_UNIT_KINDS, "text"}};
	char lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT];
	unsigned int kind;

	if (o->kind == KD_OPTION_WORD)
		return o->words;
	if (o->kind == KD_OPTION_ADDRESS)
		return "IPv4 or IPv6 address";
	kind = kinds[o->kind].unit;
	if (o->max == 0)
		return kinds[o->kind].noun;
	if (o->kind == KD_OPTION_TEXT)
		return kd_arena_printf(
			v->arena, "text of %u to %u bytes", (unsigned int)o->min, (unsigned int)o->max);
	kd_units_text(lo, kind, o->min);
	kd_units_text(hi, kind, o->max);
	return kd_arena_printf(v->arena, "%s to %s", lo, hi);
}

int kd_list_mechanisms(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena,
		.heads = {"mechanism", "option", "values", "default", "meaning"},
		.columns = 5};
	int rc = 0;

	for (int i = 0; i < KD_MECHANISM_COUNT; i++) {
		const struct kd_mechanism *m = kd_mechanisms[i];

		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){m->name, NULL, NULL, NULL, m->title});
		for (const struct kd_option *o = m->options; o != NULL && o->name != NULL && rc == 0; o++)
			rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){v->json ? m->name : NULL,
						      o->name, option_values(v, o),
						      o->deflt != NULL ? o->deflt : "(required)", o->help});
		if (rc < 0)
			return rc;
	}
	return kd_table_print(&t, v->json, stdout);
}

int kd_list_reasons(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena, .heads = {"reason", "meaning"}, .columns = 2};

	for (uint16_t i = 0; i < KD_REASON_COUNT; i++) {
		const struct kd_reason *r = kd_reason(i);

		if (r != NULL && kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){r->name, r->sentence}) < 0)
			return -ENOMEM;
	}
	return kd_table_print(&t, v->json, stdout);
}

int kd_list_blind_spots(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena, .heads = {"blind spot", "meaning"}, .columns = 2};

	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++)
		if (kd_table_row(
			    &t, (const char *[KD_TABLE_COLUMNS]){kd_spots[i].name, kd_spots[i].sentence}) < 0)
			return -ENOMEM;
	return kd_table_print(&t, v->json, stdout);
}
