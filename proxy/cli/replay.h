#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

/* What the files of `sallyport replay` share. */

#include "cli/replay_tally.h"

struct replay {
	const char *path, *against; /* policies; NULL: the standard settings, and none */
	const char *site;
	enum log_dialect dialect;
	bool as_json;
	uint64_t top, show; /* rows of a class, examples of a row */
	char **logs;
	size_t log_count;

	struct replay_judge *judge, *old; /* old NULL: none */
	struct line_reader reader;
	struct tally tally;
};

/* replay_say.c: the whole answer on standard output. False: it cannot be written. */
MUST_CHECK bool replay_say(struct replay *replay);

#endif
