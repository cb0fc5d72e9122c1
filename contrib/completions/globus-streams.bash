# bash completion for globus-streams, globus-streams-run and globus-streams-supervisor. The words come from the program itself.

_globus_streams() {
	local IFS=$'\n' word i whole=() head=''
	# bash takes --name=value for three words, of which only the last is completed.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = && ${#whole[@]} -gt 0 ]]; then
			whole[-1]+==
			((i++ < COMP_CWORD)) && whole[-1]+=${COMP_WORDS[i]}
			head=${whole[-1]%%=*}=
		else
			whole+=("$word")
			head=''
		fi
	done
	mapfile -t COMPREPLY < <("$1" __complete "${whole[@]}" 2>/dev/null | cut -f 1)
	COMPREPLY=("${COMPREPLY[@]#"$head"}")
}

_globus_streams_options() {
	mapfile -t COMPREPLY < <(compgen -W "$("$1" --help | grep -o -e '--[a-z-]*')" -- "${COMP_WORDS[COMP_CWORD]}")
}

_globus_streams_run() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			declare -F _command_offset >/dev/null && _command_offset $((i + 1))
			return
		fi
	done
	local word=${COMP_WORDS[COMP_CWORD]}
	if [[ $word == -* ]]; then
		_globus_streams_options "$1"
	else
		mapfile -t COMPREPLY < <(globus-streams __complete environment show "$word" 2>/dev/null | cut -f 1)
	fi
}

complete -o default -F _globus_streams globus-streams
_globus_streams_supervisor() {
	[[ ${COMP_WORDS[COMP_CWORD]} != -* ]] || _globus_streams_options "$1"
}

complete -o default -F _globus_streams_supervisor globus-streams-supervisor globus-streams-oci-agent
complete -o default -F _globus_streams_run globus-streams-run globus-streams-launch globus-streams-launch.sh
