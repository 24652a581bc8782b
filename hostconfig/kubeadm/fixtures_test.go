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

// cluster is the one that every machine of these tests is part of.
func cluster() hostconfig.Cluster {
	return hostconfig.Cluster{
		Name: "production", Endpoint: "https://api.example.org:6443", DNS: []string{"10.82.0.10"},
		PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.0/24"},
		ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.0.10"}},
		Workers:       []hostconfig.Machine{{Name: "worker-1", Address: "10.80.0.11"}},
	}
}

func node(role hostconfig.Role, name, address string) hostconfig.Node {
	return hostconfig.Node{
		Role: role, OS: hostconfig.OSFlatcar, Platform: hostconfig.PlatformMetal, Name: name, Address: address, Cluster: cluster(),
		TimeServers: []string{"10.80.0.2"},
	}
}

// controlPlane is a single control plane whose network plugin is not kube-proxy's.
func controlPlane() Spec {
	n := node(hostconfig.RoleControlPlane, "cp-1", "10.80.0.10")
	n.ControlPlane = &hostconfig.ControlPlaneSettings{SANs: []string{"api.example.org"}, EtcdUser: "etcd"}
	return Spec{Node: n, Settings: Settings{SkipKubeProxy: true}}
}

// several is the first of three, with everything optional.
func several() Spec {
	s := controlPlane()
	s.Node.Cluster.ControlPlanes = []hostconfig.Machine{
		{Name: "cp-1", Address: "10.80.0.10"}, {Name: "cp-2", Address: "10.80.0.20"}, {Name: "cp-3", Address: "10.80.0.30"},
	}
	c := s.Node.ControlPlane
	c.AllowPrivileged, s.SkipKubeProxy = true, false
	c.Encryption = hostconfig.Encryption{Provider: hostconfig.EncryptionKMS, KMS: &hostconfig.KMS{Name: "cloud", Endpoint: "unix:///run/kms/cloud.sock"}}
	c.ExtraArgs = map[string]map[string]string{
		hostconfig.ComponentAPIServer:         {"tracing-config-file": "/etc/kubernetes/tracing.yaml"},
		hostconfig.ComponentControllerManager: {"allocate-node-cidrs": "true"},
	}
	s.EncryptionAlgorithm, s.FeatureGates = RSA3072, map[string]bool{"NodeLocalCRISocket": true}
	return s
}

// of gives the specification for another Kubernetes version.
func (s Spec) of(version string) Spec {
	s.Node.KubernetesVersion = version
	if !nodeLocalCRISocket.In(minorOf(version)) {
		s.FeatureGates = nil
	}
	return s
}

// second joins as another control plane.
func second() Spec {
	s := several()
	s.Node.Name, s.Node.Address = "cp-2", "10.80.0.20"
	return s
}

func worker() Spec {
	n := node(hostconfig.RoleWorker, "worker-1", "10.80.0.11")
	n.Labels, n.Taints = map[string]string{"example.org/pool": "general"}, []string{"example.org/dedicated=tenant:NoSchedule"}
	return Spec{Node: n}
}

// group is workers that learn their names and addresses.
func group() Spec {
	s := worker()
	s.Node.Platform, s.Node.Name, s.Node.Address = hostconfig.PlatformAWS, "", ""
	return s
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
		"join-group":         {group(), JoinWorker},
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
