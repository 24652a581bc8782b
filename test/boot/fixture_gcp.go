package boot

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

const (
	gcpProject = "acme-prod"
	gcpRegion  = "europe-west3"
	gcpKey     = "prod/secrets"
	gcpKeyName = "projects/" + gcpProject + "/locations/" + gcpRegion + "/keyRings/prod/cryptoKeys/secrets"
	// gcpAPIs is one of the addresses of restricted.googleapis.com, to which the
	// network's DNS leads all names of Google's APIs.
	gcpAPIs = "199.36.153.4"
)

// gcpSite is the fixture on Google Cloud: an internal passthrough load balancer,
// whose address is the endpoint; Google's APIs at the restricted address; control
// planes that stand in zones of their own; names as gcp.FlatcarCluster gives them.
var gcpSite = site{
	options: fakecloud.Options{Provider: fakecloud.GCP, Region: gcpRegion, Account: gcpProject},
	specify: func(s *selfmanaged.Spec) {
		s.Cloud.Region, s.Cloud.Project = gcpRegion, gcpProject
		s.Cloud.Zones = []string{gcpZone(1), gcpZone(2), gcpZone(3)}
		s.Cluster.Endpoint = "https://" + balancerAddress + ":6443"
		s.LoadBalancer.Passthrough = balancerAddress
		s.ControlPlaneRole, s.Pools[0].Role = gcpAccount(controlRole), gcpAccount(poolRole)
		s.Encryption.Keys = []string{gcpKeyName}
		for i := range s.ControlPlanes {
			s.ControlPlanes[i].Name = fmt.Sprintf("prod-control-plane-%d", i+1)
			s.ControlPlanes[i].Device = selfmanaged.PersistentDiskDevice("etcd")
		}
		s.Node.Surroundings.Services = append(s.Node.Surroundings.Services, hostconfig.RestrictedGoogleAPIs())
	},
	rights: gcpRights,
	instance: func(number int, i *fakecloud.Instance) {
		i.ID, i.Zone = fmt.Sprintf("712345678901234%d00", number), gcpZone(number)
		i.Tags = map[string]string{nodeconfig.LabelCluster: "prod"}
		if i.Group != "" {
			i.Name = gcpWorker
		}
	},
	hostName: func(number int, name string) string {
		if number > 3 {
			name = gcpWorker
		}
		return name + "." + gcpZone(number) + ".c." + gcpProject + ".internal"
	},
	balancer: LoadBalancer{Address: balancerAddress, Passthrough: true},
	cloud:    Cloud{Address: cloudAddress, APIs: gcpAPIs},
}

// gcpWorker is a name as a managed instance group gives it.
const gcpWorker = poolRole + "-x7k2"

func gcpZone(number int) string { return gcpRegion + "-" + string(rune('a'+(number-1)%3)) }

func gcpAccount(role string) string { return role + "@" + gcpProject + ".iam.gserviceaccount.com" }

// gcpRights binds the roles as gcp.FlatcarCluster and gcp.FlatcarRoles do: on the
// buckets and the key alone, with conditions that name the objects.
func gcpRights(f *Fixture) error {
	c := f.Cloud
	bucket := "projects/_/buckets/" + fixtureStore
	condition := func(keys []string) string {
		var terms []string
		for _, key := range keys {
			terms = append(terms, fmt.Sprintf("resource.name == %q", bucket+"/objects/"+key))
		}
		return strings.Join(terms, " || ")
	}
	var grants []fakecloud.Grant
	for role, principal := range map[string]selfmanaged.Principal{controlRole: selfmanaged.ControlPlanes, poolRole: selfmanaged.PoolPrincipal(fixturePool)} {
		read, write := f.granted(principal)
		grants = append(grants, fakecloud.Grant{Role: "roles/storage.objectViewer", Members: []string{role}, Condition: condition(read)})
		if len(write) > 0 {
			grants = append(grants, fakecloud.Grant{Role: "roles/storage.objectUser", Members: []string{role}, Condition: condition(write)})
		}
	}
	planes := []string{controlRole}
	// Without it a missing object is told as a refusal.
	grants = append(grants, fakecloud.Grant{Role: "roles/storage.objectViewer", Members: planes, Condition: fmt.Sprintf("resource.name == %q", bucket)})
	return firstError(
		func() error {
			return c.AddRole(fakecloud.Role{Name: controlRole, Grants: []fakecloud.Grant{{Permissions: []string{"compute.instances.get", "compute.instances.list"}},
				{Permissions: []string{"compute.instances.delete"}, Condition: fmt.Sprintf(`resource.type == "compute.googleapis.com/Instance" && resource.name.extract("/instances/{name}").startsWith(%q)`, poolRole+"-")}}})
		},
		func() error { return c.AddRole(fakecloud.Role{Name: poolRole}) },
		func() error {
			return c.AddKey(fakecloud.Key{ID: gcpKey, Grants: []fakecloud.Grant{{Role: "roles/cloudkms.cryptoKeyEncrypterDecrypter", Members: planes}}})
		},
		func() error {
			return c.AddBucket(fakecloud.Bucket{Name: fixtureStore, Versioned: true, Grants: grants})
		},
		func() error {
			return c.AddBucket(fakecloud.Bucket{Name: fixtureBackups, LockedFor: 24 * time.Hour, Grants: []fakecloud.Grant{
				{Role: "roles/storage.objectViewer", Members: planes}, {Role: "roles/storage.objectCreator", Members: planes}}})
		},
		func() error {
			const of = "projects/_/buckets/" + fixtureAudit
			return c.AddBucket(fakecloud.Bucket{Name: fixtureAudit, LockedFor: 24 * time.Hour, Grants: []fakecloud.Grant{
				{Role: "roles/storage.objectViewer", Members: planes, Condition: fmt.Sprintf("resource.name == %q", of)},
				{Role: "roles/storage.objectCreator", Members: planes, Condition: fmt.Sprintf("resource.name.startsWith(%q)", of+"/objects/"+nodeconfig.AuditLogPrefix)}}})
		},
	)
}
