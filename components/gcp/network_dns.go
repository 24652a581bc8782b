package gcp

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// googleDomains are where nodes find Google's interfaces and images.
// https://cloud.google.com/vpc/docs/configure-private-google-access#domain-options
var googleDomains = []string{"googleapis.com", "pkg.dev", "gcr.io"}

// restrictedName is the name under googleapis.com that has the addresses itself.
const restrictedName = "restricted.googleapis.com."

// restrictedRange is that of the port table: VPC Service Controls guard it.
func restrictedRange() netip.Prefix {
	return netip.MustParsePrefix(hostconfig.RestrictedGoogleAPIs().CIDRs[0])
}

func restrictedAddresses() []string {
	var all []string
	for at := restrictedRange().Addr(); restrictedRange().Contains(at); at = at.Next() {
		all = append(all, at.String())
	}
	return all
}

// connect makes the names of Google's interfaces lead to the restricted
// addresses, and routes those.
func (n *Network) connect(ctx *pulumi.Context, name string) error {
	route, err := n.route(ctx, name+"-google", "google", "Google's interfaces, by their restricted addresses", restrictedRange().String())
	if err != nil {
		return err
	}
	n.ready = append(n.ready, route.ID())
	for _, domain := range slices.Concat(googleDomains, n.args.Domains) {
		suffix := strings.ReplaceAll(domain, ".", "-")
		zone, err := dns.NewManagedZone(ctx, name+"-"+suffix, &dns.ManagedZoneArgs{
			Name: pulumi.String(n.args.Cluster + "-" + suffix), Project: pulumi.String(n.args.Project.ID), DnsName: pulumi.String(domain + "."),
			Description: pulumi.String(domain + " by its restricted addresses"), Visibility: pulumi.String("private"), Labels: labelled(n.args.Labels, n.args.Cluster),
			PrivateVisibilityConfig: dns.ManagedZonePrivateVisibilityConfigArgs{
				Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: n.NetworkID}},
			},
		}, n.child())
		if err != nil {
			return err
		}
		named := domain + "."
		if domain == googleDomains[0] {
			named = restrictedName
		}
		for _, record := range []struct {
			suffix, kind, name string
			values             []string
		}{{"", "A", named, restrictedAddresses()}, {"-all", "CNAME", "*." + domain + ".", []string{named}}} {
			made, err := dns.NewRecordSet(ctx, name+"-"+suffix+record.suffix, &dns.RecordSetArgs{
				Project: pulumi.String(n.args.Project.ID), ManagedZone: zone.Name, Name: pulumi.String(record.name), Type: pulumi.String(record.kind),
				Ttl: pulumi.Int(300), Rrdatas: pulumi.ToStringArray(record.values),
			}, n.child())
			if err != nil {
				return err
			}
			n.ready = append(n.ready, made.ID())
		}
	}
	return nil
}
