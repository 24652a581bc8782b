// Command hello is the workload of the cluster tests: a small HTTP server, and the
// few network tools that a test runs inside a pod, since its image has no shell.
//
//	hello [--listen :8080]         serve / (host name and caller) and /healthz
//	hello get URL                  print status and body; exit 1 unless the status is 2xx
//	hello dial HOST:PORT [TIMEOUT] connect; exit 1 when that fails
//	hello kernel                   print what the kernel says of itself
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// defaultTimeout is long enough for a lost first packet (retransmitted after
	// one second) and short enough for a test of what must not answer.
	defaultTimeout = 5 * time.Second
	// largestBody is how much of an answer is printed.
	largestBody = 1 << 20
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) error {
	if len(arguments) > 0 {
		switch arguments[0] {
		case "get":
			return get(arguments[1:], out)
		case "dial":
			return dial(arguments[1:], out)
		case "kernel":
			text, err := os.ReadFile("/proc/version")
			if err == nil {
				_, err = out.Write(text)
			}
			return err
		}
	}
	return serve(arguments)
}

func serve(arguments []string) error {
	flags := flag.NewFlagSet("hello", flag.ExitOnError)
	listen := flags.String("listen", ":8080", "`address` to listen on")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown command %q: expected get, dial, kernel or flags", flags.Arg(0))
	}
	server := &http.Server{Addr: *listen, Handler: handler(), ReadHeaderTimeout: defaultTimeout}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		server.Close() // PID 1 has no default action for signals
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, request *http.Request) {
		host, err := os.Hostname()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "host %s\nremote %s\n", host, request.RemoteAddr)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

func get(arguments []string, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("usage: hello get URL")
	}
	client := &http.Client{Timeout: defaultTimeout}
	response, err := client.Get(arguments[0])
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Fprintln(out, response.Status)
	if _, err := io.Copy(out, io.LimitReader(response.Body, largestBody)); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return errors.New(response.Status)
	}
	return nil
}

func dial(arguments []string, out io.Writer) error {
	if len(arguments) != 1 && len(arguments) != 2 {
		return errors.New("usage: hello dial HOST:PORT [TIMEOUT]")
	}
	timeout := defaultTimeout
	if len(arguments) == 2 {
		var err error
		if timeout, err = time.ParseDuration(arguments[1]); err != nil || timeout <= 0 {
			return fmt.Errorf("timeout %q: write a duration such as 3s", arguments[1])
		}
	}
	connection, err := net.DialTimeout("tcp", arguments[0], timeout)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "connected %s -> %s\n", connection.LocalAddr(), connection.RemoteAddr())
	return connection.Close()
}
