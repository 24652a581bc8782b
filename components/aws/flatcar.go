package aws

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// FlatcarCluster is a cluster that runs itself: kubeadm on Flatcar machines, whose
// control plane has fixed addresses and volumes of its own behind an internal load
// balancer. Nobody logs into a machine, and no key of an authority is anywhere but
// in the state of the stack and in the control plane's part of the store (M02, M12).
type FlatcarCluster struct {
	pulumi.ResourceState

	// Name is the cluster's, and Endpoint the URL of its API servers inside the
	// network, known once it answers.
	Name     pulumi.StringOutput `pulumi:"name"`
	Endpoint pulumi.StringOutput `pulumi:"endpoint"`
	// CertificateAuthority is what clients verify the API servers by, base64 of PEM.
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	KubernetesVersion    pulumi.StringOutput `pulumi:"kubernetesVersion"`
	// StoreName, SnapshotsName and AuditLogName are the buckets.
	StoreName     pulumi.StringOutput `pulumi:"storeName"`
	SnapshotsName pulumi.StringOutput `pulumi:"snapshotsName"`
	AuditLogName  pulumi.StringOutput `pulumi:"auditLogName"`
	// ControlPlaneIDs are the ids of the machines of the control plane by name, and
	// PoolArns those of the groups of workers by pool.
	ControlPlaneIDs pulumi.StringMapOutput `pulumi:"controlPlaneIds"`
	PoolArns        pulumi.StringMapOutput `pulumi:"poolArns"`
}

// NewFlatcarCluster registers the cluster. The arguments are checked, all at once,
// before anything is registered.
func NewFlatcarCluster(ctx *pulumi.Context, name string, args *FlatcarClusterArgs, opts ...pulumi.ResourceOption) (*FlatcarCluster, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	spec, err := a.spec()
	if err != nil {
		return nil, err
	}
	c := &FlatcarCluster{}
	if err := ctx.RegisterComponentResource(flatcarClusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	child, kept := pulumi.Parent(c), pulumi.Protect(!a.Unprotected)
	store, err := newFlatcarStore(ctx, name, a, child, kept)
	if err != nil {
		return nil, err
	}
	later, err := a.later(ctx, name, child, kept)
	if err != nil {
		return nil, err
	}
	identities, err := newIdentities(ctx, name, a, child)
	if err != nil {
		return nil, err
	}
	later.Devices = devices(identities)
	rendered := parts.Render(spec, later)
	objects, err := newObjects(ctx, name, rendered, store, child)
	if err != nil {
		return nil, err
	}
	if err := c.newNodes(ctx, name, a, identities, rendered, objects, child); err != nil {
		return nil, err
	}
	host, err := newBalancer(ctx, name, a, child)
	if err != nil {
		return nil, err
	}
	c.Name, c.KubernetesVersion = pulumi.String(a.Cluster).ToStringOutput(), pulumi.String(a.KubernetesVersion).ToStringOutput()
	c.Endpoint = host.ApplyT(func(string) string { return spec.Cluster.Endpoint }).(pulumi.StringOutput)
	c.CertificateAuthority = later.PKI.CACertificate.ApplyT(encoded).(pulumi.StringOutput)
	c.StoreName, c.SnapshotsName, c.AuditLogName = store.store.ID, store.snapshots.ID, store.auditLog.ID
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"name": c.Name, "endpoint": c.Endpoint, "certificateAuthority": c.CertificateAuthority, "kubernetesVersion": c.KubernetesVersion,
		"storeName": c.StoreName, "snapshotsName": c.SnapshotsName, "auditLogName": c.AuditLogName, "controlPlaneIds": c.ControlPlaneIDs, "poolArns": c.PoolArns,
	})
}

