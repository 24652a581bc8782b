package schedule

import "time"

// weighed is a graph with what was done. Of n resources, node i is the making of resource i and node n+i its deletion;
// what was not worked on takes no time and passes the waiting on.
type weighed struct {
	g          *Graph
	operations []*Operation // by node; nil where nothing was done
	before     [][]int      // by node: the nodes it waits for
	finish     []time.Duration
	tail       []time.Duration // the longest chain after a node
}

func (w *weighed) length(node int) time.Duration {
	if o := w.operations[node]; o != nil {
		return o.End - o.Start
	}
	return 0
}

// early tells whether a resource was deleted before its successor was made.
func (w *weighed) early(i int) bool {
	made, deleted := w.operations[i], w.operations[len(w.g.resources)+i]
	return made != nil && deleted != nil && deleted.End <= made.Start
}

// connect says what each node waits for. A resource is made after what it needs. It is deleted after those who need it,
// if they are deleted in the same part of the run, and in the end only after its successor has been made and those who
// need it have moved on to that.
func (w *weighed) connect() {
	n := len(w.g.resources)
	for i := range n {
		w.before[i] = append(w.before[i], w.g.needs[i]...)
		if w.operations[n+i] == nil {
			continue
		}
		early := w.early(i)
		if early {
			w.before[i] = append(w.before[i], n+i)
		} else {
			w.before[n+i] = append(w.before[n+i], i)
		}
		for _, user := range w.users(i, map[int]bool{}) {
			if w.operations[n+user] != nil && w.early(user) == early {
				w.before[n+i] = append(w.before[n+i], n+user)
			}
			if !early {
				w.before[n+i] = append(w.before[n+i], user)
			}
		}
	}
}

// users are the resources that need one and were worked on, also through others that were not.
func (w *weighed) users(i int, seen map[int]bool) []int {
	var out []int
	for _, user := range w.g.needed[i] {
		if seen[user] {
			continue
		}
		seen[user] = true
		if w.operations[user] != nil || w.operations[len(w.g.resources)+user] != nil {
			out = append(out, user)
		} else {
			out = append(out, w.users(user, seen)...)
		}
	}
	return out
}

// chains finds, for every node, the longest chain up to its end and the longest after it. It gives the nodes in an order
// in which what is waited for comes first. There is no circle: makings wait only for makings and for early deletions,
// those only for each other, and late deletions end all chains.
func (w *weighed) chains() (order []int) {
	w.finish, w.tail = make([]time.Duration, len(w.before)), make([]time.Duration, len(w.before))
	done := make([]bool, len(w.before))
	var visit func(int)
	visit = func(node int) {
		if done[node] {
			return
		}
		done[node] = true
		for _, b := range w.before[node] {
			visit(b)
			w.finish[node] = max(w.finish[node], w.finish[b])
		}
		w.finish[node] += w.length(node)
		order = append(order, node)
	}
	for node := range w.before {
		visit(node)
	}
	for at := len(order) - 1; at >= 0; at-- {
		node := order[at]
		for _, b := range w.before[node] {
			w.tail[b] = max(w.tail[b], w.tail[node]+w.length(node))
		}
	}
	return order
}

// longest is the longest chain, from its first node on.
func (w *weighed) longest(bound time.Duration) (path []int) {
	var all []int
	for node := range w.before {
		all = append(all, node)
	}
	for at := w.first(all, bound); at >= 0; at = w.first(w.before[at], w.finish[at]-w.length(at)) {
		path = append([]int{at}, path...)
	}
	return path
}

// first is, of the nodes that end at a time, the one that was worked on before those that were not, and whose URN is the
// first of the alphabet; -1 when there is none.
func (w *weighed) first(nodes []int, end time.Duration) int {
	best := -1
	for _, node := range nodes {
		if w.finish[node] == end && (best < 0 || w.precedes(node, best)) {
			best = node
		}
	}
	return best
}

func (w *weighed) precedes(a, b int) bool {
	if worked, other := w.operations[a] != nil, w.operations[b] != nil; worked != other {
		return worked
	}
	n := len(w.g.resources)
	return w.g.resources[a%n].URN < w.g.resources[b%n].URN
}
