package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/internal/bootstrap"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Agent is redoubt-node on one machine.
type Agent struct {
	config nodeconfig.Config
	cloud  cloud.Cloud
	log    *slog.Logger
	now    func() time.Time
	// retry is the pause between attempts of what must succeed in the end, and
	// between passes over all nodes.
	retry time.Duration
	// auditEvery is auditlog's own by default.
	auditEvery time.Duration
}

// Options are for tests; the zero value is what a machine needs.
type Options struct {
	Cloud cloud.Options
	// Now is the clock of decisions; time.Now by default.
	Now func() time.Time
	// Retry is the pause between attempts; 5 s by default.
	Retry time.Duration
	// AuditEvery is how long an audit event waits at most; a minute by default.
	AuditEvery time.Duration
}

const (
	retryInterval = 5 * time.Second
	// clientValidity is how long a certificate lives that one run of a subcommand
	// mints for itself; the least that bears clocks ten minutes apart.
	clientValidity = 15 * time.Minute
)

// New reads the configuration and opens the cloud.
func New(file string, options Options, log *slog.Logger) (*Agent, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	config, err := nodeconfig.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	opened, err := cloud.Open(config, options.Cloud)
	if err != nil {
		return nil, err
	}
	a := &Agent{config: config, cloud: opened, log: log, now: options.Now, retry: options.Retry, auditEvery: options.AuditEvery}
	if a.now == nil {
		a.now = time.Now
	}
	if a.retry == 0 {
		a.retry = retryInterval
	}
	return a, nil
}

// controlPlane refuses on workers: they have neither the rights nor the settings.
func (a *Agent) controlPlane() error {
	if !a.config.ControlPlaneMachine() {
		return errors.New("this is a worker's configuration: the subcommand is for control planes")
	}
	return nil
}

func (a *Agent) authority() string { return filepath.Join(a.config.PKI, "ca") }

// as makes a client of this machine's API server for an identity.
func (a *Agent) as(user string, groups ...string) (*rest.Config, *http.Client, error) {
	return bootstrap.Client(a.config.APIServer, a.authority(), pki.LeafRequest{CommonName: user, Organizations: groups, Validity: clientValidity}, time.Now())
}

// until calls do until it succeeds or the context ends. An error is logged when it
// changes, so that waiting for something else does not fill the journal. What it gives
// is the last error that is more than the context's end.
func (a *Agent) until(ctx context.Context, what string, do func() error) error {
	said := ""
	var last error
	for {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && last != nil {
			err = last
		}
		last = err
		if text := err.Error(); text != said {
			a.log.Info(what+": will be tried again", "error", text)
			said = text
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(a.retry):
		}
	}
}
