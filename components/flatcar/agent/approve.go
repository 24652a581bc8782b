package agent

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/redoubt-dev/redoubt/components/internal/approver"
	"github.com/redoubt-dev/redoubt/components/internal/bootstrap"
	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// approverValidity is how long the approver's certificate lives; half of it is
	// left when it is renewed.
	approverValidity = time.Hour
	// objectInterval is how long a bootstrap object that somebody changed may stay so.
	objectInterval = time.Minute
)

// Approve does the long-running work of a control plane until the context ends.
// The directory holds the approver's credential of an hour; it belongs to root and
// is not kept over a boot.
func (a *Agent) Approve(ctx context.Context, directory string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if err := a.renewApprover(directory); err != nil {
		return err
	}
	if err := a.until(ctx, "applying the bootstrap objects", func() error { return a.applyObjects(ctx) }); err != nil {
		return nil // the context ended
	}
	var work sync.WaitGroup
	work.Go(func() {
		a.every(ctx, approverValidity/2, "renewing the approver's certificate", func() error { return a.renewApprover(directory) })
	})
	work.Go(func() {
		a.every(ctx, objectInterval, "applying the bootstrap objects", func() error { return a.applyObjects(ctx) })
	})
	work.Go(func() { a.keepNodes(ctx) })
	work.Go(func() { approver.Run(ctx, filepath.Join(directory, "kubeconfig"), a.machine, nil, a.log) })
	work.Wait()
	return nil
}

// every calls do at intervals; after a failure until it succeeds.
func (a *Agent) every(ctx context.Context, interval time.Duration, what string, do func() error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
			_ = a.until(ctx, what, do) // ends with success or with the context
		}
	}
}

func (a *Agent) applyObjects(ctx context.Context) error {
	encryption, err := a.encryption()
	if err != nil { // nodes join all the same
		a.log.Error("what is encrypted is not known", "error", err.Error())
	}
	return bootstrap.WithMasters(a.config.APIServer, a.authority(), time.Now(), func(client dynamic.Interface) error {
		return bootstrap.Apply(ctx, client, Objects(encryption.Resources...), a.log)
	})
}

// renewApprover writes the approver's kubeconfig with a new certificate, which
// client-go reads again when it changes.
func (a *Agent) renewApprover(directory string) error {
	authority, _, err := pki.ReadSigner(a.authority())
	if err != nil {
		return err
	}
	certificate, key, err := pki.IssueAt(authority, pki.LeafRequest{CommonName: hostconfig.UserAgent, Client: true, Validity: approverValidity}, time.Now())
	if err != nil {
		return err
	}
	certFile, keyFile := filepath.Join(directory, "client.crt"), filepath.Join(directory, "client.key")
	if err := filepair.WritePair(certFile, keyFile, certificate, key, filepair.Owner{}); err != nil {
		return err
	}
	text, err := renderKubeconfig(a.config.Cluster, a.config.APIServer, a.config.CACertificate, hostconfig.UserAgent,
		&clientcmdapi.AuthInfo{ClientCertificate: certFile, ClientKey: keyFile})
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(directory, "kubeconfig"), text)
}
