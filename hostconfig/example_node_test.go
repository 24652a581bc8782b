package hostconfig_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// exampleNode is a worker on Flatcar in AWS; its machines learn their names and
// addresses when they boot.
func exampleNode() hostconfig.Node {
	return hostconfig.Node{
		Role: hostconfig.RoleWorker, OS: hostconfig.OSFlatcar, Platform: hostconfig.PlatformAWS,
		Cluster: hostconfig.Cluster{
			Name: "prod", Endpoint: "https://10.80.0.10:6443", DNS: []string{"10.82.0.10"}, PodCIDRs: []string{"10.81.0.0/16"},
			ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}},
		},
	}
}

// printLines prints the lines of a text that begin with one of the words.
func printLines(text string, words ...string) {
	for line := range strings.Lines(text) {
		for _, word := range words {
			if strings.HasPrefix(strings.TrimSpace(line), word) {
				fmt.Print(line)
			}
		}
	}
}

// One specification: what weakens it is refused, everything else extends it.
func ExampleNode() {
	node := exampleNode()
	node.Labels = map[string]string{"example.org/pool": "general"}
	node.Kubelet.Extra = map[string]any{"readOnlyPort": 10255}
	today := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	fmt.Println(node.Validate(today))
	node.Kubelet.Extra = map[string]any{"maxPods": 60}
	fmt.Println(node.Validate(today))
	// Output:
	// kubelet.extra["readOnlyPort"]: must stay unset by control CIS-4.2.4; leave the hardened value, or accept the risk with an entry in exceptions: control CIS-4.2.4, a reason and an expiry
	// <nil>
}

// What only the container runtime has.
func ExampleRuntime() {
	node := exampleNode()
	node.RuntimeClasses = []string{hostconfig.RuntimeClassKata}
	node.Runtime = hostconfig.Runtime{KataConfig: "/opt/kata/configuration.toml", Extra: map[string]any{"max_concurrent_downloads": 5}}
	w := node.Worker()
	fmt.Println("containerd", w.ContainerdVersion)
	files, err := w.Files()
	if err != nil {
		fmt.Println(err)
	}
	for _, file := range files {
		if file.Path == w.Paths.ContainerdConfig() {
			printLines(file.Contents, "max_concurrent_downloads", "enable_selinux", "ConfigPath")
		}
	}
	// Output:
	// containerd 2
	//   enable_selinux = true
	//   max_concurrent_downloads = 5
	//   ConfigPath = "/opt/kata/configuration.toml"
}

// The firewall of a node comes from its cluster.
func ExampleNode_HostFirewall() {
	firewall := exampleNode().HostFirewall()
	fmt.Println(firewall.ControlPlane, firewall.PodCIDR, firewall.NodeInterface)
	// Output:
	// [10.80.0.10] 10.81.0.0/16 eth0
}

func ExampleWorker_KubeletConfiguration() {
	w := exampleWorker()
	w.ExtraKubelet = map[string]any{"maxPods": 60}
	configuration, err := w.KubeletConfiguration()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(configuration.MaxPods, *configuration.Authentication.Anonymous.Enabled, configuration.Authorization.Mode, configuration.TLSMinVersion)
	// Output:
	// 60 false Webhook VersionTLS12
}

func ExampleWorker_KubeletArgs() {
	w := exampleWorker()
	w.Labels = map[string]string{"example.org/pool": "general"}
	for _, argument := range w.KubeletArgs() {
		fmt.Println(argument)
	}
	// Output:
	// --bootstrap-kubeconfig=/var/lib/kubelet/bootstrap-kubeconfig
	// --cert-dir=/var/lib/kubelet/pki
	// --config=/var/lib/kubelet/config.yaml
	// --kubeconfig=/var/lib/kubelet/kubeconfig
	// --node-ip=10.80.0.11
	// --node-labels=example.org/pool=general
	// --root-dir=/var/lib/kubelet
}

// Every file of a worker; config.toml is in the form of its containerd.
func ExampleWorker_Files() {
	w := exampleWorker()
	files, err := w.Files()
	if err != nil {
		fmt.Println(err)
	}
	for _, file := range files {
		fmt.Printf("%o %s\n", file.Mode, file.Path)
		if file.Path == w.Paths.ContainerdConfig() {
			printLines(file.Contents, "version", "sandbox", "unset_seccomp_profile", "runtime_type")
		}
	}
	// Output:
	// 600 /etc/cni/net.d/10-redoubt.conflist
	// 600 /etc/containerd/certs.d/_default/hosts.toml
	// 600 /etc/containerd/certs.d/registry.k8s.io/hosts.toml
	// 600 /etc/containerd/config.toml
	// version = 3
	//   unset_seccomp_profile = "runtime/default"
	//   sandbox = "registry.k8s.io/pause:3.10.1"
	//   runtime_type = "io.containerd.runc.v2"
	// 644 /etc/sysctl.d/90-redoubt.conf
	// 600 /var/lib/kubelet/config.yaml
}

// The settings that the kubelet compares, as sysctl.d reads them.
func ExampleKubeletSysctls() {
	w := exampleWorker()
	files, err := w.Files()
	if err != nil {
		fmt.Println(err)
	}
	for _, file := range files {
		if file.Path == w.Paths.Sysctl() {
			printLines(file.Contents, "kernel.panic", "vm.", "net.ipv4.ip_forward")
		}
	}
	value, locked := hostconfig.LockedSysctl("net.ipv4.conf.eth0.send_redirects")
	fmt.Println(value, locked)
	// Output:
	// kernel.panic = 10
	// kernel.panic_on_oops = 1
	// net.ipv4.ip_forward = 1
	// vm.overcommit_memory = 1
	// vm.panic_on_oom = 0
	// 0 true
}
