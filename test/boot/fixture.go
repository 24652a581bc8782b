package boot

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// Fixture is a whole small cluster on AWS: three control planes, a load balancer
// and a pool of workers, with the store, roles and key that it needs. It is what
// this package's tests boot; the rehearsal of an environment takes everything from
// the simulated cloud instead.
type Fixture struct {
	Spec      selfmanaged.Spec
	Rendering selfmanaged.Rendering
	Cloud     *fakecloud.Cloud
	Config    Config
	// PKI are the files of the control plane, by the names of selfmanaged.PKIFiles.
	PKI map[string][]byte
}

// Names and addresses of the fixture.
const (
	fixtureAccount = "123456789012"
	fixtureRegion  = "eu-central-1"
	fixtureStore   = "prod-store"
	fixtureBackups = "prod-snapshots"
	fixtureKey     = "1234abcd-12ab-34cd-56ef-1234567890ab"
	fixturePool    = "general"
	controlRole    = "prod-control-plane"
	poolRole       = "prod-general"
	kubernetesURL  = "https://extensions.flatcar.org/extensions/kubernetes-" + hostconfig.DefaultKubernetesVersion + "-x86-64.raw"
	apiName        = "api.prod.internal"
)

// planeAddress and workerAddress number machines from one.
func planeAddress(number int) string  { return fmt.Sprintf("10.80.0.%d", 10+number) }
func workerAddress(number int) string { return fmt.Sprintf("10.80.0.%d", 130+number) }

// WorkerName is the host name that AWS gives the fixture's machine.
func WorkerName(number int) string {
	return "ip-" + strings.ReplaceAll(workerAddress(number), ".", "-")
}

// NewFixture renders the cluster and fills the cloud. Artifacts is a directory of
// [MakeArtifacts]. Change, if set, edits the specification before it is rendered.
func NewFixture(artifacts Artifacts, change func(*selfmanaged.Spec)) (*Fixture, error) {
	f := &Fixture{PKI: map[string][]byte{}}
	if err := f.makePKI(); err != nil {
		return nil, err
	}
	f.specify(artifacts)
	if change != nil {
		change(&f.Spec)
	}
	var err error
	if f.Rendering, err = f.Spec.Render(time.Now()); err != nil {
		return nil, err
	}
	if err := f.fill(artifacts); err != nil {
		return nil, err
	}
	return f, nil
}

// Rerender renders the cluster anew, stores what changed, and gives later launches
// of r their user data.
func (f *Fixture) Rerender(r *Rehearsal, change func(*selfmanaged.Spec)) error {
	change(&f.Spec)
	var err error
	if f.Rendering, err = f.Spec.Render(time.Now()); err != nil {
		return err
	}
	for _, object := range f.Rendering.Objects {
		if object.Contents != nil {
			f.Cloud.Put(fixtureStore, object.Key, object.Contents)
		}
	}
	for _, rendered := range f.Rendering.ControlPlanes {
		r.machines[rendered.Name].Instance.UserData = rendered.UserData
	}
	return nil
}

func (f *Fixture) makePKI() error {
	for _, name := range []string{"ca", "etcd/ca", "front-proxy-ca"} {
		certificate, key, err := pki.NewAuthority("prod "+name, 5*365*24*time.Hour)
		if err != nil {
			return err
		}
		f.PKI[name+".crt"], f.PKI[name+".key"] = certificate, key
	}
	var err error
	f.PKI["sa.key"], f.PKI["sa.pub"], err = pki.NewServiceAccountKey()
	return err
}

