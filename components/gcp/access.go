package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/iap"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// IapAccessArgs describes the way in for people. Project, Cluster, NetworkID,
// CIDR, ControlPlaneCIDR, Endpoint, DisksKeyID, Zone, Image and Members are
// required.
type IapAccessArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// NetworkID and ControlPlaneCIDR are those of [Network], and CIDR its
	// AccessCIDR: a range of its own, which is all that [GkeCluster] authorizes.
	NetworkID        pulumi.StringInput `pulumi:"networkId"`
	ControlPlaneCIDR pulumi.StringInput `pulumi:"controlPlaneCidr"`
	CIDR             pulumi.StringInput `pulumi:"cidr"`
	// Endpoint is that of [GkeCluster].
	Endpoint pulumi.StringInput `pulumi:"endpoint"`
	// DisksKeyID is that of [Keys].
	DisksKeyID pulumi.StringInput `pulumi:"disksKeyId"`
	// Zone is where the forwarder stands.
	Zone string `pulumi:"zone"`
	// Image pins Container-Optimized OS: projects/cos-cloud/global/images/<name>.
	// Another one replaces the forwarder, which holds nothing.
	Image string `pulumi:"image"`
	// MachineType is e2-small by default.
	MachineType string `pulumi:"machineType,optional"`
	// Members are groups and service accounts, as IAM writes them, that may open a
	// tunnel. Access levels and second factors are conditions of the organisation on
	// the same role (M41).
	Members []string `pulumi:"members"`
	// NetworkProject is the host project of a shared network.
	NetworkProject string            `pulumi:"networkProject,optional"`
	Labels         map[string]string `pulumi:"labels,optional"`
	Exceptions     []hostconfig.Exception
}

// imageIDPattern is one image: a family is whatever it is on the day.
var imageIDPattern = regexp.MustCompile(`^projects/cos-cloud/global/images/cos-[a-z0-9-]+$`)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a IapAccessArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.required("networkId", a.NetworkID, "give that of Network")
	for _, each := range []struct {
		field, of string
		given     pulumi.StringInput
	}{{"cidr", "AccessCIDR of Network", a.CIDR}, {"controlPlaneCidr", "that of Network", a.ControlPlaneCIDR}} {
		p.required(each.field, each.given, "give "+each.of)
		if cidr, known := each.given.(pulumi.String); known {
			if prefix, ok := p.narrowRange(each.field, string(cidr)); ok && (!prefix.Addr().IsPrivate() || prefix.Bits() < 16 || prefix.Bits() > 29) {
				p.add(each.field, string(cidr)+" is no private range of one purpose", "give "+each.of)
			}
		}
	}
	p.required("endpoint", a.Endpoint, "give that of GkeCluster")
	if endpoint, known := a.Endpoint.(pulumi.String); known {
		if _, err := endpointAddress(string(endpoint)); err != nil {
			p.add("endpoint", err.Error(), "give that of GkeCluster")
		}
	}
	p.key("disksKeyId", a.DisksKeyID)
	p.zone("zone", a.Project.Region, a.Zone)
	if !imageIDPattern.MatchString(a.Image) {
		p.add("image", fmt.Sprintf("%q does not pin an image", a.Image), "write what gcloud compute images describe-from-family cos-stable --project=cos-cloud shows")
	}
	if a.MachineType != "" && !machinePattern.MatchString(a.MachineType) {
		p.add("machineType", fmt.Sprintf("%q is not a machine type", a.MachineType), "write one such as e2-small")
	}
	p.members("members", a.Members)
	if a.NetworkProject != "" && !projectPattern.MatchString(a.NetworkProject) {
		p.add("networkProject", fmt.Sprintf("%q is not the id of a project", a.NetworkProject), "write that of the host project")
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) members(field string, members []string) {
	if len(members) == 0 {
		p.add(field, "are missing: nobody could come in", memberExample)
	}
	for i, member := range members {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := memberProblem(member); err != nil {
			p.add(at, err.Error(), memberExample)
		}
		if slices.Contains(members[:i], member) {
			p.add(at, member+" is repeated", "list it once")
		}
	}
}

// IapAccess is the way to the API server for people: a tunnel that Google opens
// to those who are named, to one port of a machine that has no address on the
// internet, that nobody logs into, and that passes on to the API server and
// nowhere else (M09). TLS goes through it unopened.
type IapAccess struct {
	pulumi.ResourceState

	// Instance is the name of the forwarder.
	Instance pulumi.StringOutput `pulumi:"instance"`
	// TunnelCommand opens a tunnel: kubectl then uses https://localhost:8443, with
	// the name kubernetes in tls-server-name.
	TunnelCommand pulumi.StringOutput `pulumi:"tunnelCommand"`
}

// iapRange is where tunnels of IAP come from.
// https://cloud.google.com/iap/docs/using-tcp-forwarding#create-firewall-rule
const iapRange = "35.235.240.0/20"

