package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

// bottlerocketExample is a group whose document says everything.
func bottlerocketExample() bottlerocket.Spec {
	node := Example(hostconfig.RoleWorker)
	node.OS, node.Platform, node.Name, node.Address, node.PodCIDR, node.TimeServers = hostconfig.OSBottlerocket, hostconfig.PlatformAWS, "", "", "", nil
	node.Cluster.ControlPlanes, node.Cluster.Workers, node.Cluster.Managed = nil, nil, true
	return bottlerocket.Spec{Node: node, Group: bottlerocket.ManagedGroup}
}

func (p *page) bottlerocket() error {
	settings, err := bottlerocketExample().Effective()
	if err != nil {
		return err
	}
	defaults, err := flatten(settings)
	if err != nil {
		return err
	}
	p.section(2, "Bottlerocket's settings", fmt.Sprintf("Below `settings`, in `bottlerocket.Spec.Settings`, for the variants of Kubernetes %s. "+
		"`*` stands for a key that you choose. The defaults are those of a managed group.", strings.Join(bottlerocket.KubernetesVersions(), ", ")))
	header := []string{"setting", "default", "control", "change"}
	p.table(header, bottlerocketRows(bottlerocket.Rules(), defaults))
	p.section(3, "Kernel settings and modules that are locked", "")
	p.table(header, bottlerocketRows(slices.Concat(bottlerocket.SysctlRules(), bottlerocket.ModuleRules()), defaults))

	p.section(3, "CIS Bottlerocket", "Each recommendation of levels 1 and 2 and of the Kubernetes node checks (k), with the settings that meet it, or the reason why none can.")
	var rows [][]string
	for _, item := range bottlerocket.CIS() {
		how := item.Reason
		if item.Settable() {
			var settings []string
			for _, r := range item.Requirements {
				settings = append(settings, code(r.Setting()))
			}
			how = strings.Join(settings, ", ")
		}
		rows = append(rows, []string{item.ID, fmt.Sprint(item.Level), item.Title, how})
	}
	p.table([]string{"id", "level", "recommendation", "met by"}, rows)
	return nil
}

// bottlerocketRows translates the rules; what no exception lifts says why.
func bottlerocketRows(rules []bottlerocket.Rule, defaults map[string]string) [][]string {
	var shared []hostconfig.Rule
	var never [][]string
	for _, rule := range rules {
		if rule.Never != "" {
			never = append(never, []string{code(rule.Path), "", rule.Control, "never: " + rule.Never})
			continue
		}
		shared = append(shared, hostconfig.Rule{Name: rule.Path, Merge: rule.Merge, Control: rule.Control, Field: rule.Field, Bound: rule.Bound})
	}
	return append(ruleRows(shared, defaults), never...)
}

// flatten gives the document's values by the path that rules have: dotted, with
// a sysctl's name as it is.
func flatten(settings bottlerocket.Settings) (map[string]string, error) {
	document, err := bottlerocket.Encode(settings)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal(document, &tree); err != nil {
		return nil, err
	}
	values := map[string]string{}
	return values, flattenInto(values, "", tree["settings"])
}
