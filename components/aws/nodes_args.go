package aws

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

// Architectures of nodes.
const (
	ArchitectureX86 = "x86_64"
	ArchitectureARM = "arm64"
)

// NodePoolArgs describes one group of nodes. Cluster, ClusterName,
// ControlPlaneVersion, Pool, ReleaseVersion, InstanceTypes, SubnetIDs,
// SecurityGroupID, VolumesKeyArn and NodeRoleArn are required.
type NodePoolArgs struct {
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// ClusterName is the NodesClusterName and ControlPlaneVersion the
	// KubernetesVersion of [EksCluster]: nodes wait for both.
	ClusterName         pulumi.StringInput `pulumi:"clusterName"`
	ControlPlaneVersion pulumi.StringInput `pulumi:"controlPlaneVersion"`
	// Pool is the name of the pool, a DNS label of at most 20 characters.
	Pool string `pulumi:"pool"`
	// KubernetesVersion is a full version, of which EKS takes the minor; not newer
	// than the control plane's, which goes first.
	KubernetesVersion string `pulumi:"kubernetesVersion,optional"`
	// ReleaseVersion pins the image, for example 1.66.0-0123abcd. Another one
	// replaces the nodes, a few at a time.
	ReleaseVersion string `pulumi:"releaseVersion"`
	// Architecture is x86_64 by default, or arm64; all InstanceTypes are of it.
	Architecture  string   `pulumi:"architecture,optional"`
	InstanceTypes []string `pulumi:"instanceTypes"`
	// FIPS takes the image whose cryptography is validated.
	FIPS bool `pulumi:"fips,optional"`
	// Spot takes machines that AWS may take back.
	Spot bool `pulumi:"spot,optional"`
	// MinSize is 2 and MaxSize twice that by default. In between, whoever scales
	// the group decides.
	MinSize int `pulumi:"minSize,optional"`
	MaxSize int `pulumi:"maxSize,optional"`
	// SurgePercent is how much of the pool is replaced at once, 33 by default, at
	// most 100; new nodes come before old ones go.
	SurgePercent int `pulumi:"surgePercent,optional"`
	// DataDiskGiB is the size of the disk of images and pods, 50 by default.
	DataDiskGiB int `pulumi:"dataDiskGiB,optional"`
	// SubnetIDs are the NodeSubnetIDs of [Network], SecurityGroupID the
	// NodeSecurityGroupID of [Firewall].
	SubnetIDs       pulumi.StringArrayInput `pulumi:"subnetIds"`
	SecurityGroupID pulumi.StringInput      `pulumi:"securityGroupId"`
	// VolumesKeyArn is that of [Keys], NodeRoleArn that of [Roles].
	VolumesKeyArn pulumi.StringInput `pulumi:"volumesKeyArn"`
	NodeRoleArn   pulumi.StringInput `pulumi:"nodeRoleArn"`
	// Labels and Taints are those of the nodes; a taint is key[=value]:Effect.
	Labels map[string]string `pulumi:"labels,optional"`
	Taints []string          `pulumi:"taints,optional"`
	// Isolation keeps the pool for the workloads that ask for it: it labels and
	// taints the nodes with redoubt.dev/isolation and this name (M24).
	Isolation string `pulumi:"isolation,optional"`
	// SSM starts the control container, through which Session Manager gets in. The
	// node role and the network need their SSM too.
	SSM  bool              `pulumi:"ssm,optional"`
	Tags map[string]string `pulumi:"tags,optional"`
	// Host is what else the operating system is told. What the fields above say is
	// not said here again.
	Host       bottlerocket.Spec
	Exceptions []hostconfig.Exception
}

const isolationKey = "redoubt.dev/isolation"

