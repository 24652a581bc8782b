package kept

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Every step that would lose data or leave machines without trust is refused, and the steps beside it are not.
func TestSelfManaged(t *testing.T) {
	before := SelfManaged{Generation: 1, Trusted: []int{2}, LocalKeys: []string{"first", "second"}, Sizes: map[string]int{"controlPlane.dataDiskGiB": 20, "snapshots.lockDays": 30}}
	last := map[string]string{}
	before.Standing(last)
	for name, each := range map[string]struct {
		change  func(*SelfManaged)
		allowed []string
		want    string
	}{
		"nothing":               {change: func(*SelfManaged) {}},
		"the next signs":        {change: func(s *SelfManaged) { s.Generation, s.Trusted = 2, []int{1} }},
		"nobody trusts it":      {change: func(s *SelfManaged) { s.Generation, s.Trusted = 3, []int{1} }, want: "authorities.generation: goes from 1 to 3, which no machine trusts yet"},
		"the last is forgotten": {change: func(s *SelfManaged) { s.Generation, s.Trusted = 2, nil }, want: "authorities.trusted: leaves out 1"},
		"a key more":            {change: func(s *SelfManaged) { s.LocalKeys = []string{"first", "second", "third"} }},
		"another key writes":    {change: func(s *SelfManaged) { s.LocalKeys = []string{"second", "first"} }},
		"nobody reads what writes": {change: func(s *SelfManaged) { s.LocalKeys = []string{"third", "second", "first"} },
			want: "encryption.keys: third becomes the one that writes, and no API server can read it yet (M18); write it behind the others first"},
		"what writes goes": {change: func(s *SelfManaged) { s.LocalKeys = []string{"second"} }, allowed: []string{LocalKeys}, want: "encryption.keys: first is left out, with which API servers write"},
		"nor on purpose":   {change: func(s *SelfManaged) { s.LocalKeys = []string{"third"} }, allowed: []string{LocalKeys}, want: "third becomes the one that writes"},
		"said outright":    {change: func(s *SelfManaged) { s.Encrypted = []string{"secrets"} }},
		"more is encrypted": {change: func(s *SelfManaged) { s.Encrypted = []string{"secrets", "configmaps"} },
			want: "host.encryption.resources: was secrets and is configmaps,secrets"},
		"a key fewer":             {change: func(s *SelfManaged) { s.LocalKeys = []string{"first"} }, want: "encryption.keys: second is left out"},
		"a key fewer, on purpose": {change: func(s *SelfManaged) { s.LocalKeys = []string{"first"} }, allowed: []string{LocalKeys}},
		"a larger volume": {change: func(s *SelfManaged) {
			s.Sizes = map[string]int{"controlPlane.dataDiskGiB": 21, "snapshots.lockDays": 31}
		}},
		"a smaller volume":          {change: func(s *SelfManaged) { s.Sizes = map[string]int{"controlPlane.dataDiskGiB": 19} }, want: "controlPlane.dataDiskGiB: was 20 and is 19, and it never shrinks"},
		"no lock, where there was":  {change: func(s *SelfManaged) { s.Sizes = map[string]int{"snapshots.lockDays": 0} }, want: "snapshots.lockDays: was 30 and is 0"},
		"a lock cannot be accepted": {change: func(s *SelfManaged) { s.Sizes = map[string]int{"snapshots.lockDays": 1} }, allowed: []string{"snapshots.lockDays"}, want: "snapshots.lockDays"},
	} {
		t.Run(name, func(t *testing.T) {
			now := before
			each.change(&now)
			r := settings.New(nil)
			now.Compare(r, last, each.allowed)
			if err := r.Err(); (err == nil) != (each.want == "") || err != nil && !strings.Contains(err.Error(), each.want) {
				t.Errorf("want %q, got %v", each.want, err)
			}
		})
	}
	r := settings.New(nil)
	before.Compare(r, nil, nil)
	if err := r.Err(); err != nil {
		t.Errorf("a first run: %v", err)
	}
}