func (f *Fixture) specify(artifacts Artifacts) {
	hashes := map[string]string{}
	for name, contents := range f.PKI {
		hashes[name] = selfmanaged.Hash(contents)
	}
	s := selfmanaged.Spec{
		Cloud: nodeconfig.Cloud{Platform: hostconfig.PlatformAWS, Region: fixtureRegion, Account: fixtureAccount},
		Cluster: hostconfig.Cluster{
			Name: "prod", Endpoint: "https://" + apiName + ":6443", CACertificate: string(f.PKI["ca.crt"]), DNS: []string{"10.82.0.10"},
			PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.128/25"},
			Operators: []string{"10.83.0.0/29"},
		},
		ControlPlaneRole: profile(controlRole),
		LoadBalancer:     selfmanaged.LoadBalancer{CIDRs: []string{"10.80.0.100/32"}},
		Network:          selfmanaged.Network{CNI: selfmanaged.CNIBridge},
		Store:            fixtureStore, PKI: hashes,
		Encryption: selfmanaged.Encryption{Keys: []string{"arn:aws:kms:" + fixtureRegion + ":" + fixtureAccount + ":key/" + fixtureKey}},
		Snapshots:  selfmanaged.Snapshots{Bucket: fixtureBackups},
		Program:    selfmanaged.Program{Hash: artifacts.NodeHash},
		Kubernetes: flatcar.Image{Source: kubernetesURL, Hash: artifacts.ExtensionHash},
		Pools:      []selfmanaged.Pool{{Pool: nodeconfig.Pool{Name: fixturePool, Role: profile(poolRole), Group: poolRole}, PodCIDR: "10.81.131.0/24"}},
	}
	for number := 1; number <= 3; number++ {
		s.ControlPlanes = append(s.ControlPlanes, selfmanaged.ControlPlane{
			Address: planeAddress(number), Device: selfmanaged.EBSDevice(fmt.Sprintf("vol-0aaaaaaaaaaaaaaa%d", number)),
			PodCIDR: fmt.Sprintf("10.81.%d.0/24", number),
		})
	}
	s.Node.Registries.Allowed = []hostconfig.Registry{{Name: "registry.k8s.io"}}
	s.Node.Surroundings.Services = []hostconfig.Service{
		{Name: "cloud", CIDRs: []string{"10.80.0.2/32"}, Reason: "the cloud's endpoints"},
		{Name: "mirrors", CIDRs: []string{"10.80.0.3/32"}, Reason: "images and extensions"},
	}
	f.Spec = s
}

func profile(role string) string {
	return "arn:aws:iam::" + fixtureAccount + ":instance-profile/" + role
}

// statement is one of a policy document of AWS.
type statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string
}

func policy(statements ...statement) string {
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // strings alone
	}
	return string(document)
}

