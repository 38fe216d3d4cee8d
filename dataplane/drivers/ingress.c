/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words by which an ingress capture is known again. The version stands in them: another one may judge
 * otherwise, and then the packets are not what its box would have seen.
 */
#include "drivers/ingress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd_version.h"
#include "rulebook/scale.h"

static int who(char buf[KD_INGRESS_MARK], const struct kd_policy *policy, uint64_t seed)
{
	return snprintf(buf, KD_INGRESS_MARK, "kordon " KD_VERSION " ingress policy=%s seed=%" PRIu64,
		policy->hash, seed);
}

static int words(char buf[KD_INGRESS_MARK], const struct kd_policy *policy, uint64_t seed)
{
	int n = who(buf, policy, seed);

	if (policy->time_scale > 1)
		n += snprintf(buf + n, (size_t)(KD_INGRESS_MARK - n), " time_scale=%u", policy->time_scale);
	return n + snprintf(buf + n, (size_t)(KD_INGRESS_MARK - n), " hops=");
}

void kd_ingress_mark(char buf[KD_INGRESS_MARK], const struct kd_policy *policy, uint64_t seed, uint8_t hops,
	const char *lab_nets)
{
	int n = words(buf, policy, seed);

	snprintf(buf + n, (size_t)(KD_INGRESS_MARK - n), "%u lab=%s", hops, lab_nets);
}

const char *kd_ingress_lab(
	const char *writer, const struct kd_policy *policy, uint64_t seed, uint8_t *ret_hops)
{
	char mark[KD_INGRESS_MARK];
	size_t len = (size_t)words(mark, policy, seed);
	unsigned long hops;
	char *end;

	if (strncmp(writer, mark, len) != 0 || writer[len] < '0' || writer[len] > '9')
		return NULL;
	hops = strtoul(writer + len, &end, 10);
	if (hops > UINT8_MAX || strncmp(end, " lab=", 5) != 0)
		return NULL;
	*ret_hops = (uint8_t)hops;
	return end + 5;
}

uint32_t kd_ingress_other_scale(const char *writer, const struct kd_policy *policy, uint64_t seed)
{
	static const char key[] = " time_scale=";
	char mark[KD_INGRESS_MARK];
	size_t len = (size_t)who(mark, policy, seed);
	unsigned long own = policy->time_scale > 1 ? policy->time_scale : 1, scale = 1;

	if (strncmp(writer, mark, len) != 0 || writer[len] != ' ')
		return 0;
	if (strncmp(writer + len, key, sizeof(key) - 1) == 0)
		scale = strtoul(writer + len + sizeof(key) - 1, NULL, 10);
	return scale != own && scale >= 1 && scale <= KD_TIME_SCALE_MAX ? (uint32_t)scale : 0;
}

void kd_ingress_switch(char buf[KD_INGRESS_SWITCH], const char *rule, bool on)
{
	snprintf(buf, KD_INGRESS_SWITCH, "bypass %s%s%s", on ? "on" : "off", rule != NULL ? " " : "",
		rule != NULL ? rule : "");
}

bool kd_ingress_switched(const char *note, const struct kd_policy *policy, uint16_t *ret_rule, bool *ret_on)
{
	bool on = strncmp(note, "bypass on", 9) == 0, off = strncmp(note, "bypass off", 10) == 0;
	const char *rest = note + (on ? 9 : 10);

	if (!on && !off)
		return false;
	*ret_on = on;
	*ret_rule = KD_RULE_NONE;
	if (*rest == '\0')
		return true;
	if (*rest == ' ')
		*ret_rule = kd_policy_rule_find(policy, rest + 1);
	return *ret_rule != KD_RULE_NONE;
}
