package gcp

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Machines gives the machines of the cluster that the project was given, with what
// they ask Google Cloud for when they boot. Everything is as it was written: user
// data, objects, and the bindings of projects, buckets and keys with their conditions.
func Machines(c *simcloud.Cloud) (cluster machines.Cluster, err error) {
	c.Look(func() { cluster, err = (&provisioned{cloud: c}).read() })
	return cluster, err
}

// Lose makes a machine fail, as one whose host is gone: the instance of the number is
// no more, and no endpoint of the load balancer leads to it. Address and disk stay.
func Lose(c *simcloud.Cloud, number string) error {
	for _, o := range c.Objects(instance) {
		if o.State.String("instanceId") != number {
			continue
		}
		for _, end := range c.Objects(endpoint) {
			if normal("", end.State, instanceForm, end.State.String("instance")) == o.ID {
				if err := c.Remove(end); err != nil {
					return err
				}
			}
		}
		return c.Remove(o)
	}
	return fmt.Errorf("there is no machine %s", number)
}

// provisioned reads what there is. The cloud is locked.
type provisioned struct {
	cloud           *simcloud.Cloud
	project, region string
	subnets         []*simcloud.Object // those of machines
	accounts        map[string]string  // roles of machines, by the e-mail names of their accounts
	problems        []error
}

func (p *provisioned) wrong(format string, values ...any) {
	p.problems = append(p.problems, fmt.Errorf(format, values...))
}

func (p *provisioned) find(token string, match func(*simcloud.Object) bool) []*simcloud.Object {
	return p.cloud.Find("", token, match)
}

func (p *provisioned) read() (machines.Cluster, error) {
	p.accounts = map[string]string{}
	cluster := machines.Cluster{Provider: fakecloud.GCP}
	p.instances(&cluster)
	p.groups(&cluster)
	if len(cluster.ControlPlanes) == 0 {
		return cluster, errors.Join(append(p.problems, errors.New("there is no machine of a control plane"))...)
	}
	cluster.Region, cluster.Account = p.region, p.project
	p.network(&cluster)
	p.names(&cluster)
	p.outside(&cluster)
	p.balancer(&cluster)
	p.roles(&cluster)
	p.keys(&cluster)
	p.buckets(&cluster)
	return cluster, errors.Join(p.problems...)
}

// roleOf is the role of a service account: its name before the project's.
func (p *provisioned) roleOf(email string) string {
	name, domain, _ := strings.Cut(email, "@")
	if domain != p.project+".iam.gserviceaccount.com" {
		p.wrong("the account %q is not the project's own", email)
	}
	p.accounts[email] = name
	return name
}

// instances are the machines that stand alone: those of the control plane.
func (p *provisioned) instances(to *machines.Cluster) {
	for _, o := range p.find(instance, func(o *simcloud.Object) bool {
		return strings.Contains(o.State.String("bootDisk.initializeParams.image"), "flatcar")
	}) {
		p.project, p.region = part(o.ID, "projects"), regionOf(part(o.ID, "zones"))
		m := machines.Machine{Instance: fakecloud.Instance{
			ID: o.State.String("instanceId"), Name: o.State.String("name"), Role: p.roleOf(o.State.String("serviceAccount.email")),
			Zone: part(o.ID, "zones"), Tags: o.State.Texts("labels"), UserData: []byte(o.State.Texts("metadata")["user-data"]),
		}}
		for _, nic := range o.State.List("networkInterfaces") {
			m.Instance.Addresses = append(m.Instance.Addresses, nic.String("networkIp"))
			p.subnet(o, nic)
		}
		disks := o.State.List("attachedDisks")
		if len(disks) != 1 {
			p.wrong("the machine %s has %d disks beside its own: which is that of etcd is not known", o.ID, len(disks))
			continue
		}
		m.Device = selfmanaged.PersistentDiskDevice(disks[0].String("deviceName"))
		to.ControlPlanes = append(to.ControlPlanes, m)
	}
	slices.SortFunc(to.ControlPlanes, func(a, b machines.Machine) int { return strings.Compare(a.Instance.Name, b.Instance.Name) })
}

// subnet notes the subnetwork of an interface, and gives its range.
func (p *provisioned) subnet(of *simcloud.Object, nic simcloud.Values) netip.Prefix {
	in := p.cloud.Get("", subnetwork, normal("", simcloud.Values{"project": p.project, "region": p.region}, subnetForm, nic.String("subnetwork")))
	if in == nil {
		p.wrong("the subnetwork %q of %s does not exist", nic.String("subnetwork"), of.ID)
		return netip.Prefix{}
	}
	if !slices.Contains(p.subnets, in) {
		p.subnets = append(p.subnets, in)
	}
	cidr, err := netip.ParsePrefix(in.State.String("ipCidrRange"))
	if err != nil {
		p.wrong("the subnetwork %s: %w", in.ID, err)
	}
	return cidr
}

