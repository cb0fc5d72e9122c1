#!/bin/sh
# setup.sh [--remove]: make the folder in which this lies ready for use, without root: tries whether the programs work
# here, and writes globus-streams-env, which has to be sourced, and the systemd units of the user. To be run again where
# the folder was moved. --remove takes back what it wrote. The status is 0 if there is nothing to complain about.

set -eu
self=$0
[ ! -h "$self" ] || self=$(readlink -f -- "$self")
# The path as it was called: a home may be reached through a link, and be somewhere else tomorrow.
here=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd)
environment=$here/globus-streams-env
data_below=${XDG_DATA_HOME:+systemd/user} # folders that may have been made here
data_below=${data_below:-.local/share/systemd/user}
home=${XDG_DATA_HOME:-${HOME-}}
units=$home/$data_below
service=$units/globus-streams-supervisor.service
problems=0

note() {
	echo "setup.sh: $*" >&2
}

problem() {
	note "$@"
	problems=1
}

# PATH, LD_PRELOAD, the units, subscripts of zsh and the file for every shell hold the path, each with special characters
# of its own.
check_path() {
	for path in "$here" "$(cd -- "$here" && pwd -P)"; do
		case $path in
		*[][:space:][:cntrl:],\"\'\\\$\`:\;\&\|\<\>\(\)*?[{}!#%]*)
			problem "the path of this folder, $path, has a blank, a colon or another special character;" \
				"move it to a folder without"
			return
			;;
		esac
	done
	[ -w "$here" ] || problem "the folder $here cannot be written to; unpack it in a folder of yours"
}

# For which machine a program is: e_machine in its ELF header.
machine_of() {
	case $(od -A n -t x1 -j 18 -N 1 "$1" 2>/dev/null | tr -d ' ') in
	3e) echo x86_64 ;;
	b7) echo aarch64 ;;
	esac
}

# Why a program of ours does not start, by what the shell and the loader said.
explain_start() {
	built=$(machine_of "$here/bin/globus-streams")
	if [ -z "$built" ]; then
		problem "bin/globus-streams is damaged; unpack the tarball again"
		return
	elif [ "$built" != "$(uname -m)" ]; then
		problem "these programs are for $built, and this machine is $(uname -m); take the file for $(uname -m)"
		return
	fi
	case $1 in
	*"error while loading shared libraries"*)
		problem "a library in lib is missing or damaged (${1##*shared libraries: }); unpack the tarball again"
		;;
	*GLIBC_*"not found"*)
		problem "this system has $(getconf GNU_LIBC_VERSION), and the programs need glibc 2.34 or newer;" \
			"use a newer system (RHEL 9, Debian 12, Ubuntu 22.04, or later)"
		;;
	*"ermission denied"*)
		problem "programs in $here may not be run; unpack in a folder on a file system that is not mounted" \
			"noexec, with tar's own permissions"
		;;
	*"not found"* | *"o such file"*)
		problem "this system's C library is not glibc; use a system with glibc 2.34 or newer"
		;;
	*) problem "bin/globus-streams does not start: $1" ;;
	esac
}

check_programs() {
	for name in globus-streams globus-streams-run globus-streams-supervisor; do
		if [ ! -s "$here/bin/$name" ]; then
			problem "the tarball is incomplete here: bin/$name is missing or empty; unpack it again"
			return
		elif ! said=$("$here/bin/$name" --version 2>&1); then
			explain_start "$said"
			return
		fi
	done
}

# What doctor says of the machine. In this folder as a home there is no login, so that it stays off the network.
check_machine() {
	env -i PATH="$PATH" HOME="$here" "$here/bin/globus-streams" doctor 2>/dev/null |
		sed -n '/^failed *login:/d; s/^failed *//p'
}

# lines_for_first VARIABLE FOLDER: put it first, before another copy's, and take it away from where it was.
lines_for_first() {
	cat <<-END
		case ":\${$1-}:" in
		":$2:"*) ;;
		*":$2:"*)
		globus_streams_list=":\$$1:"
		$1="$2"\${globus_streams_list%%":$2:"*}:\${globus_streams_list#*":$2:"}
		$1=\${$1%:}
		unset globus_streams_list
		;;
		*) $1="$2:\${$1-}" ;;
		esac
	END
}

write_environment() {
	cat >"$environment.new" <<-END
		# Written by setup.sh for this place. For sh, dash, bash, zsh and ksh: source it.
		test "\$?shell" = 1 && echo 'globus-streams-env is not for csh; there: set path = ( $here/bin \$path )'
	END
	lines_for_first PATH "$here/bin" >>"$environment.new"
	echo '# that it ends with a colon means: and the usual ones' >>"$environment.new"
	lines_for_first MANPATH "$here/share/man" >>"$environment.new"
	echo 'export PATH MANPATH' >>"$environment.new"
	completions_for_zsh >>"$environment.new"
	completions_for_bash >>"$environment.new"
	mv -- "$environment.new" "$environment"
}

