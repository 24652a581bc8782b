package gcp

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarCluster is a cluster that runs itself: control planes of fixed names,
// addresses and disks on Flatcar, behind an internal load balancer, and pools of
// workers (M02, M12). Nobody logs into any of them; a machine fetches what it is
// from the cluster's store, with an account that reads its own part alone.
type FlatcarCluster struct {
	pulumi.ResourceState

	// Endpoint and CertificateAuthority (base64) are known once all control planes
	// are there. The API answers some minutes later.
	Endpoint             pulumi.StringOutput `pulumi:"endpoint"`
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	KubernetesVersion    pulumi.StringOutput `pulumi:"kubernetesVersion"`
	// ControlPlaneIDs are the numbers of the machines, by name; PoolIDs those of the
	// groups, by the pool's name.
	ControlPlaneIDs pulumi.StringMapOutput `pulumi:"controlPlaneIds"`
	PoolIDs         pulumi.StringMapOutput `pulumi:"poolIds"`
	// StoreName and SnapshotsName are the buckets.
	StoreName     pulumi.StringOutput `pulumi:"storeName"`
	SnapshotsName pulumi.StringOutput `pulumi:"snapshotsName"`
}

// NewFlatcarCluster registers the cluster. The arguments are checked, all at once,
// before anything is registered.
func NewFlatcarCluster(ctx *pulumi.Context, name string, args *FlatcarClusterArgs, opts ...pulumi.ResourceOption) (*FlatcarCluster, error) {
	a, now := args.withDefaults(), time.Now()
	if err := args.Validate(now); err != nil {
		return nil, err
	}
	program, err := parts.ReadProgram(a.ProgramFile)
	if err != nil {
		return nil, err
	}
	balancerAddress, addresses, err := ControlPlaneAddresses(a.ControlPlaneCIDR, a.ControlPlane.Machines)
	if err != nil {
		return nil, err
	}
	c := &FlatcarCluster{}
	if err := ctx.RegisterComponentResource(flatcarClusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(c)
	plan, err := a.spec(made{program: program, hashes: map[string]string{}})
	if err != nil {
		return nil, err
	}
	store, err := newStore(ctx, name, a, plan.Grants(), parent)
	if err != nil {
		return nil, err
	}
	rendered, err := a.render(ctx, name, program, now, parent)
	if err != nil {
		return nil, err
	}
	objects, err := store.fill(ctx, name, a, plan, rendered, parent)
	if err != nil {
		return nil, err
	}
	b, err := newBalancer(ctx, name, a, balancerAddress, parent)
	if err != nil {
		return nil, err
	}
	identities, err := newIdentities(ctx, name, a, addresses, b.subnetwork, parent)
	if err != nil {
		return nil, err
	}
	var userData []pulumi.StringOutput
	for i := range identities {
		userData = append(userData, rendered.userData(a.controlPlaneName(i)))
	}
	// Routes, names and what the account may do: without them a machine does not get
	// through its boot.
	account := once(append([]any{a.ControlPlaneServiceAccount, a.SubnetworkID, a.SecretsKeyID}, store.controlPlane...)...)
	standing, ids, err := newMachines(ctx, name, a, b, identities, account, userData, objects, parent)
	if err != nil {
		return nil, err
	}
	pools := pulumi.StringMap{}
	for i, p := range a.Pools {
		own := once(append([]any{a.PoolServiceAccounts[i]}, store.pools[i]...)...)
		// Kubelets are never newer than the API servers that they talk to.
		if pools[p.Name], err = newPool(ctx, name, a, p, own, rendered.userData(p.Name), standing, parent); err != nil {
			return nil, err
		}
	}
	c.ControlPlaneIDs, c.PoolIDs = ids.ToStringMapOutput(), pools.ToStringMapOutput()
	there := []any{text(endpointOf(balancerAddress))}
	for _, id := range sorted(ids) {
		there = append(there, ids[id])
	}
	for _, each := range b.ready {
		there = append(there, each.(pulumi.CustomResource).ID())
	}
	c.Endpoint = once(there...)
	c.CertificateAuthority = rendered.authority.ApplyT(func(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }).(pulumi.StringOutput)
	c.KubernetesVersion, c.StoreName, c.SnapshotsName = once(append([]any{text(a.KubernetesVersion)}, there...)...), store.name, store.snapshots
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"endpoint": c.Endpoint, "certificateAuthority": c.CertificateAuthority, "kubernetesVersion": c.KubernetesVersion, "controlPlaneIds": c.ControlPlaneIDs,
		"poolIds": c.PoolIDs, "storeName": c.StoreName, "snapshotsName": c.SnapshotsName,
	})
}

// rendering is what machines are told, and the files that only control planes
// read.
type rendering struct {
	authority pulumi.StringOutput
	files     map[string]pulumi.StringOutput
	// texts are objects by their keys, and user data by the name of its machine.
	texts pulumi.MapOutput
}

// render makes the authorities and from them, as soon as they are there, what
// machines are told.
func (a FlatcarClusterArgs) render(ctx *pulumi.Context, name string, program selfmanaged.Program, now time.Time, opts ...pulumi.ResourceOption) (*rendering, error) {
	pki, err := parts.NewPKI(ctx, name, a.Authorities.pki(a.Cluster), opts...)
	if err != nil {
		return nil, err
	}
	r := &rendering{authority: pulumi.Unsecret(pki.CACertificate).(pulumi.StringOutput), files: map[string]pulumi.StringOutput{}}
	for file, contents := range pki.Files {
		if slices.Contains(selfmanaged.PKIFiles(), file) {
			r.files[file] = contents
		}
	}
	if a.Encryption.Provider == string(hostconfig.EncryptionSecretbox) {
		secrets, err := parts.NewEncryptionKeys(ctx, name, a.Encryption.Keys, opts...)
		if err != nil {
			return nil, err
		}
		names := a.Encryption.Keys
		r.files[selfmanaged.EncryptionFile] = secrets.ApplyT(func(secrets []string) (string, error) {
			return hostconfig.Encryption{Keys: parts.EncryptionKeys(names, secrets)}.Configuration()
		}).(pulumi.StringOutput)
	}
	names := sorted(r.files)
	inputs := []any{r.authority, a.SecretsKeyID}
	for _, file := range names {
		inputs = append(inputs, r.files[file])
	}
	r.texts = pulumi.All(inputs...).ApplyT(func(values []any) (map[string]any, error) {
		m := made{authority: values[0].(string), secrets: values[1].(string), hashes: map[string]string{}, program: program}
		for i, file := range names {
			m.hashes[file] = selfmanaged.Hash([]byte(values[i+2].(string)))
		}
		s, err := a.spec(m)
		if err != nil {
			return nil, err
		}
		machines, err := s.Render(now)
		if err != nil {
			return nil, err
		}
		out := map[string]any{}
		for _, machine := range slices.Concat(machines.ControlPlanes, machines.Pools) {
			out[machine.Key], out[machine.Name] = string(machine.Ignition), string(machine.UserData)
		}
		return out, nil
	}).(pulumi.MapOutput)
	return r, nil
}

// text is one of what was rendered. It holds hashes of secrets and no secret.
func (r *rendering) text(of string) pulumi.StringOutput {
	return pulumi.Unsecret(r.texts.ApplyT(func(texts map[string]any) string { found, _ := texts[of].(string); return found })).(pulumi.StringOutput)
}

// userData is what a cloud hands to a machine.
func (r *rendering) userData(machine string) pulumi.StringOutput { return r.text(machine) }
