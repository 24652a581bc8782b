package boot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Proof is one thing that must hold of a cluster that has booted.
type Proof struct {
	// Name begins with the row of the mission that it proves.
	Name string
	Run  func(ctx context.Context, r *Rehearsal) error
}

// Proofs are those that need no more than the cluster itself, in an order in which
// each leaves a whole cluster to the next. The rehearsal of an environment runs
// them all.
func Proofs() []Proof {
	return []Proof{
		{"M12_pods_run_on_workers_and_reach_services", proveWorkload},
		{"M18_etcd_holds_no_secret_in_the_clear", proveEncryption},
		{"M17_what_the_API_records_is_stored_where_no_machine_alters_it", proveAuditLog},
		{"M16_a_stolen_token_gets_no_certificate", proveStolenToken},
		{"M34_the_token_is_rotated_and_the_old_one_refused", proveTokens},
		{"M18_what_the_last_key_encrypted_is_written_anew_by_itself", proveKeys},
		{"M12_a_control_plane_with_its_volume_is_replaced", func(ctx context.Context, r *Rehearsal) error { return proveReplacement(ctx, r, 1, true) }},
		{"M12_a_control_plane_that_is_told_to_stop_waits_for_etcd", proveYield},
		{"M12_the_founder_without_its_volume_is_replaced", func(ctx context.Context, r *Rehearsal) error { return proveReplacement(ctx, r, 0, false) }},
	}
}

// NodeConfig reads what redoubt-node knows on a machine.
func (r *Rehearsal) NodeConfig(machine string) (nodeconfig.Config, error) {
	var config nodeconfig.Config
	data, err := os.ReadFile(r.File(machine, nodeconfig.File))
	if err != nil {
		return config, err
	}
	err = json.Unmarshal(data, &config)
	return config.WithDefaults(), err
}

// within limits a step.
func within(ctx context.Context, limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return step(ctx)
}

// keep writes a ConfigMap that must outlive what is done next.
func keep(ctx context.Context, r *Rehearsal) (check func(context.Context) error, err error) {
	name, value := "kept-"+randomHex(), randomHex()
	create := func() error {
		_, err := r.Kubectl(ctx, "create", "configmap", name, "--from-literal=value="+value)
		if err != nil && strings.Contains(err.Error(), "AlreadyExists") {
			return nil // a request whose answer was lost
		}
		return err
	}
	if err := within(ctx, time.Minute, func(ctx context.Context) error { return Eventually(ctx, create) }); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			found, err := r.Kubectl(ctx, "get", "configmap", name, "-o", "jsonpath={.data.value}")
			if err == nil && found != value {
				err = fmt.Errorf("the data of the cluster changed: %q is %q", name, found)
			}
			return err
		})
	}, nil
}

func randomHex() string {
	data := make([]byte, 8)
	_, _ = rand.Read(data) // never fails (crypto/rand)
	return hex.EncodeToString(data)
}

// proveReplacement destroys a control plane and launches another in its place.
func proveReplacement(ctx context.Context, r *Rehearsal, number int, keepVolume bool) error {
	name := r.Planes()[number]
	check, err := keep(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Destroy(name, keepVolume); err != nil {
		return err
	}
	if len(r.Planes()) > 1 {
		// Two of three are a majority: the cluster goes on.
		if err := within(ctx, time.Minute, check); err != nil {
			return fmt.Errorf("without %s: %w", name, err)
		}
	}
	if err := within(ctx, 4*time.Minute, func(ctx context.Context) error { return r.Boot(ctx, name) }); err != nil {
		return err
	}
	if err := within(ctx, time.Minute, check); err != nil {
		return err
	}
	return within(ctx, 2*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error { return r.whole(ctx, name) })
	})
}

// doneMark is what redoubt-control-plane.service leaves when it has done everything.
const doneMark = "/var/lib/redoubt/control-plane.done"

// whole tells that etcd has every control plane as a member, and no other, that
// the machine's own API server is ready, and that its unit has nothing left to do.
func (r *Rehearsal) whole(ctx context.Context, machine string) error {
	members, err := r.Members(ctx, machine)
	if err != nil {
		return err
	}
	if len(members) != len(r.Planes()) {
		return fmt.Errorf("etcd has the members %q", members)
	}
	for _, name := range r.Planes() {
		if !strings.Contains(" "+strings.Join(members, " ")+" ", " "+name+" ") {
			return fmt.Errorf("etcd has the members %q, and not %s", members, name)
		}
	}
	if _, err := os.Stat(r.File(machine, doneMark)); err != nil {
		return fmt.Errorf("%s is not done: %s", machine, r.Journal(machine, "redoubt-control-plane.service", 3))
	}
	if err := r.marked(ctx, machine); err != nil {
		return err
	}
	_, err = r.Run(ctx, machine, "curl", "--silent", "--show-error", "--fail", "--max-time", "5", "--cacert", "/etc/kubernetes/pki/ca.crt",
		"https://"+r.machines[machine].Address+":6443/readyz")
	return err
}

