package boot

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Site is what a rehearsal of an environment adds to what the cloud was given.
type Site struct {
	// Name and Dir are those of [Config].
	Name, Dir string
	Artifacts Artifacts
	// PodCIDR is the cluster's range of pods. Each machine gets 256 addresses of it.
	PodCIDR string
	// Workers is how many machines of each pool there are; one by default.
	Workers int
	// Log is that of [Config].
	Log func(format string, arguments ...any)
}

// From gives the rehearsal of the machines that a cloud was given: their user data,
// the objects, the roles with their policies and the keys as they are there. A
// machine that would not get through its boot is an error.
//
// Registries, mirrors and public servers stand where machines are let out to, beyond
// the network; names lead to the first of these ranges.
//
// The hash of the system extension, and the program in the store, must be those of
// the site's artifacts.
func From(cluster machines.Cluster, site Site) (Config, error) {
	cloud, err := cluster.Cloud()
	if err != nil {
		return Config{}, err
	}
	judged, err := cluster.Judge(cloud)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Name: site.Name, Dir: site.Dir, Bin: site.Artifacts.Bin, Images: site.Artifacts.Images, NodeCIDR: cluster.Network, Log: site.Log,
		LoadBalancer: LoadBalancer{Address: cluster.Balancer.Address, Port: cluster.Balancer.Port, Backends: cluster.Balancer.Targets, Passthrough: cluster.Balancer.Passthrough},
		Cloud:        Cloud{Server: cloud, Hosts: cluster.Names, APIs: cluster.APIs},
		Internet:     Internet{Registries: judged.Registries, Files: map[string]string{}, Outside: firstOf(cluster.Outside)},
	}
	if c.Cloud.Address, err = cluster.Free(); err != nil {
		return c, err
	}
	if c.Internet.Address, err = cluster.Free(); err != nil {
		return c, err
	}
	for _, source := range judged.Elsewhere {
		if err := c.give(cluster, site, source); err != nil {
			return c, err
		}
	}
	pods, err := netip.ParsePrefix(site.PodCIDR)
	if err != nil {
		return c, fmt.Errorf("the range of pods: %w", err)
	}
	for i, each := range cluster.ControlPlanes {
		c.Machines = append(c.Machines, Machine{
			Name: judged.ControlPlanes[i].Config.Node, Role: hostconfig.RoleControlPlane, Platform: cluster.Platform(),
			Address: each.Instance.Addresses[0], Device: each.Device, Instance: each.Instance,
		})
	}
	for i, pool := range cluster.Pools {
		// Pools begin in different zones, so that few machines are in many.
		if k := len(pool.Places); k > 0 {
			pool.Places = slices.Concat(pool.Places[i%k:], pool.Places[:i%k])
		}
		for n := 1; n <= max(site.Workers, 1); n++ {
			instance, hostName, err := cluster.Worker(pool, n)
			if err != nil {
				return c, err
			}
			c.Machines = append(c.Machines, Machine{
				Name: fmt.Sprintf("%s-%d", judged.Pools[i].Config.Pool, n), HostName: hostName, Role: hostconfig.RoleWorker, Platform: cluster.Platform(),
				Address: instance.Addresses[0], Instance: instance,
			})
		}
	}
	for i := range c.Machines {
		if c.Machines[i].PodCIDR, err = nth(pods, i); err != nil {
			return c, err
		}
	}
	return c, nil
}

// give puts the system extension where machines fetch it: a bucket of somebody
// else, which the account's machines may read, or a public server.
func (c *Config) give(cluster machines.Cluster, site Site, source string) error {
	at, err := url.Parse(source)
	if err != nil || !strings.HasSuffix(at.Path, ".raw") {
		return fmt.Errorf("machines fetch %s, and the rehearsal has nothing but the system extension of Kubernetes to give", source)
	}
	if at.Scheme == "https" {
		c.Internet.Files[source] = site.Artifacts.Extension
		return nil
	}
	contents, err := os.ReadFile(site.Artifacts.Extension)
	if err != nil {
		return err
	}
	b := fakecloud.Bucket{Name: at.Host}
	if cluster.Provider == fakecloud.AWS {
		b.Policy = fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"Machines","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*",`+
			`"Condition":{"StringEquals":{"aws:PrincipalAccount":%q}}}]}`, at.Host, cluster.Account)
	} else {
		var members []string
		for _, role := range cluster.Roles {
			members = append(members, role.Name)
		}
		b.Grants = []fakecloud.Grant{{Role: "roles/storage.objectViewer", Members: members}}
	}
	if err := c.Cloud.Server.AddBucket(b); err != nil {
		return err
	}
	c.Cloud.Server.Put(at.Host, strings.TrimPrefix(at.Path, "/"), contents)
	return nil
}

// firstOf gives the first address of each range that a machine can have: there the
// public servers stand.
func firstOf(ranges []netip.Prefix) []string {
	var out []string
	for _, each := range ranges {
		address := each.Masked().Addr()
		if !each.IsSingleIP() {
			address = address.Next()
		}
		out = append(out, address.String())
	}
	return out
}

// nth gives the i-th range of 256 addresses of another, from 0.
func nth(of netip.Prefix, i int) (string, error) {
	if !of.Addr().Is4() || of.Bits() > 24 || i >= 1<<(24-of.Bits()) {
		return "", fmt.Errorf("%s has no room for the pods of machine %d", of, i+1)
	}
	a := of.Masked().Addr().As4()
	number := int(a[1])<<8 + int(a[2]) + i
	a[1], a[2] = byte(number>>8), byte(number)
	return netip.PrefixFrom(netip.AddrFrom4(a), 24).String(), nil
}
