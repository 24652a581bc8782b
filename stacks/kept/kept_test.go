package kept

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	last := map[string]string{"network.cidr": "10.0.0.0/16", Zones: "a,b", Version: "v1.35.4", Repositories: "shop,web", LockDays: "365", "bucket": "", "access[x].name": "a"}
	for name, each := range map[string]struct {
		now     map[string]string
		allowed []string
		want    string
	}{
		"nothing":            {now: map[string]string{}},
		"another range":      {now: map[string]string{"network.cidr": "10.1.0.0/16"}, want: "redoubt:network.cidr: was 10.0.0.0/16 and is 10.1.0.0/16"},
		"allowed":            {now: map[string]string{"network.cidr": "10.1.0.0/16"}, allowed: []string{"network.cidr"}},
		"a longer lock":      {now: map[string]string{LockDays: "730"}},
		"a shorter lock":     {now: map[string]string{LockDays: "90"}, allowed: []string{LockDays}, want: "redoubt:logs.archive.lockDays: was 365 and is 90"},
		"an image less":      {now: map[string]string{Repositories: "shop"}, want: "redoubt:registry.repositories: web is left out"},
		"no image":           {now: map[string]string{Repositories: ""}, want: "redoubt:registry.repositories: shop is left out"},
		"what was not there": {now: map[string]string{"vpn": "x"}},
		"what was not set":   {now: map[string]string{"bucket": "x"}, want: "redoubt:bucket: was not set and is x"},
		"a zone more":        {now: map[string]string{Zones: "c,b,a"}},
		"a zone fewer":       {now: map[string]string{Zones: "b"}, want: "redoubt:network.zones: a is left out"},
		"another name":       {now: map[string]string{"access[x].name": "b"}, allowed: []string{"access[x].name"}, want: "redoubt:access[x].name: was a and is b: the cloud takes one"},
		"a patch":            {now: map[string]string{Version: "v1.35.9"}},
		"the next minor":     {now: map[string]string{Version: "v1.36.4"}},
		"a minor is skipped": {now: map[string]string{Version: "v1.37.1"}, want: "redoubt:kubernetesVersion: skips a minor between v1.35.4 and v1.37.1"},
		"down":               {now: map[string]string{Version: "v1.34.1"}, want: "redoubt:kubernetesVersion: goes down"},
	} {
		t.Run(name, func(t *testing.T) {
			now := map[string]string{}
			for field, value := range last {
				now[field] = value
			}
			for field, value := range each.now {
				now[field] = value
			}
			err := Compare(last, now, each.allowed)
			if (err == nil) != (each.want == "") || err != nil && !strings.Contains(err.Error(), each.want) {
				t.Errorf("want %q, got %v", each.want, err)
			}
		})
	}
	if err := Compare(nil, last, nil); err != nil {
		t.Errorf("a first run: %v", err)
	}
	if err := Compare(last, map[string]string{Zones: "a,b"}, nil); err != nil {
		t.Errorf("what is there no more: %v", err)
	}
	both := Compare(last, map[string]string{"network.cidr": "x", Zones: "b", Version: "v1.35.4"}, nil)
	if both == nil || strings.Count(both.Error(), "redoubt:") != 2 {
		t.Errorf("want both at once, got %v", both)
	}
}
