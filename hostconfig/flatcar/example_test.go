package flatcar_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
)

func ExampleSpec_UserData() {
	workers := flatcar.Spec{
		Node: hostconfig.Node{
			Role: hostconfig.RoleWorker, Platform: hostconfig.PlatformAWS,
			Cluster: hostconfig.Cluster{
				Name: "prod", Endpoint: "https://10.80.0.10:6443", DNS: []string{"10.82.0.10"}, PodCIDRs: []string{"10.81.0.0/16"},
				ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}},
			},
		},
		Kubernetes: flatcar.Image{
			Source: "https://extensions.example.org/kubernetes-v1.35.4-x86-64.raw",
			Hash:   "sha256-" + strings.Repeat("0", 64),
		},
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	_, err := workers.UserData(now, "")
	fmt.Println(strings.Contains(err.Error(), "aws takes 16384"))
	data, err := workers.UserData(now, "s3://prod-ignition/worker.ign")
	fmt.Println(err, len(data.Contents) < flatcar.EC2Limit)
	// Output:
	// true
	// <nil> true
}
