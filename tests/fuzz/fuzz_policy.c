/* Any bytes as a policy: it loads or says why not, and lets go of all it took. A second
 * reading gives the same. */

#include "sallyport/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig forgets the last string it read where it gives up on a syntax error. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

enum { OUTPUT_MAX = 1 << 20 };

static void read_once(const char *text, struct strbuf *out)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings;

	if (!errors)
		abort();
	settings = settings_load_text(text, NULL, errors);
	if ((settings == NULL) != (policy_errors_count(errors) > 0))
		abort();
	if (settings && site_lookup(settings->table, SPAN("shop.example")))
		strbuf_add_str(out, "shop\n");
	policy_errors_print(errors, out);
	settings_free(settings);
	policy_errors_free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf first, second;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	strbuf_init(&first, OUTPUT_MAX);
	strbuf_init(&second, OUTPUT_MAX);
	read_once(text, &first);
	read_once(text, &second);
	if (first.len != second.len ||
	    (first.len && memcmp(first.data, second.data, first.len) != 0))
		abort();
	strbuf_release(&first);
	strbuf_release(&second);
	free(text);
	return 0;
}