# In words of eval's, since other shells could not read them.
completions_for_zsh() {
	functions=$here/share/zsh/site-functions
	echo "[ -z \"\${ZSH_VERSION-}\" ] || eval '"
	echo "	(( \${fpath[(Ie)$functions]} )) || fpath=(\"$functions\" \$fpath)"
	echo '	if (( $+functions[compdef] )); then'
	for file in "$functions"/_*; do
		echo "		autoload -Uz ${file##*/}; compdef ${file##*/} $(sed -n '1s/^#compdef //p' "$file")"
	done
	printf "\tfi'\n"
}

completions_for_bash() {
	echo 'case ${BASH-}:$- in'
	echo '*/bash:*i*)'
	for file in "$here"/share/bash-completion/completions/*; do
		[ -h "$file" ] || printf '\t. "%s"\n' "$file"
	done
	printf '\t;;\nesac\n'
}

has_user_manager() {
	XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
	export XDG_RUNTIME_DIR # systemctl --user looks nowhere else
	command -v systemctl >/dev/null && [ -S "$XDG_RUNTIME_DIR/systemd/private" ]
}

# A folder without links. Some shells keep two slashes at the beginning.
physical() {
	(CDPATH='' cd -- "$1" 2>/dev/null && pwd -P) | tr -s /
}

# Sets program to what the user's unit starts, and owner to whose it is: none; this, of this folder; gone, of a folder
# that is not there any more; copy, of another one of globus-streams; user, the user's own.
look_at_unit() {
	owner=none program=
	[ -e "$service" ] || [ -h "$service" ] || return 0
	program=$(sed -n 's/^ExecStart *= *[-@:+!|]*"\([^"]*\)".*/\1/p; s/^ExecStart *= *[-@:+!|]*\([^" ]*\).*/\1/p' \
		"$service" 2>/dev/null | tail -n 1)
	case $program in
	*[%\\]*/bin/globus-streams-supervisor) owner=copy ;; # systemd alone knows whether that is there
	/*/bin/globus-streams-supervisor)
		if [ "$(physical "${program%/bin/*}")" = "$(physical "$here")" ]; then
			owner=this
		elif [ -e "$program" ]; then
			owner=copy
		else
			owner=gone
		fi
		;;
	*) owner=user ;;
	esac
}

copy_units() {
	mkdir -p -- "$units" || return
	for unit in "$here"/*/systemd/user/globus-streams-supervisor.*; do
		sed "s|^\(Exec[A-Za-z]*\)=\"\{0,1\}[^ \"]*/bin/\([^ \"]*\)\"\{0,1\}|\1=$here/bin/\2|" "$unit" \
			>"$units/${unit##*/}" || return
	done
}

write_units() {
	if [ -z "$home" ]; then
		note "HOME is not set, so that no systemd units are written; the programs work without them"
		return
	fi
	look_at_unit
	if [ $owner = user ]; then
		note "$service starts ${program:-another program}, and is left as it is; the programs work without it"
		return
	fi
	if ! said=$(copy_units 2>&1); then
		problem "the systemd units cannot be written ($said); the programs work without them"
		return
	fi
	[ $owner != copy ] || note "the systemd units in $units, which started $program, are now of this folder"
	systemctl --user daemon-reload || true
}

# Those of another folder that exists are left alone.
remove_units() {
	if [ -z "$home" ]; then
		note "HOME is not set, so that systemd units, if there are any, are left"
		return
	fi
	look_at_unit
	case $owner in
	none) return ;;
	copy | user)
		note "the systemd units in $units start ${program:-another program}, not of this folder, and are left"
		return
		;;
	esac
	if has_user_manager; then
		systemctl --user disable --now --quiet globus-streams-supervisor.socket globus-streams-supervisor.service || true
	fi
	rm -f -- "$service" "$units/globus-streams-supervisor.socket"
	(cd -- "${units%"/$data_below"}" && rmdir -p -- "$data_below" 2>/dev/null) || true
	if has_user_manager; then
		systemctl --user daemon-reload || true
	fi
}

set_up() {
	check_path
	[ $problems = 1 ] || check_programs
	[ $problems = 0 ] || exit 1
	write_environment
	if has_user_manager; then
		write_units
	fi
	found=$(check_machine)
	if [ -n "$found" ]; then
		printf '%s\n' "$found" | sed 's/^/setup.sh: /' >&2
		echo "setup.sh: globus-streams-env is written, but on this machine commands cannot be run through a tunnel" >&2
		exit 1
	fi
	cat <<-END
		Ready. In each shell:
		  source $environment
		Then globus-streams login, and globus-streams --help; ./setup.sh --remove takes back what was written.
	END
	exit $problems
}

case $#:${1-} in
0:) set_up ;;
1:--remove)
	remove_units
	rm -f -- "$environment" "$environment.new"
	;;
*)
	echo "usage: ${0##*/} [--remove]" >&2
	exit 2
	;;
esac