// groups are the managed instance groups, with what their templates say.
func (p *provisioned) groups(to *machines.Cluster) {
	for _, o := range p.find(group, nil) {
		versions := o.State.List("versions")
		if len(versions) != 1 {
			p.wrong("the group %s has %d versions", o.ID, len(versions))
			continue
		}
		made := p.cloud.Get("", template, toTemplate("versions[].instanceTemplate").Normal("", o.State, versions[0].String("instanceTemplate")))
		if made == nil {
			p.wrong("the template of the group %s does not exist", o.ID)
			continue
		}
		base := o.State.String("baseInstanceName")
		pool := machines.Pool{Template: fakecloud.Instance{
			Name: base, Role: p.roleOf(made.State.String("serviceAccount.email")), Group: o.State.String("name"), Tags: made.State.Texts("labels"),
			UserData: []byte(made.State.Texts("metadata")["user-data"]),
		}, Name: func(n int, i *fakecloud.Instance) string { return p.worker(base, n, i) }}
		nics := made.State.List("networkInterfaces")
		if len(nics) == 0 {
			p.wrong("the template %s has no interface", made.ID)
			continue
		}
		cidr := p.subnet(made, nics[0])
		in := o.State.Strings("distributionPolicyZones")
		for _, zone := range in {
			pool.Places = append(pool.Places, machines.Place{Zone: lastPart(zone), CIDR: cidr})
		}
		to.Pools = append(to.Pools, pool)
	}
}

// worker names a machine of a group as Google does, but for chance.
// https://cloud.google.com/compute/docs/internal-dns
func (p *provisioned) worker(base string, n int, i *fakecloud.Instance) string {
	a := netip.MustParseAddr(i.Addresses[0]).As4()
	i.Name = fmt.Sprintf("%s-%04x", base, 0xb000+n)
	// A number that no instance of the project has: theirs are counted from the other end.
	i.ID = fmt.Sprintf("8%03d%03d%03d%03d%03d000", a[0], a[1], a[2], a[3], n)
	return i.Name + "." + i.Zone + ".c." + p.project + ".internal"
}

// network is the smallest range that has the subnetworks of all machines: a network
// of Google Cloud has none of its own.
func (p *provisioned) network(to *machines.Cluster) {
	var cover netip.Prefix
	for _, o := range p.subnets {
		cidr, err := netip.ParsePrefix(o.State.String("ipCidrRange"))
		if err != nil {
			continue // reported
		}
		if !cover.IsValid() {
			cover = cidr.Masked()
		}
		for !cover.Contains(cidr.Addr()) || cover.Bits() > cidr.Bits() {
			cover = netip.PrefixFrom(cover.Addr(), cover.Bits()-1).Masked()
		}
	}
	to.Network = cover.String()
	for _, o := range p.find(address, nil) {
		if at, err := netip.ParseAddr(o.State.String("address")); err == nil && cover.Contains(at) {
			to.Taken = append(to.Taken, netip.PrefixFrom(at, at.BitLen()))
		}
	}
	// The parts between the subnetworks of machines are others'.
	for _, o := range p.find(subnetwork, nil) {
		if cidr, err := netip.ParsePrefix(o.State.String("ipCidrRange")); err == nil && cover.Overlaps(cidr) && !slices.Contains(p.subnets, o) {
			to.Taken = append(to.Taken, cidr)
		}
	}
}

// names are the records of private zones, and where they lead Google's own names.
func (p *provisioned) names(to *machines.Cluster) {
	to.Names = map[string]string{}
	for _, o := range p.find(recordSet, func(o *simcloud.Object) bool { return o.State.String("type") == "A" }) {
		name, values := strings.TrimSuffix(o.State.String("name"), "."), o.State.Strings("rrdatas")
		if len(values) == 0 {
			continue
		}
		if name == "restricted.googleapis.com" || name == "private.googleapis.com" {
			to.APIs = values[0]
			continue
		}
		to.Names[name] = values[0]
	}
	if to.APIs == "" {
		p.wrong("no name of Google's interfaces leads anywhere: a network without a way to the internet needs restricted.googleapis.com")
	}
}

