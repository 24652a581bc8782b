package admission

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubernetesNamespaces are those of Kubernetes where parts of it run or are kept.
// "default" is none of them: whoever leaves out a namespace lands there.
var kubernetesNamespaces = []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

func (s Settings) withDefaults() Settings {
	if len(s.StorageClasses) == 0 {
		s.StorageClasses = []string{"encrypted"}
	}
	if s.Mode == "" {
		s.Mode = Deny
	}
	return s
}

// mode is that of a policy whose own is given.
func (s Settings) mode(p Policy, own Mode) Mode {
	if set, there := s.Modes[p.ID]; there {
		// A relaxed mode stays as relaxed as it is.
		if own == p.Mode || strictness[set] < strictness[own] {
			own = set
		}
	}
	return own.atMost(s.Mode)
}

// SystemNames are the namespaces where policies on workloads do not hold.
func (s Settings) SystemNames() []string {
	names := slices.Clone(kubernetesNamespaces)
	for _, namespace := range s.SystemNamespaces {
		names = append(names, namespace.Name)
	}
	return names
}

// parameters are what the policies read: lists, one entry a line; exceptions by the
// namespace that they are for, or together where they are for objects in none. Only
// the platform can write them, as everything with its label.
func (s Settings) parameters() *corev1.ConfigMap {
	var registries []string
	for _, registry := range s.Registries {
		registries = append(registries, strings.TrimSuffix(registry, "/")+"/")
	}
	data := map[string]string{
		"registries": lines(registries), "storageClasses": lines(s.StorageClasses), "systemUsers": lines(s.SystemUsers), "forbiddenConnect": lines(s.SystemNames()),
		"baselineNamespaces": "\n" + lines(s.BaselineNamespaces) + "\n",
	}
	add := func(key, line string) {
		if data[key] != "" {
			line = data[key] + "\n" + line
		}
		data[key] = line
	}
	for _, e := range s.Exceptions {
		until, err := e.Expiry()
		if err != nil {
			continue // refused by Validate; it lets nobody off
		}
		line := strings.TrimPrefix(e.Control, controlPrefix) + " " + until.UTC().Format(time.RFC3339) + " " + strings.Join(strings.Fields(e.Reason), " ")
		for _, namespace := range e.Namespaces {
			add("exceptions."+namespace, line)
		}
		for _, name := range e.Names {
			add("exceptions", name+" "+line)
		}
	}
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: ParametersName, Namespace: parametersNamespace, Labels: map[string]string{LabelManagedBy: ManagedBy},
			Annotations: map[string]string{Group + "/title": "what the admission policies allow, and who is let off until when"}},
		Data: data,
	}
}

func lines(values []string) string { return strings.Join(values, "\n") }
