/* Lists that a site allows or denies: hosts, extensions, content types, sequences of bytes in
 * URLs and queries. Sequences are looked for as sent and as decoded, since an origin may see
 * either. What an extension is leaves no room for names that Windows shortens. */
#include "shield/judging.h"

bool is_listed(const char *const *texts, struct span s)
{
	while (texts && *texts && !span_eq(span_from_str(*texts), s))
		texts++;
	return texts && *texts;
}

bool is_listed_caseless(const char *const *texts, struct span s)
{
	while (texts && *texts && !span_ieq(span_from_str(*texts), s))
		texts++;
	return texts && *texts;
}

static bool has_sequence(struct span s, struct span sequence)
{
	for (size_t i = 0; i + sequence.len <= s.len; i++) {
		if (span_ieq(span_of(s.ptr + i, sequence.len), sequence))
			return true;
	}
	return false;
}

const char *find_sequence(const char *const *texts, struct span s)
{
	for (; texts && *texts; texts++) {
		if (has_sequence(s, span_from_str(*texts)))
			return *texts;
	}
	return NULL;
}

static bool is_host_listed(const char *const *texts, struct span host)
{
	for (; texts && *texts; texts++) {
		struct span text = span_from_str(*texts);
		if (text.ptr[0] == '*' ? span_iends(host, span_from(text, 1)) : span_ieq(host, text))
			return true;
	}
	return false;
}

bool judge_host(struct judging *judging)
{
	struct span host = judging->request->host;
	return host.ptr && is_host_listed(judging->shield->settings.lists.deny_hosts, host) &&
	       refuse_by(judging, REASON_HOST_DENIED, host, "sites[].shield.deny.hosts");
}

/* Without the dot; empty where the name has none. IIS ends names at ":" and, in old versions, at
 * ";" ("x.asp;.jpg"), Tomcat at ";". */
static struct span extension_of(struct span segment, int kind)
{
	if (kind == ORIGIN_IIS || kind == ORIGIN_TOMCAT)
		segment.len = span_find(segment, ';');
	if (kind == ORIGIN_IIS)
		segment.len = span_find(segment, ':');
	while (segment.len > 0 &&
	       (segment.ptr[segment.len - 1] == '.' || segment.ptr[segment.len - 1] == ' '))
		segment.len--;
	for (size_t i = segment.len; i > 0; i--) {
		if (segment.ptr[i - 1] == '.')
			return span_from(segment, i);
	}
	return span_of(segment.ptr, 0);
}

static bool is_extension_listed(const char *const *texts, struct span extension)
{
	for (; texts && *texts; texts++) {
		struct span text = span_from_str(*texts);
		if (text.len > 0 && text.ptr[0] == '.')
			text = span_from(text, 1);
		if (span_ieq(text, extension))
			return true;
	}
	return false;
}

/* Every segment's is looked at for what is denied, since a script may have a path behind
 * it; only the last one's for what is allowed. */
static bool judge_extensions(struct judging *judging)
{
	const struct shield_lists *lists = &judging->shield->settings.lists;
	struct span rest = span_from(judging->request->canon->decoded, 1);
	if (!lists->deny_extensions && !lists->allow_extensions)
		return false;
	for (;;) {
		struct span segment = span_of(rest.ptr, span_find(rest, '/'));
		struct span extension =
		    extension_of(segment, judging->shield->settings.origin_kind);
		bool is_last = segment.len == rest.len;
		if ((is_last || extension.len > 0) &&
		    is_extension_listed(lists->deny_extensions, extension))
			return refuse_by(judging, REASON_EXTENSION_DENIED, segment,
					 "sites[].shield.deny.extensions");
		if (is_last && lists->allow_extensions &&
		    !is_extension_listed(lists->allow_extensions, extension))
			return refuse_by(judging, REASON_EXTENSION_DENIED, segment,
					 "sites[].shield.allow.extensions");
		if (is_last)
			return false;
		rest = span_from(rest, segment.len + 1);
	}
}

bool judge_path_lists(struct judging *judging)
{
	const struct shield_lists *lists = &judging->shield->settings.lists;
	const struct shield_request *request = judging->request;
	judging->always_allowed = is_listed(lists->always_urls, request->canon->path);
	if (judging->always_allowed)
		return false;
	if (judge_extensions(judging))
		return true;
	return (find_sequence(lists->deny_url, request->target->path) ||
		find_sequence(lists->deny_url, request->canon->decoded)) &&
	       refuse_by(judging, REASON_URL_SEQUENCE, request->target->path,
			 "sites[].shield.deny.url");
}

bool judge_query_lists(struct judging *judging)
{
	const struct shield_lists *lists = &judging->shield->settings.lists;
	struct span query = judging->request->target->query;
	if (!query.ptr || !lists->deny_query || is_listed(lists->always_queries, query))
		return false;
	return (find_sequence(lists->deny_query, query) ||
		find_sequence(lists->deny_query, url_decode_query(query, judging->request->buf))) &&
	       refuse_by(judging, REASON_QUERY_SEQUENCE, query, "sites[].shield.deny.query");
}

bool is_type_listed(const char *const *texts, struct span type)
{
	for (; texts && *texts; texts++) {
		struct span text = span_from_str(*texts);
		if (span_ends(text, SPAN("*")) ? span_istarts(type, span_of(text.ptr, text.len - 1))
					       : span_ieq(type, text))
			return true;
	}
	return false;
}

static bool judge_type(struct judging *judging, struct span value)
{
	const struct shield_lists *lists = &judging->shield->settings.lists;
	struct span type = span_trim_ows(span_of(value.ptr, span_find(value, ';')));
	if (is_type_listed(lists->deny_content_types, type))
		return refuse_by(judging, REASON_CONTENT_TYPE_DENIED, value,
				 "sites[].shield.deny.content_types");
	return lists->allow_content_types && !is_type_listed(lists->allow_content_types, type) &&
	       refuse_by(judging, REASON_CONTENT_TYPE_DENIED, value,
			 "sites[].shield.allow.content_types");
}

bool has_content(const struct http_head *head)
{
	return head->framing == HTTP_FRAMING_CHUNKED ||
	       (head->framing == HTTP_FRAMING_LENGTH && head->content_length > 0);
}

/* Content that says no type is taken for one that is not allowed. */
bool judge_content_type(struct judging *judging)
{
	const struct shield_lists *lists = &judging->shield->settings.lists;
	const struct http_head *head = judging->request->head;
	bool found = false;
	if (!lists->deny_content_types && !lists->allow_content_types)
		return false;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != HTTP_FIELD_CONTENT_TYPE)
			continue;
		found = true;
		if (judge_type(judging, http_field_value(head, &head->fields[i])))
			return true;
	}
	return !found && has_content(head) &&
	       judge_type(judging, span_of(http_target(head).ptr, 0));
}
