package netns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
)

// link is one interface as `ip -json -details address show` shows it.
type link struct {
	Index     int      `json:"ifindex"`
	Name      string   `json:"ifname"`
	Flags     []string `json:"flags"`
	Master    string   `json:"master"`
	PeerIndex int      `json:"link_index"`
	Alias     string   `json:"ifalias"`
	Info      struct {
		Kind string `json:"info_kind"`
	} `json:"linkinfo"`
	Addresses []struct {
		Family string `json:"family"`
		Local  string `json:"local"`
		Bits   int    `json:"prefixlen"`
	} `json:"addr_info"`
}

func (l *link) up() bool { return slices.Contains(l.Flags, "UP") }

// addresses are those of IPv4, with their lengths.
func (l *link) addresses() []string {
	var all []string
	for _, a := range l.Addresses {
		if a.Family == "inet" {
			all = append(all, fmt.Sprintf("%s/%d", a.Local, a.Bits))
		}
	}
	return all
}

// peers tells whether two veth interfaces are the ends of one cable.
func peers(a, b *link) bool {
	return a.PeerIndex == b.Index && b.PeerIndex == a.Index
}

// links are the interfaces of a namespace, or of the host for "", by name.
func links(ctx context.Context, namespace string) (map[string]*link, error) {
	var all []*link
	if err := ask(ctx, namespace, &all, "address", "show"); err != nil {
		return nil, err
	}
	byName := map[string]*link{}
	for _, l := range all {
		if l.Name != "" {
			byName[l.Name] = l
		}
	}
	return byName, nil
}

// route is one route as `ip -json route show` shows it.
type route struct {
	Type        string `json:"type"`
	Destination string `json:"dst"`
	Gateway     string `json:"gateway"`
	Interface   string `json:"dev"`
	Protocol    string `json:"protocol"`
}

// prefix is the destination; invalid for the default route, which overlaps
// everything and is in nobody's way.
func (r route) prefix() netip.Prefix {
	if prefix, err := netip.ParsePrefix(r.Destination); err == nil {
		return prefix
	}
	if address, err := netip.ParseAddr(r.Destination); err == nil {
		return netip.PrefixFrom(address, address.BitLen())
	}
	return netip.Prefix{}
}

func routes(ctx context.Context, namespace string, which ...string) ([]route, error) {
	var all []route
	return all, ask(ctx, namespace, &all, append([]string{"-4", "route", "show"}, which...)...)
}

// checkHost refuses an operator network that the host already uses for
// something else: its packets would go astray, or ours would.
func checkHost(ctx context.Context, t Topology) error {
	operators := netip.MustParsePrefix(t.OperatorCIDR)
	all, err := routes(ctx, "", "table", "all")
	if err != nil {
		return err
	}
	for _, r := range all {
		prefix := r.prefix()
		if r.Interface == HostInterface(t.Environment) || !prefix.IsValid() || prefix.Bits() == 0 || !prefix.Overlaps(operators) {
			continue
		}
		through := "through " + r.Interface
		if r.Interface == "" {
			through = "as " + r.Type
		}
		return fmt.Errorf("redoubt:operatorCIDR: %s overlaps %s, which this host already routes %s: set redoubt:operatorCIDR to a range that is free here, such as another /29 of 10.83.0.0/16", operators, prefix, through)
	}
	return nil
}

// unlink deletes an interface. One that is gone is no error: when a namespace
// ends, the kernel takes the other ends of its cables away a moment later.
func unlink(ctx context.Context, namespace, name string) error {
	failed := ip(ctx, namespace, "link", "delete", name)
	if failed == nil {
		return nil
	}
	all, err := links(ctx, namespace)
	if err == nil && all[name] == nil {
		return nil
	}
	return failed
}
