package gcp

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
)

// Each limit is one still: a provider that can say it makes the test go red, so
// that it is said.
func TestLimitsStillHold(t *testing.T) {
	roots := map[string]reflect.Type{"Cluster": reflect.TypeFor[container.ClusterState](), "NodePool": reflect.TypeFor[container.NodePoolState](), "Repository": reflect.TypeFor[artifactregistry.RepositoryState]()}
	plain := map[string]reflect.Type{
		"nodePoolAutoConfig": reflect.TypeFor[container.ClusterNodePoolAutoConfig](), "privateClusterConfig": reflect.TypeFor[container.ClusterPrivateClusterConfig](),
		"confidentialNodes": reflect.TypeFor[container.NodePoolNodeConfigConfidentialNodes](), "nodeConfig": reflect.TypeFor[container.NodePoolNodeConfig](), "kubeletConfig": reflect.TypeFor[container.NodePoolNodeConfigKubeletConfig](),
	}
	has := func(of reflect.Type, field string) bool {
		_, found := of.FieldByName(strings.ToUpper(field[:1]) + field[1:])
		return found
	}
	for _, limit := range Limits() {
		path := strings.Split(limit.Field, ".")
		at := roots[path[0]]
		for i, field := range path[1:] {
			if last := i == len(path)-2; last && has(at, field) {
				t.Errorf("%s can be said now", limit.Field)
			} else if !last {
				if !has(at, field) {
					t.Fatalf("%s: there is no %s", limit.Field, field)
				}
				at = plain[field]
			}
		}
		if len(limit.Controls) == 0 || limit.Consequence == "" || limit.Compensation == "" {
			t.Errorf("%s is not explained", limit.Field)
		}
	}
	if len(Limits()) < 10 {
		t.Errorf("%d limits", len(Limits()))
	}
}

// What a limit says is done instead is done: constraints that it names exist.
func TestCompensationsExist(t *testing.T) {
	for _, limit := range Limits() {
		for _, word := range strings.FieldsFunc(limit.Compensation, func(r rune) bool { return r == ' ' || r == ';' || r == ',' }) {
			if !strings.HasPrefix(word, "container.managed.") {
				continue
			}
			found := false
			for _, c := range constraints {
				found = found || c.name == word
			}
			if !found {
				t.Errorf("%s: no constraint %s", limit.Field, word)
			}
		}
	}
}
