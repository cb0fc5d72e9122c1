// preempt HOST PORT COUNT: COUNT connections at once from a program whose other goroutines never
// pause, so that the runtime interrupts its threads all the time. Prints how many got an echo.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

var stopped atomic.Bool

func busy() {
	for n := 0; !stopped.Load(); n++ {
		for i := 0; i < 100_000_000; i++ {
			n ^= i
		}
	}
}

func one(address string, number int) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	defer conn.Close()
	text := fmt.Sprintf("connection %d", number)
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	return err == nil && string(answer) == text
}

func main() {
	count, _ := strconv.Atoi(os.Args[3])
	address := net.JoinHostPort(os.Args[1], os.Args[2])
	for i := 0; i < 2; i++ {
		go busy()
	}
	var wait sync.WaitGroup
	var echoed atomic.Int32
	for i := 0; i < count; i++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			if one(address, number) {
				echoed.Add(1)
			}
		}(i)
	}
	wait.Wait()
	stopped.Store(true)
	fmt.Println(echoed.Load(), "echoed")
}
