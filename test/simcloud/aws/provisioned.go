package aws

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Machines gives the machines of the cluster that the account was given, with what
// they ask AWS for when they boot. Everything is as it was written: user data,
// objects, and the policies of roles, buckets and keys.
func Machines(c *simcloud.Cloud) (cluster machines.Cluster, err error) {
	c.Look(func() { cluster, err = (&provisioned{cloud: c}).read() })
	return cluster, err
}

// Lose makes a machine fail, as one whose host is gone: the instance is no more, and
// nothing is attached to it. Address and volume stay.
func Lose(c *simcloud.Cloud, id string) error {
	lost := 0
	for _, o := range c.Objects(instance, volumeAttachment) {
		if o.Type == instance && o.ID == id || o.State.String("instanceId") == id {
			lost++
			if err := c.Remove(o); err != nil {
				return err
			}
		}
	}
	if lost == 0 {
		return fmt.Errorf("there is no machine %s", id)
	}
	return nil
}

// provisioned reads what there is. The cloud is locked.
type provisioned struct {
	cloud    *simcloud.Cloud
	region   string
	problems []error
}

func (p *provisioned) wrong(format string, values ...any) {
	p.problems = append(p.problems, fmt.Errorf(format, values...))
}

func (p *provisioned) find(token string, match func(*simcloud.Object) bool) []*simcloud.Object {
	return p.cloud.Find(p.region, token, match)
}

func (p *provisioned) read() (machines.Cluster, error) {
	in := regionsOf(p.cloud)
	if len(in) != 1 {
		return machines.Cluster{}, fmt.Errorf("there are machines in %d regions: a cluster is in one", len(in))
	}
	p.region = in[0]
	cluster := machines.Cluster{Provider: fakecloud.AWS, Region: p.region, Account: Account}
	p.instances(&cluster)
	p.groups(&cluster)
	p.network(&cluster)
	p.outside(&cluster)
	p.roles(&cluster)
	p.store(&cluster)
	p.balancer(&cluster)
	return cluster, errors.Join(p.problems...)
}

// regionsOf are the scopes of instances.
func regionsOf(c *simcloud.Cloud) []string {
	var out []string
	for scope := range regions {
		if len(c.Find(scope, instance, nil)) > 0 {
			out = append(out, scope)
		}
	}
	return out
}

// instances are the machines that stand alone: those of the control plane.
func (p *provisioned) instances(to *machines.Cluster) {
	for _, o := range p.find(instance, nil) {
		m := machines.Machine{Instance: fakecloud.Instance{
			ID: o.ID, Name: o.State.Texts("tags")["Name"], Role: p.roleOf(o.State.String("iamInstanceProfile")), Addresses: []string{o.State.String("privateIp")},
			Zone: o.State.String("availabilityZone"), Tags: o.State.Texts("tags"), UserData: []byte(o.State.String("userData")),
		}}
		for _, attached := range p.find(volumeAttachment, func(a *simcloud.Object) bool { return a.State.String("instanceId") == o.ID }) {
			if m.Device != "" {
				p.wrong("the machine %s has several volumes: which is that of etcd is not known", o.ID)
			}
			m.Device = selfmanaged.EBSDevice(attached.State.String("volumeId"))
		}
		to.ControlPlanes = append(to.ControlPlanes, m)
	}
	slices.SortFunc(to.ControlPlanes, func(a, b machines.Machine) int { return strings.Compare(a.Instance.Name, b.Instance.Name) })
}

// roleOf is the role of an instance profile. What machines see names either by the
// same name, so that no other is taken.
func (p *provisioned) roleOf(profile string) string {
	o := p.cloud.Get("", instanceProfile, profile)
	switch {
	case o == nil:
		p.wrong("there is no instance profile %q", profile)
	case o.State.String("role") != profile:
		p.wrong("the instance profile %s has the role %s: give both one name", profile, o.State.String("role"))
	}
	return profile
}

// groups are the autoscaling groups, with what their templates say.
func (p *provisioned) groups(to *machines.Cluster) {
	for _, o := range p.find(autoscalingGroup, nil) {
		change := &simcloud.Change{Cloud: p.cloud, Scope: p.region, New: o.State}
		template, err := scalingTemplate(change)
		if err != nil {
			p.wrong("the group %s: %w", o.ID, err)
			continue
		}
		data, err := UserData(template.State.String("userData"))
		if err != nil {
			p.wrong("the template of the group %s: %w", o.ID, err)
		}
		pool := machines.Pool{Template: fakecloud.Instance{
			Role: p.roleOf(template.State.String("iamInstanceProfile.name")), Group: o.ID, Tags: map[string]string{}, UserData: data,
		}, Name: p.worker}
		for _, specification := range template.State.List("tagSpecifications") {
			if specification.String("resourceType") == "instance" {
				pool.Template.Tags = specification.Texts("tags")
			}
		}
		pool.Template.Name = cmp.Or(pool.Template.Tags["Name"], o.ID)
		for _, each := range o.State.Strings("vpcZoneIdentifiers") {
			in := p.cloud.Get(p.region, subnet, each)
			cidr, err := netip.ParsePrefix(in.State.String("cidrBlock"))
			if err != nil {
				p.wrong("the subnet %s: %w", each, err)
				continue
			}
			pool.Places = append(pool.Places, machines.Place{Zone: in.State.String("availabilityZone"), CIDR: cidr})
		}
		slices.SortFunc(pool.Places, func(a, b machines.Place) int { return strings.Compare(a.Zone, b.Zone) })
		to.Pools = append(to.Pools, pool)
	}
}

