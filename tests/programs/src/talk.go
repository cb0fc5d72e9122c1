// talk.c's listen, call and resolve, without libc.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "talk:", err)
		os.Exit(1)
	}
}

func send(conn net.Conn, text string) {
	_, err := io.WriteString(conn, text)
	die(err)
	die(conn.(*net.TCPConn).CloseWrite())
}

func receive(conn net.Conn) {
	_, err := io.Copy(os.Stdout, conn)
	die(err)
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "listen":
		listener, err := net.Listen("tcp", "0.0.0.0:"+args[1])
		die(err)
		conn, err := listener.Accept()
		die(err)
		receive(conn)
		send(conn, args[2])
	case len(args) == 4 && args[0] == "call":
		conn, err := net.Dial("tcp", net.JoinHostPort(args[1], args[2]))
		die(err)
		send(conn, args[3])
		receive(conn)
	case len(args) == 3 && args[0] == "resolve":
		addresses, err := net.LookupHost(args[1])
		die(err)
		fmt.Println(addresses[0])
	default:
		fmt.Fprintln(os.Stderr, "usage: talk listen PORT TEXT | call HOST PORT TEXT | resolve HOST PORT")
		os.Exit(2)
	}
}
