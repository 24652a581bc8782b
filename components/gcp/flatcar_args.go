package gcp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarClusterArgs describes a self-managed cluster. All but KubernetesVersion,
// KeyGeneration, Authorities, Encryption, Snapshots, AuditLog, Operators, Unprotected and
// Labels are required.
type FlatcarClusterArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 20 characters.
	Cluster string `pulumi:"cluster"`
	// KubernetesVersion is a full version; [hostconfig.DefaultKubernetesVersion] by
	// default. It goes up one minor at a time.
	KubernetesVersion string `pulumi:"kubernetesVersion,optional"`
	// Kubernetes is the system extension with the programs of that version.
	Kubernetes ExtensionArgs `pulumi:"kubernetes"`
	// Image pins Flatcar: projects/<project>/global/images/<name>, and no family.
	// Another one replaces every machine.
	Image string `pulumi:"image"`
	// ProgramFile is redoubt-node, which every machine runs, on the machine on which
	// Pulumi runs.
	ProgramFile string `pulumi:"programFile"`
	// NetworkID is that of [Network], and SubnetworkID its NodeSubnetworkID.
	NetworkID    pulumi.StringInput `pulumi:"networkId"`
	SubnetworkID pulumi.StringInput `pulumi:"subnetworkId"`
	// NodeCIDR, PodCIDR and ServiceCIDR are those of [Network], and ControlPlaneCIDR
	// its range for a control plane, of which a subnetwork is made. They never change.
	NodeCIDR         string `pulumi:"nodeCidr"`
	PodCIDR          string `pulumi:"podCidr"`
	ServiceCIDR      string `pulumi:"serviceCidr"`
	ControlPlaneCIDR string `pulumi:"controlPlaneCidr"`
	// Zones are those of the region that have machines: control planes stand in each
	// in turn.
	Zones []string `pulumi:"zones"`
	// CNI is calico or cilium.
	CNI string `pulumi:"cni"`
	// Operators are ranges from which people and automation reach the API server,
	// those of [Firewall].
	Operators []string `pulumi:"operators,optional"`
	// ControlPlaneServiceAccount and PoolServiceAccounts, in the order of Pools, are
	// those of [Firewall] with SelfManaged.
	ControlPlaneServiceAccount pulumi.StringInput   `pulumi:"controlPlaneServiceAccount"`
	PoolServiceAccounts        []pulumi.StringInput `pulumi:"poolServiceAccounts"`
	// DisksKeyID, SecretsKeyID and KeyRingID are those of [Keys]; SecretsKey names
	// the key of secrets, which machines are told before it exists.
	DisksKeyID   pulumi.StringInput `pulumi:"disksKeyId"`
	SecretsKeyID pulumi.StringInput `pulumi:"secretsKeyId"`
	KeyRingID    pulumi.StringInput `pulumi:"keyRingId"`
	// KeyGeneration is the Generation of [Keys].
	KeyGeneration string                  `pulumi:"keyGeneration,optional"`
	ControlPlane  FlatcarControlPlaneArgs `pulumi:"controlPlane"`
	// Pools are groups of workers.
	Pools       []FlatcarPoolArgs     `pulumi:"pools"`
	Encryption  FlatcarEncryptionArgs `pulumi:"encryption,optional"`
	Authorities AuthoritiesArgs       `pulumi:"authorities,optional"`
	Snapshots   SnapshotsArgs         `pulumi:"snapshots,optional"`
	AuditLog    AuditLogArgs          `pulumi:"auditLog,optional"`
	// Unprotected lets the data be deleted together with the stack, for environments
	// that come and go.
	Unprotected bool              `pulumi:"unprotected,optional"`
	Labels      map[string]string `pulumi:"labels,optional"`
	// Host is what else machines are told. What the fields above say is not said
	// here again.
	Host       selfmanaged.Spec
	Exceptions []hostconfig.Exception
}

// ExtensionArgs is a system extension image.
type ExtensionArgs struct {
	// Source is an https or gs URL, Hash "sha512-" and hexadecimal digits.
	Source string `pulumi:"source"`
	Hash   string `pulumi:"hash"`
}

