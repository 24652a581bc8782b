package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarClusterArgs describes a self-managed cluster. All but KubernetesVersion,
// Authorities, Encryption, Snapshots, AuditLog, Operators, Unprotected and Tags are required.
type FlatcarClusterArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 28 characters.
	Cluster string `pulumi:"cluster"`
	// KubernetesVersion is a full version; [hostconfig.DefaultKubernetesVersion] by
	// default. It goes up one minor at a time.
	KubernetesVersion string `pulumi:"kubernetesVersion,optional"`
	// Kubernetes is the system extension with the programs of that version: an
	// https or s3 URL, and the hash that Ignition verifies.
	Kubernetes ImageArgs `pulumi:"kubernetes"`
	// ImageID is the Flatcar image of the account's region, such as
	// ami-0123456789abcdef0. Another one replaces every machine.
	ImageID string `pulumi:"imageId"`
	// ProgramFile is redoubt-node, which every machine runs, on the machine on which
	// Pulumi runs.
	ProgramFile string `pulumi:"programFile"`
	// VpcID, PrivateSubnetIDs and NodeSubnetIDs are those of [Network] with
	// SelfManaged, whose range is NetworkCIDR.
	VpcID            pulumi.StringInput      `pulumi:"vpcId"`
	PrivateSubnetIDs pulumi.StringArrayInput `pulumi:"privateSubnetIds"`
	NodeSubnetIDs    pulumi.StringArrayInput `pulumi:"nodeSubnetIds"`
	NetworkCIDR      string                  `pulumi:"networkCidr"`
	// PodCIDR and ServiceCIDR are ranges inside the cluster. They never change.
	PodCIDR     string `pulumi:"podCidr"`
	ServiceCIDR string `pulumi:"serviceCidr"`
	// CNI is calico or cilium.
	CNI string `pulumi:"cni"`
	// Operators are ranges from which people and automation reach the API server,
	// those of [Firewall].
	Operators []string `pulumi:"operators,optional"`
	// ControlPlaneSecurityGroupID, LoadBalancerSecurityGroupID and
	// NodeSecurityGroupID are those of [Firewall] with SelfManaged.
	ControlPlaneSecurityGroupID pulumi.StringInput `pulumi:"controlPlaneSecurityGroupId"`
	LoadBalancerSecurityGroupID pulumi.StringInput `pulumi:"loadBalancerSecurityGroupId"`
	NodeSecurityGroupID         pulumi.StringInput `pulumi:"nodeSecurityGroupId"`
	// VolumesKeyArn and SecretsKeyArn are those of [Keys].
	VolumesKeyArn pulumi.StringInput `pulumi:"volumesKeyArn"`
	SecretsKeyArn pulumi.StringInput `pulumi:"secretsKeyArn"`
	// ControlPlaneRoleArn, ControlPlaneProfile, PoolRoleArns and PoolProfiles are
	// those of [FlatcarRoles].
	ControlPlaneRoleArn pulumi.StringInput      `pulumi:"controlPlaneRoleArn"`
	ControlPlaneProfile pulumi.StringInput      `pulumi:"controlPlaneProfile"`
	PoolRoleArns        pulumi.StringMapInput   `pulumi:"poolRoleArns"`
	PoolProfiles        pulumi.StringMapInput   `pulumi:"poolProfiles"`
	ControlPlane        FlatcarControlPlaneArgs `pulumi:"controlPlane"`
	// Pools are groups of workers.
	Pools       []FlatcarPoolArgs     `pulumi:"pools"`
	Encryption  FlatcarEncryptionArgs `pulumi:"encryption,optional"`
	Authorities AuthoritiesArgs       `pulumi:"authorities,optional"`
	Snapshots   SnapshotsArgs         `pulumi:"snapshots,optional"`
	AuditLog    AuditLogArgs          `pulumi:"auditLog,optional"`
	// Unprotected lets the data be deleted together with the stack, for environments
	// that come and go.
	Unprotected bool              `pulumi:"unprotected,optional"`
	Tags        map[string]string `pulumi:"tags,optional"`
	// Host is what else machines are told. What the fields above say is not said
	// here again.
	Host       selfmanaged.Spec
	Exceptions []hostconfig.Exception
}

