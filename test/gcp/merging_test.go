package gcp_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	stacks "github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// ofPools is a value for each setting of a pool, and what it may change of the nodes, beside which every default stands.
var ofPools = map[string]struct {
	value any
	may   []string
}{
	"machineType":     {"n2d-standard-8", []string{"nodeConfig.machineType"}},
	"zones":           {[]string{"europe-west3-a"}, []string{"nodeLocations[0]"}},
	"minSize":         {4, []string{"autoscaling.totalMinNodeCount", "autoscaling.totalMaxNodeCount"}},
	"maxSize":         {7, []string{"autoscaling.totalMaxNodeCount"}},
	"diskGiB":         {200, []string{"nodeConfig.diskSizeGb"}},
	"diskType":        {"pd-ssd", []string{"nodeConfig.diskType"}},
	"spot":            {true, []string{"nodeConfig.spot"}},
	"gvisor":          {true, []string{"nodeConfig.sandboxConfig.sandboxType"}},
	"confidential":    {true, []string{"nodeConfig.confidentialNodes.enabled", "nodeConfig.machineType"}},
	"nodeLabels":      {map[string]any{"tier": "web"}, []string{"nodeConfig.labels.tier"}},
	"taints":          {[]string{"tier=web:NoSchedule"}, []string{"nodeConfig.taints[0].key", "nodeConfig.taints[0].value", "nodeConfig.taints[0].effect"}},
	"isolation":       {"web", []string{"nodeConfig.labels.redoubt.dev/isolation", "nodeConfig.taints[0].key", "nodeConfig.taints[0].value", "nodeConfig.taints[0].effect"}},
	"podPidsLimit":    {2048, []string{"nodeConfig.kubeletConfig.podPidsLimit"}},
	"sysctls":         {map[string]any{"net.core.somaxconn": "4096"}, []string{"nodeConfig.linuxNodeConfig.sysctls.net.core.somaxconn"}},
	"upgradeStrategy": {"blue-green", []string{"upgradeSettings.strategy", "upgradeSettings.maxSurge", "upgradeSettings.maxUnavailable", "upgradeSettings.blueGreenSettings.*"}},
}

// M16: a setting of a pool changes what it says and drops no default of another, up to what Google is told: a pool for
// each setting beside one that says nothing.
func TestASettingOfAPoolDropsNoDefault(t *testing.T) {
	t.Parallel()
	pools := []any{map[string]any{"name": "nothing"}}
	for _, leaf := range leaves(reflect.TypeFor[stacks.NodePool](), "") {
		each, there := ofPools[leaf]
		if leaf == "name" {
			continue
		}
		if !there {
			t.Errorf("%s: write a value", leaf)
			continue
		}
		pools = append(pools, map[string]any{"name": "x-" + strings.ToLower(leaf), leaf: each.value})
	}
	e := prepare(t, "gcp-dev").edited(t, edit{"nodePools": pools, "network.cidr": "10.65.0.0/16"})
	e.mustUp()
	plain := flat(only(t, e.Cloud, poolToken, "/nothing-").Inputs)
	if len(plain) < 30 || plain["nodeConfig.shieldedInstanceConfig.enableSecureBoot"] != "true" {
		t.Errorf("defaults: %v", plain)
	}
	for leaf, each := range ofPools {
		set := flat(only(t, e.Cloud, poolToken, "/x-"+strings.ToLower(leaf)+"-").Inputs)
		changed := 0
		for _, path := range slices.Sorted(maps.Keys(union(plain, set))) {
			if plain[path] == set[path] {
				continue
			}
			changed++
			if !slices.ContainsFunc(each.may, func(may string) bool {
				prefix, open := strings.CutSuffix(may, "*")
				return may == path || open && strings.HasPrefix(path, prefix)
			}) {
				t.Errorf("%s changes %s from %q to %q", leaf, path, plain[path], set[path])
			}
		}
		if changed == 0 {
			t.Errorf("%s changes nothing", leaf)
		}
	}
}

func union(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// flat gives the leaves of properties by their paths, without the name of the pool.
func flat(v simcloud.Values) map[string]string {
	out := map[string]string{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch typed := value.(type) {
		case map[string]any:
			for name, each := range typed {
				if at != "" || name != "namePrefix" && !strings.HasPrefix(name, "__") {
					walk(strings.TrimPrefix(at+"."+name, "."), each)
				}
			}
		case []any:
			for i, each := range typed {
				walk(fmt.Sprintf("%s[%d]", at, i), each)
			}
		default:
			if !strings.Contains(at, "__defaults") {
				out[at] = fmt.Sprint(value)
			}
		}
	}
	walk("", map[string]any(v.Copy()))
	return out
}
