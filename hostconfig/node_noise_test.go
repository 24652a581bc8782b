package hostconfig

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// noise is what a specification should not hold.
var noise = []string{"", "x", "\n", "a\x00b", "'\"`$(x)%n\\", "0.0.0.0/0", "::/0", "https://u:p@h/", "system:masters", "../..",
	"Ω.example", "[::1]", "1e-99", strings.Repeat("a", 300), "\xff"}

// disturb puts noise into a value and what lies in it.
func disturb(v reflect.Value, r *rand.Rand) {
	text := func() string { return noise[r.IntN(len(noise))] }
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() && r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if !v.IsNil() {
			disturb(v.Elem(), r)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				disturb(v.Field(i), r)
			}
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(text()))
	case reflect.String:
		if r.IntN(4) == 0 {
			v.SetString(text())
		}
	case reflect.Slice:
		if r.IntN(3) == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			disturb(v.Index(0), r)
			disturb(v.Index(1), r)
		}
	case reflect.Map:
		if r.IntN(3) == 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range r.IntN(4) {
				value := reflect.New(v.Type().Elem()).Elem()
				disturb(value, r)
				v.SetMapIndex(reflect.ValueOf(text()), value)
			}
		}
	case reflect.Int, reflect.Int64:
		if r.IntN(4) == 0 {
			v.SetInt([]int64{-1, 0, 1, 1 << 40}[r.IntN(4)])
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	}
}

// TestNodesUnderNoise: whatever a node holds, it is judged alike twice, under the
// names of its own fields, with a remedy and on one line; nothing that the caller
// holds is changed; and what is accepted is rendered, alike twice.
func TestNodesUnderNoise(t *testing.T) {
	var fields []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Node]()) {
		fields = append(fields, jsonName(field))
	}
	for seed := range uint64(400) {
		kind := nodeKinds[seed%uint64(len(nodeKinds))]
		build := func() Node {
			r := rand.New(rand.NewPCG(seed, 1))
			n := nodeOf(t, kind.os, kind.role)
			v := reflect.ValueOf(&n).Elem()
			for range 3 {
				disturb(v.Field(r.IntN(v.NumField())), r)
			}
			return n
		}
		n, same := build(), build()
		err := n.Validate(now)
		for _, each := range separate(err) {
			root := strings.FieldsFunc(each.Field, func(r rune) bool { return r == '.' || r == '[' })
			if len(root) == 0 || !slices.Contains(fields, root[0]) || each.Problem == "" || each.Remedy == "" || !plainText(each.Error()) {
				t.Errorf("%d: %q", seed, each.Error())
			}
		}
		if again := same.Validate(now); (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Errorf("%d: judged in two ways:\n%v\n%v", seed, err, again)
		}
		for _, each := range []struct {
			isOurs bool // somebody renders it for such a node
			render func(Node) ([]File, error)
		}{
			{kind.os == OSFlatcar || kind.os == OSHost && kind.role == RoleWorker, func(n Node) ([]File, error) { return n.Worker().Files() }},
			{kind.role == RoleControlPlane, func(n Node) ([]File, error) { return n.ControlPlaneSpec().Files() }},
			{kind.os != OSBottlerocket && n.Paths.Root == "", func(n Node) ([]File, error) {
				text, err := Nftables(n.HostFirewall())
				return []File{{Contents: text}}, err
			}},
		} {
			one, failed := each.render(n)
			if two, _ := each.render(same); !reflect.DeepEqual(one, two) {
				t.Errorf("%d: rendered in two ways", seed)
			}
			if err == nil && failed != nil && each.isOurs {
				t.Errorf("%d: accepted, but not rendered: %v", seed, failed)
			}
		}
		if !reflect.DeepEqual(n, build()) {
			t.Errorf("%d: the caller's values were changed", seed)
		}
	}
}
