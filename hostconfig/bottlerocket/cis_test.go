package bottlerocket

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The items are those of the operating system's own checks, no fewer.
func TestCISItemsAreComplete(t *testing.T) {
	levels := map[int]string{
		1: "1.2.1 1.3.1 1.4.1 1.4.2 1.4.3 1.5.1 1.6 2.1.1.1 3.2.5 3.2.6 3.2.7 3.4.1.3 3.4.2.3 4.1.1.1 4.1.2" +
			" k4.1.1 k4.1.2 k4.1.3 k4.1.4 k4.1.5 k4.1.6 k4.1.7 k4.1.8 k4.1.9 k4.1.10" +
			" k4.2.1 k4.2.2 k4.2.3 k4.2.4 k4.2.5 k4.2.6 k4.2.7 k4.2.9 k4.2.10 k4.2.11 k4.2.12 k4.2.13 k4.2.14 k4.3.1",
		2: "1.1.1.1 1.4.4 1.5.2 3.1.1 3.2.1 3.2.2 3.2.3 3.2.4 3.3.1 3.4.1.1 3.4.1.2 3.4.2.1 3.4.2.2 k4.2.8 k4.2.15",
	}
	got := map[int][]string{}
	for _, item := range CIS() {
		got[item.Level] = append(got[item.Level], item.ID)
		if item.Title == "" {
			t.Errorf("%s has no title", item.ID)
		}
	}
	for level, want := range levels {
		if !slices.Equal(got[level], strings.Fields(want)) {
			t.Errorf("level %d: %v", level, got[level])
		}
	}
	if len(got) != len(levels) {
		t.Errorf("levels: %v", got)
	}
}

func TestCISItemsAreMetAndFailWithoutTheirSetting(t *testing.T) {
	for name, spec := range specs(t) {
		for _, item := range CIS() {
			settings, err := spec.Effective()
			if err != nil {
				t.Fatal(err)
			}
			if item.Settable() == (item.Reason != "") {
				t.Errorf("%s: either a setting or a reason", item.ID)
			}
			if unmet := item.Unmet(spec.Group, settings); len(unmet) > 0 {
				t.Errorf("%s, %s: %v", name, item.ID, unmet)
			}
			for _, r := range item.Requirements {
				if r.Injected && spec.Group == ManagedGroup {
					continue
				}
				without, _ := spec.Effective()
				put(reflect.ValueOf(&without).Elem(), r.Path, reflect.Value{})
				if len(item.Unmet(spec.Group, without)) == 0 {
					t.Errorf("%s: nobody notices that %s is gone", item.ID, r.Setting())
				}
			}
		}
	}
}