// FlatcarControlPlaneArgs describes the machines of the control plane. Machines
// and MachineType are required.
type FlatcarControlPlaneArgs struct {
	// Machines is one, three or five. Each has a fixed address, see
	// [ControlPlaneAddresses].
	Machines    int    `pulumi:"machines"`
	MachineType string `pulumi:"machineType"`
	// SystemDiskGiB is 30 by default, DataDiskGiB, the disk of etcd, 20.
	SystemDiskGiB int `pulumi:"systemDiskGiB,optional"`
	DataDiskGiB   int `pulumi:"dataDiskGiB,optional"`
}

// FlatcarPoolArgs describes a pool of workers. Name and MachineType are required.
type FlatcarPoolArgs struct {
	// Name is a DNS label of at most 15 characters.
	Name        string `pulumi:"name"`
	MachineType string `pulumi:"machineType"`
	// Image is that of the cluster by default.
	Image string `pulumi:"image,optional"`
	// Spot takes machines that Google may take back.
	Spot bool `pulumi:"spot,optional"`
	// Size is how many machines there are, one in each zone by default.
	Size int `pulumi:"size,optional"`
	// DiskGiB is the size of the only disk, 50 by default.
	DiskGiB int `pulumi:"diskGiB,optional"`
	// NodeLabels and Taints are those of the nodes; a taint is key[=value]:Effect.
	NodeLabels map[string]string `pulumi:"nodeLabels,optional"`
	Taints     []string          `pulumi:"taints,optional"`
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
		setDefault(&a.Pools[i].Size, len(a.Zones))
		setDefault(&a.Pools[i].DiskGiB, 50)
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

// zone is that of a control plane: of the i-th, from 0.
func (a FlatcarClusterArgs) zone(i int) string { return a.Zones[i%len(a.Zones)] }

// flatcarImagePattern is one image: a family is whatever it is on the day.
var flatcarImagePattern = regexp.MustCompile(`^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/global/images/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values; what machines refuse stands below "host". The time decides whether
// exceptions still hold.
func (a FlatcarClusterArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.flatcarCluster("cluster", a.Cluster)
	p.flatcarImage("image", a.Image)
	p.required("networkId", a.NetworkID, "give that of Network")
	p.required("subnetworkId", a.SubnetworkID, "give NodeSubnetworkID of Network")
	p.required("keyRingId", a.KeyRingID, "give RingID of Keys")
	p.key("disksKeyId", a.DisksKeyID)
	p.key("secretsKeyId", a.SecretsKeyID)
	if a.KeyGeneration != "" && !generationPattern.MatchString(a.KeyGeneration) {
		p.add("keyGeneration", fmt.Sprintf("%q is no part of a name", a.KeyGeneration), "write at most 16 lower-case letters and digits")
	}
	p.account("controlPlaneServiceAccount", a.ControlPlaneServiceAccount, "give that of Firewall")
	for i, each := range a.PoolServiceAccounts {
		p.account(fmt.Sprintf("poolServiceAccounts[%d]", i), each, "give those of Firewall")
	}
	if len(a.PoolServiceAccounts) != len(a.Pools) {
		p.add("poolServiceAccounts", fmt.Sprintf("there are %d for %d pools", len(a.PoolServiceAccounts), len(a.Pools)), "give one for each pool, in their order")
	}
	p.flatcarRanges(a)
	p.flatcarZones(a)
	p.flatcarControlPlane(a)
	p.flatcarPools("pools", a.poolNames())
	for i, pool := range a.Pools {
		p.flatcarPool(fmt.Sprintf("pools[%d]", i), pool)
	}
	if a.CNI != string(selfmanaged.CNICalico) && a.CNI != string(selfmanaged.CNICilium) {
		p.add("cni", fmt.Sprintf("%q is no network that a cluster of Google Cloud has", a.CNI), "write calico or cilium")
	}
	p.flatcarEncryption(a.Encryption)
	p = append(p, a.Authorities.pki(a.Cluster).Validate("authorities")...)
	a.Snapshots.validate(&p, a.Exceptions)
	a.AuditLog.validate(&p, a.Exceptions)
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	if len(p) == 0 { // what machines refuse follows from what is wrong here
		if err := a.checkHost(now); err != nil {
			p = append(p, err)
		}
	}
	return p.join()
}

func (p *problems) flatcarImage(field, image string) {
	if !flatcarImagePattern.MatchString(image) || !strings.Contains(image, "flatcar") {
		p.add(field, fmt.Sprintf("%q does not pin an image of Flatcar", image), "write one that gcloud compute images list --project kinvolk-public --no-standard-images shows, as projects/kinvolk-public/global/images/<name>")
	}
}

// flatcarRanges judges ranges that only settings know.
func (p *problems) flatcarRanges(a FlatcarClusterArgs) {
	for _, each := range []struct{ field, cidr string }{{"nodeCidr", a.NodeCIDR}, {"podCidr", a.PodCIDR}, {"serviceCidr", a.ServiceCIDR}, {"controlPlaneCidr", a.ControlPlaneCIDR}} {
		if prefix, ok := p.narrowRange(each.field, each.cidr); ok && open(prefix) {
			p.add(each.field, each.cidr+" is open to the world (M08)", "give that of Network")
		}
	}
	p.controlPlaneRange("controlPlaneCidr", a.ControlPlaneCIDR)
}

func (p *problems) flatcarZones(a FlatcarClusterArgs) {
	if len(a.Zones) == 0 {
		p.add("zones", "are missing", "write one to three of the region")
	}
	for i, zone := range a.Zones {
		at := fmt.Sprintf("zones[%d]", i)
		p.zone(at, a.Project.Region, zone)
		if slices.Contains(a.Zones[:i], zone) {
			p.add(at, zone+" is repeated", "list it once")
		}
	}
}

func (p *problems) flatcarControlPlane(a FlatcarClusterArgs) {
	c := a.ControlPlane
	if n := c.Machines; n != 1 && n != 3 && n != 5 {
		p.add("controlPlane.machines", fmt.Sprintf("there are %d, and etcd decides by a majority", n), "write one, three or five")
	}
	p.flatcarMachine("controlPlane.machineType", c.MachineType)
	p.systemDisk("controlPlane.systemDiskGiB", c.SystemDiskGiB)
	if c.DataDiskGiB < 10 || c.DataDiskGiB > 65536 { // the smallest disk of its kind; etcd's largest quota is 8 GiB
		p.add("controlPlane.dataDiskGiB", fmt.Sprintf("%d GiB is no size for the disk of etcd", c.DataDiskGiB), "write 10 to 65536")
	}
}

func (p *problems) flatcarPool(at string, pool FlatcarPoolArgs) {
	p.flatcarMachine(at+".machineType", pool.MachineType)
	if pool.Image != "" {
		p.flatcarImage(at+".image", pool.Image)
	}
	if pool.Size < 1 || pool.Size > 1000 {
		p.add(at+".size", fmt.Sprintf("%d machines is no size", pool.Size), "write 1 to 1000")
	}
	p.systemDisk(at+".diskGiB", pool.DiskGiB)
}

// armMachine is a machine type of another architecture, which has no secure boot.
// https://cloud.google.com/compute/docs/instances/arm-on-compute
var armMachine = regexp.MustCompile(`^(t2a|c4a|n4a|a4x)-`)

func (p *problems) flatcarMachine(field, machine string) {
	switch {
	case !machinePattern.MatchString(machine):
		p.add(field, fmt.Sprintf("%q is not a machine type", machine), "write one such as n2d-standard-4")
	case armMachine.MatchString(machine):
		p.add(field, machine+" is of the Arm architecture, whose machines do not boot securely", "write one such as n2d-standard-4")
	}
}

func (p *problems) systemDisk(field string, size int) {
	if size < 20 || size > 65536 {
		p.add(field, fmt.Sprintf("%d GiB is no size for a system, images and pods", size), "write 20 to 65536")
	}
}

// ControlPlaneAddresses are the fixed addresses of a cluster's load balancer and
// of so many control planes, in the range of control planes: those after Google's
// own two. That of a number never changes.
// https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
func ControlPlaneAddresses(cidr string, count int) (balancer string, machines []string, err error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return "", nil, err
	}
	at := prefix.Addr().Next().Next()
	balancer = at.String()
	for range count {
		at = at.Next()
		machines = append(machines, at.String())
	}
	if !prefix.Contains(at.Next().Next()) {
		return "", nil, fmt.Errorf("%s has no room for %d control planes", cidr, count)
	}
	return balancer, machines, nil
}

var localKeyPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (p *problems) flatcarEncryption(e FlatcarEncryptionArgs) {
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
		if !localKeyPattern.MatchString(name) {
			p.add(at, fmt.Sprintf("%q is no name for a key", name), "write a DNS label such as key-1")
		}
		if slices.Contains(e.Keys[:i], name) {
			p.add(at, name+" is repeated", "list it once")
		}
	}
}