// marked tells that the node of a control plane takes no pods of tenants, and that
// those who look after nodes know whose it is: either is lost with the Node of an
// instance that is gone.
func (r *Rehearsal) marked(ctx context.Context, machine string) error {
	node := r.machines[machine].NodeName()
	found, err := r.Kubectl(ctx, "get", "node", node, "-o", "jsonpath={.spec.taints[*].key} {.metadata.labels}")
	if err != nil {
		return err
	}
	taints, labels, _ := strings.Cut(found, " {")
	if !strings.Contains(taints, "node-role.kubernetes.io/control-plane") || !strings.Contains(labels, nodeconfig.LabelInstance) {
		return fmt.Errorf("the node %s has the taints %q and the labels {%s", node, taints, labels)
	}
	return nil
}

// proveWorkload runs pods on the workers and asks one through its service.
func proveWorkload(ctx context.Context, r *Rehearsal) error {
	image, err := r.byDigest(helloImage)
	if err != nil {
		return err
	}
	// The namespace's account is made by a controller at the same moment.
	if err := within(ctx, time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error { return r.Apply(ctx, fmt.Sprintf(workload, image)) })
	}); err != nil {
		return err
	}
	err = within(ctx, 3*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			address, err := r.Kubectl(ctx, "--namespace=rehearsal", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
			if err != nil {
				return err
			}
			ready, err := r.Kubectl(ctx, "--namespace=rehearsal", "get", "deployment", "hello", "-o", "jsonpath={.status.readyReplicas}")
			if err != nil || ready != "2" {
				return errors.Join(err, fmt.Errorf("%q of 2 pods are ready", ready))
			}
			// From a pod: what the service proxy wrote leads to a pod. That it can be told
			// to is also what the API server verifies the kubelet's certificate for.
			_, err = r.Kubectl(ctx, "--namespace=rehearsal", "exec", "deployment/hello", "--", "/hello", "get", "http://"+address+":8080/")
			return err
		})
	})
	if err == nil {
		return nil
	}
	later := context.WithoutCancel(ctx)
	pods, _ := r.Kubectl(later, "--namespace=rehearsal", "get", "pods", "-o", "wide")
	said, _ := r.Kubectl(later, "--namespace=rehearsal", "get", "events", "-o", "custom-columns=:.message")
	return fmt.Errorf("%w\n%s%s", err, pods, said)
}

// workload is what a tenant would run: restricted, as the policies of package
// baseline want it, and pulled anew each time.
const workload = `
apiVersion: v1
kind: Namespace
metadata: {name: rehearsal}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: rehearsal}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: rehearsal}
spec:
  selector: {app: hello}
  ports: [{port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: rehearsal}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65535, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: hello
        image: %s
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 64Mi}}
`

// proveEncryption takes a snapshot, which is all that etcd holds, and looks in it
// for a Secret and for the mark of an encrypted one.
func proveEncryption(ctx context.Context, r *Rehearsal) error {
	secret := "canary-" + randomHex()
	if _, err := r.Kubectl(ctx, "create", "secret", "generic", "canary-"+randomHex(), "--from-literal=value="+secret); err != nil {
		return err
	}
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	before := len(r.Cloud.Server.Keys(config.Snapshots.Bucket))
	if _, err := r.Run(ctx, plane, "systemctl", "start", "redoubt-snapshot.service"); err != nil {
		return fmt.Errorf("%w\n%s", err, r.Journal(plane, "redoubt-snapshot.service", 10))
	}
	keys := r.Cloud.Server.Keys(config.Snapshots.Bucket)
	if len(keys) <= before {
		return fmt.Errorf("no snapshot was stored: %q", keys)
	}
	for _, key := range keys {
		data, _ := r.Cloud.Server.Get(config.Snapshots.Bucket, key)
		text := string(data)
		if strings.Contains(text, secret) {
			return fmt.Errorf("%s holds a Secret in the clear", key)
		}
		if !strings.Contains(text, "k8s:enc:") {
			return fmt.Errorf("%s holds nothing that was encrypted", key)
		}
	}
	return nil
}
