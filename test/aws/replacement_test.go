package aws_test

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	stacks "github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// renewed are resources that a change of settings may delete or make anew: none holds data, and nothing stands on
// what goes. Everything else is kept.
var renewed = []struct{ kind, name, why string }{
	{"aws:eks/nodeGroup:NodeGroup", "*", "nodes roll: the new group comes first"},
	{"aws:ec2/launchTemplate:LaunchTemplate", "*", "a pool that is left out, or has another name"},
	{"aws:vpc/securityGroup*Rule:SecurityGroup*Rule", "*", "a flow that is allowed no more"},
	{"aws:eks/addon:Addon", "*-aws-guardduty-agent", "a use that is left out"},
	{"aws:ec2/vpcEndpoint:VpcEndpoint", "*", "a use that is left out; see kept"},
	{"aws:eks/access*:Access*", "*", "who may no longer come in, or as somebody else"},
	{"aws:ecr/*:*CacheRule", "*", "a cache; its repositories stay"}, {"aws:ecr/*:*CreationTemplate", "*", "of a cache"},
	{"aws:ec2clientvpn/networkAssociation:NetworkAssociation", "*", "a zone of the VPN"},
	{"aws:ec2clientvpn/authorizationRule:AuthorizationRule", "*", "who may connect"},
	{"aws:cloudwatch/logMetricFilter:LogMetricFilter", "*", "an alarm; another choice needs an exception"}, {"aws:cloudwatch/metricAlarm:MetricAlarm", "*", "an alarm"},
	{"aws:cloudwatch/event*:Event*", "*", "an alarm"}, {"aws:sns/*:*", "*", "who hears of alarms"}, {"aws:guardduty/*:*", "*", "threat detection; findings have been sent on"},
	{"aws:ssm/document:Document", "*", "where sessions are logged"},
	{"aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "*", "a way to the archive, in which everything stays; needs an exception"},
	{"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "*", "a way to the archive"}, {"aws:iam/role*:Role*", "*-stream*", "a way to the archive"},
	{"aws:ec2/route:Route", "*", "a way out"}, {"aws:ec2/natGateway:NatGateway", "*", "a way out"}, {"aws:ec2/eip:Eip", "*", "a way out"},
	{"aws:ec2/internetGateway:InternetGateway", "*", "a way out"}, {"aws:ec2/routeTable*:RouteTable*", "*-edge-*", "a way out"},
	{"aws:ec2/subnet:Subnet", "*-edge-*", "a way out: nothing but NAT stands there"},
}

// leaves are the settings of a struct, by their path; [0] stands for any entry of a list.
func leaves(t reflect.Type, at string) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		name = strings.TrimPrefix(at+"."+name, ".")
		of := t.Field(i).Type
		if of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct && of.Elem() != reflect.TypeFor[hostconfig.Exception]() {
			of, name = of.Elem(), name+"[0]"
		}
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		// What the operating system is told comes as one text, of whichever of its settings.
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[bottlerocket.Spec]() {
			out = append(out, leaves(of, name)...)
		} else {
			out = append(out, name)
		}
	}
	return out
}

