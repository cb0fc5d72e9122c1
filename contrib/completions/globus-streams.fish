# fish completion for globus-streams, globus-streams-run and globus-streams-supervisor. The words come from the program itself.

function __globus_streams_words
    set -l before (commandline -opc)
    $before[1] __complete $before[2..-1] (commandline -ct) 2>/dev/null
end

complete -c globus-streams -f -a '(__globus_streams_words)'
complete -c globus-streams -l base-dir -r -F
complete -c globus-streams-run -n 'string match -q -- "-*" (commandline -ct)' -f \
    -a '(globus-streams-run --help | string match -ar -- "--[a-z][a-z-]+")'
complete -c globus-streams-supervisor -n 'string match -q -- "-*" (commandline -ct)' -f \
    -a '(globus-streams-supervisor --help | string match -ar -- "--[a-z][a-z-]+")'
complete -c globus-streams-oci-agent -n 'string match -q -- "-*" (commandline -ct)' -f \
    -a '(globus-streams-oci-agent --help | string match -ar -- "--[a-z][a-z-]+")'
complete -c globus-streams-run -n '__fish_is_first_token' -f -a '(globus-streams __complete environment show "")'
complete -c globus-streams-launch -w globus-streams-run
complete -c globus-streams-launch.sh -w globus-streams-run
