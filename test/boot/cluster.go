package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// NodeName is the name under which the machine is a node: the first label of its
// host name.
func (m Machine) NodeName() string {
	name, _, _ := strings.Cut(m.hostName(), ".")
	return name
}

// Boot launches machines, all of the rehearsal when none is named, and waits until
// all of them are Ready nodes.
func (r *Rehearsal) Boot(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		for _, m := range r.Machines {
			names = append(names, m.Name)
		}
	}
	for _, name := range names {
		if err := r.Launch(ctx, name); err != nil {
			return err
		}
	}
	return r.WaitReady(ctx, names...)
}

// WaitReady waits until machines are Ready nodes of the present instances.
func (r *Rehearsal) WaitReady(ctx context.Context, names ...string) error {
	var last error
	for {
		var missing []string
		nodes, err := r.Nodes(ctx)
		for _, name := range names {
			if !nodes[r.machines[name].NodeName()] {
				missing = append(missing, name)
			}
		}
		if err == nil && len(missing) == 0 {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("not Ready in time: %s: %w\n%s", strings.Join(missing, ", "), errors.Join(last, ctx.Err()), r.diagnose(missing))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// diagnose gives the ends of the journals that tell why a machine is no node.
func (r *Rehearsal) diagnose(names []string) string {
	var b strings.Builder
	for _, name := range names {
		for _, unit := range []string{"redoubt-control-plane.service", "kubeadm-join.service", "redoubt-fetch-join.service", "redoubt-kms.service", "kubelet.service"} {
			if text := r.Journal(name, unit, 12); strings.TrimSpace(text) != "" && !strings.Contains(text, "-- No entries --") {
				fmt.Fprintf(&b, "--- %s: %s\n%s\n", name, unit, text)
			}
		}
	}
	return b.String()
}

// Nodes tells which nodes there are, and whether each is Ready.
func (r *Rehearsal) Nodes(ctx context.Context) (map[string]bool, error) {
	output, err := r.Kubectl(ctx, "get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	nodes := map[string]bool{}
	if err != nil {
		return nodes, err
	}
	for _, line := range strings.Split(output, "\n") {
		if name, status, found := strings.Cut(line, " "); found {
			nodes[name] = status == "True"
		}
	}
	return nodes, nil
}

// present wants every node to be the one of its machine's present instance: of one
// that has just gone a node may still say that it is Ready.
func (r *Rehearsal) present(ctx context.Context) error {
	for _, m := range r.machines {
		label, err := r.Kubectl(ctx, "get", "node", m.NodeName(), "-o", `jsonpath={.metadata.labels.`+strings.ReplaceAll(nodeconfig.LabelInstance, ".", `\.`)+`}`)
		if err != nil {
			return err
		}
		if label != m.instance {
			return fmt.Errorf("the node %s is of the instance %q, and the machine is %q", m.NodeName(), label, m.instance)
		}
	}
	return nil
}

// Planes gives the names of the control planes, in order.
func (r *Rehearsal) Planes() []string { return r.named(hostconfig.RoleControlPlane) }

// Workers gives the names of the workers, in order.
func (r *Rehearsal) Workers() []string { return r.named(hostconfig.RoleWorker) }

func (r *Rehearsal) named(role hostconfig.Role) []string {
	var names []string
	for _, m := range r.Machines {
		if m.Role == role {
			names = append(names, m.Name)
		}
	}
	return names
}

// adminConfig is kubeadm's, with a certificate of the group kubeadm:cluster-admins.
const adminConfig = "/etc/kubernetes/admin.conf"

// Kubectl runs kubectl as an administrator, on the first control plane that serves.
func (r *Rehearsal) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	err := errors.New("no control plane runs")
	for _, name := range r.Planes() {
		m := r.machines[name]
		m.mutex.Lock()
		up := m.init > 0
		m.mutex.Unlock()
		if _, missing := os.Stat(m.root(adminConfig)); !up || missing != nil {
			continue
		}
		var output string
		output, err = r.run(ctx, m, "", append([]string{"/usr/bin/kubectl", "--kubeconfig=" + adminConfig, "--request-timeout=10s"}, arguments...)...)
		if err == nil || !unavailable(err) {
			return output, err
		}
	}
	return "", err
}

// unavailable tells that another server may answer what this one did not.
func unavailable(err error) bool {
	for _, text := range []string{"connection refused", "was refused", "EOF", "connection reset", "i/o timeout", "TLS handshake timeout",
		"etcdserver:", "ServiceUnavailable", "Client.Timeout", "context deadline exceeded", "no such file or directory", "Unauthorized", "connect: no route"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// Apply applies manifests, and gives kubectl's words.
func (r *Rehearsal) Apply(ctx context.Context, manifests string) error {
	for _, name := range r.Planes() {
		m := r.machines[name]
		if m.init == 0 {
			continue
		}
		_, err := r.run(ctx, m, manifests, "/usr/bin/kubectl", "--kubeconfig="+adminConfig, "apply", "--filename=-")
		if err == nil || !unavailable(err) {
			return err
		}
	}
	return errors.New("no control plane answers")
}

// Eventually tries until a function succeeds, or the context ends.
func Eventually(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}
