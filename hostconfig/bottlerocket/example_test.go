package bottlerocket_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

var today = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// group is the smallest specification: EKS tells a managed group's nodes the rest.
func group() bottlerocket.Spec {
	return bottlerocket.Spec{
		Group: bottlerocket.ManagedGroup,
		Node: hostconfig.Node{
			Role: hostconfig.RoleWorker, OS: hostconfig.OSBottlerocket, Platform: hostconfig.PlatformAWS,
			Cluster: hostconfig.Cluster{Name: "production", Managed: true},
		},
	}
}

func ExampleSpec_Render() {
	nodes := group()
	nodes.Node.Sysctls = map[string]string{"vm.max_map_count": "262144"}
	if err := nodes.Validate(today); err != nil {
		fmt.Println(err)
		return
	}
	data, err := nodes.Render()
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(data.TOML)) {
		if strings.Contains(line, "lockdown") || strings.Contains(line, "max_map_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// lockdown = 'integrity'
	// 'vm.max_map_count' = '262144'
}

func ExampleSpec_Validate() {
	nodes := group()
	nodes.AdminContainer = true
	fmt.Println(nodes.Validate(today))
	nodes.Node.Exceptions = []hostconfig.Exception{{
		Control: "M03/admin-container", Reason: "the storage team debugs a driver on these nodes", Expires: "2026-12-31",
	}}
	fmt.Println(nodes.Validate(today))
	// Output:
	// adminContainer: the SSH server is locked off by control M03/admin-container; leave the hardened value, or accept the risk with an entry in exceptions: control M03/admin-container, a reason and an expiry
	// <nil>
}

func ExampleDecode() {
	settings, err := bottlerocket.Decode([]byte("[settings.kubernetes]\nmax-pods = 58\n"))
	fmt.Println(*settings.Kubernetes.MaxPods, err)
	_, err = bottlerocket.Decode([]byte("[settings.kubernetes]\nmax-pods = '58'\n"))
	fmt.Println(err != nil)
	// Output:
	// 58 <nil>
	// true
}

func ExampleItem_Unmet() {
	settings, err := group().Effective()
	if err != nil {
		fmt.Println(err)
		return
	}
	settings.Kernel.Lockdown = nil
	for _, item := range bottlerocket.CIS() {
		for _, lack := range item.Unmet(bottlerocket.ManagedGroup, settings) {
			fmt.Println(item.ID, item.Title+":", lack)
		}
	}
	// Output:
	// 1.5.2 Ensure Lockdown is configured: settings.kernel.lockdown is not set
}
