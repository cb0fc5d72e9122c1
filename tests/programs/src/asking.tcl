# asking.tcl HOST PORT WHEN: socket -async, and a word once it is writable (event) or at once (now).
set sock [socket -async [lindex $argv 0] [lindex $argv 1]]
fconfigure $sock -blocking 0 -buffering line
proc talk {sock} {
	fileevent $sock writable {}
	if {[set why [fconfigure $sock -error]] ne ""} {
		puts $why
		exit 1
	}
	puts $sock word
	fileevent $sock readable [list answer $sock]
}
proc answer {sock} {
	if {[gets $sock line] >= 0 || [eof $sock]} {
		puts $line
		exit
	}
}
if {[lindex $argv 2] eq "now"} {
	talk $sock
} else {
	fileevent $sock writable [list talk $sock]
}
after 20000 {puts late; exit 1}
vwait forever
