package baseline

import (
	"strings"
	"testing"
)

const image = "registry.example.org/app:1.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// container violates nothing.
func container(name string) m {
	amounts := m{"cpu": "10m", "memory": "16Mi"}
	return m{"name": name, "image": image, "resources": m{"limits": amounts, "requests": amounts},
		"securityContext": m{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": m{"drop": []any{"ALL"}}}}
}

// podSpec violates nothing.
func podSpec() m {
	return m{"automountServiceAccountToken": false, "securityContext": m{"runAsNonRoot": true, "seccompProfile": m{"type": "RuntimeDefault"}},
		"containers": []any{container("app")}}
}

func podIn(namespace string, spec m) m {
	return m{"apiVersion": "v1", "kind": "Pod", "metadata": m{"name": "x", "namespace": namespace}, "spec": spec}
}

// set changes a field of an object: dots part the names, numbers are items.
func set(o m, path string, value any) m {
	at, names := any(o), strings.Split(path, ".")
	for i, name := range names {
		name = strings.ReplaceAll(name, "~", ".")
		last := i == len(names)-1
		switch container := at.(type) {
		case m:
			if last {
				container[name] = value
				if value == nil {
					delete(container, name)
				}
				return o
			}
			if container[name] == nil {
				container[name] = m{}
			}
			at = container[name]
		case []any:
			at = container[int(name[0]-'0')]
		}
	}
	return o
}

func TestCompliantPodIsLetIn(t *testing.T) {
	a := server(t)
	if err := a.create(a.dynamic, podIn("team", podSpec()), true); err != nil {
		t.Fatal(err)
	}
}
