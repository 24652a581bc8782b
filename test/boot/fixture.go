package boot

import (
	"fmt"
	"os"
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

// Fixture is a whole small cluster: three control planes, a load balancer and a
// pool of workers, with the store, roles and key that it needs. It is what this
// package's tests boot; the rehearsal of an environment takes everything from the
// simulated cloud instead.
type Fixture struct {
	Spec      selfmanaged.Spec
	Rendering selfmanaged.Rendering
	Cloud     *fakecloud.Cloud
	Config    Config
	// PKI are the files of the control plane, by the names of selfmanaged.PKIFiles.
	PKI map[string][]byte
}

// Names and addresses that are the same on every cloud.
const (
	fixtureStore   = "prod-store"
	fixtureBackups = "prod-snapshots"
	fixtureAudit   = "prod-apilog"
	fixturePool    = "general"
	controlRole    = "prod-control-plane"
	poolRole       = "prod-general"
	kubernetesURL  = "https://extensions.flatcar.org/extensions/kubernetes-" + hostconfig.DefaultKubernetesVersion + "-x86-64.raw"

	cloudAddress    = "10.80.0.2"
	mirrorAddress   = "10.80.0.3"
	balancerAddress = "10.80.0.100"
)

// planeAddress and workerAddress number machines from one.
func planeAddress(number int) string  { return fmt.Sprintf("10.80.0.%d", 10+number) }
func workerAddress(number int) string { return fmt.Sprintf("10.80.0.%d", 130+number) }

// site is what differs between the clouds of the fixture.
type site struct {
	options fakecloud.Options
	// specify adds what the cloud decides to a specification that has the rest.
	specify func(*selfmanaged.Spec)
	// rights adds the roles, the key and the empty buckets.
	rights func(*Fixture) error
	// instance completes what the cloud says of the number-th machine.
	instance func(number int, i *fakecloud.Instance)
	// hostName is the name that the cloud tells the number-th machine, which is
	// called name in the specification or the pool.
	hostName func(number int, name string) string
	balancer LoadBalancer
	// cloud has the addresses of the APIs and the names that DNS knows besides.
	cloud Cloud
}

var sites = map[hostconfig.Platform]site{hostconfig.PlatformAWS: awsSite, hostconfig.PlatformGCP: gcpSite}

// NewFixture renders the cluster on a platform and fills the cloud. Artifacts are
// those of [MakeArtifacts]. Change, if set, edits the specification before it is
// rendered.
func NewFixture(platform hostconfig.Platform, artifacts Artifacts, change func(*selfmanaged.Spec)) (*Fixture, error) {
	s, known := sites[platform]
	if !known {
		return nil, fmt.Errorf("there is no fixture for the platform %q", platform)
	}
	f := &Fixture{PKI: map[string][]byte{}}
	if err := f.makePKI(); err != nil {
		return nil, err
	}
	f.specify(artifacts)
	f.Spec.Cloud.Platform = platform
	s.specify(&f.Spec)
	if change != nil {
		change(&f.Spec)
	}
	var err error
	if f.Rendering, err = f.Spec.Render(time.Now()); err != nil {
		return nil, err
	}
	if f.Cloud, err = fakecloud.New(s.options); err != nil {
		return nil, err
	}
	if err := s.rights(f); err != nil {
		return nil, err
	}
	if err := f.fill(artifacts); err != nil {
		return nil, err
	}
	f.configure(s, artifacts)
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

// specify writes what no cloud decides.
func (f *Fixture) specify(artifacts Artifacts) {
	hashes := map[string]string{}
	for name, contents := range f.PKI {
		hashes[name] = selfmanaged.Hash(contents)
	}
	s := selfmanaged.Spec{
		Cluster: hostconfig.Cluster{
			Name: "prod", CACertificate: string(f.PKI["ca.crt"]), DNS: []string{"10.82.0.10"},
			PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.128/25"},
			Operators: []string{"10.83.0.0/29"},
		},
		Network: selfmanaged.Network{CNI: selfmanaged.CNIBridge},
		Store:   fixtureStore, PKI: hashes,
		Snapshots:  selfmanaged.Snapshots{Bucket: fixtureBackups},
		AuditLog:   selfmanaged.AuditLog{Bucket: fixtureAudit},
		Program:    selfmanaged.Program{Hash: artifacts.NodeHash},
		Kubernetes: flatcar.Image{Source: kubernetesURL, Hash: artifacts.ExtensionHash},
		Pools:      []selfmanaged.Pool{{Pool: nodeconfig.Pool{Name: fixturePool, Group: poolRole}, PodCIDR: "10.81.131.0/24"}},
	}
	for number := 1; number <= 3; number++ {
		s.ControlPlanes = append(s.ControlPlanes, selfmanaged.ControlPlane{Address: planeAddress(number), PodCIDR: fmt.Sprintf("10.81.%d.0/24", number)})
	}
	s.Node.Registries.Allowed = []hostconfig.Registry{{Name: "registry.k8s.io"}}
	s.Node.Surroundings.Services = []hostconfig.Service{
		{Name: "mirrors", CIDRs: []string{mirrorAddress + "/32"}, Reason: "images and extensions"},
	}
	f.Spec = s
}

// granted gives the keys of the store that a principal reads and writes.
func (f *Fixture) granted(principal selfmanaged.Principal) (read, write []string) {
	for _, grant := range f.Spec.Grants() {
		if slices.Contains(grant.Readers, principal) {
			read = append(read, grant.Key)
		}
		if slices.Contains(grant.Writers, principal) {
			write = append(write, grant.Key)
		}
	}
	return read, write
}

// fill puts what the provisioner writes into the store.
func (f *Fixture) fill(artifacts Artifacts) error {
	for _, object := range f.Rendering.Objects {
		contents := object.Contents
		switch name, found := strings.CutPrefix(object.Key, selfmanaged.PKIPrefix); {
		case found:
			contents = f.PKI[name]
		case object.Key == f.Spec.ProgramKey():
			var err error
			if contents, err = os.ReadFile(artifacts.Node); err != nil {
				return err
			}
		}
		f.Cloud.Put(fixtureStore, object.Key, contents)
	}
	return nil
}

// configure describes the rehearsal.
func (f *Fixture) configure(s site, artifacts Artifacts) {
	f.Config = Config{
		NodeCIDR: "10.80.0.0/24", Bin: artifacts.Bin, Images: artifacts.Images,
		Internet:     Internet{Address: mirrorAddress, Registries: []string{"registry.k8s.io"}, Files: map[string]string{kubernetesURL: artifacts.Extension}},
		LoadBalancer: s.balancer, Cloud: s.cloud,
	}
	f.Config.Cloud.Server = f.Cloud
	add := func(number int, m Machine, role, group string, data []byte) {
		m.Platform = f.Spec.Cloud.Platform
		m.HostName = s.hostName(number, m.Name)
		m.Instance = fakecloud.Instance{Name: m.Name, Role: role, Group: group, UserData: data}
		s.instance(number, &m.Instance)
		f.Config.Machines = append(f.Config.Machines, m)
	}
	for i, plane := range f.Spec.WithDefaults().ControlPlanes {
		f.Config.LoadBalancer.Backends = append(f.Config.LoadBalancer.Backends, plane.Address)
		add(i+1, Machine{Name: plane.Name, Role: hostconfig.RoleControlPlane, Address: plane.Address, PodCIDR: plane.PodCIDR, Device: plane.Device},
			controlRole, "", f.Rendering.ControlPlanes[i].UserData)
	}
	add(4, Machine{Name: "worker-1", Role: hostconfig.RoleWorker, Address: workerAddress(1), PodCIDR: f.Spec.Pools[0].PodCIDR},
		poolRole, poolRole, f.Rendering.Pools[0].UserData)
}
