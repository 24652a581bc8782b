package boot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// Names of the network's members that are no machines.
const (
	cloudName    = "cloud"
	balancerName = "balancer"
	internetName = "internet"
)

// metadataAddress is the same in every cloud; on GCP it answers DNS too, on AWS
// resolverAddress does.
const (
	metadataAddress = "169.254.169.254"
	resolverAddress = "169.254.169.253"
)

// resolver is the address that a machine of the platform asks for names.
func (m Machine) resolver() string {
	if m.Platform == hostconfig.PlatformAWS {
		return resolverAddress
	}
	return metadataAddress
}

// Cloud is what machines find in the network besides each other.
type Cloud struct {
	// Address is that of the cloud in the NodeCIDR, to which machines send whatever
	// is not for the NodeCIDR.
	Address string
	// APIs is the address to which DNS leads the names of the cloud's APIs, for
	// example one of restricted.googleapis.com; Address by default.
	APIs string
	// Server plays the cloud: its store, roles and keys are filled before the first
	// machine starts, its instances as machines are launched.
	Server *fakecloud.Cloud
	// Hosts maps names to addresses: what its DNS says besides the machines' own
	// names and those of Server.
	Hosts map[string]string
}

func (r *Rehearsal) authorities() []byte {
	all := slices.Clone(r.Cloud.Server.CA())
	if r.internet != nil {
		all = append(all, r.internet.ca...)
	}
	return all
}

// topology is the machines' network. The host has no part in it but an interface
// that nothing is connected to.
func (r *Rehearsal) topology() netns.Topology {
	t := netns.Topology{
		Environment: r.Name, NodeCIDR: r.NodeCIDR, OperatorCIDR: fmt.Sprintf("10.231.%d.0/30", r.short()),
	}
	t.Members = append(t.Members, netns.Member{Machine: cloudName, NodeAddress: r.Cloud.Address})
	if r.LoadBalancer.Address != "" {
		t.Members = append(t.Members, netns.Member{Machine: balancerName, NodeAddress: r.LoadBalancer.Address})
	}
	if r.Internet.Address != "" {
		t.Members = append(t.Members, netns.Member{Machine: internetName, NodeAddress: r.Internet.Address})
	}
	for _, m := range r.Machines {
		t.Members = append(t.Members, netns.Member{Machine: m.Name, NodeAddress: m.Address, PodCIDR: m.PodCIDR})
	}
	return t
}

// network makes the namespaces. Machines have a default route, as in any cloud:
// it ends at the cloud's servers, which forward nothing.
func (r *Rehearsal) network(ctx context.Context) error {
	if err := netns.Ensure(ctx, r.topology()); err != nil {
		return err
	}
	if r.Internet.Address != "" {
		var err error
		if r.internet, err = newInternet(r.Internet, r.Images); err != nil {
			return err
		}
		if err := r.internet.serve(ctx, netns.Namespace(r.Name, internetName)); err != nil {
			return err
		}
	}
	cloud := netns.Namespace(r.Name, cloudName)
	if r.Cloud.APIs == "" {
		r.Cloud.APIs = r.Cloud.Address
	}
	if r.Cloud.APIs != r.Cloud.Address {
		if err := in(ctx, cloud, "ip", "address", "add", r.Cloud.APIs+"/32", "dev", netns.NodeInterface); err != nil {
			return err
		}
	}
	for _, address := range []string{metadataAddress, resolverAddress} {
		if err := in(ctx, cloud, "ip", "address", "add", address+"/32", "dev", netns.NodeInterface); err != nil {
			return err
		}
		socket, err := listenPacket(cloud, address+":53")
		if err != nil {
			return err
		}
		r.resolvers = append(r.resolvers, socket)
		go answer(socket, r.names())
	}
	for _, m := range r.Machines {
		if err := in(ctx, netns.Namespace(r.Name, m.Name), "ip", "route", "add", "default", "via", r.Cloud.Address); err != nil {
			return err
		}
		if r.LoadBalancer.Passthrough {
			if err := r.vpc(ctx, netns.Namespace(r.Name, m.Name)); err != nil {
				return err
			}
		}
		for _, address := range r.Internet.Outside {
			if err := in(ctx, netns.Namespace(r.Name, m.Name), "ip", "route", "add", address+"/32", "via", r.Internet.Address); err != nil {
				return err
			}
		}
	}
	api, err := Listen(cloud, "tcp", net.JoinHostPort(r.Cloud.APIs, "443"))
	if err != nil {
		return err
	}
	metadata, err := Listen(cloud, "tcp", metadataAddress+":80")
	if err != nil {
		return errors.Join(err, api.Close())
	}
	r.Cloud.Server.ServeAPI(api)
	r.Cloud.Server.ServeMetadata(metadata)
	return nil
}

// names are what DNS says in this cloud.
func (r *Rehearsal) names() map[string]string {
	table := maps.Clone(r.Cloud.Hosts)
	if table == nil {
		table = map[string]string{}
	}
	for _, name := range r.Cloud.Server.Hosts() {
		table[name] = r.Cloud.APIs
	}
	for _, m := range r.Machines {
		table[m.hostName()] = m.Address
	}
	if r.internet != nil {
		for _, name := range r.internet.hosts() {
			table[name] = r.internet.public()
		}
	}
	table["metadata.google.internal"] = metadataAddress
	return table
}
