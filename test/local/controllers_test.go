package local

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var controllerChecks = []check{
	{"M15_controllers_listen_on_loopback_only", isolation, controllersListenOnLoopback},
	{"M15_controllers_refuse_anonymous", nothing, controllersRefuseAnonymous},
	{"M15_controllers_profiling_is_off", nothing, controllersProfilingIsOff},
	{"M15_controllers_act_under_their_own_accounts", nothing, controllersHaveOwnAccounts},
}

// controllerURLs are where the controllers serve, as the control plane sees it.
func (c *Cluster) controllerURLs() map[string]string {
	return map[string]string{
		"kube-controller-manager": "https://" + c.local(10257),
		"kube-scheduler":          "https://" + c.local(10259),
	}
}

func controllersListenOnLoopback(t *testing.T, c *Cluster) {
	ports := []int{10257, 10259, 10251, 10252}
	machine := c.ControlPlane.Name
	for _, host := range []string{c.ControlPlane.Address, c.ControlPlane.OperatorAddress} {
		found, err := scan(t.Context(), c.DialFrom(machine), host, ports)
		require.NoError(t, err)
		assert.Empty(t, found[open], "from the machine itself, on %s: %s", host, describe(found))
	}
	found, err := scan(t.Context(), c.DialFrom(machine), "127.0.0.1", ports)
	require.NoError(t, err)
	assert.Equal(t, []int{10257, 10259}, found[open], "the positive control")
}

func controllersRefuseAnonymous(t *testing.T, c *Cluster) {
	// Either status is a refusal: an unknown caller may be refused as unknown
	// or as without rights.
	refusals := []int{http.StatusUnauthorized, http.StatusForbidden}
	for name, url := range c.controllerURLs() {
		for kind, who := range map[string]caller{
			"anonymous":              {},
			"a foreign authority":    c.forger(t, "redoubt:admin", mastersGroup),
			"a static token":         {token: "static-token"},
			"a user without rights":  c.stranger(t),
			"a node without secrets": {certificate: c.mint(t, "ca", "system:node:intruder", "system:nodes")},
		} {
			who.from = c.ControlPlane.Name
			for _, path := range []string{"/metrics", "/configz"} {
				r, err := c.askController(t.Context(), who, url+path)
				require.NoError(t, err, name)
				assert.Contains(t, refusals, r.status, "%s: %s reads %s: %.80s", name, kind, path, r.body)
			}
		}
	}
}

func controllersProfilingIsOff(t *testing.T, c *Cluster) {
	who := c.masters(t)
	who.from = c.ControlPlane.Name
	for name, url := range c.controllerURLs() {
		for _, path := range pprofPaths {
			r, err := c.askController(t.Context(), who, url+path)
			require.NoError(t, err, name)
			assert.Equal(t, http.StatusNotFound, r.status, "%s %s: %.80s", name, path, r.body)
		}
		r, err := c.askController(t.Context(), who, url+"/metrics")
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusOK, r.status, "%s: the positive control failed: this caller has every right", name)
	}
}

// controllersHaveOwnAccounts looks into the audit log for who acted: with one
// shared identity, every controller would have the rights of all.
func controllersHaveOwnAccounts(t *testing.T, c *Cluster) {
	name := randomName("verify")
	from := c.auditPosition(t)
	c.newNamespace(t, name, nil)
	c.awaitDefaultAccount(t, name)
	c.awaitAudit(t, from, "the service account controller acts under its own account", func(e auditEvent) bool {
		return e.User.Username == "system:serviceaccount:kube-system:service-account-controller" &&
			e.ObjectRef != nil && e.ObjectRef.Namespace == name && e.ObjectRef.Resource == "serviceaccounts" && e.Verb == "create"
	})
}
