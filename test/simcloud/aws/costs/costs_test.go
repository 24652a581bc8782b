package costs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

func of(kind string, state simcloud.Values) simcloud.Object {
	return simcloud.Object{Scope: "us-east-1", Type: kind, ID: kind, State: state}
}

// account is a bit of everything.
func account() []simcloud.Object {
	endpoint := func(kind string, zones ...any) simcloud.Object {
		return of("aws:ec2/vpcEndpoint:VpcEndpoint", simcloud.Values{"vpcEndpointType": kind, "subnetIds": zones})
	}
	group := func(low, wanted int, capacity string, types ...any) simcloud.Object {
		return of("aws:eks/nodeGroup:NodeGroup", simcloud.Values{"scalingConfig": map[string]any{"minSize": float64(low), "desiredSize": float64(wanted)},
			"instanceTypes": types, "capacityType": capacity, "launchTemplate": map[string]any{"id": "lt"}})
	}
	template := of("aws:ec2/launchTemplate:LaunchTemplate", simcloud.Values{"blockDeviceMappings": []any{
		map[string]any{"ebs": map[string]any{"volumeType": "gp3", "volumeSize": 4.0}}, map[string]any{"ebs": map[string]any{"volumeType": "gp3", "volumeSize": 46.0}},
		map[string]any{"ebs": map[string]any{"volumeType": "io2", "volumeSize": 1000.0}}}})
	template.ID = "lt"
	elsewhere := of("aws:ec2/natGateway:NatGateway", nil)
	elsewhere.Scope = "eu-west-1"
	everywhere := of("aws:iam/role:Role", nil)
	everywhere.Scope = ""
	return []simcloud.Object{
		endpoint("Gateway"), endpoint("Interface", "a", "b", "c"), endpoint("Interface", "a", "b", "c"), endpoint("GatewayLoadBalancer", "a"),
		of("aws:ec2/natGateway:NatGateway", nil), elsewhere, everywhere, of("aws:ec2/eip:Eip", nil), of("aws:eks/cluster:Cluster", nil),
		of("aws:kms/key:Key", nil), of("aws:kms/key:Key", nil),
		of("aws:ec2clientvpn/networkAssociation:NetworkAssociation", nil), of("aws:cloudwatch/metricAlarm:MetricAlarm", nil),
		group(2, 0, "ON_DEMAND", "m6i.xlarge", "m5.xlarge"), group(1, 3, "SPOT", "m5.large"), group(1, 1, "ON_DEMAND", "x9.large"), template,
		of("aws:ec2/flowLog:FlowLog", nil), of("aws:ec2/flowLog:FlowLog", nil), of("aws:cloudtrail/trail:Trail", nil),
	}
}

func TestWhatCostsIsCounted(t *testing.T) {
	t.Parallel()
	e := Of("us-east-1", account())
	var got []string
	for _, l := range e.Lines {
		got = append(got, fmt.Sprintf("%d %s: %.2f %t", l.Count, l.Thing, l.Monthly(), l.Known))
	}
	want := []string{
		"2 node m6i.xlarge: 280.32 true", // 2 × 2 × 0.096 × 730
		"1 Client VPN association of a zone: 73.00 true",
		"1 EKS control plane: 73.00 true",
		"6 interface endpoint in a zone: 43.80 true",
		"1 NAT gateway: 32.85 true", // and not the one of another region
		"300 GiB of gp3 disk: 24.00 true",
		"1 public IPv4 address: 3.65 true",
		"2 KMS key, before rotations: 2.00 true",
		"1 CloudWatch alarm: 0.10 true",
		"1 gateway load balancer endpoint in a zone: 0.00 false",
		"3 node m5.large (spot): 0.00 false",
		"1 node x9.large: 0.00 false",
	}

	if !slices.Equal(got, want) {
		t.Errorf("counted\n%s", strings.Join(got, "\n"))
	}
	if sum, whole := e.Monthly(); whole || fmt.Sprintf("%.2f", sum) != "532.72" {
		t.Errorf("%.2f a month, whole: %t", sum, whole)
	}
	var named []string
	for _, v := range e.Volumes {
		named = append(named, fmt.Sprintf("%d %s", v.Count, v.Thing))
	}
	if want := []string{"1 NAT gateway", "4 endpoint", "2 flow log", "1 CloudTrail trail", "2 KMS key", "3 node group"}; !slices.Equal(named, want) {
		t.Errorf("volumes %q", named)
	}
}

func TestTablesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	e := Of("us-east-1", account())
	var b strings.Builder
	if err := e.Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"Estimate for us-east-1: list prices of " + PricesAsOf, "  44  ", "interface endpoint in a zone (0.01 per hour)", "about 533 a month and what has no price here",
		"no price here", "2 × flow log: each GB"} {
		if !strings.Contains(b.String(), words) {
			t.Errorf("%q is not in\n%s", words, &b)
		}
	}
	if empty := Of("us-east-1", nil); len(empty.Lines)+len(empty.Volumes) > 0 {
		t.Errorf("nothing costs %v", empty)
	}
}

// A price that is wrong by a power of ten would be seen here; every price has a page, and no region is half priced.
func TestPricesAreWhole(t *testing.T) {
	t.Parallel()
	for thing, r := range rates {
		if !strings.HasPrefix(r.source, "https://aws.amazon.com/") || r.per != Hour && r.per != Month {
			t.Errorf("%s: %v", thing, r)
		}
		for region, p := range r.prices {
			if most := map[string]float64{Hour: 0.2, Month: 2}[r.per]; p <= 0 || p > most {
				t.Errorf("%s in %q: %g per %s", thing, region, p, r.per)
			}
		}
		if _, everywhere := r.prices[""]; !everywhere && len(r.prices) > 0 && len(r.prices) != len(machines) {
			t.Errorf("%s has a price in %d regions of %d", thing, len(r.prices), len(machines))
		}
	}
	if e := Of("eu-north-1", []simcloud.Object{{Scope: "eu-north-1", Type: "aws:ec2/natGateway:NatGateway"}}); e.Lines[0].Known || e.Lines[0].Monthly() != 0 {
		t.Errorf("a region without prices: %v", e.Lines)
	}
}
