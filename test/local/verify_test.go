package local

import (
	"flag"
	"os"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/stretchr/testify/require"
)

// environment is the running environment that TestVerify attacks.
var environment = flag.String("env", "", "environment to verify, as in `make up ENV=...`; it must be up")

// booted is the cluster that TestVerifyBooted attacks.
var booted = flag.String("booted", "", "file of whereabouts of a cluster that package boot runs; it must be up")

// TestMain silences terratest's retries: the checks say themselves what they found.
func TestMain(m *testing.M) {
	logger.Default = logger.Discard
	os.Exit(m.Run())
}

// requirement is what a check needs of the environment to be possible at all.
type requirement int

const (
	// nothing: the check holds on every environment.
	nothing requirement = iota
	// isolation: machines with network namespaces of their own.
	isolation
	// worker: at least one node, which implies isolation.
	worker
)

// check is one attack. Its name begins with the row of the mission it proves.
type check struct {
	name  string
	needs requirement
	run   func(t *testing.T, c *Cluster)
}

// checks are all attacks, in the order in which a reader meets the layers.
func checks() []check {
	var all []check
	for _, group := range [][]check{
		machineChecks, firewallChecks, etcdChecks, tlsChecks, apiServerChecks, tokenChecks, controllerChecks,
		kubeletChecks, nodeRestrictionChecks, joinChecks, podSecurityChecks, workloadChecks, quotaChecks,
		tenantChecks, auditChecks, encryptionChecks, certificateChecks, fileChecks, stateChecks, benchmarkChecks,
	} {
		all = append(all, group...)
	}
	return all
}

// bootedChecks are the attacks that are made on booted machines too: those that need
// an API server, credentials and the machines. Left out are the groups that look at
// what only the local cluster has (its firewalls as it makes them, its state, its
// files and processes, pods of its own image), and what is in notBooted.
func bootedChecks() []check {
	var all []check
	for _, group := range [][]check{
		etcdChecks, tlsChecks, apiServerChecks, tokenChecks, controllerChecks, kubeletChecks, nodeRestrictionChecks,
		podSecurityChecks, quotaChecks, tenantChecks, auditChecks, encryptionChecks, certificateChecks,
	} {
		for _, k := range group {
			if notBooted[k.name] == "" {
				all = append(all, k)
			}
		}
	}
	return all
}

// notBooted are checks that are not made on booted machines, and why.
var notBooted = map[string]string{
	"M13_etcd_data_belongs_to_its_user_alone": "kubeadm runs etcd as root; its directory is root's alone: see test/boot/kube-bench-exceptions.yaml, 1.1.12",
}

// TestVerifyBooted proves that the machines of -booted are hardened as the local
// cluster is, by the same attacks. A rehearsal of an environment runs it.
func TestVerifyBooted(t *testing.T) {
	if *booted == "" {
		t.Skip("no -booted: this test attacks booted machines; make rehearse of an environment of Flatcar machines names them")
	}
	root, err := RepositoryRoot()
	require.NoError(t, err)
	c, err := LoadBooted(root, *booted)
	require.NoError(t, err)
	verifyAll(t, c, bootedChecks())
}

// The list of what is left out names checks that there are.
func TestNotBooted(t *testing.T) {
	known := map[string]bool{}
	for _, k := range checks() {
		known[k.name] = true
	}
	for name := range notBooted {
		if !known[name] {
			t.Errorf("%s is no check", name)
		}
	}
	if len(bootedChecks()) < 40 {
		t.Errorf("%d checks are made on booted machines", len(bootedChecks()))
	}
}

// TestVerify proves that the running environment of -env is hardened.
func TestVerify(t *testing.T) {
	if *environment == "" {
		t.Skip("no -env: this test attacks a running environment; `make verify` names it")
	}
	root, err := RepositoryRoot()
	require.NoError(t, err)
	c, err := Load(root, *environment)
	require.NoError(t, err)
	verify(t, c)
}

// verify runs every check against one environment.
func verify(t *testing.T, c *Cluster) { verifyAll(t, c, checks()) }

func verifyAll(t *testing.T, c *Cluster, all []check) {
	t.Cleanup(func() { c.sweep(t) })
	for _, k := range all {
		t.Run(k.name, func(t *testing.T) {
			switch {
			case k.needs >= isolation && !c.Isolated:
				t.Skip("this environment has no machines of its own (it needs Linux and root): there is no network to attack")
			case k.needs == worker && len(c.Nodes) == 0:
				t.Skip("this environment has no worker (redoubt:workers is 0)")
			}
			k.run(t, c)
		})
	}
}
