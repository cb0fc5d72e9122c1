#ifndef GS_UNIX_LINES_H
#define GS_UNIX_LINES_H

/* JSON in lines for awk, cut and grep, as Globus's CLI prints it with -F unix. An object is a line
 * of its scalars, in the order of their names, separated by tabs; then what is not scalar, each
 * after a line with its name in upper case. In a list of objects all have the same columns, with
 * None where one lacks a member. A list of scalars is one line; in an object, a line for each with
 * the name before it. Empty lists and objects are no lines. */

#include <cjson/cJSON.h>
#include <stdio.h>

/* 0, or -1 with *why: such a document has no lines. */
int unix_lines_print(const cJSON *document, FILE *out, const char **why);

#endif
