package gcp

import (
	"encoding/base64"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarCluster is a cluster that runs itself: control planes of fixed names,
// addresses and disks on Flatcar, behind an internal load balancer, and pools of
// workers (M02, M12). Nobody logs into any of them; a machine fetches what it is
// from the cluster's store, with an account that reads its own part alone.
type FlatcarCluster struct {
	pulumi.ResourceState

	// Name is the cluster's.
	Name pulumi.StringOutput `pulumi:"name"`
	// Endpoint and CertificateAuthority (base64) are known once all control planes
	// are there. The API answers some minutes later.
	Endpoint             pulumi.StringOutput `pulumi:"endpoint"`
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	KubernetesVersion    pulumi.StringOutput `pulumi:"kubernetesVersion"`
	// ControlPlaneIDs are the numbers of the machines, by name; PoolIDs those of the
	// groups, by the pool's name.
	ControlPlaneIDs pulumi.StringMapOutput `pulumi:"controlPlaneIds"`
	PoolIDs         pulumi.StringMapOutput `pulumi:"poolIds"`
	// StoreName, SnapshotsName and AuditLogName are the buckets.
	StoreName     pulumi.StringOutput `pulumi:"storeName"`
	SnapshotsName pulumi.StringOutput `pulumi:"snapshotsName"`
	AuditLogName  pulumi.StringOutput `pulumi:"auditLogName"`
}

// NewFlatcarCluster registers the cluster. The arguments are checked, all at once,
// before anything is registered.
func NewFlatcarCluster(ctx *pulumi.Context, name string, args *FlatcarClusterArgs, opts ...pulumi.ResourceOption) (*FlatcarCluster, error) {
	a := args.withDefaults()
	if err := args.Validate(time.Now()); err != nil {
		return nil, err
	}
	spec, err := a.spec()
	if err != nil {
		return nil, err
	}
	address, addresses, err := ControlPlaneAddresses(a.ControlPlaneCIDR, a.ControlPlane.Machines)
	if err != nil {
		return nil, err
	}
	c := &FlatcarCluster{}
	if err := ctx.RegisterComponentResource(flatcarClusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	child, kept := pulumi.Parent(c), pulumi.Protect(!a.Unprotected)
	store, err := newStore(ctx, name, a, spec.Grants(), child)
	if err != nil {
		return nil, err
	}
	later, err := a.later(ctx, name, child, kept)
	if err != nil {
		return nil, err
	}
	rendered := parts.Render(spec, later)
	objects, err := store.fill(ctx, name, rendered, child)
	if err != nil {
		return nil, err
	}
	b, err := newBalancer(ctx, name, a, address, child)
	if err != nil {
		return nil, err
	}
	identities, err := newIdentities(ctx, name, a, addresses, b.subnetwork, child)
	if err != nil {
		return nil, err
	}
	ids, err := c.newNodes(ctx, name, a, b, store, identities, rendered, objects, child)
	if err != nil {
		return nil, err
	}
	there := []any{text(endpointOf(address)), b.rule.ID()}
	for _, id := range sorted(ids) {
		there = append(there, ids[id])
	}
	c.Endpoint, c.Name = once(there...), text(a.Cluster)
	c.CertificateAuthority = later.PKI.CACertificate.ApplyT(func(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }).(pulumi.StringOutput)
	c.KubernetesVersion, c.StoreName, c.SnapshotsName, c.AuditLogName = text(a.KubernetesVersion), store.name, store.snapshots, store.auditLog
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"name": c.Name, "endpoint": c.Endpoint, "certificateAuthority": c.CertificateAuthority, "kubernetesVersion": c.KubernetesVersion, "controlPlaneIds": c.ControlPlaneIDs,
		"poolIds": c.PoolIDs, "storeName": c.StoreName, "snapshotsName": c.SnapshotsName, "auditLogName": c.AuditLogName,
	})
}

// later makes what machines are told by resources.
func (a FlatcarClusterArgs) later(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (parts.Later, error) {
	devices := pulumi.StringArray{}
	for range a.ControlPlane.Machines {
		devices = append(devices, pulumi.String(selfmanaged.PersistentDiskDevice(dataDevice)))
	}
	l := parts.Later{Program: a.ProgramFile, Devices: devices}
	var err error
	if l.PKI, err = parts.NewPKI(ctx, name, a.Authorities.pki(a.Cluster), opts...); err != nil {
		return l, err
	}
	if !a.localKeys() {
		l.CloudKeys = pulumi.StringArray{a.SecretsKeyID}
		return l, nil
	}
	l.LocalKeyNames = a.Encryption.Keys
	l.LocalKeys, err = parts.NewEncryptionKeys(ctx, name, a.Encryption.Keys, opts...)
	return l, err
}

// newNodes registers the machines: those of the control plane, then the pools,
// whose nodes are never newer than the API servers.
func (c *FlatcarCluster) newNodes(ctx *pulumi.Context, name string, a FlatcarClusterArgs, b *balancer, store *store, identities []identity, rendered parts.Rendered,
	objects map[string]pulumi.Resource, opts ...pulumi.ResourceOption) (pulumi.StringMap, error) {
	needs := func(machine string) []pulumi.Resource {
		var out []pulumi.Resource
		for _, key := range rendered.Needs[machine] {
			out = append(out, objects[key])
		}
		return out
	}
	planes := make([]plannedMachine, len(identities))
	for i, each := range identities {
		planes[i] = plannedMachine{identity: each, userData: rendered.UserData[a.controlPlaneName(i)], needs: needs(a.controlPlaneName(i))}
	}
	// Routes, names and what the account may do: without them a machine does not get
	// through its boot.
	account := once(append([]any{a.ControlPlaneServiceAccount, a.SubnetworkID, a.SecretsKeyID}, store.controlPlane...)...)
	last, ids, err := newMachines(ctx, name, a, b, planes, account, opts...)
	if err != nil {
		return nil, err
	}
	pools := pulumi.StringMap{}
	for i, p := range a.Pools {
		own := once(append([]any{a.PoolServiceAccounts[i]}, store.pools[i]...)...)
		if pools[p.Name], err = newPool(ctx, name, a, p, own, rendered.UserData[p.Name], append(needs(p.Name), last), opts...); err != nil {
			return nil, err
		}
	}
	c.ControlPlaneIDs, c.PoolIDs = ids.ToStringMapOutput(), pools.ToStringMapOutput()
	return ids, nil
}
