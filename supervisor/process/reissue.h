#ifndef GS_REISSUE_H
#define GS_REISSUE_H

/* Calls whose receiver is gone with its descriptors: another that holds the listener cannot receive
 * them again, and they would wait for ever. A tracer that stops their threads for a moment makes
 * the kernel take them back; then they come again, and nobody notices. */

/* For a launch's keeper: do so for all processes below us. How many calls come again. */
int reissue(void);

#endif
