package boot

import (
	"context"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNamespace calls a function on a thread in a network namespace of this host.
func inNamespace[T any](namespace string, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine.
		runtime.LockOSThread()
		var r result
		defer func() { done <- r }()
		file, err := os.Open("/run/netns/" + namespace)
		if err != nil {
			r.err = err
			return
		}
		defer file.Close()
		if r.err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); r.err == nil {
			r.value, r.err = call()
		}
	}()
	r := <-done
	return r.value, r.err
}

// Listen opens a socket in a network namespace of this host.
func Listen(namespace, network, address string) (net.Listener, error) {
	return inNamespace(namespace, func() (net.Listener, error) {
		// Without multipath TCP, whose sockets take no options of IP.
		var settings net.ListenConfig
		settings.SetMultipathTCP(false)
		return settings.Listen(context.Background(), network, address)
	})
}

func listenPacket(namespace, address string) (net.PacketConn, error) {
	return inNamespace(namespace, func() (net.PacketConn, error) { return net.ListenPacket("udp4", address) })
}
