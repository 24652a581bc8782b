package kubeadm_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
)

// A worker joins with a discovery file that its provisioner writes.
func ExampleSpec_Render() {
	spec := kubeadm.Spec{Node: hostconfig.Node{
		Role: hostconfig.RoleWorker, OS: hostconfig.OSFlatcar, Platform: hostconfig.PlatformAWS,
		Cluster: hostconfig.Cluster{
			Name: "production", Endpoint: "https://api.example.org:6443", PodCIDRs: []string{"10.81.0.0/16"},
			ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}},
		},
	}}
	file, err := spec.Render(kubeadm.JoinWorker, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %o\n", file.Path, file.Mode)
	fmt.Print(strings.Split(file.Contents, "nodeRegistration:")[0])
	// Output:
	// /etc/kubernetes/kubeadm.yaml 600
	// apiVersion: kubeadm.k8s.io/v1beta4
	// caCertPath: /etc/kubernetes/pki/ca.crt
	// discovery:
	//   file:
	//     kubeConfigPath: /etc/kubernetes/discovery.conf
	// kind: JoinConfiguration
}

// What differs from a control plane without kubeadm, and why.
func ExampleDeviations() {
	for _, d := range kubeadm.Deviations() {
		if d.Component == hostconfig.ComponentScheduler {
			fmt.Printf("%s: %s\n", d.Flag, d.Reason)
		}
	}
	// Output:
	// leader-elect: a second control plane may join later, and must not find a first that does not elect
	// tls-cert-file: kubeadm issues none: the component makes one in memory, and listens on loopback only
	// tls-private-key-file: kubeadm issues none: the component makes one in memory, and listens on loopback only
}
