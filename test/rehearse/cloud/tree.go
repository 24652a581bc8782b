package cloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// Resource is a component, or a resource with others below it; what has none is counted by its type.
type Resource struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// All counts the resources below, at any depth.
	All      int            `json:"all"`
	Counts   map[string]int `json:"counts,omitempty"`
	Children []*Resource    `json:"children,omitempty"`
}

// tree gives the resources of a stack as the engine reported them.
func tree(result rehearse.Result) *Resource {
	type node struct{ urn, kind, parent string }
	var nodes []node
	seen, parents := map[string]bool{}, map[string]bool{}
	for _, event := range result.Events {
		if event.ResourcePreEvent == nil {
			continue
		}
		m := event.ResourcePreEvent.Metadata
		if m.New == nil || seen[m.URN] || strings.HasPrefix(m.Type, "pulumi:providers:") {
			continue
		}
		seen[m.URN], parents[m.New.Parent] = true, true
		nodes = append(nodes, node{m.URN, m.Type, m.New.Parent})
	}
	root := &Resource{Name: result.Environment, Type: "pulumi:pulumi:Stack", Counts: map[string]int{}}
	made := map[string]*Resource{}
	for _, n := range nodes { // a parent is registered before its children
		at := made[n.parent]
		if at == nil {
			at = root
		}
		switch {
		case n.kind == root.Type:
			made[n.urn] = root
		case parents[n.urn]:
			made[n.urn] = &Resource{Name: n.urn[strings.LastIndex(n.urn, "::")+2:], Type: n.kind, Counts: map[string]int{}}
			at.Children = append(at.Children, made[n.urn])
		default:
			at.Counts[n.kind]++
		}
	}
	root.sum()
	return root
}

func (r *Resource) sum() int {
	r.All = 0
	for _, n := range r.Counts {
		r.All += n
	}
	for _, child := range r.Children {
		r.All += 1 + child.sum()
	}
	return r.All
}

// counted is "12 ec2.VpcEndpoint, ec2.Vpc": the types below a resource that are not resources of the tree themselves.
func (r *Resource) counted() string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(r.Counts)) {
		if n := r.Counts[kind]; n > 1 {
			out = append(out, fmt.Sprintf("%d %s", n, short(kind)))
		} else {
			out = append(out, short(kind))
		}
	}
	return strings.Join(out, ", ")
}

// short is "ec2.Vpc" for "aws:ec2/vpc:Vpc" and "core/v1.Pod" for "kubernetes:core/v1:Pod".
func short(kind string) string {
	parts := strings.Split(kind, ":")
	if len(parts) != 3 {
		return kind
	}
	module, name := parts[1], parts[2]
	if i := strings.LastIndex(module, "/"); i >= 0 && strings.EqualFold(module[i+1:], name) {
		module = module[:i]
	}
	return module + "." + name
}