func (a NodePoolArgs) withDefaults() NodePoolArgs {
	setDefault(&a.KubernetesVersion, hostconfig.DefaultKubernetesVersion)
	setDefault(&a.Architecture, ArchitectureX86)
	setDefault(&a.MinSize, 2)
	setDefault(&a.MaxSize, 2*a.MinSize)
	setDefault(&a.SurgePercent, 33)
	setDefault(&a.DataDiskGiB, 50)
	if a.Isolation != "" {
		labels := maps.Clone(a.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[isolationKey], a.Labels = a.Isolation, labels
		if taint := isolationKey + "=" + a.Isolation + ":NoSchedule"; !slices.Contains(a.Taints, taint) {
			a.Taints = append(slices.Clone(a.Taints), taint)
		}
	}
	return a
}

// spec is the one specification of the nodes.
func (a NodePoolArgs) spec() bottlerocket.Spec {
	s := a.Host
	s.Group, s.OSVersion, s.ControlContainer = bottlerocket.ManagedGroup, a.osVersion(), a.SSM
	if a.FIPS {
		s.Variant = bottlerocket.VariantFIPS
	}
	n := &s.Node
	n.Role, n.OS, n.Platform = hostconfig.RoleWorker, hostconfig.OSBottlerocket, hostconfig.PlatformAWS
	n.Cluster.Name, n.Cluster.Managed = a.Cluster, true
	n.KubernetesVersion, n.Labels, n.Taints, n.Exceptions = a.KubernetesVersion, a.Labels, a.Taints, a.Exceptions
	return s
}

func (a NodePoolArgs) osVersion() string {
	version, _, _ := strings.Cut(a.ReleaseVersion, "-")
	return version
}

var (
	poolPattern    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)
	releasePattern = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+-[0-9a-f]{8}$`)
	// instancePattern has the family, its generation and what it adds.
	instancePattern = regexp.MustCompile(`^(u-[0-9]+tb|[a-z]+)([0-9]+)([a-z0-9-]*)\.([a-z0-9-]+)$`)
)

// architectureOf gives that of an instance type: a g after the generation is
// Graviton, as is the family a1.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
func architectureOf(instanceType string) (string, bool) {
	parts := instancePattern.FindStringSubmatch(instanceType)
	switch {
	case parts == nil || strings.HasPrefix(parts[1], "mac"):
		return "", false
	case strings.Contains(parts[3], "g") || parts[1]+parts[2] == "a1":
		return ArchitectureARM, true
	}
	return ArchitectureX86, true
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values; what the operating system refuses stands below "host", labels, taints
// and the version among it. The time decides whether exceptions still hold.
func (a NodePoolArgs) Validate(now time.Time) error {
	given := a.Host
	a = a.withDefaults()
	var p problems
	p.required("clusterName", a.ClusterName, "give NodesClusterName of EksCluster")
	p.required("controlPlaneVersion", a.ControlPlaneVersion, "give KubernetesVersion of EksCluster")
	if text, known := a.ControlPlaneVersion.(pulumi.String); known {
		if err := hostconfig.CheckNodeSkew("kubernetesVersion", a.KubernetesVersion, string(text)); err != nil {
			p = append(p, err)
		}
	}
	p.cluster("cluster", a.Cluster)
	if !poolPattern.MatchString(a.Pool) {
		p.add("pool", fmt.Sprintf("%q is not a name for a pool", a.Pool), "write at most 20 lower-case letters, digits and dashes, beginning with a letter")
	}
	if !releasePattern.MatchString(a.ReleaseVersion) {
		p.add("releaseVersion", fmt.Sprintf("%q does not pin an image", a.ReleaseVersion),
			fmt.Sprintf("write what aws ssm get-parameter gives for /aws/service/bottlerocket/%s/%s/latest/image_version", a.spec().VariantName(), a.Architecture))
	}
	p.instances(a)
	p.size(a)
	p.required("subnetIds", a.SubnetIDs, "give the node subnets of Network")
	p.required("securityGroupId", a.SecurityGroupID, "give that of Firewall for nodes")
	p.key("volumesKeyArn", a.VolumesKeyArn)
	p.role("nodeRoleArn", a.NodeRoleArn, "give that of Roles")
	p.tags("tags", a.Tags)
	for field, value := range map[string]any{
		"host.group": given.Group, "host.osVersion": given.OSVersion, "host.controlContainer": given.ControlContainer, "host.variant": given.Variant,
		"host.node.role": given.Node.Role, "host.node.os": given.Node.OS, "host.node.platform": given.Node.Platform,
		"host.node.cluster.name": given.Node.Cluster.Name, "host.node.cluster.managed": given.Node.Cluster.Managed,
		"host.node.kubernetesVersion": given.Node.KubernetesVersion, "host.node.labels": given.Node.Labels,
		"host.node.taints": given.Node.Taints, "host.node.exceptions": given.Node.Exceptions,
	} {
		if !reflect.ValueOf(value).IsZero() {
			p.add(field, "is what the pool says", "leave it out")
		}
	}
	slices.SortStableFunc(p, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	spec := a.spec()
	if !releasePattern.MatchString(a.ReleaseVersion) {
		spec.OSVersion = "" // said above
	}
	if !clusterPattern.MatchString(a.Cluster) {
		spec.Node.Cluster.Name = "cluster"
	}
	if err := hostconfig.Within("host", spec.Validate(now)); err != nil {
		p = append(p, err)
	}
	return p.join()
}

func (p *problems) instances(a NodePoolArgs) {
	if a.Architecture != ArchitectureX86 && a.Architecture != ArchitectureARM {
		p.add("architecture", fmt.Sprintf("%q is not an architecture", a.Architecture), "write x86_64 or arm64")
		return
	}
	if len(a.InstanceTypes) == 0 {
		p.add("instanceTypes", "are missing", "write one, such as m7i.large, or several")
	}
	for i, each := range a.InstanceTypes {
		at := fmt.Sprintf("instanceTypes[%d]", i)
		switch is, known := architectureOf(each); {
		case !known:
			p.add(at, fmt.Sprintf("%q is not an instance type of Linux", each), "write one such as m7i.large or m7g.large")
		case is != a.Architecture:
			p.add(at, fmt.Sprintf("%s is %s and the image %s", each, is, a.Architecture), "write a type of the pool's architecture, or another architecture")
		case slices.Contains(a.InstanceTypes[:i], each):
			p.add(at, each+" is repeated", "list it once")
		}
	}
}

func (p *problems) size(a NodePoolArgs) {
	if a.MinSize < 1 || a.MaxSize < a.MinSize || a.MaxSize > 450 {
		p.add("minSize", fmt.Sprintf("%d to %d nodes is no size", a.MinSize, a.MaxSize), "write a minSize of 1 or more and a maxSize from there to 450, the most that EKS has in a group")
	}
	if a.SurgePercent < 1 || a.SurgePercent > 100 {
		p.add("surgePercent", fmt.Sprintf("%d is no part of the pool", a.SurgePercent), "write 1 to 100")
	}
	if a.DataDiskGiB < 20 || a.DataDiskGiB > 16384 {
		p.add("dataDiskGiB", fmt.Sprintf("%d GiB is no size for images and pods", a.DataDiskGiB), "write 20 to 16384")
	}
}
