#ifndef GS_QUANTITY_H
#define GS_QUANTITY_H

/* Numbers for people: three digits and a unit. */

#define QUANTITY_TEXT 24

/* "999 B", "1.23 MB" (powers of a thousand). */
void quantity_bytes(double bytes, char text[QUANTITY_TEXT]);

/* "12 s", "3 min 04 s", "2 h 05 min", "4 d 03 h". */
void quantity_time(long long ms, char text[QUANTITY_TEXT]);

/* "0.05 ms", "12.3 ms", "1.20 s" */
void quantity_short_time(unsigned us, char text[QUANTITY_TEXT]);

#endif
