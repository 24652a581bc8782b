package aws

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

const (
	launchTemplates = "aws:ec2/launchTemplate:LaunchTemplate"
	nodeGroups      = "aws:eks/nodeGroup:NodeGroup"
)

// Machines opens the user data of every launch template as a node would, and judges it by what Bottlerocket reads and
// by CIS Bottlerocket (M01, M36).
func Machines(c *simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
	var machines []cloud.Machine
	var findings []cloud.Finding
	for _, template := range c.Objects(launchTemplates) {
		m := cloud.Machine{Pool: pools(c, template), Source: "launch template " + template.ID, Limit: simaws.MaxUserData}
		wrong := func(problem, remedy string) {
			findings = append(findings, cloud.Finding{Level: cloud.Error, Subject: m.Pool, Problem: problem, Remedy: remedy})
		}
		text := template.State.String("userData")
		if text == "" {
			wrong("its launch template has no user data: the nodes would boot with Bottlerocket's defaults", "render it with bottlerocket.Spec")
			continue
		}
		data, err := simaws.UserData(text)
		if err == nil {
			m.Bytes = len(data)
			data, err = simaws.Unpacked(data)
		}
		if err != nil {
			wrong("user data cannot be opened: "+err.Error(), "encode it in base64, and compress it with gzip if at all")
			continue
		}
		settings, err := bottlerocket.Decode(data)
		if err != nil {
			wrong("Bottlerocket would not boot with its user data: "+strings.TrimSpace(err.Error()), "render it with bottlerocket.Spec")
			continue
		}
		for _, item := range bottlerocket.CIS() {
			for _, unmet := range item.Unmet(bottlerocket.ManagedGroup, settings) {
				findings = append(findings, cloud.Finding{Level: cloud.Warning, Subject: m.Pool, Problem: fmt.Sprintf("CIS Bottlerocket %s (%s): %s", item.ID, item.Title, unmet),
					Remedy: "leave out the setting, unless an exception accepts the risk"})
			}
		}
		m.Settings = telling(settings)
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b cloud.Machine) int { return strings.Compare(a.Pool, b.Pool) })
	return machines, findings
}

// pools are the node groups that use a launch template.
func pools(c *simcloud.Cloud, template simcloud.Object) string {
	var names []string
	for _, group := range c.Objects(nodeGroups) {
		if group.State.String("launchTemplate.id") == template.ID {
			name := strings.TrimSuffix(group.State.String("nodeGroupNamePrefix"), "-")
			names = append(names, "pool "+cmp.Or(name, group.State.String("nodeGroupName")))
		}
	}
	if len(names) == 0 {
		return "no pool"
	}
	return strings.Join(names, ", ")
}

// telling are the settings that say most of a node, as TOML.
func telling(s bottlerocket.Settings) []string {
	var out []string
	add := func(format string, values ...any) { out = append(out, fmt.Sprintf(format, values...)) }
	if k := s.Kubernetes; k != nil {
		add("kubernetes: seccomp-default %s, server-tls-bootstrap %s, pod-pids-limit %s", show(k.SeccompDefault), show(k.ServerTLSBootstrap), show(k.PodPidsLimit))
	}
	if k := s.Kernel; k != nil {
		add("kernel: lockdown %s, %d sysctls, %d modules", show(k.Lockdown), len(k.Sysctl), len(k.Modules))
	}
	var on []string
	for name, container := range s.HostContainers {
		if container.Enabled != nil && *container.Enabled {
			on = append(on, name)
		}
	}
	slices.Sort(on)
	if len(on) == 0 {
		on = []string{"none"}
	}
	add("host containers: %s", strings.Join(on, ", "))
	return out
}

func show[T any](value *T) string {
	if value == nil {
		return "unset"
	}
	return fmt.Sprint(*value)
}
