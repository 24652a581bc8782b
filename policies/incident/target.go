package incident

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Target is what an incident is about.
type Target struct {
	// Kind is pod, namespace or node.
	Kind string
	// Namespace is that of a pod.
	Namespace string
	Name      string
}

// Kinds of targets.
const (
	Pod       = "pod"
	Namespace = "namespace"
	Node      = "node"
)

// ParseTarget reads pod/NAMESPACE/NAME, namespace/NAME or node/NAME.
func ParseTarget(text string) (Target, error) {
	parts := strings.Split(text, "/")
	t := Target{Kind: parts[0], Name: parts[len(parts)-1]}
	wrong := fmt.Errorf("target %q: write pod/NAMESPACE/NAME, namespace/NAME or node/NAME", text)
	switch {
	case t.Kind == Pod && len(parts) == 3:
		t.Namespace = parts[1]
		if len(validation.IsDNS1123Label(t.Namespace)) > 0 {
			return Target{}, wrong
		}
	case (t.Kind == Namespace || t.Kind == Node) && len(parts) == 2:
	default:
		return Target{}, wrong
	}
	if len(validation.IsDNS1123Subdomain(t.Name)) > 0 {
		return Target{}, wrong
	}
	return t, nil
}

// String is the form that [ParseTarget] reads.
func (t Target) String() string {
	if t.Kind == Pod {
		return t.Kind + "/" + t.Namespace + "/" + t.Name
	}
	return t.Kind + "/" + t.Name
}
