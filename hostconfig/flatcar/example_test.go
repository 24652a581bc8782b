package flatcar_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
)

func ExampleSpec_UserData() {
	worker := flatcar.Spec{
		Role: hostconfig.RoleWorker, Platform: flatcar.PlatformAWS,
		Node: hostconfig.Worker{
			ClusterName: "prod", Name: "worker-1", APIServer: "https://10.80.0.10:6443",
			ClusterPodCIDR: "10.81.0.0/16", ClusterDNS: []string{"10.82.0.10"},
		},
		Firewall: hostconfig.Firewall{ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.0.11"}},
		Kubernetes: flatcar.Image{
			Source: "https://extensions.example.org/kubernetes-v1.35.4-x86-64.raw",
			Hash:   "sha256-" + strings.Repeat("0", 64),
		},
		Kubeadm: flatcar.Kubeadm{Configuration: "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"},
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	_, err := worker.UserData(now, "")
	fmt.Println(strings.Contains(err.Error(), "aws takes 16384"))
	data, err := worker.UserData(now, "s3://prod-ignition/worker.ign")
	fmt.Println(err, len(data.Contents) < flatcar.EC2Limit)
	// Output:
	// true
	// <nil> true
}
