#ifndef GS_TABLE_H
#define GS_TABLE_H

/* Tables for people. One that is wider than the terminal is folded, as Globus's CLI folds it: the
 * cells of a row are stacked in two or three lines, or in one column, within a box. */

#include <stddef.h>

/* Print rows × columns of texts (NULL: None) under heads. GLOBUS_CLI_FOLD_TABLES, a boolean word,
 * says whether to fold; without it, a table is folded if stdout and stdin are a terminal. */
void table_print(const char *const *heads, size_t columns, const char *const *cells, size_t rows);

#endif
