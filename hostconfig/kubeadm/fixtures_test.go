package kubeadm

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// now is the time of every test that is not about time.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// controlPlane is a single control plane whose network plugin is not kube-proxy's.
func controlPlane() Spec {
	return Spec{
		ControlPlane: hostconfig.ControlPlane{
			ClusterName: "production", Name: "cp-1", AdvertiseAddress: "10.80.0.10", SANs: []string{"api.example.org"},
			ServiceCIDR: "10.82.0.0/20", PodCIDR: "10.81.0.0/16", EtcdUser: "etcd",
		},
		Node:          node("cp-1", "10.80.0.10", "10.81.0.0/24"),
		SkipKubeProxy: true,
	}
}

func node(name, address, pods string) hostconfig.Worker {
	return hostconfig.Worker{
		ClusterName: "production", Name: name, NodeIP: address, APIServer: "https://api.example.org:6443",
		PodCIDR: pods, ClusterPodCIDR: "10.81.0.0/16", ClusterDNS: []string{"10.82.0.10"}, CgroupDriver: "systemd",
	}
}

// several is the first of three, with everything optional.
func several() Spec {
	s := controlPlane()
	s.ControlPlane.EtcdMembers = []hostconfig.EtcdMember{
		{Name: "cp-1", Address: "10.80.0.10"}, {Name: "cp-2", Address: "10.80.0.20"}, {Name: "cp-3", Address: "10.80.0.30"},
	}
	s.ControlPlane.AllowPrivileged, s.SkipKubeProxy = true, false
	s.ControlPlane.Encryption = hostconfig.Encryption{Provider: hostconfig.EncryptionKMS, KMS: &hostconfig.KMS{Name: "cloud", Endpoint: "unix:///run/kms/cloud.sock"}}
	s.ControlPlane.ExtraArgs = map[string]map[string]string{
		hostconfig.ComponentAPIServer:         {"tracing-config-file": "/etc/kubernetes/tracing.yaml"},
		hostconfig.ComponentControllerManager: {"allocate-node-cidrs": "true"},
	}
	s.EncryptionAlgorithm, s.FeatureGates = RSA3072, map[string]bool{"NodeLocalCRISocket": true}
	return s
}

// of gives the specification for another Kubernetes version.
func (s Spec) of(version string) Spec {
	s.Node.KubernetesVersion, s.ControlPlane.KubernetesVersion = version, version
	if !nodeLocalCRISocket.In(minorOf(version)) {
		s.FeatureGates = nil
	}
	return s
}

// second joins as another control plane.
func second() Spec {
	s := several()
	s.ControlPlane.Name, s.ControlPlane.AdvertiseAddress = "cp-2", "10.80.0.20"
	s.Node = node("cp-2", "10.80.0.20", "10.81.4.0/24")
	return s
}

func worker() Spec {
	n := node("worker-1", "10.80.0.11", "10.81.1.0/24")
	n.Labels, n.Taints = map[string]string{"example.org/pool": "general"}, []string{"example.org/dedicated=tenant:NoSchedule"}
	return Spec{Node: n}
}

// cases are the golden files by name.
func cases() map[string]struct {
	spec   Spec
	action Action
} {
	return map[string]struct {
		spec   Spec
		action Action
	}{
		"init":               {controlPlane(), Init},
		"init-several":       {several(), Init},
		"join-control-plane": {second(), JoinControlPlane},
		"join-worker":        {worker(), JoinWorker},
	}
}

func render(t testing.TB, s Spec, action Action) string {
	t.Helper()
	file, err := s.Render(action, now)
	if err != nil {
		t.Fatal(err)
	}
	return file.Contents
}

// fieldErrors takes joined errors apart.
func fieldErrors(err error) []*hostconfig.FieldError {
	var found []*hostconfig.FieldError
	var one *hostconfig.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			found = append(found, fieldErrors(each)...)
		}
	} else if errors.As(err, &one) {
		found = append(found, one)
	}
	return found
}

func refused(t *testing.T, err error, field, text string) {
	t.Helper()
	for _, problem := range fieldErrors(err) {
		if problem.Field == field && strings.Contains(problem.Error(), text) && problem.Remedy != "" {
			return
		}
	}
	t.Errorf("%s: want a refusal with %q and a remedy, got: %v", field, text, err)
}
