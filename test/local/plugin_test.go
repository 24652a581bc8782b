package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/local/provider"
	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// TestPlugin brings a control plane up and down with the plugin program, which
// the engine starts itself, as the ordinary Pulumi CLI does (M43, M44): nothing
// of the local platform may depend on the driver.
func TestPlugin(t *testing.T) {
	root := needsMachines(t)
	_, err := os.Stat(filepath.Join(programs(root), "pulumi-resource-redoubt"))
	require.NoError(t, err, "the plugin is not built: run `make plugin`")
	t.Setenv("PATH", programs(root)+string(os.PathListSeparator)+os.Getenv("PATH"))
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "0"})
	r.without = provider.Name
	_, c := r.up(t)
	reply, err := c.do(t.Context(), c.masters(t), "GET", c.APIEndpoint+"/readyz", nil)
	require.NoError(t, err)
	assert.Equal(t, 200, reply.status)
	r.settled(t)
}

// leaveOut drops the provider of a name.
func leaveOut(providers []rehearse.Provider, name string) []rehearse.Provider {
	return slices.DeleteFunc(slices.Clone(providers), func(p rehearse.Provider) bool { return p.Name == name })
}
