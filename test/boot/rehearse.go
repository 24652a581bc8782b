package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Rehearse boots a cluster, runs every proof on it and removes it. The first error
// ends it; it names the proof.
//
// A caller has a [Config] from wherever it provisioned: the objects of the store,
// the roles with their policies, the keys and the instances go into a
// fakecloud.Cloud, and each machine gets the user data that its instance has. Two
// things must be so from the beginning, because hashes hold them: the system
// extension and the host program are those of [MakeArtifacts].
func Rehearse(ctx context.Context, config Config) (err error) {
	r, err := New(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	started := time.Now()
	step := func(name string, run func(context.Context) error) error {
		began := time.Now()
		if err := run(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.log("%s: %v", strings.ReplaceAll(name, "_", " "), time.Since(began).Round(100*time.Millisecond))
		return nil
	}
	if err := step("M12_every_machine_is_a_Ready_node", func(ctx context.Context) error {
		return within(ctx, 8*time.Minute, func(ctx context.Context) error { return r.Boot(ctx) })
	}); err != nil {
		return err
	}
	if err := r.InstallAgent(ctx); err != nil {
		return err
	}
	for _, proof := range Proofs() {
		if err := step(proof.Name, func(ctx context.Context) error { return proof.Run(ctx, r) }); err != nil {
			return err
		}
	}
	r.log("the boot rehearsal took %v", time.Since(started).Round(time.Second))
	return nil
}

// InstallAgent installs what stands for the network plugin's agent, where the
// cluster waits for one: pods with its labels on every node, which become Ready and
// do nothing. Without them no node would lose its taint.
func (r *Rehearsal) InstallAgent(ctx context.Context) error {
	config, err := r.NodeConfig(r.Planes()[0])
	if err != nil || config.NetworkAgent == nil {
		return err
	}
	var labels strings.Builder
	for name, value := range config.NetworkAgent.Labels {
		fmt.Fprintf(&labels, "%q: %q, ", name, value)
	}
	set := strings.TrimSuffix(labels.String(), ", ")
	image, err := r.byDigest(helloImage)
	if err != nil {
		return err
	}
	return Eventually(ctx, func() error {
		return r.Apply(ctx, fmt.Sprintf(agent, config.NetworkAgent.Namespace, config.NetworkAgent.Namespace, config.NetworkAgent.Namespace, set, set, image))
	})
}

const agent = `
apiVersion: v1
kind: Namespace
metadata: {name: %s}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: %s}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: network-agent, namespace: %s}
spec:
  selector: {matchLabels: {%s}}
  template:
    metadata: {labels: {%s}}
    spec:
      automountServiceAccountToken: false
      tolerations: [{operator: Exists}]
      securityContext: {runAsNonRoot: true, runAsUser: 65535, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: agent
        image: %s
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 64Mi}}
`