// worker names a machine of a group as EC2 does, by its address.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html
func (p *provisioned) worker(n int, i *fakecloud.Instance) string {
	address := netip.MustParseAddr(i.Addresses[0]).As4()
	// An id that no instance of the account has: theirs are counted from the other end.
	i.ID = fmt.Sprintf("i-0fee%02x%02x%02x%02x%03x00", address[0], address[1], address[2], address[3], n)
	return "ip-" + strings.ReplaceAll(i.Addresses[0], ".", "-") + "." + p.region + ".compute.internal"
}

// network is the one that all machines are in, with the addresses that are taken.
func (p *provisioned) network(to *machines.Cluster) {
	networks := map[string]bool{}
	for _, o := range slices.Concat(p.find(instance, nil), p.find(autoscalingGroup, nil)) {
		for _, each := range append(o.State.Strings("vpcZoneIdentifiers"), o.State.String("subnetId")) {
			if in := p.cloud.Get(p.region, subnet, each); in != nil {
				networks[in.State.String("vpcId")] = true
			}
		}
	}
	if len(networks) != 1 {
		p.wrong("the machines are in %d networks", len(networks))
		return
	}
	for id := range networks {
		to.Network = p.cloud.Get(p.region, vpc, id).State.String("cidrBlock")
		for _, o := range p.find(cidrAssociation, func(o *simcloud.Object) bool { return o.State.String("vpcId") == id }) {
			p.wrong("the network has a second range, %s, which is not rehearsed", o.State.String("cidrBlock"))
		}
	}
	for _, o := range p.find(cidrReservation, nil) {
		if block, err := netip.ParsePrefix(o.State.String("cidrBlock")); err == nil {
			to.Taken = append(to.Taken, block)
		}
	}
	for _, o := range p.find(networkInterface, nil) {
		if address, err := netip.ParseAddr(o.State.String("privateIp")); err == nil {
			to.Taken = append(to.Taken, netip.PrefixFrom(address, address.BitLen()))
		}
	}
}

