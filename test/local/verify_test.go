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
func verify(t *testing.T, c *Cluster) {
	t.Cleanup(func() { c.sweep(t) })
	for _, k := range checks() {
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
