package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Resource is one resource of a deployment, with what it waits for.
type Resource struct {
	URN string
	// Custom resources exist in a cloud; the others are components, which stand for their children.
	Custom bool
	Parent string
	// Dependencies are the URNs of all that it waits for besides its parent: options, properties, its provider, what it
	// is deleted with.
	Dependencies []string
}

// Graph is what depends on what, with components expanded as the engine's SDK expands them: to depend on a component is
// to depend on the custom resources below it, down to the first of each branch. What a component waits for, its children
// wait for, since they are registered after it.
type Graph struct {
	resources []Resource
	number    map[string]int
	needs     [][]int // by resource: what it waits for, each once
	needed    [][]int // the reverse
	order     []int   // what is needed comes first
}

// Read takes a deployment as the engine exports it. What is left of a replaced resource is passed over: its successor
// has its URN.
func Read(deployment []byte) (*Graph, error) {
	var state apitype.DeploymentV3
	if err := json.Unmarshal(deployment, &state); err != nil {
		return nil, fmt.Errorf("the deployment: %w", err)
	}
	var all []Resource
	for _, r := range state.Resources {
		if r.Delete {
			continue
		}
		one := Resource{URN: string(r.URN), Custom: r.Custom, Parent: string(r.Parent)}
		need := map[string]bool{}
		for _, urn := range r.Dependencies {
			need[string(urn)] = true
		}
		for _, urns := range r.PropertyDependencies {
			for _, urn := range urns {
				need[string(urn)] = true
			}
		}
		if provider := r.Provider; provider != "" { // <urn>::<id>
			need[provider[:max(0, strings.LastIndex(provider, "::"))]] = true
		}
		need[string(r.DeletedWith)] = true
		delete(need, "")
		one.Dependencies = slices.Sorted(maps.Keys(need))
		all = append(all, one)
	}
	return New(all)
}

// New makes a graph. A resource that is there twice, that needs one which is not there, or that needs itself through
// others, is an error.
func New(resources []Resource) (*Graph, error) {
	g := &Graph{resources: resources, number: map[string]int{}, needs: make([][]int, len(resources)), needed: make([][]int, len(resources))}
	for i, r := range resources {
		if _, twice := g.number[r.URN]; twice {
			return nil, fmt.Errorf("%s is in the deployment twice", r.URN)
		}
		g.number[r.URN] = i
	}
	children, parents := make([][]int, len(resources)), make([]int, len(resources))
	var problems []error
	for i, r := range resources {
		parents[i] = -1
		if r.Parent == "" {
			continue
		}
		p, ok := g.number[r.Parent]
		if !ok {
			problems = append(problems, fmt.Errorf("%s has the parent %s, which is not in the deployment", r.URN, r.Parent))
			continue
		}
		parents[i], children[p] = p, append(children[p], i)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for i, r := range resources {
		need := map[int]bool{}
		if parents[i] >= 0 {
			need[parents[i]] = true
		}
		for _, urn := range r.Dependencies {
			d, ok := g.number[urn]
			if !ok {
				problems = append(problems, fmt.Errorf("%s depends on %s, which is not in the deployment", r.URN, urn))
				continue
			}
			need[d] = true
			if !within(parents, i, d) { // who is a part of it cannot wait for all of it
				g.expand(children, d, need)
			}
		}
		g.needs[i] = slices.Sorted(maps.Keys(need))
		for _, d := range g.needs[i] {
			g.needed[d] = append(g.needed[d], i)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return g, g.sort()
}

// within tells whether a resource is another one or below it.
func within(parents []int, i, ancestor int) bool {
	for steps := 0; i >= 0 && steps <= len(parents); steps++ { // parents in a circle are found by sort
		if i == ancestor {
			return true
		}
		i = parents[i]
	}
	return false
}

// expand adds the custom resources that a component stands for.
func (g *Graph) expand(children [][]int, component int, into map[int]bool) {
	if g.resources[component].Custom {
		return
	}
	for _, child := range children[component] {
		if !into[child] {
			into[child] = true
			g.expand(children, child, into)
		}
	}
}

// sort orders the resources, or names a circle.
func (g *Graph) sort() error {
	const (
		entered = 1
		left    = 2
	)
	state := make([]int, len(g.resources))
	var path []int
	var visit func(int) error
	visit = func(i int) error {
		switch state[i] {
		case left:
			return nil
		case entered:
			var names []string
			for _, p := range append(path[slices.Index(path, i):], i) {
				names = append(names, g.resources[p].URN)
			}
			return fmt.Errorf("resources wait for each other in a circle: %s", strings.Join(names, " waits for "))
		}
		state[i], path = entered, append(path, i)
		for _, d := range g.needs[i] {
			if err := visit(d); err != nil {
				return err
			}
		}
		state[i], path = left, path[:len(path)-1]
		g.order = append(g.order, i)
		return nil
	}
	for i := range g.resources {
		if err := visit(i); err != nil {
			return err
		}
	}
	return nil
}
