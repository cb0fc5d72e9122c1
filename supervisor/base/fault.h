#ifndef GS_FAULT_H
#define GS_FAULT_H

/*
 * Places at which a test can let the supervisor end: between the steps that supervisors which take
 * over have to tell apart. They are nothing but names, save in what tests/programs/meson.build
 * makes for test_survive_faults.py. That reads the names from the source: each stands once, and
 * each has to be reached.
 */

#ifdef GS_FAULT_POINTS
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif

#endif
