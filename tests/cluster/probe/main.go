// The one program in the pods of the cluster tests: it serves, asks, resolves, and tells what it sees.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	client := &http.Client{Timeout: 3 * time.Second}
	switch os.Args[1] {
	case "serve":
		go func() {
			fail(http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "served by ", os.Getenv("HOSTNAME"))
			})))
		}()
		stopped := make(chan os.Signal, 1)
		signal.Notify(stopped, syscall.SIGTERM)
		<-stopped
		if file := os.Getenv("GOODBYE"); file != "" {
			fail(os.WriteFile(file, []byte("ended by SIGTERM"), 0o644))
		}
	case "get":
		answer, err := client.Get(os.Args[2])
		fail(err)
		text, err := io.ReadAll(answer.Body)
		fail(err)
		fmt.Println(answer.StatusCode, string(text))
	case "dial":
		connection, err := net.DialTimeout("tcp", os.Args[2], 3*time.Second)
		fail(err)
		connection.Close()
	case "resolve":
		until, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		addresses, err := net.DefaultResolver.LookupHost(until, os.Args[2])
		fail(err)
		fmt.Println(strings.Join(addresses, " "))
	case "cat":
		text, err := os.ReadFile(os.Args[2])
		fail(err)
		fmt.Print(string(text))
	case "write":
		fail(os.WriteFile(os.Args[2], []byte("written"), 0o644))
	case "files":
		var limit syscall.Rlimit
		fail(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
		fmt.Println(limit.Max)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
