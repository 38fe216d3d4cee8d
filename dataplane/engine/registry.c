/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registries: what the meson lists name, in their order. A name without its file, or a file whose symbol
 * has another name, is a link error. Reasons of all three sources get their numbers here.
 */
#include "engine/mechanism.h"
#include "engine/protocol.h"

#include <errno.h>
#include <string.h>

#define X(name) extern const struct kd_protocol kd_protocol_##name;
KD_PROTOCOL_LIST(X)
#undef X
#define X(name) extern const struct kd_mechanism kd_mechanism_##name;
KD_MECHANISM_LIST(X)
#undef X

const struct kd_protocol *const kd_protocols[] = {
#define X(name) &kd_protocol_##name,
	KD_PROTOCOL_LIST(X)
#undef X
};

const struct kd_mechanism *const kd_mechanisms[] = {
#define X(name) &kd_mechanism_##name,
	KD_MECHANISM_LIST(X)
#undef X
};

static const struct kd_reason core[] = {
#define X(symbol, name, sentence) {name, sentence},
	KD_REASONS(X)
#undef X
};

int kd_protocol_find(const char *name)
{
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if (strcmp(kd_protocols[i]->name, name) == 0)
			return i;
	return -ENOENT;
}

int kd_mechanism_find(const char *name)
{
	for (int i = 0; i < KD_MECHANISM_COUNT; i++)
		if (strcmp(kd_mechanisms[i]->name, name) == 0)
			return i;
	return -ENOENT;
}

const struct kd_reason *kd_reason(uint16_t reason)
{
	const struct kd_reason *row;
	unsigned int owner = (unsigned int)(reason - KD_REASON_CORE_COUNT) / KD_LOCAL_REASONS;
	unsigned int local = (unsigned int)(reason - KD_REASON_CORE_COUNT) % KD_LOCAL_REASONS;

	if (reason < KD_REASON_CORE_COUNT)
		return &core[reason];
	if (owner < KD_PROTOCOL_COUNT)
		row = &kd_protocols[owner]->reasons[local];
	else if (owner - KD_PROTOCOL_COUNT < KD_MECHANISM_COUNT)
		row = &kd_mechanisms[owner - KD_PROTOCOL_COUNT]->reasons[local];
	else
		return NULL;
	return row->name != NULL ? row : NULL;
}

const char *kd_reason_name(uint16_t reason)
{
	const struct kd_reason *row = kd_reason(reason);

	return row != NULL ? row->name : "none";
}
