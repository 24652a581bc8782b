package images

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Serve runs a registry over an image directory until the context ends. It listens
// on loopback addresses only: it speaks plain HTTP and asks nobody who they are.
func Serve(ctx context.Context, directory, listen string, log *slog.Logger) error {
	address, err := netip.ParseAddrPort(listen)
	if err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("listen address %q: the registry speaks plain HTTP and serves its own machine only: use a loopback address such as 127.0.0.1:5000", listen)
	}
	registry, err := NewRegistry(directory, log)
	if err != nil {
		return err
	}
	defer registry.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           registry,
		ReadHeaderTimeout: 10 * time.Second, // everything is local: whoever is slower is stuck
		WriteTimeout:      5 * time.Minute,  // a large layer on a busy disk
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("serving images", "directory", directory, "address", listener.Addr().String())
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
