package boot

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/test/boot/whereabouts"
)

// leader gives the control plane whose controller manager acts: what it does is in
// the audit log of its own API server.
func (r *Rehearsal) leader(ctx context.Context) (string, error) {
	// A control plane that is gone holds the lease until it expires: the one that acts is
	// who renews it.
	holder, before := "", ""
	err := within(ctx, 2*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			now, err := r.Kubectl(ctx, "--namespace=kube-system", "get", "lease", "kube-controller-manager", "-o", "jsonpath={.spec.holderIdentity} {.spec.renewTime}")
			if err != nil {
				return err
			}
			last, _, _ := strings.Cut(before, " ")
			if holder, _, _ = strings.Cut(now, " "); before == "" || holder != last || now == before {
				before = now
				return fmt.Errorf("no controller manager renews its lease: %s", now)
			}
			return nil
		})
	})
	if err != nil {
		return "", err
	}
	for _, name := range r.Planes() {
		if node, _, _ := strings.Cut(holder, "_"); node == r.machines[name].NodeName() {
			return name, nil
		}
	}
	return "", fmt.Errorf("the controller manager that acts is %q, which is none of the control planes", holder)
}

// Whereabouts writes where the machines are into a file, for the verify suite of the
// local cluster, and gives its name. Tenants are namespaces in which it may try what
// tenants do. It holds until a machine is turned off.
func (r *Rehearsal) Whereabouts(tenants []string) (file string, err error) {
	config, err := r.NodeConfig(r.Planes()[0])
	if err != nil {
		return "", err
	}
	c := whereabouts.Cluster{
		Name: config.Cluster, Endpoint: config.Endpoint, Outside: "/run/netns/" + netns.Namespace(r.Name, cloudName), Admin: r.path("admin"), Tenants: tenants,
	}
	if c.Image, err = r.byDigest(helloImage); err != nil {
		return "", err
	}
	leader, err := r.leader(context.Background())
	if err != nil {
		return "", err
	}
	for i, name := range append([]string{leader}, r.Workers()...) {
		m := r.machines[name]
		if m.init == 0 {
			return "", fmt.Errorf("%s does not run", name)
		}
		described := whereabouts.Machine{Node: m.NodeName(), Address: m.Address, PodCIDR: m.PodCIDR, Init: m.init}
		if i == 0 {
			c.ControlPlane = described
		} else {
			c.Workers = append(c.Workers, described)
		}
	}
	crt, key, err := adminPair(r.File(leader, adminConfig))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(c.Admin, 0o700); err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{"client.crt": crt, "client.key": key} {
		if err := os.WriteFile(c.Admin+"/"+name, data, 0o600); err != nil {
			return "", err
		}
	}
	file = r.path("whereabouts.json")
	return file, c.Write(file)
}

// adminPair gives the certificate and the key of a kubeconfig of kubeadm's.
func adminPair(file string) (crt, key []byte, err error) {
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return nil, nil, err
	}
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	if user == nil {
		return nil, nil, fmt.Errorf("%s has no user", file)
	}
	return user.ClientCertificateData, user.ClientKeyData, nil
}
