# bash completion for globus-streams and globus-streams-run. The words come from the program itself.

_globus_streams() {
	local IFS=$'\n'
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
	mapfile -t COMPREPLY < <("$1" __complete "${words[@]}" 2>/dev/null | cut -f 1)
}

_globus_streams_run() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			declare -F _command_offset >/dev/null && _command_offset $((i + 1))
			return
		fi
	done
	mapfile -t COMPREPLY < <(globus-streams __complete environment show "${COMP_WORDS[COMP_CWORD]}" \
		2>/dev/null | cut -f 1)
}

complete -o default -F _globus_streams globus-streams
complete -o default -F _globus_streams_run globus-streams-run globus-streams-launch globus-streams-launch.sh
