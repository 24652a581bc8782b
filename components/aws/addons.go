package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Add-ons of EKS.
const (
	addonNetwork     = "vpc-cni"
	addonProxy       = "kube-proxy"
	addonPodIdentity = "eks-pod-identity-agent"
	addonGuardDuty   = "aws-guardduty-agent"
	addonDNS         = "coredns"
	addonVolumes     = "aws-ebs-csi-driver"
)

// addon is one, as it should be.
type addon struct {
	name, version  string
	configuration  map[string]any
	role           pulumi.StringInput // with Pod Identity, nil means none
	serviceAccount string
}

// networkConfiguration makes vpc-cni enforce NetworkPolicy (CIS-EKS 4.3.1,
// 5.4.4): strictly, so that a pod reaches nothing before its policies are in
// place; and assign whole prefixes, so that nodes hold more pods.
// https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
func networkConfiguration() map[string]any {
	return map[string]any{
		"enableNetworkPolicy": "true",
		"env":                 map[string]any{"ENABLE_PREFIX_DELEGATION": "true", "NETWORK_POLICY_ENFORCING_MODE": "strict", "WARM_PREFIX_TARGET": "1"},
		"nodeAgent":           map[string]any{"enablePolicyEventLogs": "true"},
	}
}

// addonVersion is a version and a build of EKS, which a pin names both.
var addonVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$`)

// versions reports add-ons without a pin and pins of what is no add-on here.
func (p *problems) versions(field string, versions map[string]string, wanted ...string) {
	for _, name := range wanted {
		if !addonVersion.MatchString(versions[name]) {
			p.add(fmt.Sprintf("%s[%s]", field, name), fmt.Sprintf("%q does not pin a version", versions[name]),
				"write one that aws eks describe-addon-versions lists for the Kubernetes version, such as v1.2.3-eksbuild.1")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		if !slices.Contains(wanted, name) {
			p.add(fmt.Sprintf("%s[%s]", field, name), "is not an add-on that is installed here", fmt.Sprintf("leave it out: there are %v", wanted))
		}
	}
}

// register makes the add-on a resource. What somebody changed in the cluster is
// set back: an add-on is what the program says.
func (d addon) register(ctx *pulumi.Context, name, cluster string, clusterName pulumi.StringInput, tags map[string]string, opts ...pulumi.ResourceOption) (*eks.Addon, error) {
	args := eks.AddonArgs{
		AddonName: pulumi.String(d.name), AddonVersion: pulumi.String(d.version), ClusterName: clusterName,
		ResolveConflictsOnCreate: pulumi.String("OVERWRITE"), ResolveConflictsOnUpdate: pulumi.String("OVERWRITE"),
		Tags: tagged(tags, cluster, d.name),
	}
	if d.configuration != nil {
		text, err := json.Marshal(d.configuration) // sorted, so that a run without changes shows none
		if err != nil {
			return nil, err
		}
		args.ConfigurationValues = pulumi.String(text)
	}
	if d.role != nil {
		args.PodIdentityAssociations = eks.AddonPodIdentityAssociationArray{eks.AddonPodIdentityAssociationArgs{
			RoleArn: d.role.ToStringOutput(), ServiceAccount: pulumi.String(d.serviceAccount),
		}}
	}
	return eks.NewAddon(ctx, name+"-"+d.name, &args, opts...)
}

// EksAddonsArgs describes the add-ons that run as ordinary pods. All but Tags
// and Exceptions are required.
type EksAddonsArgs struct {
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// After is what must be there first: the ARNs of [NodePool], without which an
	// add-on waits for its pods until it fails. The network plugin is strict: the
	// pods reach nothing without NetworkPolicies for kube-system, so what applies
	// these belongs here too.
	After pulumi.StringArrayInput `pulumi:"after"`
	// VolumesRoleArn is that of [Roles].
	VolumesRoleArn pulumi.StringInput `pulumi:"volumesRoleArn"`
	// Versions pin coredns and aws-ebs-csi-driver.
	Versions   map[string]string `pulumi:"versions"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a EksAddonsArgs) Validate(now time.Time) error {
	var p problems
	p.cluster("cluster", a.Cluster)
	if a.After == nil {
		p.add("after", "is missing", "give the ARNs of the node pools")
	} else if known, ok := a.After.(pulumi.StringArray); ok && len(known) == 0 {
		p.add("after", "is empty", "give the ARNs of the node pools")
	}
	p.role("volumesRoleArn", a.VolumesRoleArn, "give that of Roles")
	p.versions("versions", a.Versions, addonDNS, addonVolumes)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// EksAddons are coredns and the EBS CSI driver. They are apart from the cluster
// because they need nodes, and nodes need the cluster; a stack inside the VPC
// that applies the policies of kube-system first can hold them.
type EksAddons struct {
	pulumi.ResourceState

	// ClusterName is known once the add-ons run.
	ClusterName pulumi.StringOutput `pulumi:"clusterName"`
}

// NewEksAddons registers the add-ons. The arguments are checked, all at once,
// before anything is registered.
func NewEksAddons(ctx *pulumi.Context, name string, args *EksAddonsArgs, opts ...pulumi.ResourceOption) (*EksAddons, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	e := &EksAddons{}
	if err := ctx.RegisterComponentResource(eksAddonsToken, name, e, opts...); err != nil {
		return nil, err
	}
	cluster := pulumi.All(pulumi.String(a.Cluster), a.After).ApplyT(func(values []any) string { return values[0].(string) }).(pulumi.StringOutput)
	ready := []any{pulumi.String(a.Cluster)}
	for _, d := range []addon{
		{name: addonDNS, version: a.Versions[addonDNS]},
		// Claims are encrypted by their StorageClass, which names the key (M19).
		{name: addonVolumes, version: a.Versions[addonVolumes], role: a.VolumesRoleArn, serviceAccount: "ebs-csi-controller-sa"},
	} {
		made, err := d.register(ctx, name, a.Cluster, cluster, a.Tags, pulumi.Parent(e))
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.Arn)
	}
	e.ClusterName = once(ready...)
	return e, ctx.RegisterResourceOutputs(e, pulumi.Map{"clusterName": e.ClusterName})
}
