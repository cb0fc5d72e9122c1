// HOST PORT COUNT: see ../loops.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func one(to string) {
	sock, err := net.Dial("tcp", to)
	if err != nil {
		panic(err)
	}
	defer sock.Close()
	word := make([]byte, 4)
	sock.Write([]byte("word"))
	if _, err := io.ReadFull(sock, word); err != nil {
		panic(err)
	}
}

func gap(work func()) float64 {
	var most float64
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		for {
			since := time.Now()
			select {
			case <-stop:
				stopped <- true
				return
			case <-time.After(time.Millisecond):
			}
			if took := float64(time.Since(since).Microseconds())/1000 - 1; took > most {
				most = took
			}
		}
	}()
	work()
	time.Sleep(5 * time.Millisecond)
	stop <- true
	<-stopped
	return most
}

func main() {
	runtime.GOMAXPROCS(1)
	to := net.JoinHostPort(os.Args[1], os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	first := gap(func() { one(to) })
	for i := 0; i < (count-2)/20; i++ {
		var all sync.WaitGroup
		for j := 0; j < 20; j++ {
			all.Add(1)
			go func() { defer all.Done(); one(to) }()
		}
		all.Wait()
	}
	fmt.Println(first, gap(func() { one(to) }))
}
