#!/bin/sh
# globus-streams-launch.sh [-d] [-l FILE] [-p PORT] TUNNEL_ID COMMAND [ARGUMENT]...
# The launcher under the name that scripts know. It takes all options of globus-streams-run(1).
own=$0
[ ! -h "$own" ] || own=$(readlink -f -- "$own")
here=${own%/*}
for run in "$here/globus-streams-run" "$here/../../../bin/globus-streams-run"; do
	[ -x "$run" ] && exec "$run" "$@"
done
exec globus-streams-run "$@"
