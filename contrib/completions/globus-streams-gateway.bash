# bash completion for globus-streams-gateway. The options come from the program itself.

_globus_streams_gateway() {
	local word=${COMP_WORDS[COMP_CWORD]}
	[[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$("$1" --help | grep -o -e '--[a-z-]*')" -- "$word")
}

complete -o default -F _globus_streams_gateway globus-streams-gateway
