package nodeaudit

import (
	"crypto/sha256"
	"encoding/hex"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Unit is the node's own, which loads the rules and starts the daemon.
const Unit = "cloud-audit-setup.service"

// Objects gives what runs in the namespace, which must be there, with network policies
// that deny everything. The pods have the
// priority class of the platform when priority is not empty.
func Objects(s Settings, c Cluster, priority string) []runtime.Object {
	return []runtime.Object{account(), config(), daemonSet(s, c, priority)}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: Namespace, Name: name, Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy}}
}

// account has no role and no token.
func account() runtime.Object {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(Name), AutomountServiceAccountToken: new(false)}
}

func config() runtime.Object {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta(Name), Data: map[string]string{"fluent-bit.conf": configuration}}
}

func daemonSet(s Settings, c Cluster, priority string) runtime.Object {
	labels := map[string]string{"app.kubernetes.io/name": Name}
	sum := sha256.Sum256([]byte(configuration))
	one := intstr.FromString("10%")
	return &appsv1.DaemonSet{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"}, ObjectMeta: meta(Name),
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: labels},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &one}},
			Template: corev1.PodTemplateSpec{
				// A pod whose configuration changes is a new pod.
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"redoubt.dev/configuration": hex.EncodeToString(sum[:8])}},
				Spec:       pod(s, c, priority),
			},
		},
	}
}

// pod has the network of its node: there the metadata server gives the node's own
// identity, which may write logs and little else. It has its processes for systemctl,
// which otherwise finds nobody at the other end of systemd's socket.
func pod(s Settings, c Cluster, priority string) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: Name, AutomountServiceAccountToken: new(false), EnableServiceLinks: new(false), PriorityClassName: priority,
		HostNetwork: true, HostPID: true, DNSPolicy: corev1.DNSDefault,
		NodeSelector:                  map[string]string{corev1.LabelOSStable: "linux", "cloud.google.com/gke-os-distribution": "cos"},
		Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		TerminationGracePeriodSeconds: new(int64(30)),
		SecurityContext:               &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		InitContainers: []corev1.Container{{
			Name: "start", Image: s.Image, Command: []string{"/usr/bin/systemctl", "start", Unit},
			SecurityContext: security(), Resources: resources("10m", "16Mi", "64Mi"),
			VolumeMounts: []corev1.VolumeMount{mount("usr", "/usr", true), mount("lib", "/lib", true), mount("lib64", "/lib64", true), mount("systemd", "/run/systemd", true)},
		}},
		Containers: []corev1.Container{{
			Name: "send", Image: s.Image, SecurityContext: security(), Resources: resources("50m", "64Mi", "256Mi"),
			Env: []corev1.EnvVar{
				{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "spec.nodeName"}}},
				{Name: "CLUSTER_NAME", Value: c.Name}, {Name: "CLUSTER_LOCATION", Value: c.Location},
			},
			VolumeMounts: []corev1.VolumeMount{mount("configuration", "/fluent-bit/etc", true), mount("journal", journal, true), mount("state", state, false)},
		}},
		Volumes: []corev1.Volume{
			host("usr", "/usr", corev1.HostPathDirectory), host("lib", "/lib", corev1.HostPathDirectory), host("lib64", "/lib64", corev1.HostPathDirectory),
			host("systemd", "/run/systemd", corev1.HostPathDirectory), host("journal", journal, corev1.HostPathDirectory), host("state", state, corev1.HostPathDirectoryOrCreate),
			{Name: "configuration", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: Name}, DefaultMode: new(int32(0o444))}}},
		},
	}
}

// security is root without a capability: what the containers open on the node
// belongs to root.
func security() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsUser: new(int64(0)), RunAsGroup: new(int64(0)), AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func resources(cpu, memory, limit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)},
	}
}

func mount(name, path string, readOnly bool) corev1.VolumeMount {
	return corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: readOnly}
}

func host(name, path string, kind corev1.HostPathType) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &kind}}}
}
