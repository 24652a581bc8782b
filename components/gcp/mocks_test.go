package gcp

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

var (
	testProject = Project{ID: "shop-prod", Number: "123456789012", Region: "europe-west3"}
	testKey     = pulumi.String("projects/shop-prod/locations/europe-west3/keyRings/prod/cryptoKeys/prod-disks")
	testNodes   = pulumi.String("prod-nodes@shop-prod.iam.gserviceaccount.com")
)

// fill adds what other resources read.
func fill(token, name string, state resource.PropertyMap) {
	set := func(key, value string) { state[resource.PropertyKey(key)] = resource.NewStringProperty(value) }
	switch token {
	case "gcp:serviceaccount/account:Account":
		email := state["accountId"].StringValue() + "@" + testProject.ID + ".iam.gserviceaccount.com"
		set("email", email)
		set("member", "serviceAccount:"+email)
	case "gcp:container/cluster:Cluster":
		set("endpoint", "10.0.64.2")
		state["masterAuth"] = resource.NewPropertyValue(map[string]any{"clusterCaCertificate": "LS0t", "clientCertificateConfig": map[string]any{"issueClientCertificate": false}})
	case "gcp:container/nodePool:NodePool":
		set("name", state["namePrefix"].StringValue()+"1")
	case "gcp:logging/projectSink:ProjectSink":
		set("writerIdentity", "serviceAccount:"+name+"@gcp-sa-logging.iam.gserviceaccount.com")
	case "gcp:compute/address:Address":
		set("address", "10.0.64.20")
	}
}

func run(t *testing.T, program func(ctx *pulumi.Context) error) *mocks.Cloud {
	t.Helper()
	return (&mocks.Cloud{Fill: fill}).Run(t, program)
}

// excepted is an exception that holds for a month.
func excepted(controls ...string) []hostconfig.Exception {
	var all []hostconfig.Exception
	for _, control := range controls {
		all = append(all, hostconfig.Exception{Control: control, Reason: "the test says that it may be", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)})
	}
	return all
}
