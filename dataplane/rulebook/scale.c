/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which times are slow timers: those that only let something be forgotten, come or go (residuals, bans and
 * their publication, idle flows, flapping). Whatever shapes traffic or judges it by its pace stays as it is:
 * rates, spacings, windows, delays, loss, what waits for bytes still on their way (streams, fragments).
 * Names, hash and drawn values go on saying what the real box does.
 */
#include "rulebook/scale.h"

#include "rulebook/policy.h"
#include "rulebook/setting.h"

#include <string.h>

/* A time that is there stays there: 0 means none to a residual, and flapping divides by it. */
static uint64_t shorter(uint64_t time_ns, uint32_t time_scale)
{
	return time_ns == 0 || time_ns >= time_scale ? time_ns / time_scale : 1;
}

static void scale_settings(struct kd_settings *settings, uint32_t time_scale)
{
	static const char slow[] = "flow.idle_";
	uint64_t value;

	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		char *at = (char *)settings + kd_setting_rows[i].offset;

		if (strncmp(kd_setting_rows[i].key, slow, sizeof(slow) - 1) != 0)
			continue;
		memcpy(&value, at, sizeof(value));
		value = shorter(value, time_scale);
		memcpy(at, &value, sizeof(value));
	}
}

void kd_policy_scale(struct kd_policy *policy, uint32_t time_scale)
{
	if (time_scale <= 1)
		return;
	policy->time_scale = time_scale;
	for (uint32_t i = 1; i <= policy->nrules; i++) {
		struct kd_rule *r = &policy->rules[i];

		r->residual_ns = shorter(r->residual_ns, time_scale);
		r->publish_after_ns = shorter(r->publish_after_ns, time_scale);
	}
	for (uint32_t i = 0; i < policy->nflaps; i++)
		policy->flaps[i].time_ns = shorter(policy->flaps[i].time_ns, time_scale);
	scale_settings(&policy->settings, time_scale);
}