// outside are the ranges beyond the network that security groups let machines out to.
func (p *provisioned) outside(to *machines.Cluster) {
	network, err := netip.ParsePrefix(to.Network)
	if err != nil {
		p.wrong("the network: %w", err)
		return
	}
	for _, o := range p.find(egressRule, nil) {
		out, err := netip.ParsePrefix(o.State.String("cidrIpv4"))
		all := o.State.String("ipProtocol") == "-1"
		tls := o.State.String("ipProtocol") == "tcp" && o.State.Int("fromPort") <= 443 && 443 <= o.State.Int("toPort")
		if err == nil && (all || tls) && !network.Overlaps(out) && !slices.Contains(to.Outside, out) {
			to.Outside = append(to.Outside, out)
		}
	}
	slices.SortFunc(to.Outside, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
}

// roles are those of machines, with every policy that they have.
func (p *provisioned) roles(to *machines.Cluster) {
	for _, profile := range p.cloud.Find("", instanceProfile, nil) {
		of := p.cloud.Get("", role, profile.State.String("role"))
		if of == nil {
			continue
		}
		made := fakecloud.Role{Name: of.ID}
		for _, o := range p.cloud.Find("", rolePolicy, func(o *simcloud.Object) bool { return o.State.String("role") == of.ID }) {
			made.Policies = append(made.Policies, documentText(o.State.Get("policy")))
		}
		for _, o := range p.cloud.Find("", rolePolicyAttachment, func(o *simcloud.Object) bool { return o.State.String("role") == of.ID }) {
			managed := p.cloud.By("", policy, "arn", o.State.String("policyArn"))
			if managed == nil {
				p.wrong("the role %s has the policy %s, which is not the account's own: what it allows is not known here", of.ID, o.State.String("policyArn"))
				continue
			}
			made.Policies = append(made.Policies, documentText(managed.State.Get("policy")))
		}
		to.Roles = append(to.Roles, made)
	}
}

// store is the keys, and the buckets with their objects.
func (p *provisioned) store(to *machines.Cluster) {
	for _, o := range p.find(key, nil) {
		to.Keys = append(to.Keys, fakecloud.Key{ID: o.ID, Policy: documentText(o.State.Get("policy")), Disabled: o.State.Has("isEnabled") && !o.State.Bool("isEnabled")})
	}
	for _, o := range p.cloud.Find("", bucket, nil) {
		b := fakecloud.Bucket{Name: o.ID}
		if e := p.cloud.Get("", bucketEncryption, o.ID); e != nil {
			if given := p.bucketKey(o.ID); given != "" {
				if k := findKey(p.cloud, p.region, given); k != nil {
					b.Key = k.ID
				} else {
					p.wrong("the key of the bucket %s does not exist: %s", o.ID, given)
				}
			}
			b.BucketKey = e.State.Bool("rules[0].bucketKeyEnabled")
		}
		if v := p.cloud.Get("", bucketVersioning, o.ID); v != nil {
			b.Versioned = v.State.String("versioningConfiguration.status") == "Enabled"
		}
		if access := p.cloud.Get("", bucketPolicy, o.ID); access != nil {
			b.Policy = documentText(access.State.Get("policy"))
		}
		if lock := p.cloud.Get("", bucketObjectLock, o.ID); lock != nil {
			days := lock.State.Int("rule.defaultRetention.days") + 365*lock.State.Int("rule.defaultRetention.years")
			b.LockedFor = time.Duration(days) * 24 * time.Hour
		}
		to.Buckets = append(to.Buckets, b)
	}
	for _, o := range p.cloud.Find("", bucketObject, nil) {
		contents, err := objectContents(o)
		if own, of := objectKey(p.cloud, o), p.bucketKey(o.State.String("bucket")); own != of {
			p.wrong("the object %s is encrypted with %s, and its bucket with %s: one key for both is rehearsed", o.ID, own, of)
		}
		if err != nil {
			p.wrong("the object %s: %w", o.ID, err)
		}
		to.Objects = append(to.Objects, machines.Object{Bucket: o.State.String("bucket"), Key: o.State.String("key"), Contents: contents})
	}
}

// bucketKey is the key that encrypts what is put into a bucket, "" where AWS holds it.
func (p *provisioned) bucketKey(name string) string {
	return objectKey(p.cloud, &simcloud.Object{State: simcloud.Values{"bucket": name}})
}

// objectContents are the bytes of an object of a bucket: those that were put there,
// also if the file on this machine has changed since.
func objectContents(o *simcloud.Object) ([]byte, error) {
	path := o.State.String("source.path")
	if path == "" {
		if encoded := o.State.String("contentBase64"); encoded != "" {
			return base64.StdEncoding.DecodeString(encoded)
		}
		return []byte(o.State.String("content")), nil
	}
	contents, err := os.ReadFile(path)
	if err == nil && sum512(contents) != o.State.Texts("metadata")["sha512"] {
		err = fmt.Errorf("%s is another file than the one that was put there", path)
	}
	return contents, err
}

// balancer is the one in front of the API servers, and the names that lead to it.
func (p *provisioned) balancer(to *machines.Cluster) {
	found := p.find(loadBalancer, nil)
	if len(found) != 1 {
		p.wrong("there are %d load balancers: that of the API servers is not known", len(found))
		return
	}
	b := found[0]
	for _, o := range p.find(networkInterface, func(o *simcloud.Object) bool { return o.Owner == b.Key() }) {
		to.Balancer.Address = cmp.Or(to.Balancer.Address, o.State.String("privateIp"))
	}
	for _, o := range p.find(listener, func(o *simcloud.Object) bool { return o.State.String("loadBalancerArn") == b.State.String("arn") }) {
		to.Balancer.Port = fmt.Sprint(o.State.Int("port"))
		for _, action := range o.State.List("defaultActions") {
			for _, target := range p.find(targetAttachment, func(t *simcloud.Object) bool {
				return t.State.String("targetGroupArn") == action.String("targetGroupArn")
			}) {
				to.Balancer.Targets = append(to.Balancer.Targets, target.State.String("targetId"))
			}
		}
	}
	slices.Sort(to.Balancer.Targets)
	if to.Balancer.Address == "" || len(to.Balancer.Targets) == 0 {
		p.wrong("the load balancer %s has no address, or leads to nothing", b.ID)
	}
	to.Names = map[string]string{}
	for _, o := range p.cloud.Find("", dnsRecord, nil) {
		name := o.State.String("fqdn")
		for _, alias := range o.State.List("aliases") {
			if alias.String("name") == b.State.String("dnsName") {
				to.Names[name] = to.Balancer.Address
			}
		}
		if records := o.State.Strings("records"); o.State.String("type") == "A" && len(records) > 0 {
			to.Names[name] = records[0]
		}
	}
}
