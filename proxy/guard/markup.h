#ifndef SALLYPORT_GUARD_MARKUP_H
#define SALLYPORT_GUARD_MARKUP_H

#include "sallyport/span.h"

/* HTML as browsers cut it into tags (WHATWG HTML, section 13.2.5), as far as tags and their
 * attributes go: no tree, no text. Pure, without memory, every byte looked at once or
 * a bounded number of times. */
struct markup {
	struct span text;
	size_t at;
	bool in_tag; /* attributes may follow */
};

struct markup_tag {
	struct span name; /* as it was written */
	bool is_end;
};

struct markup_attribute {
	struct span name, value; /* as they were written; value: see markup_decode */
};

/* The next tag; what is left of the one before is skipped. False: there is none. */
bool markup_next_tag(struct markup *markup, struct markup_tag *tag);
/* The next attribute of the tag. False: there is none, and *whole says whether the tag has an end:
 * a tag without one is no tag, to a browser. */
bool markup_next_attribute(struct markup *markup, struct markup_attribute *attribute, bool *whole);
/* The text of the element that was just begun, where no markup is in it (script, style, title, …);
 * empty for every other element. What follows is its end tag. */
struct span markup_raw_text(struct markup *markup, struct span element);

/* An attribute's value with character references decoded: all numbers, and the few names that stand in
 * URLs; into buf, of at least value.len bytes. The value itself where there are none. */
struct span markup_decode(struct span value, char *buf);

/* ASCII whitespace of the WHATWG Infra Standard. */
bool markup_is_space(char c);

#endif
