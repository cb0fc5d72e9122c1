#ifndef GS_CLI_PLACE_H
#define GS_CLI_PLACE_H

/* A file by its path from the folder of the running program: its real path, to be freed. NULL: it
 * is not there. */
char *place_beside_us(const char *relative);

#endif