// outside are the ranges beyond the network that firewall rules let machines out to.
func (p *provisioned) outside(to *machines.Cluster) {
	cover, _ := netip.ParsePrefix(to.Network)
	apis, _ := netip.ParseAddr(to.APIs)
	for _, o := range p.find(firewall, func(o *simcloud.Object) bool {
		return o.State.String("direction") == "EGRESS" && !o.State.Bool("disabled")
	}) {
		if !slices.ContainsFunc(o.State.List("allows"), func(v simcloud.Values) bool {
			ports := v.Strings("ports")
			return v.String("protocol") == "all" || v.String("protocol") == "tcp" && (len(ports) == 0 || slices.Contains(ports, "443"))
		}) {
			continue
		}
		for _, each := range o.State.Strings("destinationRanges") {
			out, err := netip.ParsePrefix(each)
			if err == nil && !cover.Overlaps(out) && !out.Contains(apis) && !slices.Contains(to.Outside, out) {
				to.Outside = append(to.Outside, out)
			}
		}
	}
	slices.SortFunc(to.Outside, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
}

// balancer is the one in front of the API servers.
func (p *provisioned) balancer(to *machines.Cluster) {
	rules := p.find(forwardingRule, func(o *simcloud.Object) bool { return o.State.String("loadBalancingScheme") == "INTERNAL" })
	if len(rules) != 1 {
		p.wrong("there are %d internal load balancers: that of the API servers is not known", len(rules))
		return
	}
	rule := rules[0]
	to.Balancer = machines.Balancer{Address: rule.State.String("ipAddress"), Passthrough: true}
	if ports := rule.State.Strings("ports"); len(ports) == 1 {
		to.Balancer.Port = ports[0]
	} else {
		p.wrong("the load balancer has the ports %q", ports)
	}
	service := p.cloud.Get("", backendService, normal("", rule.State, serviceForm, rule.State.String("backendService")))
	if service == nil {
		p.wrong("the backend service of %s does not exist", rule.ID)
		return
	}
	for _, backend := range service.State.List("backends") {
		ends := normal("", service.State, endsForm, backend.String("group"))
		for _, o := range p.find(endpoint, func(o *simcloud.Object) bool {
			return normal("", o.State, endsForm, o.State.String("networkEndpointGroup")) == ends
		}) {
			to.Balancer.Targets = append(to.Balancer.Targets, o.State.String("ipAddress"))
		}
	}
	slices.Sort(to.Balancer.Targets)
	if to.Balancer.Address == "" || len(to.Balancer.Targets) == 0 {
		p.wrong("the load balancer %s has no address, or leads to nothing", rule.ID)
	}
}

// grant is a binding, with what a role of the project's own permits.
func (p *provisioned) grant(o *simcloud.Object, members ...string) fakecloud.Grant {
	g := fakecloud.Grant{Role: o.State.String("role"), Members: members, Condition: o.State.String("condition.expression")}
	if custom := p.cloud.Get("", customRole, g.Role); custom != nil {
		g.Role, g.Permissions = "", custom.State.Strings("permissions")
	}
	return g
}

// bindings gives the bindings of machines' accounts among those of a kind.
func (p *provisioned) bindings(token string, on func(*simcloud.Object) bool) map[string][]fakecloud.Grant {
	out := map[string][]fakecloud.Grant{}
	for _, o := range p.find(token, on) {
		if role, found := p.accounts[strings.TrimPrefix(o.State.String("member"), "serviceAccount:")]; found {
			out[role] = append(out[role], p.grant(o, role))
		}
	}
	return out
}

func (p *provisioned) roles(to *machines.Cluster) {
	own := p.bindings(projectMember, func(o *simcloud.Object) bool {
		return strings.TrimPrefix(o.State.String("project"), "projects/") == p.project
	})
	for _, role := range slices.Sorted(maps.Values(p.accounts)) {
		grants := own[role]
		for i := range grants {
			grants[i].Members = nil
		}
		to.Roles = append(to.Roles, fakecloud.Role{Name: role, Grants: grants})
	}
}

// all joins the bindings of every role, in their order.
func all(bindings map[string][]fakecloud.Grant) []fakecloud.Grant {
	var out []fakecloud.Grant
	for _, role := range slices.Sorted(maps.Keys(bindings)) {
		out = append(out, bindings[role]...)
	}
	return out
}

func (p *provisioned) keys(to *machines.Cluster) {
	for _, o := range p.find(key, nil) {
		to.Keys = append(to.Keys, fakecloud.Key{ID: part(o.ID, "keyRings") + "/" + part(o.ID, "cryptoKeys"),
			Grants: all(p.bindings(keyMember, func(b *simcloud.Object) bool { return b.State.String("cryptoKeyId") == o.ID }))})
	}
}

// buckets are the project's own, with their objects.
func (p *provisioned) buckets(to *machines.Cluster) {
	for _, o := range p.find(bucket, func(o *simcloud.Object) bool { return o.State.String("project") == p.project }) {
		period := o.State.Int("retentionPolicy.retentionPeriod")
		to.Buckets = append(to.Buckets, fakecloud.Bucket{
			Name: o.ID, Versioned: o.State.Bool("versioning.enabled"), LockedFor: time.Duration(period) * time.Second,
			Grants: all(p.bindings(bucketMember, func(b *simcloud.Object) bool { return b.State.String("bucket") == o.ID })),
		})
		for _, each := range objectsOf(p.cloud, o.ID) {
			to.Objects = append(to.Objects, machines.Object{Bucket: o.ID, Key: each.State.String("name"), Contents: Contents(*each)})
		}
	}
}
