package reference

import (
	"maps"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Markdown gives the whole page.
func Markdown() (string, error) {
	var p page
	p.WriteString("# What hostconfig sets\n\nGenerated from the tables in `hostconfig` by `go test ./hostconfig/reference -update`; do not edit.\n")
	p.section(2, "How to read", strings.TrimSpace(howToRead))
	p.versions()
	p.node()
	for _, section := range []func() error{p.components, p.kubelet, p.kubeProxy, p.containerd, p.bottlerocket} {
		if err := section(); err != nil {
			return "", err
		}
	}
	p.flatcar()
	p.ports()
	p.audit()
	return strings.TrimRight(p.String(), "\n") + "\n", nil
}

const howToRead = `
Every setting has a hardened default. What can be done with it stands in the last column:

| change | meaning |
| --- | --- |
| replace | the value is yours |
| replace within | the value is yours as long as it stays in the bound; outside of it, it needs an exception |
| add | your items join the hardened ones, which stay |
| by the field | another field of the specification decides it; no exception lifts that |
| locked | it changes only with an exception |

An exception is an entry in ` + "`exceptions`" + ` with the id of the control, a reason and the last day on which it
holds. Control ids beginning with ` + "`CIS-`" + ` are recommendations of CIS Kubernetes, ` + "`CIS-BR-`" + ` of CIS
Bottlerocket; ` + "`M01`" + ` to ` + "`M47`" + ` are the project's own. An id with a second part, such as
` + "`M03/ssh`" + `, opens that part of the control and nothing else.`

func (p *page) node() {
	p.section(2, "The node", "The fields of `hostconfig.Node`, the one specification above every renderer. `[]` stands for an item of a list.")
	var rows [][]string
	for _, field := range hostconfig.NodeFields() {
		rows = append(rows, []string{code(field.Path), field.Default, strings.Join(field.Controls, ", "), where(field), field.Change()})
	}
	p.table([]string{"field", "default", "controls", "where", "change"}, rows)
}

// where says on which operating systems and roles a field exists.
func where(field hostconfig.NodeField) string {
	var parts []string
	for _, system := range field.OS {
		parts = append(parts, string(system))
	}
	if field.Role != "" {
		parts = append(parts, string(field.Role))
	}
	return strings.Join(parts, ", ")
}

// components shows the flags of etcd and the control plane.
func (p *page) components() error {
	example := Example(hostconfig.RoleControlPlane)
	plane := example.ControlPlaneSpec()
	p.section(2, "Flags of the control plane", "The defaults are those of a control plane named `control-plane-1`. "+
		"A flag that is in no table is refused: nobody judged what it weakens.")
	for _, component := range []struct {
		name      string
		arguments []string
	}{
		{hostconfig.ComponentEtcd, plane.EtcdArgs()}, {hostconfig.ComponentAPIServer, plane.APIServerArgs()},
		{hostconfig.ComponentControllerManager, plane.ControllerManagerArgs()}, {hostconfig.ComponentScheduler, plane.SchedulerArgs()},
	} {
		defaults := map[string]string{}
		for _, argument := range component.arguments {
			name, value, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
			defaults[name] = value
		}
		p.section(3, component.name, "")
		p.table([]string{"flag", "default", "control", "change"}, ruleRows(hostconfig.ArgumentRules(component.name), defaults))
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