// policyOf gives the policy of a role: what the grants say and nothing else.
func (f *Fixture) policyOf(principal selfmanaged.Principal) []statement {
	var read, write []string
	for _, grant := range f.Spec.Grants() {
		object := "arn:aws:s3:::" + f.Spec.Store + "/" + grant.Key
		if slices.Contains(grant.Readers, principal) {
			read = append(read, object)
		}
		if slices.Contains(grant.Writers, principal) {
			write = append(write, object)
		}
	}
	statements := []statement{{Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: read},
		// Without it a missing object is told as a refusal.
		{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::" + f.Spec.Store}}}
	if len(write) > 0 {
		statements = append(statements, statement{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: write})
	}
	return statements
}

func (f *Fixture) fill(artifacts Artifacts) error {
	cloud, err := fakecloud.New(fakecloud.Options{Provider: fakecloud.AWS, Region: fixtureRegion, Account: fixtureAccount})
	if err != nil {
		return err
	}
	f.Cloud = cloud
	key := "arn:aws:kms:" + fixtureRegion + ":" + fixtureAccount + ":key/" + fixtureKey
	planes := append(f.policyOf(selfmanaged.ControlPlanes),
		statement{Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject"}, Resource: []string{"arn:aws:s3:::" + fixtureBackups + "/*"}},
		statement{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::" + fixtureBackups}},
		statement{Effect: "Allow", Action: []string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"}, Resource: []string{key}},
		statement{Effect: "Allow", Action: []string{"ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances", "autoscaling:CompleteLifecycleAction"}, Resource: []string{"*"}})
	root := map[string]string{"AWS": "arn:aws:iam::" + fixtureAccount + ":root"}
	steps := []func() error{
		func() error {
			return cloud.AddRole(fakecloud.Role{Name: controlRole, Policies: []string{policy(planes...)}})
		},
		func() error {
			return cloud.AddRole(fakecloud.Role{Name: poolRole, Policies: []string{policy(f.policyOf(selfmanaged.PoolPrincipal(fixturePool))...)}})
		},
		func() error {
			return cloud.AddKey(fakecloud.Key{ID: fixtureKey, Policy: policy(statement{Effect: "Allow", Principal: root, Action: []string{"kms:*"}, Resource: []string{"*"}})})
		},
		func() error { return cloud.AddBucket(fakecloud.Bucket{Name: fixtureStore, Versioned: true}) },
		func() error {
			return cloud.AddBucket(fakecloud.Bucket{Name: fixtureBackups, Versioned: true, LockedFor: 24 * time.Hour})
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	for _, object := range f.Rendering.Objects {
		contents := object.Contents
		switch name, found := strings.CutPrefix(object.Key, selfmanaged.PKIPrefix); {
		case found:
			contents = f.PKI[name]
		case object.Key == f.Spec.ProgramKey():
			if contents, err = os.ReadFile(artifacts.Node); err != nil {
				return err
			}
		}
		cloud.Put(fixtureStore, object.Key, contents)
	}
	f.configure(artifacts)
	return nil
}

// configure describes the rehearsal.
func (f *Fixture) configure(artifacts Artifacts) {
	f.Config = Config{
		NodeCIDR: "10.80.0.0/24", Bin: artifacts.Bin, Images: artifacts.Images,
		Internet:     Internet{Address: "10.80.0.3", Registries: []string{"registry.k8s.io"}, Files: map[string]string{kubernetesURL: artifacts.Extension}},
		LoadBalancer: LoadBalancer{Address: "10.80.0.100"},
	}
	f.Config.Cloud = Cloud{Address: "10.80.0.2", Server: f.Cloud, Hosts: map[string]string{apiName: f.Config.LoadBalancer.Address}}
	instance := func(name, role string, data []byte, number int) fakecloud.Instance {
		return fakecloud.Instance{ID: fmt.Sprintf("i-0123456789abcd%d00", number), Name: name, Role: role, Zone: fixtureRegion + "a",
			Tags: map[string]string{nodeconfig.TagCluster: "prod", "Name": name}, UserData: data}
	}
	for i, plane := range f.Spec.WithDefaults().ControlPlanes {
		f.Config.LoadBalancer.Backends = append(f.Config.LoadBalancer.Backends, plane.Address)
		f.Config.Machines = append(f.Config.Machines, Machine{
			Name: plane.Name, Role: hostconfig.RoleControlPlane, Platform: hostconfig.PlatformAWS,
			Address: plane.Address, PodCIDR: plane.PodCIDR, Device: plane.Device,
			Instance: instance(plane.Name, controlRole, f.Rendering.ControlPlanes[i].UserData, i+1),
		})
	}
	worker := instance("worker-1", poolRole, f.Rendering.Pools[0].UserData, 4)
	worker.Group = poolRole
	f.Config.Machines = append(f.Config.Machines, Machine{
		Name: "worker-1", HostName: WorkerName(1) + "." + fixtureRegion + ".compute.internal", Role: hostconfig.RoleWorker, Platform: hostconfig.PlatformAWS,
		Address: workerAddress(1), PodCIDR: f.Spec.Pools[0].PodCIDR, Instance: worker,
	})
}

// Artifacts are files that are made once for many rehearsals.
type Artifacts struct {
	// Bin is the directory of programs, Images that of [MakeImages].
	Bin, Images string
	// Extension is the system extension image, Node the host program, each with
	// its hash.
	Extension, ExtensionHash string
	Node, NodeHash           string
}

// MakeArtifacts makes what is not there yet, in bin/.boot; it is made anew when a
// program of bin changes.
func MakeArtifacts(ctx context.Context, bin string) (Artifacts, error) {
	bin, err := filepath.EvalSymlinks(bin)
	if err != nil {
		return Artifacts{}, err
	}
	if bin, err = filepath.Abs(bin); err != nil { // sockets below it are named in URLs
		return Artifacts{}, err
	}
	cache := filepath.Join(bin, ".boot")
	a := Artifacts{Bin: bin, Images: filepath.Join(cache, "images"), Extension: filepath.Join(cache, "kubernetes.raw"), Node: filepath.Join(bin, "redoubt-node")}
	if err := made(cache, bin, func() error { return a.make(ctx, cache) }); err != nil {
		return a, err
	}
	if a.ExtensionHash, err = hashOf(a.Extension); err != nil {
		return a, err
	}
	a.NodeHash, err = hashOf(a.Node)
	return a, err
}

func (a Artifacts) make(ctx context.Context, cache string) error {
	if _, err := Extension(ctx, a.Bin, "kubernetes-"+hostconfig.DefaultKubernetesVersion+"-x86-64", filepath.Join(cache, "kubernetes.raw")); err != nil {
		return err
	}
	all, err := ReleaseImages(ctx, a.Bin, filepath.Join(a.Bin, ".built/programs/pause"))
	if err != nil {
		return err
	}
	all = append(all, Image{Name: helloImage, Programs: map[string]string{"/hello": filepath.Join(a.Bin, ".built/programs/hello")}, Entrypoint: []string{"/hello"}})
	return MakeImages(ctx, a.Bin, a.Images, all)
}
