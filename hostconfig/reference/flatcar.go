package reference

import (
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
)

// flatcar shows what a Flatcar machine has beyond its node's fields.
func (p *page) flatcar() {
	p.section(2, "Flatcar", "What every machine has; additions are fields of `flatcar.Spec` and of the node.")
	list := func(values []string) string {
		coded := make([]string, 0, len(values))
		for _, value := range values {
			coded = append(coded, code(value))
		}
		return strings.Join(coded, ", ")
	}
	p.table([]string{"what", "values", "change"}, [][]string{
		{"kernel arguments", list(flatcar.KernelArguments()), "add in " + code("kernelArguments") + "; those below are locked"},
		{"masked units", list(flatcar.MaskedUnits(hostconfig.UpdateReplace)), "update-engine by " + code("node.updates.strategy") + ", the rest never"},
		{"denied kernel modules", list(hostconfig.DeniedModules()), "add in " + code("node.modules.deny") + "; loading one needs an exception for " + hostconfig.ControlModules},
		{"audit rules", list(flatcar.AuditRules()), "add in " + code("auditRules") + ": rules that record"},
	})

	p.section(3, "Kernel settings that are locked", "Changed only with an exception for "+hostconfig.ControlSysctls+".")
	var rows [][]string
	locked := hostconfig.LockedSysctls()
	for _, name := range sortedKeys(locked) {
		rows = append(rows, []string{code(name), code(locked[name])})
	}
	p.table([]string{"setting", "value"}, rows)

	p.section(3, "Files, units and kernel arguments that are locked", "A file at or below a path, or a name with this beginning, is refused without an exception for its own control.")
	rows = nil
	for _, lock := range flatcar.Locks() {
		rows = append(rows, []string{lock.Kind, code(lock.Name), lock.Control})
	}
	p.table([]string{"kind", "name", "control"}, rows)

	p.section(2, "kubeadm", "A machine that kubeadm sets up has the flags of the control plane above but for these.")
	rows = nil
	for _, deviation := range kubeadm.Deviations() {
		value := "left to kubeadm"
		if deviation.Set {
			value = "set"
			if deviation.Value != "" {
				value = code(deviation.Value)
			}
		}
		rows = append(rows, []string{deviation.Component, code(deviation.Flag), value, deviation.Reason})
	}
	p.table([]string{"component", "flag", "value", "reason"}, rows)
}
