/* The baseline file: whatever a reader accepts, it can read all of. The first byte of the input
 * chooses: 0, the rest is the file; else a baseline is built from the rest, must open, and is
 * then damaged at places that the rest names too, which reaches what a blind change never does. */
#include <stdint.h>
#include "guard/baseline_format.h"
#include "../unit/guard/baseline_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGES_MAX = 64, PATCH_SIZE = 4, PATCHES_MAX = 4 };

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static struct span take_text(struct input *in, size_t max)
{
	size_t len = take(in) % max;
	struct span text = span_of((const char *)in->at, len < in->left ? len : in->left);
	in->at += text.len;
	in->left -= text.len;
	return text;
}

static void add_page(struct baseline_builder *builder, struct input *in)
{
	struct baseline_version versions[4] = {0};
	struct span key = take_text(in, 32);
	uint8_t kind = take(in);
	unsigned n = kind & 3;
	for (unsigned i = 0; i < n; i++) {
		versions[i].head.status = (uint16_t)(200 + take(in));
		versions[i].page[0] = take(in);
		versions[i].head.fields[kind >> 2 & 3] = take_text(in, 16);
	}
	bool added = baseline_add_page(builder, kind >> 6, key, kind >> 4 & 3, versions, n);
	WALK_MUST(!added || baseline_key_ok(key));
}

static struct baseline_builder *build(struct input *in)
{
	struct baseline_builder *builder = baseline_builder_new(take(in), take(in));
	WALK_MUST(builder);
	for (uint64_t site = 0; site < 4; site++)
		WALK_MUST(baseline_add_site(builder, site));
	for (unsigned n = take(in) % PAGES_MAX; n > 0; n--)
		add_page(builder, in);
	for (unsigned n = take(in) % 8; n > 0; n--) {
		struct span host = take_text(in, 16);
		bool added = baseline_add_host(builder, n % 4, host);
		WALK_MUST(added == baseline_host_ok(host));
	}
	return builder;
}

static void read_all(const void *data, size_t size)
{
	struct baseline baseline;
	if (baseline_open(data, size, NULL, &baseline, NULL))
		baseline_walk(&baseline);
}

static void damage(struct strbuf *file, struct input *in)
{
	for (unsigned i = 0; i < PATCHES_MAX && in->left >= PATCH_SIZE; i++) {
		size_t at = (size_t)(take(in) << 8 | take(in)) % file->len;
		file->data[at] = (char)(file->data[at] + take(in));
		if (take(in) & 1)
			read_all(file->data, file->len);
	}
	read_all(file->data, file->len);
}

static void build_and_damage(struct input *in, const struct sign_key *key)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	struct baseline_builder *builder = build(in);
	struct baseline baseline;
	struct strbuf file;
	struct err err;
	strbuf_init(&file, 1 << 20);
	if (baseline_finish(builder, key, &file, &err)) { /* the same page may have come twice */
		sign_key_public(key, public_part);
		WALK_MUST(baseline_open(file.data, file.len, public_part, &baseline, &err));
		baseline_walk(&baseline);
		damage(&file, in);
	}
	baseline_builder_free(builder);
	strbuf_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sign_key *key;
	struct input in = {data, size};
	struct err err;
	if (!key)
		key = sign_key_new(&err);
	WALK_MUST(key);
	if (take(&in) == 0)
		read_all(in.at, in.left);
	else
		build_and_damage(&in, key);
	return 0;
}