// later makes what machines are told by resources.
func (a FlatcarClusterArgs) later(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (parts.Later, error) {
	l := parts.Later{Program: a.ProgramFile}
	var err error
	if l.PKI, err = parts.NewPKI(ctx, name, a.Authorities.pki(a.Cluster), opts...); err != nil {
		return l, err
	}
	if !a.localKeys() {
		l.CloudKeys = pulumi.StringArray{a.SecretsKeyArn}
		return l, nil
	}
	l.LocalKeyNames = a.Encryption.Keys
	l.LocalKeys, err = parts.NewEncryptionKeys(ctx, name, a.Encryption.Keys, opts...)
	return l, err
}

// newObjects puts what machines fetch into the store, by key. The key of the
// bucket encrypts each object with its own name, by which the key's policy tells
// who may read it.
func newObjects(ctx *pulumi.Context, name string, rendered parts.Rendered, store *flatcarStore, opts ...pulumi.ResourceOption) (map[string]*s3.BucketObjectv2, error) {
	made := map[string]*s3.BucketObjectv2{}
	for _, o := range rendered.Objects {
		args := &s3.BucketObjectv2Args{
			Bucket: store.store.ID, Key: pulumi.String(o.Key), ServerSideEncryption: pulumi.String("aws:kms"), KmsKeyId: store.keyArn.ToStringPtrOutput(), BucketKeyEnabled: pulumi.Bool(false),
		}
		if o.File != "" {
			args.Source = pulumi.NewFileAsset(o.File)
		} else {
			args.Content = o.Content.ToStringPtrOutput()
		}
		object, err := s3.NewBucketObjectv2(ctx, name+"-"+o.Key, args, opts...)
		if err != nil {
			return nil, err
		}
		made[o.Key] = object
	}
	return made, nil
}

// newNodes registers the machines: those of the control plane, then the pools,
// whose nodes are never newer than the API servers.
func (c *FlatcarCluster) newNodes(ctx *pulumi.Context, name string, a FlatcarClusterArgs, identities []identity, rendered parts.Rendered, objects map[string]*s3.BucketObjectv2, opts ...pulumi.ResourceOption) error {
	needs := func(machine string) []pulumi.Resource {
		var out []pulumi.Resource
		for _, key := range rendered.Needs[machine] {
			out = append(out, objects[key])
		}
		return out
	}
	planes := make([]plannedMachine, len(identities))
	for i, each := range identities {
		planes[i] = plannedMachine{identity: each, userData: rendered.UserData[controlPlaneName(i)], needs: needs(controlPlaneName(i))}
	}
	last, ids, err := newMachines(ctx, name, a, planes, opts...)
	if err != nil {
		return err
	}
	groups := pulumi.StringMap{}
	for _, p := range a.Pools {
		if groups[p.Name], err = newPool(ctx, name, a, p, rendered.UserData[p.Name], append(needs(p.Name), last...), opts...); err != nil {
			return err
		}
	}
	c.ControlPlaneIDs, c.PoolArns = ids.ToStringMapOutput(), groups.ToStringMapOutput()
	return nil
}

func (a FlatcarClusterArgs) localKeys() bool {
	return a.Encryption.Provider == string(hostconfig.EncryptionSecretbox)
}

// spec is what every machine of the cluster is made from, without what resources
// tell it.
func (a FlatcarClusterArgs) spec() (selfmanaged.Spec, error) {
	s := a.Host
	s.Cloud = nodeconfig.Cloud{Platform: hostconfig.PlatformAWS, Region: a.Account.Region, Account: a.Account.ID}
	s.Cluster, s.KubernetesVersion, s.Exceptions = a.clusterOf(), a.KubernetesVersion, a.Exceptions
	s.Kubernetes = flatcar.Image{Source: a.Kubernetes.Source, Hash: a.Kubernetes.Hash, Architecture: flatcarArchitectures[a.architecture()]}
	s.Network.CNI = selfmanaged.CNI(a.CNI)
	s.Store, s.Snapshots.Bucket, s.AuditLog.Bucket = StoreName(a.Account, a.Cluster), SnapshotsName(a.Account, a.Cluster), AuditLogName(a.Account, a.Cluster)
	s.Encryption.Provider = hostconfig.EncryptionProvider(a.Encryption.Provider)
	s.ControlPlaneRole = profileARN(a.Account, a.Cluster, controlPlaneUse)
	// The load balancer and the endpoints stand in the network, at addresses of AWS's choice.
	s.LoadBalancer.CIDRs = []string{a.NetworkCIDR}
	s.Node.Surroundings.Services = append([]hostconfig.Service{{Name: "aws", CIDRs: []string{a.NetworkCIDR}, Reason: "endpoints of AWS: the store, keys, and which machines there are"}}, s.Node.Surroundings.Services...)
	s.ControlPlanes = nil
	for i, address := range a.ControlPlane.Addresses {
		s.ControlPlanes = append(s.ControlPlanes, selfmanaged.ControlPlane{Name: controlPlaneName(i), Address: address})
	}
	s.Pools = nil
	for _, p := range a.Pools {
		pool := selfmanaged.Pool{
			Pool:   nodeconfig.Pool{Name: p.Name, Role: profileARN(a.Account, a.Cluster, poolUse(p.Name)), Group: poolGroup(a.Cluster, p.Name)},
			Labels: p.Labels, Taints: p.Taints, RuntimeClasses: p.RuntimeClasses, Extensions: p.Extensions,
		}
		if p.Isolation != "" {
			pool.Taints = append([]string{isolationKey + "=" + p.Isolation + ":NoSchedule"}, pool.Taints...)
		}
		s.Pools = append(s.Pools, pool)
	}
	program, err := parts.ReadProgram(a.ProgramFile)
	s.Program = program
	return s, err
}

// checkHost reports what machines refuse, below "host".
func (a FlatcarClusterArgs) checkHost(now time.Time) error {
	spec, err := a.spec()
	if err != nil {
		return &hostconfig.FieldError{Field: "programFile", Problem: err.Error(), Remedy: "build it with make node-program"}
	}
	example := a.Account.arn("kms", "key/00000000-0000-0000-0000-000000000000")
	return hostconfig.Within("host", parts.Check(spec, selfmanaged.EBSDevice("vol-0000000000000000"), example, a.localKeys(), now))
}

func (a FlatcarClusterArgs) architecture() string {
	architecture, _ := architectureOf(a.ControlPlane.InstanceType)
	return architecture
}

// flatcarArchitectures are the architectures as Flatcar's images name them.
var flatcarArchitectures = map[string]string{ArchitectureX86: flatcar.ArchitectureX86, ArchitectureARM: flatcar.ArchitectureARM}
