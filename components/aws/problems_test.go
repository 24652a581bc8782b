package aws

import (
	"slices"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

// Every component that tags refuses what AWS would refuse in the middle of a run.
func TestTagsAreJudgedByAll(t *testing.T) {
	bad := map[string]string{"aws:reserved": "x"}
	keys, logs, network, firewall := testKeys(), testLogs(), testNetwork(), testFirewall()
	keys.Tags, logs.Tags, network.Tags, firewall.Tags = bad, bad, bad, bad
	for name, validate := range map[string]func(time.Time) error{
		"keys": keys.Validate, "logs": logs.Validate, "network": network.Validate, "firewall": firewall.Validate,
	} {
		if got := mocks.Refusals(t, validate(time.Now())); !slices.Equal(got, []string{"tags[aws:reserved]"}) {
			t.Errorf("%s: refused %v", name, got)
		}
	}
}
