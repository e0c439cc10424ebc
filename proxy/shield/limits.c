/* Limits: what each profile sets, and how a limit that is hit is told. */
#include "shield/judging.h"

#define KIB(n) (UINT64_C(1024) * (n))

/* The standard profile's are the defaults of the settings. */
void shield_profile_limits(enum shield_profile profile, struct shield_limits *out)
{
	static const struct shield_limits strict = {
#define LIMIT(member, type, reason, strict, ...) .member = strict,
#include "sallyport/limits.def"
	};
	static const struct shield_limits legacy = {
#define LIMIT(member, type, reason, strict, standard, legacy, ...) .member = legacy,
#include "sallyport/limits.def"
	};
	if (profile == PROFILE_STRICT)
		*out = strict;
	else if (profile == PROFILE_LEGACY)
		*out = legacy;
}

struct limit_row {
	size_t offset;
	enum reason reason;
	const char *setting;
};

static const struct limit_row rows[LIMIT_COUNT] = {
#define LIMIT(member, type, why, ...)                                                              \
	[LIMIT_##member] = {offsetof(struct shield_limits, member), REASON_##why,                  \
			    "sites[].shield.limits." #member},
#include "sallyport/limits.def"
};

bool refuse_over(struct judging *judging, enum shield_limit limit, uint64_t value,
		 struct span evidence)
{
	const struct limit_row *row = &rows[limit];
	const char *limits = (const char *)&judging->shield->settings.limits;
	uint64_t most;
	memcpy(&most, limits + row->offset, sizeof(most));
	if (most == 0 || value <= most)
		return false;
	refuse_by(judging, row->reason, evidence, row->setting);
	judging->verdict->limit = most;
	judging->verdict->value = value;
	return true;
}

struct span forwarded_path(const struct judging *judging)
{
	const struct shield_request *request = judging->request;
	return request->forward_path.ptr ? request->forward_path : request->canon->path;
}

/* As they are forwarded, the empty ones with them: whoever merges slashes sees fewer. */
bool judge_segments(struct judging *judging)
{
	struct span rest = span_from(forwarded_path(judging), 1);
	size_t count = 0;
	while (rest.len > 0) {
		struct span segment = span_of(rest.ptr, span_find(rest, '/'));
		if (refuse_over(judging, LIMIT_segment, segment.len, segment))
			return true;
		count++;
		rest = span_from(rest, segment.len + 1);
	}
	return refuse_over(judging, LIMIT_segments, count, judging->request->target->path);
}
