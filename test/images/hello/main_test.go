package main

import (
	"bytes"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestServeAndGet(t *testing.T) {
	server := httptest.NewServer(handler())
	defer server.Close()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for path, test := range map[string]struct {
		want string
		ok   bool
	}{
		"/":        {"200 OK\nhost " + host + "\nremote 127.0.0.1:", true},
		"/healthz": {"200 OK\nok\n", true},
		"/other":   {"404 Not Found\n", false},
	} {
		var out bytes.Buffer
		err := run([]string{"get", server.URL + path}, &out)
		if (err == nil) != test.ok || !strings.HasPrefix(out.String(), test.want) {
			t.Errorf("get %s: %v, printed %q; want %q", path, err, out.String(), test.want)
		}
	}
}

func TestDial(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	var out bytes.Buffer
	if err := run([]string{"dial", address, "3s"}, &out); err != nil || !strings.HasPrefix(out.String(), "connected ") {
		t.Errorf("dial: %v, printed %q", err, out.String())
	}
	listener.Close()
	for _, arguments := range [][]string{{"dial", address}, {"dial"}, {"dial", address, "soon"}, {"dial", address, "-1s"}, {"get"}, {"get", "http://" + address}, {"serve"}} {
		if err := run(arguments, &out); err == nil {
			t.Errorf("%v succeeded", arguments)
		}
	}
}
