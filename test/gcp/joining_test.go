package gcp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	routeToken     = "gcp:compute/route:Route"
	zoneToken      = "gcp:dns/managedZone:ManagedZone"
	recordToken    = "gcp:dns/recordSet:RecordSet"
	keyMemberToken = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
	memberToken    = "gcp:projects/iAMMember:IAMMember"
	accountToken   = "gcp:serviceaccount/account:Account"
)

// needs are the parts of the foundation without which no node joins, by a part of their id, and what is missing then. A
// role of their account they do not need to join: without those of production they only tell nothing of themselves.
var needs = map[string]map[string]string{
	firewallToken: {"-workers-api-out": "lets no node reach the control plane", "-nodes-service-googleapis-out": "at 199.36.153.4/32 on 443/tcp"},
	routeToken:    {"-google": "no route leads from the network to storage.googleapis.com."},
	// A name without a zone leads to Google's public addresses, which the firewall lets nobody reach.
	zoneToken: {"-googleapis-com": "reach storage.googleapis.com. at 142.250.0.0", "-gcr-io": "reach gke.gcr.io. at 142.250.0.0", "-pkg-dev": "-docker.pkg.dev. at 142.250.0.0"},
	recordToken: {"restricted.googleapis.com./A": "is responsible for storage.googleapis.com.", "*.googleapis.com./CNAME": "is responsible for storage.googleapis.com.", "/gcr.io./A": "is responsible for gke.gcr.io.",
		"*.gcr.io./CNAME": "is responsible for gke.gcr.io.", "/pkg.dev./A": "docker.pkg.dev.", "*.pkg.dev./CNAME": "docker.pkg.dev."},
	keyMemberToken: {"-disks/": "useToEncrypt' denied"},
	memberToken:    {},
	accountToken:   {"-nodes@": "-nodes@"},
}

// M07, M18: the nodes of every pool join from a network with no way out with only what the foundation has, and do not
// where one part of it that they need is missing.
func TestEveryPoolJoinsWithoutInternet(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-prod")
	e.mustUp()
	pools := e.Cloud.Objects(poolToken)
	for _, o := range pools {
		pool := another{cloud: e.Cloud, server: e.Cloud.Serve(), like: o}
		defer pool.server.Close()
		if err := pool.configure(); err != nil {
			t.Fatal(err)
		}
		pool.expect(t, o.ID, "")
		for token, parts := range needs {
			missing := map[string]bool{}
			for part := range parts {
				missing[part] = true
			}
			for _, o := range e.Cloud.Objects(token) {
				want := ""
				for part, reason := range parts {
					if strings.Contains(o.ID, part) {
						want = reason
						delete(missing, part)
					}
				}
				pool.without(t, want, o)
			}
			if len(missing) > 0 {
				t.Errorf("no %s %v", token, missing)
			}
		}
		nodes := only(t, e.Cloud, subnetworkToken, "-nodes")
		pool.with(t, nodes, "privateIpGoogleAccess", false, "neither Private Google Access nor a NAT")
		// GKE lets its control plane in to the kubelets by a rule of its own: ours is for networks in which it may make none.
		pool.without(t, "does not let the control plane reach a kubelet", only(t, e.Cloud, firewallToken, "-api-kubelet-in"), only(t, e.Cloud, firewallToken, "/gke-", "-master"))
		pool.with(t, only(t, e.Cloud, recordToken, "/gcr.io./A"), "rrdatas", []any{"203.0.113.1"}, "none of the addresses of Google's APIs")
	}
	if len(pools) != 2 {
		t.Errorf("%d pools", len(pools))
	}
}

// M18: a control plane is refused where GKE may not use the key of secrets, and the machines of its first pool not that
// of disks.
func TestAClusterNeedsItsKeys(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.mustUp()
	c := another{cloud: e.Cloud, server: e.Cloud.Serve(), like: only(t, e.Cloud, clusterToken)}
	defer c.server.Close()
	if err := c.configure(); err != nil {
		t.Fatal(err)
	}
	for _, o := range e.Cloud.Objects(poolToken, clusterToken) {
		if err := e.Cloud.Remove(o); err != nil {
			t.Fatal(err)
		}
	}
	c.expect(t, "with all keys", "")
	for use, agent := range map[string]string{"secrets": "container-engine-robot", "disks": "compute-system"} {
		c.without(t, agent, only(t, e.Cloud, keyMemberToken, "gcp-dev-"+use+"-g1/"))
	}
}

// another makes pools or clusters like one that there is, as the provider does when the engine asks it.
type another struct {
	cloud  *simcloud.Cloud
	server *simcloud.Server
	like   simcloud.Object
}

func (a another) configure() error {
	project := a.like.State.String("project")
	args, err := plugin.MarshalProperties(resource.PropertyMap{"project": resource.NewStringProperty(project), "region": resource.NewStringProperty("europe-west3")}, plugin.MarshalOptions{})
	if err == nil {
		_, err = a.server.Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: args})
	}
	return err
}

// joins makes one and takes it away; it gives why its nodes did not join, "" when they did.
func (a another) joins() string {
	inputs := resource.NewPropertyMapFromMap(a.like.Inputs)
	delete(inputs, "namePrefix")
	inputs["name"] = resource.NewStringProperty("another")
	properties, err := plugin.MarshalProperties(inputs, plugin.MarshalOptions{})
	if err != nil {
		return err.Error()
	}
	before := map[string]bool{}
	for _, o := range a.cloud.Objects() {
		before[o.Key()] = true
	}
	_, err = a.server.Create(context.Background(), &pulumirpc.CreateRequest{Urn: string(resource.NewURN("sim", "simulation", "", tokens.Type(a.like.Type), "another")), Properties: properties})
	for _, o := range a.cloud.Objects() {
		if !before[o.Key()] {
			if err := a.cloud.Remove(o); err != nil {
				return err.Error()
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// expect judges whether nodes join; want is why not, "" when they do.
func (a another) expect(t *testing.T, name, want string) {
	t.Helper()
	switch problem := a.joins(); {
	case want == "" && problem != "":
		t.Errorf("%s: nodes need it: %s", name, problem)
	case want != "" && !strings.Contains(problem, want):
		t.Errorf("%s: nodes join, or fail for another reason: %q, want %q", name, problem, want)
	}
}

// without takes objects away while nodes try.
func (a another) without(t *testing.T, want string, objects ...simcloud.Object) {
	t.Helper()
	var names []string
	for _, o := range objects {
		names = append(names, o.ID)
		if err := a.cloud.Remove(o); err != nil {
			t.Fatal(err)
		}
	}
	a.expect(t, fmt.Sprint("without ", names), want)
	for _, o := range objects {
		a.put(t, o)
	}
}

// with changes a property while nodes try.
func (a another) with(t *testing.T, o simcloud.Object, property string, value any, want string) {
	t.Helper()
	changed := o
	changed.State = o.State.With(property, value)
	a.put(t, changed)
	a.expect(t, o.ID+" with other "+property, want)
	a.put(t, o)
}

func (a another) put(t *testing.T, o simcloud.Object) {
	t.Helper()
	if err := a.cloud.Put(o); err != nil {
		t.Fatal(err)
	}
}
