#ifndef GS_ENVIRONMENT_EXPORT_H
#define GS_ENVIRONMENT_EXPORT_H

#include "protocol/contact.h"

/* The file in which an environment is handed to another machine: a first line that names the
 * tunnel, the text of its conf file, and a last line, which a file that was cut off lacks. Neither
 * of the two has a '=', so that what reads conf files passes over them. */
#define EXPORT_HEAD "# globus-streams: the environment of tunnel "
#define EXPORT_LAST "# end\n"

#endif
