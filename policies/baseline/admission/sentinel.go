package admission

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sentinel is a request that the API server refuses as soon as a version of a
// policy is in force there, and that changes nothing: a dry run, or a connection
// to something that does not exist. Whatever else the catalogue asks for, it has.
type Sentinel struct {
	// Kind is that of an object that is created in a dry run, such as Pod; or exec,
	// for a session in a pod. Empty: there is none, because the kind may not be
	// served.
	Kind string
}

// name is what the sentinel of a policy is called: by it the policy knows it.
func (s Sentinel) name(policy string) string {
	name := sentinelPrefix + strings.TrimPrefix(policy, namePrefix)
	if s.Kind == "CustomResourceDefinition" {
		name += "." + Group // as its API server demands
	}
	return name
}

// Probe is a sentinel as it is sent: with Object, to create in a dry run, or without,
// to connect to.
type Probe struct {
	// Policy is the name of the policy that must answer, in its refusal or, where
	// its mode is warn, in a warning, with Words.
	Policy string
	Words  string
	// Object is in the namespace default where its kind is in namespaces.
	Object map[string]any
	// Path is where to connect to.
	Path string
}

// Probe gives the policy's sentinel; false where it has none, or where its
// mode is audit, of which a client sees nothing.
func (r Rendered) Probe(s Settings) (Probe, bool) {
	if !r.probed {
		return Probe{}, false
	}
	kind, name, probe := r.Members[0].Sentinel.Kind, r.sentinel, Probe{Policy: r.Policy.Name, Words: inForce}
	if kind == "exec" {
		probe.Path = "/api/v1/namespaces/" + metav1.NamespaceDefault + "/pods/" + name + "/exec"
		return probe, true
	}
	probe.Object = s.withDefaults().sentinel(kind, name)
	return probe, true
}

// m is an object as JSON has it.
type m = map[string]any

// sentinel is an object that violates nothing.
func (s Settings) sentinel(kind, name string) m {
	object := func(apiVersion, namespace string, rest m) m {
		metadata := m{"name": name}
		if namespace != "" {
			metadata["namespace"] = namespace
		}
		rest["apiVersion"], rest["kind"], rest["metadata"] = apiVersion, kind, metadata
		return rest
	}
	const here, rbac = metav1.NamespaceDefault, "rbac.authorization.k8s.io"
	switch kind {
	case "Pod":
		return object("v1", here, m{"spec": s.sentinelPod()})
	case "Service":
		return object("v1", here, m{"spec": m{"ports": []any{m{"port": int64(80)}}}})
	case "ConfigMap":
		return object("v1", here, m{})
	case "Secret":
		return object("v1", here, m{})
	case "PersistentVolumeClaim":
		return object("v1", here, m{"spec": m{"storageClassName": s.StorageClasses[0], "accessModes": []any{"ReadWriteOnce"}, "resources": m{"requests": m{"storage": "1Mi"}}}})
	case "PersistentVolume":
		return object("v1", "", m{"spec": m{"accessModes": []any{"ReadWriteOnce"}, "capacity": m{"storage": "1Mi"}, "csi": m{"driver": Group, "volumeHandle": "none"}}})
	case "Namespace":
		o := object("v1", "", m{})
		o["metadata"].(m)["labels"] = m{"pod-security.kubernetes.io/enforce": "restricted"}
		return o
	case "Ingress":
		host := "sentinel." + Group
		return object("networking.k8s.io/v1", here, m{"spec": m{"tls": []any{m{"hosts": []any{host}, "secretName": "none"}},
			"rules": []any{m{"host": host, "http": m{"paths": []any{m{"path": "/", "pathType": "Prefix", "backend": m{"service": m{"name": "none", "port": m{"number": int64(80)}}}}}}}}}})
	case "ClusterRole":
		return object(rbac+"/v1", "", m{"rules": []any{}})
	case "ClusterRoleBinding":
		return object(rbac+"/v1", "", m{"roleRef": m{"apiGroup": rbac, "kind": "ClusterRole", "name": "system:discovery"}})
	case "CustomResourceDefinition":
		plural, _, _ := strings.Cut(name, ".")
		return object("apiextensions.k8s.io/v1", "", m{"spec": m{"group": Group, "scope": "Cluster", "names": m{"plural": plural, "singular": plural, "kind": "Sentinel", "listKind": "SentinelList"},
			"versions": []any{m{"name": "v1", "served": true, "storage": true, "schema": m{"openAPIV3Schema": m{"type": "object"}}}}}})
	}
	return nil
}

func (s Settings) sentinelPod() m {
	amounts := m{"cpu": "1m", "memory": "1Mi"}
	return m{
		"automountServiceAccountToken": false,
		"securityContext":              m{"runAsNonRoot": true, "seccompProfile": m{"type": "RuntimeDefault"}},
		"containers": []any{m{
			"name": "sentinel", "image": strings.TrimSuffix(s.Registries[0], "/") + "/sentinel@sha256:" + strings.Repeat("0", 64),
			"resources":       m{"limits": amounts, "requests": amounts},
			"securityContext": m{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": m{"drop": []any{"ALL"}}},
		}},
	}
}
