package gcp

import (
	"fmt"
	"maps"
	"slices"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// hoursPerMonth is what price lists count with.
const hoursPerMonth = 730

// things are what is paid for as long as it exists, and where its price stands. Only prices that are the same in every
// region are written here.
var things = map[string]struct {
	thing, price string
	monthly      float64 // of one, 0 where it depends on the region
}{
	"gcp:container/cluster:Cluster":          {"GKE control plane", "0.1 per hour", 0.1 * hoursPerMonth},
	"gcp:compute/instance:Instance":          {"machine of the way in", "its price: https://cloud.google.com/compute/all-pricing", 0},
	"gcp:compute/routerNat:RouterNat":        {"Cloud NAT", "its price: https://cloud.google.com/nat/pricing", 0},
	"gcp:compute/vPNTunnel:VPNTunnel":        {"VPN tunnel", "its price: https://cloud.google.com/network-connectivity/docs/vpn/pricing", 0},
	"gcp:kms/cryptoKey:CryptoKey":            {"KMS key, for each version that is alive", "its price: https://cloud.google.com/kms/pricing", 0},
	"gcp:dns/managedZone:ManagedZone":        {"DNS zone", "its price: https://cloud.google.com/dns/pricing", 0},
	"gcp:monitoring/alertPolicy:AlertPolicy": {"alert policy", "its price: https://cloud.google.com/stackdriver/pricing", 0},
}

// volumes are what is paid by what goes through it or lies in it.
var volumes = []struct{ token, thing, by string }{
	{"gcp:logging/projectBucketConfig:ProjectBucketConfig", "bucket of logs", "each GiB taken in, then each GiB-month beyond the first thirty days"},
	{"gcp:storage/bucket:Bucket", "bucket", "each GB-month and request; what is locked cannot be deleted to save"},
	{"gcp:compute/subnetwork:Subnetwork", "flow log of a subnetwork", "each GiB: a record for a sample of connections and interval"},
	{"gcp:projects/iAMAuditConfig:IAMAuditConfig", "record of who reads data", "each GiB taken in"},
	{"gcp:artifactregistry/repository:Repository", "repository", "each GB-month, and each image scanned"},
	{poolToken, "node pool", "what leaves its zone, each GB"},
}

// estimate is what the project costs, as far as what exists tells.
func estimate(c *simcloud.Cloud) *cloud.Costs {
	out := &cloud.Costs{Basis: "List prices in USD a month where they are the same everywhere, without traffic, stored data, taxes and discounts."}
	add := func(thing string, count int, monthly float64, price string) {
		line := cloud.CostLine{Thing: thing, Count: count, Price: price}
		if monthly > 0 {
			total := monthly * float64(count)
			line.Monthly = &total
			out.Monthly += total
		}
		out.Lines = append(out.Lines, line)
	}
	for _, token := range slices.Sorted(maps.Keys(things)) {
		if n := len(c.Objects(token)); n > 0 {
			add(things[token].thing, n, things[token].monthly, things[token].price)
		}
	}
	nodes := map[string]int{}
	for _, pool := range c.Objects(poolToken) {
		nodes[pool.State.String("nodeConfig.machineType")] += max(pool.State.Int("autoscaling.totalMinNodeCount"), 1)
	}
	for _, kind := range slices.Sorted(maps.Keys(nodes)) {
		add("node "+kind+", at least", nodes[kind], 0, "its price: https://cloud.google.com/compute/all-pricing")
	}
	slices.SortStableFunc(out.Lines, func(a, b cloud.CostLine) int {
		switch {
		case a.Monthly != nil && b.Monthly == nil:
			return -1
		case a.Monthly == nil && b.Monthly != nil:
			return 1
		}
		return 0
	})
	for _, v := range volumes {
		if n := len(c.Objects(v.token)); n > 0 {
			out.Volumes = append(out.Volumes, fmt.Sprintf("%d × %s: %s", n, v.thing, v.by))
		}
	}
	return out
}
