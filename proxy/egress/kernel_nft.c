/* libnftables behind our own names; the only file that knows it. Texts are our own, so nothing in them is a
 * name that would be looked up. What the kernel lists is read as JSON, within the bounds of base/json. */
#include "sallyport/kernel_nft.h"

#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

struct kernel_nft {
	struct nft_ctx *context;
};

struct kernel_nft *kernel_nft_new(struct err *err)
{
	struct kernel_nft *nft = calloc(1, sizeof(*nft));
	if (nft)
		nft->context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft || !nft->context || nft_ctx_buffer_output(nft->context) != 0 ||
	    nft_ctx_buffer_error(nft->context) != 0) {
		kernel_nft_free(nft);
		err_set(err, "libnftables cannot be set up");
		return NULL;
	}
	nft_ctx_output_set_flags(nft->context,
				 NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
	return nft;
}

void kernel_nft_free(struct kernel_nft *nft)
{
	if (nft && nft->context)
		nft_ctx_free(nft->context);
	free(nft);
}

/* The first line says what is wrong, and where; those after it show the place. */
static void take_words(struct kernel_nft *nft, struct err *err)
{
	const char *words = nft_ctx_get_error_buffer(nft->context);
	size_t len = words ? strcspn(words, "\n") : 0;
	const char *second = words && words[len] ? words + len + 1 : "";
	err_set(err, "the kernel refuses the rules: %.*s: %.*s", (int)len, words ? words : "", (int)strcspn(second, "\n"),
		second);
}

static bool run(struct kernel_nft *nft, const char *text, struct err *err)
{
	if (nft_run_cmd_from_buffer(nft->context, text) == 0)
		return true;
	take_words(nft, err);
	return false;
}

bool kernel_nft_check(struct kernel_nft *nft, const char *text, struct err *err)
{
	nft_ctx_set_dry_run(nft->context, true);
	bool is_good = run(nft, text, err);
	nft_ctx_set_dry_run(nft->context, false);
	return is_good;
}

bool kernel_nft_load(struct kernel_nft *nft, const char *text, struct err *err)
{
	return run(nft, text, err);
}

const struct json_value *kernel_nft_list(struct kernel_nft *nft, const char *command, struct json_value **document,
					 struct err *err)
{
	*document = NULL;
	if (!run(nft, command, err))
		return NULL;
	*document = json_read(span_from_str(nft_ctx_get_output_buffer(nft->context)), err);
	return json_member(*document, "nftables");
}
