package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/redoubt-dev/redoubt/components/internal/approver"
	"github.com/redoubt-dev/redoubt/components/internal/bootstrap"
	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// retryInterval is how soon a failed pass is tried again: short, since at the
	// start everything waits for the API server, which takes seconds to answer.
	retryInterval = 500 * time.Millisecond
	// objectInterval is how long a bootstrap object that somebody changed may stay so.
	objectInterval = time.Minute
)

// Run does the work of the control plane's agent until the context ends. The
// configuration is read again before every pass and every decision, so a node that
// was added or removed counts at once. An error means that the configuration
// cannot be used at all; what may pass by itself is logged and tried again.
func Run(ctx context.Context, configPath string, log *slog.Logger) error {
	return run(ctx, configPath, log, objectInterval)
}

func run(ctx context.Context, configPath string, log *slog.Logger, objectInterval time.Duration) error {
	config, err := LoadConfig(configPath)
	if err != nil {
		return err
	}
	// A ready file of an earlier run says nothing about certificates that may have
	// expired since.
	if err := os.Remove(config.ReadyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	load := func() (hostconfig.AgentConfig, error) { return LoadConfig(configPath) }
	issued, applied := make(chan struct{}), make(chan struct{})

	var work sync.WaitGroup
	work.Go(func() { keepCertificates(ctx, load, newIssuer(log), issued) })
	work.Go(func() {
		if wait(ctx, issued) {
			keepObjects(ctx, load, log, objectInterval, applied)
		}
	})
	work.Go(func() {
		if wait(ctx, applied) {
			authority := func() (*pki.Authority, error) { return pki.ReadAuthority(config.ClusterCA) }
			approver.Run(ctx, config.Kubeconfig, inventory(load), authority, log)
		}
	})
	work.Wait()
	return nil
}

type loader func() (hostconfig.AgentConfig, error)

// inventory are the nodes of the configuration, each of which joins with a token
// of its own.
func inventory(load loader) approver.Inventory {
	return func(_ context.Context, name string) (approver.Machine, bool, error) {
		config, err := load()
		for _, node := range config.Nodes {
			if node.Name == name && err == nil {
				return approver.Machine{NodeIdentity: node, JoinGroup: hostconfig.GroupNodeBootstrapper(name)}, true, nil
			}
		}
		return approver.Machine{}, false, err
	}
}

// keepCertificates makes passes for ever, and closes issued after the first one
// that left every certificate in order and the ready file written.
func keepCertificates(ctx context.Context, load loader, issuer *issuer, issued chan<- struct{}) {
	ready := false
	repeat(ctx, issuer.log, "certificates", func() (time.Duration, error) {
		config, err := load()
		if err != nil {
			return 0, err
		}
		if err := issuer.pass(config); err != nil {
			return 0, err
		}
		if !ready {
			if err := filepair.Write(config.ReadyFile, nil, 0o644); err != nil {
				return 0, err
			}
			ready = true
			issuer.log.Info("all certificates are in place", "count", len(config.Certificates))
			close(issued)
		}
		return interval(config), nil
	})
}

// keepObjects makes passes for ever, and closes applied after the first success.
func keepObjects(ctx context.Context, load loader, log *slog.Logger, every time.Duration, applied chan<- struct{}) {
	first := true
	repeat(ctx, log, "bootstrap objects", func() (time.Duration, error) {
		config, err := load()
		if err != nil {
			return 0, err
		}
		err = bootstrap.WithMasters(config.APIServer, config.ClusterCA, time.Now(), func(client dynamic.Interface) error {
			return bootstrap.Apply(ctx, client, hostconfig.BootstrapObjects(), log)
		})
		if err != nil {
			return 0, err
		}
		if first {
			first = false
			close(applied)
		}
		return every, nil
	})
}

// repeat calls do until the context ends, waiting as long as do says, or
// retryInterval after an error. An error is logged when it changes, and otherwise
// once a minute, so that waiting for another program does not fill the log.
func repeat(ctx context.Context, log *slog.Logger, what string, do func() (time.Duration, error)) {
	said, when := "", time.Time{}
	for ctx.Err() == nil {
		pause, err := do()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = retryInterval
			if text := err.Error(); text != said || time.Since(when) >= time.Minute {
				log.Error(what+": will be tried again", "error", text)
				said, when = text, time.Now()
			}
		case said != "":
			log.Info(what + ": succeeded again")
			said = ""
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// wait returns true when the event came and false when the context ended first.
func wait(ctx context.Context, event <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-event:
		return true
	}
}
