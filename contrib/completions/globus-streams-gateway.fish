# fish completion for globus-streams-gateway. The options come from the program itself.

complete -c globus-streams-gateway -n 'string match -q -- "-*" (commandline -ct)' -f \
    -a '(globus-streams-gateway --help | string match -ar -- "--[a-z][a-z-]+")'
