package cloud

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
)

var daemonSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}

// nodeAudit looks for what starts the audit daemon of nodes.
func (a asker) nodeAudit() (string, []Finding, error) {
	set, err := a.client.Resource(daemonSets).Namespace(nodeaudit.Namespace).Get(a.ctx, nodeaudit.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", []Finding{{Level: Note, Problem: "nothing starts the audit daemon of nodes", Remedy: "give redoubt:nodeAudit an image of Fluent Bit in a registry of yours"}}, nil
	}
	if err != nil {
		return "", nil, err
	}
	starters, _, err := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "initContainers")
	if err != nil {
		return "", nil, err
	}
	for _, each := range starters {
		container, _ := each.(map[string]any)
		if command, _, _ := unstructured.NestedStringSlice(container, "command"); slices.Contains(command, nodeaudit.Unit) {
			return fmt.Sprintf("%s is started on every node of Container-Optimized OS, and its records go to the log %s", nodeaudit.Unit, nodeaudit.LogName), nil, nil
		}
	}
	return "", []Finding{{Level: Error, Subject: "daemonset " + nodeaudit.Namespace + "/" + nodeaudit.Name, Problem: "it does not start " + strings.TrimSuffix(nodeaudit.Unit, ".service")}}, nil
}
