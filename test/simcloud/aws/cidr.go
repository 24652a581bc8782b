package aws

import (
	"net/netip"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// network reads a range that must be its own network address.
func network(text string) (netip.Prefix, error) { return simcloud.Network(text) }

// cidrAt judges a range at plan time; low and high bound the length of the prefix.
func cidrAt(p *simcloud.Plan, path string, low, high int) { p.CIDR(path, low, high) }

func within(inner, outer netip.Prefix) bool { return simcloud.Within(inner, outer) }
