#ifndef SALLYPORT_SHIELD_COMPILED_H
#define SALLYPORT_SHIELD_COMPILED_H

#include "shield/rules.h"

/* A site's shield, compiled: immutable, shared by workers copy-on-write. */
struct shield {
	struct shield_settings settings;
	uint32_t methods; /* 1 << enum http_method for those allowed by name */
	struct rules *rules;
};

#endif