// ImageArgs is a system extension image.
type ImageArgs struct {
	// Source is an https or s3 URL, Hash "sha512-" and hexadecimal digits.
	Source string `pulumi:"source"`
	Hash   string `pulumi:"hash"`
}

// FlatcarControlPlaneArgs describes the machines of the control plane. Zones,
// Addresses and InstanceType are required.
type FlatcarControlPlaneArgs struct {
	// Zones are those of the network, in the order of its subnets.
	Zones []string `pulumi:"zones"`
	// Addresses are the fixed addresses of one, three or five machines, each in the
	// subnet of a zone in turn, see [ControlPlaneAddresses].
	Addresses []string `pulumi:"addresses"`
	// InstanceType is of the Nitro system.
	InstanceType string `pulumi:"instanceType"`
	// SystemDiskGiB is 30 by default, DataDiskGiB, the volume of etcd, 20.
	SystemDiskGiB int `pulumi:"systemDiskGiB,optional"`
	DataDiskGiB   int `pulumi:"dataDiskGiB,optional"`
}

// FlatcarPoolArgs describes a pool of workers. Name and InstanceTypes are required.
type FlatcarPoolArgs struct {
	// Name is a DNS label of at most 16 characters.
	Name          string   `pulumi:"name"`
	InstanceTypes []string `pulumi:"instanceTypes"`
	// ImageID is that of the cluster by default.
	ImageID string `pulumi:"imageId,optional"`
	// Spot takes machines that AWS may take back.
	Spot bool `pulumi:"spot,optional"`
	// MinSize is 2 and MaxSize twice that by default. In between, whoever scales
	// the group decides.
	MinSize int `pulumi:"minSize,optional"`
	MaxSize int `pulumi:"maxSize,optional"`
	// SurgePercent is how much of the pool is replaced at once, 33 by default, at
	// most 100; new machines come before old ones go.
	SurgePercent int `pulumi:"surgePercent,optional"`
	// DiskGiB is the size of the only disk, 50 by default.
	DiskGiB int `pulumi:"diskGiB,optional"`
	// Labels and Taints are those of the nodes; a taint is key[=value]:Effect.
	Labels map[string]string `pulumi:"labels,optional"`
	Taints []string          `pulumi:"taints,optional"`
	// Isolation keeps the pool for the workloads that ask for it: it taints the
	// nodes with redoubt.dev/isolation and this name (M24).
	Isolation string `pulumi:"isolation,optional"`
	// RuntimeClasses are gvisor and kata; Extensions are the images of their
	// programs and of whatever else.
	RuntimeClasses []string `pulumi:"runtimeClasses,optional"`
	Extensions     []flatcar.Extension
}

// FlatcarEncryptionArgs says how the API server encrypts what it stores (M18).
type FlatcarEncryptionArgs struct {
	// Provider is kms by default: the secrets key of [Keys], through a program on
	// each control plane. secretbox has keys of its own.
	Provider string `pulumi:"provider,optional"`
	// Keys are the names of local keys, with secretbox: the first writes, all read.
	Keys []string `pulumi:"keys,optional"`
}

// AuthoritiesArgs are the authorities of a cluster, and how they are rotated: the
// next generation is trusted, then it signs and the last one is trusted, then it is
// alone, with every machine replaced in between.
type AuthoritiesArgs struct {
	// ValidityDays is five years by default. A change makes them anew.
	ValidityDays int `pulumi:"validityDays,optional"`
	// Generation signs, 1 by default; Trusted are those whose signatures hold, too.
	Generation int   `pulumi:"generation,optional"`
	Trusted    []int `pulumi:"trusted,optional"`
}

func (a AuthoritiesArgs) pki(cluster string) parts.PKIArgs {
	return parts.PKIArgs{Cluster: cluster, Validity: time.Duration(a.ValidityDays) * 24 * time.Hour, Generation: a.Generation, Trusted: a.Trusted}
}

