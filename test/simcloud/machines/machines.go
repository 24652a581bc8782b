// Package machines is what a cloud was given for a cluster that runs itself: its
// machines with their user data, and everything that they ask the cloud for when
// they boot. It has no words of one cloud: a simulated cloud fills a [Cluster] from
// what exists in it, and a rehearsal of the boot takes it from there.
//
// Nothing is made anew on the way: user data, objects and policies are the bytes
// that the environment's program wrote. What cannot be carried over, such as a
// condition that the machines' cloud cannot judge, is an error.
package machines

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// Cluster is what a cloud was given for one cluster.
type Cluster struct {
	Provider fakecloud.Provider
	// Region and Account are as [fakecloud.Options] has them.
	Region, Account string
	// Network is the range of the network that all machines are in.
	Network string
	Roles   []fakecloud.Role
	Keys    []fakecloud.Key
	Buckets []fakecloud.Bucket
	Objects []Object
	// Balancer is in front of the API servers.
	Balancer Balancer
	// Names are those that the network's own DNS knows, with their addresses.
	Names map[string]string
	// APIs is where these lead the names of the cloud's interfaces; empty where the
	// rehearsal may choose.
	APIs string
	// Taken are ranges of Network that no worker is given an address of.
	Taken []netip.Prefix
	// Outside are ranges beyond Network that machines are let out to on port 443.
	Outside []netip.Prefix
	// ControlPlanes are in the order of their names.
	ControlPlanes []Machine
	Pools         []Pool
}

// Object is one of a bucket.
type Object struct {
	Bucket, Key string
	Contents    []byte
}

// Balancer is an internal load balancer.
type Balancer struct {
	// Address is one of its own, Port where it listens.
	Address, Port string
	// Targets are the addresses of control planes.
	Targets []string
	// Passthrough is true where packets reach them as they were sent.
	Passthrough bool
}

// Machine is a machine that exists.
type Machine struct {
	// Instance is what the cloud says of it, its address and user data included.
	Instance fakecloud.Instance
	// Device is the path of etcd's volume on the machine.
	Device string
}

// Pool is a group that makes machines by itself.
type Pool struct {
	// Template is what every instance has: role, group, tags and user data.
	Template fakecloud.Instance
	// Places are where its machines come, in turn.
	Places []Place
	// Name completes the n-th instance, from 1, that has been given an address: its
	// id, its name, and the host name that the machine is told.
	Name func(n int, instance *fakecloud.Instance) (hostName string)
}

// Place is a subnet in a zone.
type Place struct {
	Zone string
	CIDR netip.Prefix
}

// Platform is the cloud's name among machines.
func (c Cluster) Platform() hostconfig.Platform { return hostconfig.Platform(c.Provider) }

// Cloud makes the cloud that machines see, with everything in it but instances.
func (c Cluster) Cloud() (*fakecloud.Cloud, error) {
	cloud, err := fakecloud.New(fakecloud.Options{Provider: c.Provider, Region: c.Region, Account: c.Account})
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, role := range c.Roles {
		problems = append(problems, cloud.AddRole(role))
	}
	for _, key := range c.Keys {
		problems = append(problems, cloud.AddKey(key))
	}
	for _, bucket := range c.Buckets {
		problems = append(problems, cloud.AddBucket(bucket))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return cloud, c.Store(cloud)
}

// Store puts objects into a cloud, those that have changed since.
func (c Cluster) Store(cloud *fakecloud.Cloud) error {
	for _, o := range c.Objects {
		if !cloud.HasBucket(o.Bucket) {
			return fmt.Errorf("the object %s is in the bucket %s, which does not exist", o.Key, o.Bucket)
		}
		if present, found := cloud.Get(o.Bucket, o.Key); !found || string(present) != string(o.Contents) {
			cloud.Put(o.Bucket, o.Key, o.Contents)
		}
	}
	return nil
}

// Worker gives the n-th machine of a pool, from 1, an address that nobody has, and
// keeps it from being given again.
func (c *Cluster) Worker(p Pool, n int) (instance fakecloud.Instance, hostName string, err error) {
	instance = p.Template
	if len(p.Places) == 0 {
		return instance, "", fmt.Errorf("the group %s has no subnet", instance.Group)
	}
	at := p.Places[(n-1)%len(p.Places)]
	address, err := c.free(at.CIDR)
	if err != nil {
		return instance, "", err
	}
	c.Taken = append(c.Taken, netip.PrefixFrom(address, address.BitLen()))
	instance.Zone, instance.Addresses = at.Zone, []string{address.String()}
	return instance, p.Name(n, &instance), nil
}

// Free gives an address of the network that nobody has, for what stands beside the
// machines, and keeps it from being given again.
func (c *Cluster) Free() (string, error) {
	network, err := netip.ParsePrefix(c.Network)
	if err != nil {
		return "", err
	}
	address, err := c.free(network)
	if err == nil {
		c.Taken = append(c.Taken, netip.PrefixFrom(address, address.BitLen()))
	}
	return address.String(), err
}

// keptByClouds are the addresses at the beginning of a subnet that either cloud
// keeps: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
const keptByClouds = 4

func (c *Cluster) free(in netip.Prefix) (netip.Addr, error) {
	at := in.Masked().Addr()
	for range keptByClouds {
		at = at.Next()
	}
	for ; in.Contains(at.Next()); at = at.Next() { // the last is for all
		if !c.taken(at) {
			return at, nil
		}
	}
	return at, fmt.Errorf("%s has no address left", in)
}

func (c *Cluster) taken(address netip.Addr) bool {
	for _, each := range c.Taken {
		if each.Contains(address) {
			return true
		}
	}
	for _, each := range c.ControlPlanes {
		for _, own := range each.Instance.Addresses {
			if own == address.String() {
				return true
			}
		}
	}
	return c.Balancer.Address == address.String()
}
