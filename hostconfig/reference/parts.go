package reference

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// kubelet shows the KubeletConfiguration. A field that holds a structure has
// its JSON as the default.
func (p *page) kubelet() error {
	configuration, err := Example(hostconfig.RoleWorker).Worker().KubeletConfiguration()
	if err != nil {
		return err
	}
	document, err := json.Marshal(configuration)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return err
	}
	defaults := map[string]string{}
	for name, value := range fields {
		defaults[name] = strings.Trim(string(value), `"`)
	}
	p.section(2, "The kubelet's configuration", "Fields of `KubeletConfiguration`, kubelet.config.k8s.io/v1beta1, in `kubelet.extra`. The example is a worker on Flatcar.")
	p.table([]string{"field", "default", "control", "change"}, ruleRows(hostconfig.KubeletRules(), defaults))
	return nil
}

func (p *page) ports() {
	p.section(2, "Who may reach what", "The port table, from which host firewalls, cloud firewalls and host policies of network plugins are made. Everything else is dropped.")
	var rows [][]string
	for _, flow := range hostconfig.PortTable(hostconfig.Ports{}) {
		port := strconv.Itoa(flow.Port)
		if flow.Port == 0 {
			port = "all"
		}
		rows = append(rows, []string{code(flow.Name), string(flow.From), string(flow.To), flow.Protocol, port, strings.Join(flow.Controls, ", "), flow.Reason})
	}
	p.table([]string{"flow", "from", "to", "protocol", "port", "controls", "reason"}, rows)
}

func (p *page) audit() {
	p.section(2, "What an audit policy must record", "A policy of your own is evaluated for each of these requests, by people, workloads and machines.")
	var rows [][]string
	seen := map[string]bool{}
	for _, demand := range hostconfig.AuditDemands() {
		what := demand.Request.Path
		if demand.Request.Resource != "" {
			what = strings.Trim(demand.Request.Resource+"/"+demand.Request.Subresource, "/")
			if demand.Request.Group != "" {
				what += "." + demand.Request.Group
			}
		}
		row := []string{code(demand.Request.Verb), code(what), string(demand.AtLeast), string(demand.AtMost), demand.Reason}
		if key := strings.Join(row, "\x00"); !seen[key] {
			seen[key] = true
			rows = append(rows, row)
		}
	}
	p.table([]string{"verb", "resource", "at least", "at most", "reason"}, rows)
}
