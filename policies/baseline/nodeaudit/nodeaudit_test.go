package nodeaudit

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

const image = "registry.example.org/mirror/fluent-bit@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func set(t *testing.T) *appsv1.DaemonSet {
	t.Helper()
	for _, object := range Objects(Settings{Image: image}, Cluster{Name: "prod", Location: "europe-west3"}, "first") {
		if set, is := object.(*appsv1.DaemonSet); is {
			return set
		}
	}
	t.Fatal("no DaemonSet")
	return nil
}

// M17, CIS GKE 5.7.2: it starts the daemon, and of the node it has what that takes.
func TestWhatItHasOfTheNode(t *testing.T) {
	pod := set(t).Spec.Template.Spec
	if got := pod.InitContainers[0].Command; !slices.Equal(got, []string{"/usr/bin/systemctl", "start", "cloud-audit-setup.service"}) {
		t.Errorf("it does not start the daemon: %q", got)
	}
	if pod.HostIPC || *pod.AutomountServiceAccountToken || pod.ShareProcessNamespace != nil {
		t.Error("it has memory of the node, or a token")
	}
	if pod.NodeSelector["cloud.google.com/gke-os-distribution"] != "cos" || !slices.Contains(pod.Tolerations, corev1.Toleration{Operator: corev1.TolerationOpExists}) {
		t.Error("it does not run on every node of Container-Optimized OS, or on others")
	}
	writable := map[string]bool{"state": true}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if s.Privileged != nil || len(s.Capabilities.Add) > 0 || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem {
			t.Errorf("%s has a privilege: %+v", c.Name, s)
		}
		for _, m := range c.VolumeMounts {
			if !m.ReadOnly && !writable[m.Name] {
				t.Errorf("%s writes to %s", c.Name, m.MountPath)
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil && (v.HostPath.Path == "/" || strings.HasPrefix(v.HostPath.Path, "/etc")) {
			t.Errorf("it has %s", v.HostPath.Path)
		}
	}
}

func TestImagesArePinned(t *testing.T) {
	for image, good := range map[string]bool{
		image: true, "localhost:5000/a/b:1.0@sha256:" + strings.Repeat("a", 64): true,
		"": false, "fluent-bit": false, "registry.example.org/fluent-bit:4.1.1": false, "registry.example.org/fluent-bit@sha256:12": false,
		"https://registry.example.org/fluent-bit@sha256:" + strings.Repeat("a", 64): false,
	} {
		err := Settings{Image: image}.Validate("nodeAudit")
		if (err == nil) != good {
			t.Errorf("%q: %v", image, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "nodeAudit.image: ") {
			t.Errorf("the field is not named: %v", err)
		}
	}
}

// The policies of a cluster that has it are as good as without it.
func TestSystemNamespaceIsValid(t *testing.T) {
	s := admission.Settings{Registries: []string{"registry.example.org"}, SystemNamespaces: []admission.SystemNamespace{SystemNamespace()}}
	if err := s.Validate(nil, time.Now()); err != nil {
		t.Error(err)
	}
}