func (a FlatcarClusterArgs) withDefaults() FlatcarClusterArgs {
	setDefault(&a.KubernetesVersion, hostconfig.DefaultKubernetesVersion)
	setDefault(&a.ControlPlane.SystemDiskGiB, 30)
	setDefault(&a.ControlPlane.DataDiskGiB, 20)
	setDefault(&a.Encryption.Provider, string(hostconfig.EncryptionKMS))
	a.Snapshots, a.AuditLog = a.Snapshots.withDefaults(), a.AuditLog.withDefaults()
	a.Pools = slices.Clone(a.Pools)
	for i := range a.Pools {
		p := &a.Pools[i]
		setDefault(&p.MinSize, 2)
		setDefault(&p.MaxSize, 2*p.MinSize)
		setDefault(&p.SurgePercent, 33)
		setDefault(&p.DiskGiB, 50)
	}
	return a
}

func (a FlatcarClusterArgs) poolNames() []string {
	var names []string
	for _, p := range a.Pools {
		names = append(names, p.Name)
	}
	return names
}

// zone is the place of a control plane's zone among the zones.
func (a FlatcarClusterArgs) zone(i int) int { return i % max(1, len(a.ControlPlane.Zones)) }

var imagePattern = regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values; what machines refuse stands below "host". The time decides whether
// exceptions still hold.
func (a FlatcarClusterArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.flatcarCluster("cluster", a.Cluster)
	p.image("imageId", a.ImageID)
	for _, each := range []struct {
		field  string
		given  any
		remedy string
	}{
		{"vpcId", a.VpcID, "give that of Network"}, {"privateSubnetIds", a.PrivateSubnetIDs, "give those of Network"}, {"nodeSubnetIds", a.NodeSubnetIDs, "give those of Network"},
		{"controlPlaneSecurityGroupId", a.ControlPlaneSecurityGroupID, "give that of Firewall for the cluster"},
		{"loadBalancerSecurityGroupId", a.LoadBalancerSecurityGroupID, "give that of Firewall"}, {"nodeSecurityGroupId", a.NodeSecurityGroupID, "give that of Firewall"},
		{"controlPlaneProfile", a.ControlPlaneProfile, "give that of FlatcarRoles"}, {"poolRoleArns", a.PoolRoleArns, "give those of FlatcarRoles"},
		{"poolProfiles", a.PoolProfiles, "give those of FlatcarRoles"},
	} {
		p.required(each.field, each.given, each.remedy)
	}
	p.key("volumesKeyArn", a.VolumesKeyArn)
	p.key("secretsKeyArn", a.SecretsKeyArn)
	p.role("controlPlaneRoleArn", a.ControlPlaneRoleArn, "give that of FlatcarRoles")
	p.flatcarControlPlane(a)
	p.flatcarPools(a)
	p.flatcarEncryption(a)
	p = append(p, a.Authorities.pki(a.Cluster).Validate("authorities")...)
	a.Snapshots.validate(&p, a.Exceptions)
	a.AuditLog.validate(&p, a.Exceptions)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	if err := a.checkHost(now); err != nil {
		p = append(p, err)
	}
	return p.join()
}

func (p *problems) image(field, id string) {
	if !imagePattern.MatchString(id) {
		p.add(field, fmt.Sprintf("%q does not pin an image", id), "write the id of a Flatcar image of the region, such as ami-0123456789abcdef0: https://www.flatcar.org/docs/latest/installing/cloud/aws-ec2/")
	}
}

func (p *problems) flatcarControlPlane(a FlatcarClusterArgs) {
	c := a.ControlPlane
	if n := len(c.Addresses); n != 1 && n != 3 && n != 5 {
		p.add("controlPlane.addresses", fmt.Sprintf("there are %d, and etcd decides by a majority", n), "write one, three or five")
	}
	if len(c.Zones) == 0 {
		p.add("controlPlane.zones", "are missing", "write those of the network")
	}
	network, err := netip.ParsePrefix(a.NetworkCIDR)
	if err != nil {
		p.add("networkCidr", fmt.Sprintf("%q is no range", a.NetworkCIDR), "write that of the network")
	}
	for i, text := range c.Addresses {
		at := fmt.Sprintf("controlPlane.addresses[%d]", i)
		address, err := netip.ParseAddr(text)
		switch {
		case err != nil || !address.Is4():
			p.add(at, fmt.Sprintf("%q is no IPv4 address", text), "write one of the subnet of its zone")
		case network.IsValid() && !network.Contains(address):
			p.add(at, text+" is not in the network "+a.NetworkCIDR, "write one of the subnet of its zone")
		case slices.Contains(c.Addresses[:i], text):
			p.add(at, text+" is another's address", "give each machine an address of its own")
		}
	}
	if _, known := architectureOf(c.InstanceType); !known {
		p.add("controlPlane.instanceType", fmt.Sprintf("%q is not an instance type of Linux", c.InstanceType), "write one such as m7i.large")
	}
	p.diskSize("controlPlane.systemDiskGiB", c.SystemDiskGiB)
	if c.DataDiskGiB < 8 || c.DataDiskGiB > 16384 { // etcd's largest quota, and room to defragment
		p.add("controlPlane.dataDiskGiB", fmt.Sprintf("%d GiB is no size for etcd", c.DataDiskGiB), "write 8 to 16384")
	}
}

