#include "cli/base/suggest.h"

#include <stdint.h>
#include <string.h>

void suggest_init(struct suggest *suggest, const char *typed, size_t len)
{
	*suggest = (struct suggest){.distance = SIZE_MAX};
	/* Longer than any known word: nothing will be near. */
	if (len < sizeof(suggest->word))
		memcpy(suggest->word, typed, len);
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Letters to insert, drop, replace or swap with their neighbour (Damerau–Levenshtein, restricted).
 */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t table[SUGGEST_WORD_MAX][SUGGEST_WORD_MAX];
	for (size_t i = 0; i <= la; i++)
		table[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		table[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			size_t replace = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			table[i][j] = min3(table[i - 1][j] + 1, table[i][j - 1] + 1, replace);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    table[i - 2][j - 2] + 1 < table[i][j])
				table[i][j] = table[i - 2][j - 2] + 1;
		}
	}
	return table[la][lb];
}

void suggest_offer(struct suggest *suggest, const char *known)
{
	if (!suggest->word[0] || strlen(known) >= SUGGEST_WORD_MAX)
		return;
	size_t typed = strlen(suggest->word);
	size_t far = distance(suggest->word, known);
	/* A part of a word counts as a near match. */
	if (typed >= 3 && strstr(known, suggest->word))
		far = 1;
	if (far < suggest->distance && far <= 1 + strlen(known) / 4) {
		suggest->distance = far;
		suggest->best = known;
	}
}

const char *suggest_best(const struct suggest *suggest)
{
	return suggest->best;
}
