package hostconfig

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/fault"
)

// FieldError is one thing that is wrong with a specification: the path of the
// field, the problem, and what to write instead.
type FieldError = fault.Error

func fieldError(field, problem, remedy string) error {
	return &FieldError{Field: field, Problem: problem, Remedy: remedy}
}

// problems collects everything that is wrong, so that a user mends a
// specification in one pass.
type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, fieldError(field, problem, remedy))
}

func (p problems) join() error { return errors.Join(p...) }

// dnsLabel wants a name that can be a host name, a node name and a member name alike.
func (p *problems) dnsLabel(field, value string) {
	if found := validation.IsDNS1123Label(value); len(found) > 0 {
		p.add(field, fmt.Sprintf("%q is not a DNS label", value),
			"write lower-case letters, digits and dashes, at most 63, for example worker-1")
	}
}

// ipv4 wants an address, and gives it back. IPv6 is refused because the host
// firewall drops it: an address that nothing can reach is a mistake.
func (p *problems) ipv4(field, value string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(value)
	if err != nil || !address.Is4() {
		p.add(field, fmt.Sprintf("%q is not an IPv4 address", value), "write an address such as 10.80.0.10")
		return netip.Addr{}, false
	}
	return address, true
}

// cidr wants a range whose host bits are zero.
func (p *problems) cidr(field, value string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(value)
	if err != nil || !prefix.Addr().Is4() {
		p.add(field, fmt.Sprintf("%q is not an IPv4 range", value), "write a range such as 10.81.0.0/16")
		return netip.Prefix{}, false
	}
	if prefix != prefix.Masked() {
		p.add(field, fmt.Sprintf("%q has host bits set", value), "write "+prefix.Masked().String())
		return netip.Prefix{}, false
	}
	return prefix, true
}

// disjoint wants ranges that do not overlap: an address in two of them would
// have two meanings, and a firewall rule for one would admit the other.
func (p *problems) disjoint(field string, a netip.Prefix, otherField string, b netip.Prefix) {
	if a.IsValid() && b.IsValid() && a.Overlaps(b) {
		p.add(field, fmt.Sprintf("%s overlaps %s of %s", a, b, otherField), "choose ranges that are apart")
	}
}

// paths wants an absolute, clean path or nothing.
func (p *problems) paths(field string, paths Paths) {
	if paths.Root == "" {
		return
	}
	if !path.IsAbs(paths.Root) || path.Clean(paths.Root) != paths.Root || !plainText(paths.Root) || strings.ContainsAny(paths.Root, "\"'\\") {
		p.add(field+".root", fmt.Sprintf("%q is not a clean absolute path", paths.Root),
			"write an absolute directory without a trailing slash, dots or quotes, or nothing for the standard paths")
	}
}

func quote(value string) string { return fmt.Sprintf("%q", value) }

// domain wants a DNS name of lower-case labels.
func (p *problems) domain(field, value string) {
	if found := validation.IsDNS1123Subdomain(value); len(found) > 0 {
		p.add(field, quote(value)+" is not a DNS name", "write a name such as "+DefaultClusterDomain)
	}
}

// subjectName wants what a certificate can carry as an alternative name.
func (p *problems) subjectName(field, value string) {
	if _, err := netip.ParseAddr(value); err == nil {
		return
	}
	if len(validation.IsDNS1123Subdomain(value)) > 0 {
		p.add(field, quote(value)+" is neither an IP address nor a DNS name",
			"write an address or a lower-case name without wildcards")
	}
}

// userName wants the name of a Unix user, or nothing.
func (p *problems) userName(field, value string) {
	if value != "" && (len(value) > 32 || len(validation.IsDNS1123Label(value)) > 0) {
		p.add(field, quote(value)+" is not a user name", "write a name such as etcd")
	}
}