// M35, M43: for every setting there is. What would delete or make anew something that holds data is refused before
// anything happens, naming the setting; and nothing is refused that would not.
func TestSettingsThatReplaceAreRefused(t *testing.T) {
	t.Parallel()
	all := leaves(reflect.TypeFor[stacks.Environment](), "")
	for _, leaf := range all {
		if s, there := secondValues[leaf]; !there || s.to == nil && s.elsewhere == "" {
			t.Errorf("%s: write a second value", leaf)
		}
	}
	if len(secondValues) != len(all) {
		t.Errorf("%d values for %d settings", len(secondValues), len(all))
	}
	base := prepare(t, "aws-prod").edited(t, everySetting)
	if _, err := simaws.Existing(base.Cloud, fmt.Sprint(everySetting, secondValues)); err != nil {
		t.Fatal(err)
	}
	made := base.mustUp()
	for i := range 3 { // a firewall that exists
		err := base.Cloud.Put(simcloud.Object{Scope: region, Type: endpointToken, ID: fmt.Sprintf("vpce-0123456789abcdef%d", i),
			State: simcloud.Values{"vpcId": made.Output("vpcId"), "vpcEndpointType": "GatewayLoadBalancer"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, theirs := range []simcloud.Object{ // a trail and a topic that exist
		{Type: "aws:cloudwatch/logGroup:LogGroup", ID: "/aws/cloudtrail/organization", State: simcloud.Values{"name": "/aws/cloudtrail/organization"}},
		{Type: "aws:sns/topic:Topic", ID: "arn:aws:sns:eu-central-1:111122223333:security", State: simcloud.Values{"arn": "arn:aws:sns:eu-central-1:111122223333:security"}},
	} {
		theirs.Scope = region
		if err := base.Cloud.Put(theirs); err != nil {
			t.Fatal(err)
		}
	}
	var denied []string
	for round := range rounds {
		of, together := map[string]edit{}, []edit{}
		for leaf, s := range secondValues {
			if s.to != nil && s.round == round {
				of[leaf] = s.to
			}
		}
		whole := edit{}
		for _, leaf := range slices.Sorted(maps.Keys(of)) {
			for path, value := range of[leaf] {
				if other, there := whole[path]; there && !reflect.DeepEqual(other, value) {
					t.Fatalf("round %d: %s changes %s, as another does: put it in another round", round, leaf, path)
				}
				whole[path] = value
			}
		}
		// Everything that is refused is said at once, before anything is made.
		made, err := base.edited(t, whole).up()
		for _, leaf := range slices.Sorted(maps.Keys(of)) {
			if fields := named(err, of[leaf]); len(fields) > 0 {
				denied = append(denied, leaf)
				base.judgeRefusal(t, leaf, of[leaf], err)
			} else {
				together = append(together, of[leaf])
			}
		}
		if err != nil && len(together) < len(of) {
			made, err = base.edited(t, together...).up()
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, step := range lost(made) {
			t.Errorf("round %d, of %v: not refused, and %s", round, slices.Sorted(maps.Keys(of)), step)
		}
	}
	t.Logf("%d settings, refused: %v", len(all), denied)
}

// named are the settings of a change that a refusal names.
func named(err error, change edit) []string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(change)) {
		if err != nil && strings.Contains(err.Error(), "redoubt:"+field+": ") {
			out = append(out, field)
		}
	}
	return out
}

// saidOf is the setting that a line of a refusal is of.
var saidOf = regexp.MustCompile(`(?m)^\s*redoubt:([\w.\[\]]+): `)

// judgeRefusal looks at what happens where all that was refused is allowed: something is lost, or the cloud refuses.
func (e environment) judgeRefusal(t *testing.T, leaf string, change edit, refusal error) {
	t.Helper()
	if strings.HasSuffix(leaf, "].name") {
		return // the cloud takes one of its kind, which no permission changes
	}
	var fields []string
	for _, said := range saidOf.FindAllStringSubmatch(refusal.Error(), -1) {
		if !strings.Contains(said[1], "[") {
			fields = append(fields, said[1])
		}
	}
	allowed, err := e.edited(t, change, edit{"allowReplacement": fields}).preview()
	if leaf == "account.id" {
		refused(t, err, "AWS account ID not allowed")
		return
	}
	if err != nil || len(lost(allowed)) == 0 {
		t.Errorf("%s is refused, but allowed it deletes nothing: %v", leaf, err)
	}
}

// lost are the steps of a run that delete or make anew what is kept.
func lost(r rehearse.Result) []string {
	var out []string
	for _, step := range r.Steps {
		name := strings.ReplaceAll(resource.URN(step.URN).Name(), "/", "_")
		if !slices.Contains([]apitype.OpType{apitype.OpDelete, apitype.OpReplace, apitype.OpDeleteReplaced}, step.Op) || !strings.HasPrefix(step.Type, "aws:") {
			continue
		}
		may := slices.ContainsFunc(renewed, func(r struct{ kind, name, why string }) bool {
			kind, err := path.Match(r.kind, step.Type)
			is, err2 := path.Match(r.name, name)
			if errors.Join(err, err2) != nil {
				panic(r)
			}
			return kind && is
		})
		if !may {
			out = append(out, fmt.Sprintf("%s %s %s", step.Op, step.Type, name))
		}
	}
	return out
}

// What somebody else made is theirs: another network is refused, other parts of the same one are not.
func TestSettingsOfANetworkThatExists(t *testing.T) {
	t.Parallel()
	e := prepare(t, "aws-prod")
	vpc, subnets, tables := theirNetwork(t, e.Cloud)
	e.edited(t, existing(vpc, subnets[:3], tables[:1])).mustUp()
	_, err := e.edited(t, existing("vpc-0123456789abcdef0", subnets[:3], tables[:1])).preview()
	refused(t, err, "redoubt:network.existing.vpcId: was "+vpc)
	_, err = e.preview() // a network of its own
	refused(t, err, "redoubt:network.existing.vpcId: was "+vpc)
	made, err := e.edited(t, existing(vpc, []string{subnets[3], subnets[1], subnets[2]}, tables)).up()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range lost(made) {
		t.Errorf("not refused, and %s", step)
	}
}
