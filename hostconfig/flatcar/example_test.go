package flatcar_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
)

// exampleWorkers is a group of workers in AWS.
func exampleWorkers() flatcar.Spec {
	return flatcar.Spec{
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
}

func ExampleSpec_UserData() {
	workers := exampleWorkers()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	_, err := workers.UserData(now, "")
	fmt.Println(strings.Contains(err.Error(), "aws takes 16384"))
	data, err := workers.UserData(now, "s3://prod-ignition/worker.ign")
	fmt.Println(err, len(data.Contents) < flatcar.EC2Limit)
	// Output:
	// true
	// <nil> true
}

// exampleLines prints the lines of a document that hold one of the words.
func exampleLines(document []byte, words ...string) {
	for line := range strings.Lines(string(document)) {
		for _, word := range words {
			if strings.Contains(line, word) {
				fmt.Print(line)
			}
		}
	}
}

func ExampleSpec_Butane() {
	document, err := exampleWorkers().Butane(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	exampleLines(document, "variant:", "version: 1", "name: sshd", "name: kubeadm-join.service")
	// Output:
	// version: 1.1.0
	// variant: flatcar
	//       name: sshd.service
	//       name: sshd.socket
	//       name: kubeadm-join.service
}

func ExampleSpec_Ignition() {
	document, err := exampleWorkers().Ignition(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	var ignition struct {
		Ignition struct{ Version string }
		Systemd  struct {
			Units []struct {
				Name string
				Mask bool
			}
		}
	}
	fmt.Println(json.Unmarshal(document, &ignition), ignition.Ignition.Version)
	for _, unit := range ignition.Systemd.Units {
		if unit.Mask && strings.HasPrefix(unit.Name, "sshd") {
			fmt.Println(unit.Name, "is masked")
		}
	}
	// Output:
	// <nil> 3.4.0
	// sshd.service is masked
	// sshd.socket is masked
}
