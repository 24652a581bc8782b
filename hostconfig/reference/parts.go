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

// versions shows the supported minors.
func (p *page) versions() {
	p.section(2, "Kubernetes versions", "The settings are proven with these programs. A minor is refused after the end of its support, unless an exception for M35 says until when.")
	var rows [][]string
	for _, minor := range hostconfig.SupportedMinors() {
		rows = append(rows, []string{minor.Name, minor.Proven, minor.EndOfLife, code(minor.SandboxImage)})
	}
	p.table([]string{"minor", "proven with", "supported until", "sandbox image"}, rows)
}

// ports shows the table of a local cluster, and what the clouds add to it.
func (p *page) ports() {
	p.section(2, "Who may reach what", "The port table, from which host firewalls, cloud firewalls and host policies of network plugins are made. Everything else is dropped.")
	shown := map[string]bool{}
	for _, topology := range []struct {
		title string
		hostconfig.Topology
	}{
		{"A local cluster", hostconfig.Topology{}},
		{"Further, for machines of our own on AWS", hostconfig.Topology{Platform: hostconfig.PlatformAWS, IPv6: true}},
		{"Further, for machines of our own on GCP", hostconfig.Topology{Platform: hostconfig.PlatformGCP}},
		{"Further, for nodes of EKS", hostconfig.Topology{Platform: hostconfig.PlatformAWS, Managed: true}},
		{"Further, for nodes of GKE", hostconfig.Topology{Platform: hostconfig.PlatformGCP, Managed: true}},
		{"Further, by the network plugin", hostconfig.Topology{Platform: hostconfig.PlatformMetal, Network: hostconfig.NetworkTraffics()}},
	} {
		var rows [][]string
		for _, flow := range hostconfig.PortTable(topology.Topology) {
			port := strconv.Itoa(flow.Port)
			if flow.Port == 0 {
				port = "all"
			}
			row := []string{code(flow.Name), string(flow.From), string(flow.To), flow.Protocol, port, strings.Join(flow.Controls, ", "), flow.Reason}
			if key := strings.Join(row, "\x00"); !shown[key] {
				shown[key] = true
				rows = append(rows, row)
			}
		}
		if len(rows) > 0 {
			p.section(3, topology.title, "")
			p.table([]string{"flow", "from", "to", "protocol", "port", "controls", "reason"}, rows)
		}
	}
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
