package agent

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// auditPutTimeout bounds an attempt to store an object of a few MiB at most: a
// connection that neither goes on nor ends must not hold up what comes after it.
const auditPutTimeout = 2 * time.Minute

// ShipAudit copies the API server's audit log into its bucket until the context
// ends, and then what is left of it. It remembers in the directory what it stored
// (M17, M38).
func (a *Agent) ShipAudit(ctx context.Context, directory string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if a.config.AuditLog == nil {
		return errors.New("auditLog: is not set: write the bucket")
	}
	shipper, err := auditlog.New(auditlog.Options{
		Node: a.config.Node, Prefix: a.config.AuditLog.Prefix, Log: a.config.AuditLog.File, State: directory, Last: nodeconfig.AuditShipStop,
		Put: a.putAudit, Logger: a.log, Now: a.now, Poll: a.retry, Every: a.auditEvery,
	})
	if err != nil {
		return err
	}
	return shipper.Run(ctx)
}

// putAudit stores an object once. A store refuses a second one of the same name, in
// words that also stand for other things: that it exists, that it is being written in
// this moment, or that this role may not replace it. So it is asked what it has. That
// is all that this role may ask: it reads no audit log.
func (a *Agent) putAudit(ctx context.Context, key string, object []byte) error {
	ctx, cancel := context.WithTimeout(ctx, auditPutTimeout)
	defer cancel()
	bucket := a.config.AuditLog.Bucket
	refused := a.cloud.Put(ctx, bucket, key, bytes.NewReader(object), cloud.Absent)
	if !errors.Is(refused, cloud.ErrChanged) && !errors.Is(refused, cloud.ErrDenied) {
		return refused
	}
	keys, err := a.cloud.List(ctx, bucket, key)
	if slices.Contains(keys, key) {
		return nil
	}
	return errors.Join(refused, err)
}
