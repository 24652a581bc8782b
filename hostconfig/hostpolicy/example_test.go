package hostpolicy_test

import (
	"fmt"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/hostpolicy"
)

func example() hostpolicy.Cluster {
	return hostpolicy.Cluster{Cluster: hostconfig.Cluster{
		Name:          "prod",
		ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}},
		Workers:       []hostconfig.Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"}},
		PodCIDRs:      []string{"10.81.0.0/16"},
	}}
}

// The first document is the fail-safe of the worker.
func ExampleCluster_Calico() {
	stream, err := example().Calico(hostconfig.RoleWorker)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.Split(stream, "---\n")[0])
	// Output:
	// apiVersion: projectcalico.org/v3
	// kind: FelixConfiguration
	// metadata:
	//   name: node.worker-1
	// spec:
	//   defaultEndpointToHostAction: Drop
	//   failsafeInboundHostPorts:
	//   - net: 10.80.0.10/32
	//     port: 10250
	//     protocol: TCP
	//   failsafeOutboundHostPorts:
	//   - net: 10.80.0.10/32
	//     port: 6443
	//     protocol: TCP
}

// Audit first: the agents report what they would drop.
func ExampleCluster_Cilium() {
	cluster := example()
	cluster.Stage = hostpolicy.Audit
	stream, err := cluster.Cilium(hostconfig.RoleControlPlane)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.Split(stream, "---\n")[0])
	// Output:
	// apiVersion: cilium.io/v2
	// kind: CiliumNodeConfig
	// metadata:
	//   name: redoubt-host-control-plane
	//   namespace: kube-system
	// spec:
	//   defaults:
	//     enable-host-firewall: "true"
	//     enable-node-selector-labels: "true"
	//     policy-audit-mode: "true"
	//   nodeSelector:
	//     matchExpressions:
	//     - key: node-role.kubernetes.io/control-plane
	//       operator: Exists
}

// The flows that no mistake in a policy can close.
func ExampleFailSafe() {
	fmt.Println(strings.Join(hostpolicy.FailSafe(), " "))
	// Output: operators-api workers-api api-peers api-kubelet etcd-client etcd-peer
}
