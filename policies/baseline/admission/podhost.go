package admission

import "strings"

// podHostPolicies keep pods away from the machine that they run on.
func podHostPolicies() []Policy {
	var hosts []finding
	for _, own := range [][]string{{"livenessProbe"}, {"readinessProbe"}, {"startupProbe"}, {"lifecycle.?postStart", "lifecycle.?preStop"}} {
		field, _, _ := strings.Cut(own[0], ".")
		var any []string
		var told []finding
		for _, probe := range own {
			for _, handler := range []string{"httpGet", "tcpSocket"} {
				host := `c.?` + probe + `.?` + handler + `.?host.orValue('')`
				any = append(any, host+` != ''`)
				told = append(told, lasting(`has(c.`+field+`) && `+host+` != ''`, strings.ReplaceAll(probe, "?", "")+"."+handler+".host", host))
			}
		}
		// Whether there is the field is asked once for all that is below it.
		hosts = append(hosts, finding{[]violation{{lastingContainer, `has(c.` + field + `) && (` + strings.Join(any, ` || `) + `)`}}, all(told...).told})
	}
	return []Policy{
		onPods(Policy{
			ID: "host-namespaces", Title: "no pod shares the network, processes or IPC of its node", Controls: []string{"M22", "CIS-5.2.3", "CIS-5.2.4", "CIS-5.2.5"},
			found: all(
				each(quoted("hostNetwork", "hostPID", "hostIPC"), `variables.spec[?c].orValue(false)`, `variables.path + c + ' is "true"'`),
				containers(`c.?securityContext.?windowsOptions.?hostProcess.orValue(false)`, "securityContext.windowsOptions.hostProcess", "true"),
				either(pod+`.?windowsOptions.?hostProcess.orValue(false)`, `variables.path + 'securityContext.windowsOptions.hostProcess is "true"'`)),
			Remedy: "leave these fields out; a program that needs the node belongs into a namespace of the system",
		}),
		onPods(Policy{
			ID: "host-ports", Title: "no pod takes a port of its node or has the kubelet ask other hosts", Controls: []string{"M22", "CIS-5.2.12"},
			found: all(append(hosts, containers(`has(c.ports) && c.ports.exists(p, p.?hostPort.orValue(0) != 0)`, "ports[].hostPort",
				`c.?ports.orValue([]).map(p, string(p.?hostPort.orValue(0))).join(',')`))...),
			Remedy: "leave out hostPort and use a Service; leave out host in probes, they ask the pod itself",
		}),
		onPods(Policy{
			// Neither the Pod Security Standards nor CIS demand it, and not every node can:
			// a Bottlerocket of Redoubt's forbids user namespaces, against programs that
			// make some of their own, and containerd has them from 2.0 on. So the platform
			// says where.
			ID: "user-namespaces", Title: "root in a pod is nobody on its node, where the platform demands it", Controls: []string{"M22", "M24"},
			found: either(`variables.spec.?hostUsers.orValue(true) && namespaceObject != null && namespaceObject.metadata.?labels[?'`+LabelUserNamespaces+`'].orValue('') == 'required'`,
				`variables.path + 'hostUsers is "' + string(variables.spec.?hostUsers.orValue(true)) + '"'`),
			Remedy: "set hostUsers: false",
		}),
		onPods(Policy{
			ID: "volume-types", Title: "pods mount nothing of their node", Controls: []string{"M22", "CIS-5.2.11"},
			found: each(volumes, `c.exists(k, !(k in `+quoted(append([]string{"name"}, volumeTypes...)...)+`))`,
				`variables.path + 'volumes[' + c.name + '] is of type "' + c.filter(k, k != 'name').join(',') + '"'`),
			Remedy: "use one of " + strings.Join(volumeTypes, ", "),
		}),
	}
}

// volumeTypes are those of the level "restricted" of the Pod Security Standards.
var volumeTypes = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}
