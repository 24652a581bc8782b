package hostconfig_test

import (
	"fmt"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func ExampleControlPlane_APIServerArgs() {
	c := exampleControlPlane()
	c.ExtraArgs = map[string]map[string]string{hostconfig.ComponentAPIServer: {"max-requests-inflight": "800"}}
	printLines(strings.Join(c.APIServerArgs(), "\n")+"\n", "--anonymous", "--authorization-mode", "--max-requests", "--tls-min")
	// Output:
	// --authorization-mode=Node,RBAC
	// --max-requests-inflight=800
	// --tls-min-version=VersionTLS12
}

func ExampleControlPlane_ControllerManagerArgs() {
	c := exampleControlPlane()
	printLines(strings.Join(c.ControllerManagerArgs(), "\n")+"\n", "--bind-address", "--profiling", "--use-service", "--terminated")
	// Output:
	// --bind-address=127.0.0.1
	// --profiling=false
	// --terminated-pod-gc-threshold=1000
	// --use-service-account-credentials=true
}

func ExampleControlPlane_SchedulerArgs() {
	c := exampleControlPlane()
	printLines(strings.Join(c.SchedulerArgs(), "\n")+"\n", "--bind-address", "--profiling", "--tls-min")
	// Output:
	// --bind-address=127.0.0.1
	// --profiling=false
	// --tls-min-version=VersionTLS12
}

func ExampleControlPlane_EtcdArgs() {
	c := exampleControlPlane()
	c.EtcdMembers = []hostconfig.EtcdMember{
		{Name: "control-plane", Address: "10.80.0.10"}, {Name: "control-plane-2", Address: "10.80.0.20"},
		{Name: "control-plane-3", Address: "10.80.0.30"},
	}
	printLines(strings.Join(c.EtcdArgs(), "\n")+"\n", "--client-cert-auth", "--peer-client-cert-auth", "--auto-tls", "--initial-cluster=")
	// Output:
	// --auto-tls=false
	// --client-cert-auth=true
	// --initial-cluster=control-plane=https://10.80.0.10:2380,control-plane-2=https://10.80.0.20:2380,control-plane-3=https://10.80.0.30:2380
	// --peer-client-cert-auth=true
}

func ExampleKubeProxy_Configuration() {
	document, err := hostconfig.KubeProxy{PodCIDR: "10.81.0.0/16"}.Configuration()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(document)
	// Output:
	// apiVersion: kubeproxy.config.k8s.io/v1alpha1
	// bindAddress: 0.0.0.0
	// bindAddressHardFail: true
	// clusterCIDR: 10.81.0.0/16
	// enableProfiling: false
	// healthzBindAddress: 127.0.0.1:10256
	// kind: KubeProxyConfiguration
	// metricsBindAddress: 127.0.0.1:10249
	// mode: nftables
	// nodePortAddresses:
	// - primary
}
