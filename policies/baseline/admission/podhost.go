package admission

import "strings"

// podHostPolicies keep pods away from the machine that they run on.
func podHostPolicies() []Policy {
	var hosts []string
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe", "lifecycle.?postStart", "lifecycle.?preStop"} {
		for _, handler := range []string{"httpGet", "tcpSocket"} {
			host := `c.?` + probe + `.?` + handler + `.?host.orValue('')`
			hosts = append(hosts, containersIn(containerLists[:2], host+` != ''`, strings.ReplaceAll(probe, "?", "")+"."+handler+".host", host))
		}
	}
	return []Policy{
		onPods(Policy{
			ID: "host-namespaces", Title: "no pod shares the network, processes or IPC of its node", Controls: []string{"M22", "CIS-5.2.3", "CIS-5.2.4", "CIS-5.2.5"},
			Findings: all(
				quoted("hostNetwork", "hostPID", "hostIPC")+`.filter(f, variables.spec[?f].orValue(false)).map(f, variables.path + f + ' is "true"')`,
				containers(`c.?securityContext.?windowsOptions.?hostProcess.orValue(false)`, "securityContext.windowsOptions.hostProcess", "true"),
				either(pod+`.?windowsOptions.?hostProcess.orValue(false)`, `variables.path + 'securityContext.windowsOptions.hostProcess is "true"'`)),
			Remedy: "leave these fields out; a program that needs the node belongs into a namespace of the system",
		}),
		onPods(Policy{
			ID: "host-ports", Title: "no pod takes a port of its node or has the kubelet ask other hosts", Controls: []string{"M22", "CIS-5.2.12"},
			Findings: all(append(hosts, containers(`c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0)`, "ports[].hostPort",
				`c.?ports.orValue([]).map(p, string(p.?hostPort.orValue(0))).join(',')`))...),
			Remedy: "leave out hostPort and use a Service; leave out host in probes, they ask the pod itself",
		}),
		onPods(Policy{
			ID: "volume-types", Title: "pods mount nothing of their node", Controls: []string{"M22", "CIS-5.2.11"},
			Findings: `variables.spec.?volumes.orValue([]).filter(v, v.exists(k, !(k in ` + quoted(append([]string{"name"}, volumeTypes...)...) +
				`))).map(v, variables.path + 'volumes[' + v.name + '] is of type "' + v.filter(k, k != 'name').join(',') + '"')`,
			Remedy: "use one of " + strings.Join(volumeTypes, ", "),
		}),
	}
}

// volumeTypes are those of the level "restricted" of the Pod Security Standards.
var volumeTypes = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}
