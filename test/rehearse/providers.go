package rehearse

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// attach serves the providers, each on a port of its own, and returns what tells the engine where. A server lives for
// one operation: one that outlives the engine that attached it sends its log lines nowhere.
func (d *Driver) attach(operation Operation) (where string, stop func(), err error) {
	var ports []string
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for _, provider := range d.options.Providers {
		if provider.StandIn && !d.options.StandIns && installed(provider.Name) {
			d.say("The %s plugin is installed: it is used, not the stand-in (--stand-ins reverses that).", provider.Name)
			continue
		}
		server, err := provider.Serve(operation)
		if err != nil {
			stop()
			return "", nil, fmt.Errorf("provider %s: %w", provider.Name, err)
		}
		cancel := make(chan bool)
		handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
			Cancel: cancel,
			Init: func(s *grpc.Server) error {
				pulumirpc.RegisterResourceProviderServer(s, server)
				return nil
			},
		})
		if err != nil {
			stop()
			return "", nil, fmt.Errorf("provider %s: %w", provider.Name, err)
		}
		stops = append(stops, func() {
			if closer, ok := server.(io.Closer); ok {
				_ = closer.Close()
			}
			close(cancel)
			select { // an engine that was killed leaves its calls open
			case <-handle.Done:
			case <-time.After(2 * time.Second):
			}
		})
		ports = append(ports, fmt.Sprintf("%s:%d", provider.Name, handle.Port))
	}
	return strings.Join(ports, ","), stop, nil
}

// userPlugins is where the ordinary CLI keeps its plugins.
func userPlugins() string {
	home := os.Getenv("PULUMI_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		home = filepath.Join(user, ".pulumi")
	}
	return filepath.Join(home, "plugins")
}

// installed tells whether the ordinary CLI has a provider's plugin.
func installed(name string) bool {
	found, err := filepath.Glob(filepath.Join(userPlugins(), "resource-"+name+"-v*", "pulumi-resource-"+name+"*"))
	return err == nil && len(found) > 0
}

// prepareHome makes the engine's own home, with the ordinary CLI's plugins in it and nothing else of the user's: no
// login, no selected stack, no downloads into it.
func (d *Driver) prepareHome() error {
	if err := os.MkdirAll(d.home(), 0o700); err != nil {
		return err
	}
	link, target := filepath.Join(d.home(), "plugins"), userPlugins()
	if current, err := os.Readlink(link); err == nil && current == target {
		return nil
	} else if err == nil {
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if _, err := os.Stat(target); err != nil {
		return nil
	}
	if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