func (p *problems) diskSize(field string, size int) {
	if size < 20 || size > 16384 {
		p.add(field, fmt.Sprintf("%d GiB is no size for a system, images and pods", size), "write 20 to 16384")
	}
}

func (p *problems) flatcarPools(a FlatcarClusterArgs) {
	want, _ := architectureOf(a.ControlPlane.InstanceType)
	for i, pool := range a.Pools {
		at := fmt.Sprintf("pools[%d]", i)
		p.flatcarPool(at+".name", pool.Name)
		if slices.ContainsFunc(a.Pools[:i], func(other FlatcarPoolArgs) bool { return other.Name == pool.Name }) {
			p.add(at+".name", pool.Name+" is another's name", "give each pool a name of its own")
		}
		if pool.ImageID != "" {
			p.image(at+".imageId", pool.ImageID)
		}
		if len(pool.InstanceTypes) == 0 {
			p.add(at+".instanceTypes", "are missing", "write one, such as m7i.large, or several")
		}
		for j, each := range pool.InstanceTypes {
			field := fmt.Sprintf("%s.instanceTypes[%d]", at, j)
			switch is, known := architectureOf(each); {
			case !known:
				p.add(field, fmt.Sprintf("%q is not an instance type of Linux", each), "write one such as m7i.large or m7g.large")
			case want != "" && is != want:
				// One program and one system extension serve all machines.
				p.add(field, fmt.Sprintf("%s is %s and the control plane %s", each, is, want), "write a type of the same architecture")
			case slices.Contains(pool.InstanceTypes[:j], each):
				p.add(field, each+" is repeated", "list it once")
			}
		}
		if pool.MinSize < 1 || pool.MaxSize < pool.MinSize || pool.MaxSize > 1000 {
			p.add(at+".minSize", fmt.Sprintf("%d to %d machines is no size", pool.MinSize, pool.MaxSize), "write a minSize of 1 or more and a maxSize from there to 1000")
		}
		if pool.SurgePercent < 1 || pool.SurgePercent > 100 {
			p.add(at+".surgePercent", fmt.Sprintf("%d is no part of the pool", pool.SurgePercent), "write 1 to 100")
		}
		p.diskSize(at+".diskGiB", pool.DiskGiB)
	}
}

var keyNamePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (p *problems) flatcarEncryption(a FlatcarClusterArgs) {
	e := a.Encryption
	switch hostconfig.EncryptionProvider(e.Provider) {
	case hostconfig.EncryptionKMS:
		if len(e.Keys) > 0 {
			p.add("encryption.keys", "are local keys, and the provider is kms", "leave them out, or write secretbox")
		}
	case hostconfig.EncryptionSecretbox:
		if len(e.Keys) == 0 {
			p.add("encryption.keys", "are missing", "write a name, such as key-1")
		}
	default:
		p.add("encryption.provider", fmt.Sprintf("%q is not offered", e.Provider), "write kms or secretbox")
	}
	for i, name := range e.Keys {
		at := fmt.Sprintf("encryption.keys[%d]", i)
		if !keyNamePattern.MatchString(name) {
			p.add(at, fmt.Sprintf("%q is no name for a key", name), "write a DNS label such as key-1")
		}
		if slices.Contains(e.Keys[:i], name) {
			p.add(at, name+" is repeated", "list it once")
		}
	}
}
