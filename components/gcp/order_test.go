package gcp

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// environment registers everything that nodes need, each component from the
// outputs of others.
func environment(ctx *pulumi.Context) error {
	roles, err := NewRoles(ctx, "roles", &RolesArgs{Project: testProject, Cluster: "prod"})
	if err != nil {
		return err
	}
	keys, err := NewKeys(ctx, "keys", &KeysArgs{Project: testProject, Cluster: "prod"})
	if err != nil {
		return err
	}
	network := testNetwork()
	network.Egress = EgressNAT
	net, err := NewNetwork(ctx, "net", &network)
	if err != nil {
		return err
	}
	wall, err := NewFirewall(ctx, "wall", &FirewallArgs{Project: testProject, Cluster: "prod", NetworkID: net.NetworkID, NodeCIDR: net.NodeCIDR, PodCIDR: net.PodCIDR,
		ControlPlaneCIDR: net.ControlPlaneCIDR, NodeServiceAccount: roles.NodeEmail})
	if err != nil {
		return err
	}
	images := testImages()
	policy, err := NewImagePolicy(ctx, "images", &images)
	if err != nil {
		return err
	}
	args := testCluster()
	args.NetworkID, args.SubnetworkID, args.PodRangeName, args.ServiceRangeName, args.ControlPlaneCIDR = net.NetworkID, net.NodeSubnetworkID, net.PodRangeName, net.ServiceRangeName, net.ControlPlaneCIDR
	args.SecretsKeyID, args.DisksKeyID, args.NodeServiceAccount, args.PolicyProject = keys.SecretsKeyID, keys.DisksKeyID, wall.NodeServiceAccount, policy.PolicyProject
	cluster, err := NewGkeCluster(ctx, "gke", &args)
	if err != nil {
		return err
	}
	pool := testPool()
	pool.ClusterName, pool.DisksKeyID, pool.NodeServiceAccount = cluster.NodesClusterName, keys.DisksKeyID, wall.NodeServiceAccount
	if _, err := NewNodePool(ctx, "pool", &pool); err != nil {
		return err
	}
	for name, output := range map[string]pulumi.StringOutput{
		"inside": cluster.Endpoint, "authority": cluster.CertificateAuthority, "issuer": cluster.OidcIssuer, "pool-of-workloads": cluster.WorkloadPool, "version": cluster.KubernetesVersion,
		"watched": cluster.BreakGlassMembers.Index(pulumi.Int(0)),
	} {
		if err := consumer(ctx, name, output); err != nil {
			return err
		}
	}
	return nil
}

// Real dependencies, no timers: the first machine comes with the cluster, so that
// the cluster waits for everything that a machine needs.
func TestClusterOrder(t *testing.T) {
	c := run(t, environment)
	cluster, pool := c.One(t, "Cluster", "gke"), c.One(t, "NodePool", "pool")
	for _, kind := range []string{"Network", "Subnetwork", "Route", "RecordSet", "RouterNat", "CryptoKeyIAMMember", "IAMMember", "Firewall"} {
		for _, each := range c.Of(kind) {
			switch {
			case each.Name == "keys-logs" || each.At("condition") != nil: // of the archive, and of people
				if cluster.WaitsFor(each) {
					t.Errorf("the cluster waits for %s %s", kind, each.Name)
				}
			case each.At("denies.protocol") == "all": // drops what nobody waits for
			case !cluster.WaitsFor(each):
				t.Errorf("the cluster does not wait for %s %s", kind, each.Name)
			}
		}
	}
	if !cluster.WaitsFor(c.One(t, "Policy", "images")) {
		t.Error("M26: the cluster does not wait for the policy of images")
	}
	for _, each := range append(c.Of("Firewall"), cluster, c.One(t, "CryptoKeyIAMMember", "keys-disks")) {
		if each.At("denies.protocol") != "all" && !pool.WaitsFor(each) {
			t.Errorf("nodes do not wait for %s", each.Name)
		}
	}
	for _, name := range []string{"inside", "authority"} {
		for _, grant := range c.Of("IAMMember") {
			if grant.At("condition") != nil && !c.One(t, "Account", name).WaitsFor(grant) {
				t.Errorf("what is made in the cluster comes before %s", grant.Name)
			}
		}
	}
	for name, want := range map[string]string{
		"inside": "https://10.0.64.2", "authority": "LS0t", "issuer": "https://container.googleapis.com/v1/projects/shop-prod/locations/europe-west3/clusters/prod",
		"pool-of-workloads": "shop-prod.svc.id.goog", "version": "v1.35.4", "watched": "serviceAccount:emergency@shop-prod.iam.gserviceaccount.com",
	} {
		if got := c.One(t, "Account", name).Text("description"); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
