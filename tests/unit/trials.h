#ifndef GS_TESTS_TRIALS_H
#define GS_TESTS_TRIALS_H

/* Commands, each with an answer that it gets: for trying what becomes of it when the answer is not
 * what it should be. */

#include <cjson/cJSON.h>

#include "tests/unit/services.h"

/* What a command takes from an answer. */
struct field {
	const char *path; /* "data.0.id" */
	/* t text, w text of a certain form, u UUID, i number, p port, b boolean, l list, L one that
	 * is not empty, e an element of one; c: without it the tunnel has no contact */
	char kind;
	bool needed;
};

enum {
	CONF = 1,         /* the environment is initialized */
	NOT_NEEDED = 2,   /* without that answer it goes on, with a warning */
	MAY_BE_EMPTY = 4, /* an answer without a body is as good */
	MAY_BE_GONE = 8,  /* so is "404: there is none" */
	LISTENS = 16,     /* with CONF: on the listener's side */
};

/* A command, and one of the answers that it gets. */
struct trial {
	const char *words[8], *method, *path;
	const struct field *fields;
	int flags;
	enum tokens tokens; /* NO_TOKENS: there are those of the client */
};

extern const struct trial trials[];
#define TRIALS 32

/* The route of the answer. */
const struct route *trial_route(const struct trial *trial);

/* Make the folder as it is before the command. */
void trial_prepare(const struct trial *trial);

/* Whether text is one line of globus-streams. */
bool trial_is_one_line(const char *text);

/* Whether the files are as trial_prepare() left them. A token that was refused (http is 401) may
 * have been renewed. */
bool trial_is_unchanged(long http);

/* A secret that was made and will not be used is deleted again. */
void trial_expect_no_secret_left(const char *what);

/* Run the trial's command with that answer. fault: it cannot be used, so that there has to be one
 * line, exit status 1, and no file changed; or a warning where the answer is not needed. */
struct ended trial_attempt(const struct trial *trial, const struct reply *reply, bool fault,
			   const char *what);

/* One value of an answer changed. */
enum change { REMOVE, SET_NULL, TEXT, NUMBER, TRUE, LIST, OBJECT, CHANGES };

/* The nth value of a document, counted from the top; its path, and what holds it. NULL: there are
 * fewer. path is PATH_LEN long and empty. */
#define PATH_LEN 128
cJSON *trial_nth(cJSON *document, size_t n, char *path, cJSON **owner);
void trial_replace(cJSON *owner, cJSON *item, enum change change);

#endif
