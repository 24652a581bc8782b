package boot

import (
	"io"
	"net"
	"sync"
)

// relay holds pairs of connections of which each leads to the other.
type relay struct {
	mutex sync.Mutex
	open  map[net.Conn]bool
}

// join copies both ways until one side ends.
func (r *relay) join(client, server net.Conn) {
	r.mutex.Lock()
	if r.open == nil {
		r.open = map[net.Conn]bool{}
	}
	r.open[client], r.open[server] = true, true
	r.mutex.Unlock()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
	client.Close()
	server.Close()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.open, client)
	delete(r.open, server)
}

// close ends all of them.
func (r *relay) close() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for conn := range r.open {
		conn.Close()
	}
}