// NewIapAccess registers the forwarder and who may use it. The arguments are
// checked, all at once, before anything is registered.
func NewIapAccess(ctx *pulumi.Context, name string, args *IapAccessArgs, opts ...pulumi.ResourceOption) (*IapAccess, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	setDefault(&a.MachineType, "e2-small")
	setDefault(&a.NetworkProject, a.Project.ID)
	i := &IapAccess{}
	if err := ctx.RegisterComponentResource(iapAccessToken, name, i, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(i)
	account, err := serviceaccount.NewAccount(ctx, name, &serviceaccount.AccountArgs{
		AccountId: pulumi.String(a.Cluster + "-entry"), Project: pulumi.String(a.Project.ID),
		DisplayName: pulumi.String("Forwarder of " + a.Cluster), Description: pulumi.String("May do nothing"),
	}, parent)
	if err != nil {
		return nil, err
	}
	subnetwork, err := compute.NewSubnetwork(ctx, name, &compute.SubnetworkArgs{
		Name: pulumi.String(a.Cluster + "-entry"), Project: pulumi.String(a.NetworkProject), Region: pulumi.String(a.Project.Region), Network: a.NetworkID,
		Description: pulumi.String("The way in for people"), IpCidrRange: a.CIDR, PrivateIpGoogleAccess: pulumi.Bool(true), StackType: pulumi.String("IPV4_ONLY"), LogConfig: everyFlow(),
	}, parent)
	if err != nil {
		return nil, err
	}
	rules, err := a.rules(ctx, name, account.Email, parent)
	if err != nil {
		return nil, err
	}
	instance, err := a.forwarder(ctx, name, subnetwork, once(append([]any{account.Email}, rules...)...), parent)
	if err != nil {
		return nil, err
	}
	if err := a.admit(ctx, name, instance, parent); err != nil {
		return nil, err
	}
	i.Instance = instance.Name
	i.TunnelCommand = pulumi.Sprintf("gcloud compute start-iap-tunnel %s %d --project=%s --zone=%s --local-host-port=localhost:%d",
		instance.Name, forwardPort, a.Project.ID, a.Zone, forwardPort)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"instance": i.Instance, "tunnelCommand": i.TunnelCommand})
}

// rules let tunnels in, and out to the API server; nothing else.
func (a IapAccessArgs) rules(ctx *pulumi.Context, name string, account pulumi.StringOutput, opts ...pulumi.ResourceOption) ([]any, error) {
	var ready []any
	for _, r := range []struct {
		suffix, direction, reason string
		ranges                    pulumi.StringArray
		port                      int
	}{
		{"-entry-in", "INGRESS", "tunnels of IAP", pulumi.StringArray{pulumi.String(iapRange)}, forwardPort},
		{"-entry-out", "EGRESS", "the API server", pulumi.StringArray{a.ControlPlaneCIDR}, 443},
	} {
		args := &compute.FirewallArgs{
			Name: pulumi.String(a.Cluster + r.suffix), Project: pulumi.String(a.NetworkProject), Network: a.NetworkID,
			Direction: pulumi.String(r.direction), Description: pulumi.String(r.reason),
			Priority: pulumi.Int(priorityAllow), TargetServiceAccounts: pulumi.StringArray{account},
			LogConfig: compute.FirewallLogConfigArgs{Metadata: pulumi.String("INCLUDE_ALL_METADATA")},
			Allows:    compute.FirewallAllowArray{compute.FirewallAllowArgs{Protocol: pulumi.String("tcp"), Ports: pulumi.ToStringArray([]string{fmt.Sprint(r.port)})}},
		}
		if r.direction == "INGRESS" {
			args.SourceRanges = r.ranges
		} else {
			args.DestinationRanges = r.ranges
		}
		made, err := compute.NewFirewall(ctx, name+strings.TrimPrefix(r.suffix, "-entry"), args, opts...)
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	return ready, denyAll(ctx, name, a.Cluster+"-entry", a.NetworkProject, a.NetworkID, pulumi.StringArray{account}, opts...)
}

// admit lets the members open tunnels to the one port, and find the machine.
func (a IapAccessArgs) admit(ctx *pulumi.Context, name string, instance *compute.Instance, opts ...pulumi.ResourceOption) error {
	for _, member := range a.Members {
		// Named by the member: a list in another order moves no grant to another.
		suffix := "-" + member
		if _, err := iap.NewTunnelInstanceIAMMember(ctx, name+suffix, &iap.TunnelInstanceIAMMemberArgs{
			Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.Zone), Instance: instance.Name, Member: pulumi.String(member), Role: pulumi.String("roles/iap.tunnelResourceAccessor"),
			Condition: iap.TunnelInstanceIAMMemberConditionArgs{Title: pulumi.String("api"), Description: pulumi.String("Only the port of the API server"),
				Expression: pulumi.String(fmt.Sprintf("destination.port == %d", forwardPort))},
		}, opts...); err != nil {
			return err
		}
		if _, err := compute.NewInstanceIAMMember(ctx, name+suffix, &compute.InstanceIAMMemberArgs{
			Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.Zone), InstanceName: instance.Name, Member: pulumi.String(member), Role: pulumi.String("roles/compute.viewer"),
		}, opts...); err != nil {
			return err
		}
	}
	return nil
}
