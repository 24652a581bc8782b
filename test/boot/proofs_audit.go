package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const shipUnit = "redoubt-audit-ship.service"

// proveAuditLog reads a Secret through the API, and finds within minutes in the
// bucket who did it, in a chain of objects that has no hole. Then it takes a control
// plane's own credentials, as an intruder there would, and tries to delete and to
// replace what is stored.
func proveAuditLog(ctx context.Context, r *Rehearsal) error {
	name := "watched-" + randomHex()
	if _, err := r.Kubectl(ctx, "create", "secret", "generic", name, "--from-literal=value=x"); err != nil {
		return err
	}
	if _, err := r.Kubectl(ctx, "get", "secret", name); err != nil {
		return err
	}
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	if err := within(ctx, 4*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error { return r.recorded(config, "get", "secrets", name) })
	}); err != nil {
		for _, each := range r.Planes() {
			err = fmt.Errorf("%w\n%s: %s", err, each, r.Journal(each, shipUnit, 5))
		}
		return err
	}
	return r.unalterable(ctx, plane, config)
}

// stored gives the objects of one control plane's audit log.
func (r *Rehearsal) stored(config nodeconfig.Config, node string) map[string][]byte {
	objects := map[string][]byte{}
	for _, key := range r.Cloud.Server.Keys(config.AuditLog.Bucket) {
		if strings.HasPrefix(key, config.AuditLog.Prefix+node+"/") {
			objects[key], _ = r.Cloud.Server.Get(config.AuditLog.Bucket, key)
		}
	}
	return objects
}

// recorded tells that every control plane's log in the bucket is whole, and that one
// of them has what somebody did to an object.
func (r *Rehearsal) recorded(config nodeconfig.Config, verb, resource, name string) error {
	found := false
	for _, plane := range config.ControlPlanes {
		log, err := auditlog.Verify(r.stored(config, plane.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", plane.Name, err)
		}
		if len(log) == 0 {
			return fmt.Errorf("%s has stored nothing yet", plane.Name)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(log), []byte("\n")) {
			var event struct {
				Kind, Verb string
				User       struct{ Username string }
				ObjectRef  struct{ Resource, Name string }
			}
			if err := json.Unmarshal(line, &event); err != nil || event.Kind != "Event" {
				return fmt.Errorf("%s: a line is no audit event: %q: %w", plane.Name, line, err)
			}
			found = found || event.Verb == verb && event.ObjectRef.Resource == resource && event.ObjectRef.Name == name && event.User.Username != ""
		}
	}
	if !found {
		return fmt.Errorf("nobody recorded who did %s %s %s", verb, resource, name)
	}
	return nil
}

// unalterable attacks an object with the role of a machine, from the machine.
func (r *Rehearsal) unalterable(ctx context.Context, machine string, config nodeconfig.Config) error {
	bucket := config.AuditLog.Bucket
	keys := slices.Sorted(maps.Keys(r.stored(config, config.Node)))
	if len(keys) == 0 {
		return errors.New("there is nothing to attack")
	}
	target := keys[0]
	before, _ := r.Cloud.Server.Get(bucket, target)
	ask, err := r.asMachine(ctx, machine, config)
	if err != nil {
		return err
	}
	for _, each := range []struct {
		attempt, status string
		request         machineRequest
	}{
		// That it may do this shows that the refusals are not those of a wrong signature.
		{"list", "200", ask.list},
		{"read", "403", ask.read}, {"replace", "403", ask.replace}, {"delete", "403", ask.remove},
	} {
		arguments, err := each.request(ctx, bucket, target)
		if err != nil {
			return err
		}
		status, err := r.Run(ctx, machine, append([]string{"curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}"}, arguments...)...)
		if err != nil {
			return fmt.Errorf("%s: %w", each.attempt, err)
		}
		if status != each.status {
			return fmt.Errorf("a control plane that wants to %s %s is answered %s, and not %s", each.attempt, target, status, each.status)
		}
	}
	if after, found := r.Cloud.Server.Get(bucket, target); !found || !bytes.Equal(before, after) || r.Cloud.Server.Versions(bucket, target) != 1 {
		return fmt.Errorf("%s is not what it was", target)
	}
	return nil
}

// shippedToTheEnd compares the audit log on the disk of a machine that has stopped
// with what the bucket has: the last line that its API server wrote is there.
func (r *Rehearsal) shippedToTheEnd(machine string) error {
	config, err := r.NodeConfig(machine)
	if err != nil {
		return err
	}
	active := r.File(machine, config.AuditLog.File)
	names, err := filepath.Glob(strings.TrimSuffix(active, filepath.Ext(active)) + "-*" + filepath.Ext(active))
	if err != nil {
		return err
	}
	var disk []byte
	for _, name := range append(names, active) {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		disk = append(disk, data...)
	}
	log, err := auditlog.Verify(r.stored(config, config.Node))
	if err == nil && !bytes.HasSuffix(log, disk) { // earlier disks of this node come before
		err = fmt.Errorf("the disk has %d bytes of the audit log, and the bucket with its %d bytes does not end with them", len(disk), len(log))
	}
	if err != nil {
		return fmt.Errorf("%s has stopped: %w\n%s", machine, err, r.Journal(machine, shipUnit, 10))
	}
	return nil
}
