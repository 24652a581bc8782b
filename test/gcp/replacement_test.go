package gcp_test

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
	stacks "github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

// renewed are resources that a change of settings may delete or make anew: none holds data, and nothing stands on
// what goes. Everything else is kept.
var renewed = []struct{ kind, name, why string }{
	{"gcp:container/nodePool:NodePool", "*", "nodes roll: the new pool comes first"},
	{"gcp:compute/firewall:Firewall", "*", "a flow that is allowed no more"},
	{"gcp:compute/route:Route", "*-internet", "a way out"}, {"gcp:compute/router*:Router*", "*-nat", "a way out"},
	{"gcp:dns/*:*", "*-run-app*", "a further domain"},
	{"gcp:compute/instance:Instance", "*", "the way in, which keeps nothing"}, {"gcp:compute/subnetwork:Subnetwork", "gcp-prod", "of the way in"},
	{"gcp:serviceaccount/account:Account", "gcp-prod", "of the way in"}, {"gcp:compute/instanceIAMMember:InstanceIAMMember", "*", "who may come in"},
	{"gcp:compute/vPNTunnel:VPNTunnel", "*", "a tunnel, which comes up again"}, {"gcp:compute/routerInterface:RouterInterface", "*", "an end of a tunnel"},
	{"gcp:compute/routerPeer:RouterPeer", "*", "an end of a tunnel"}, {"gcp:compute/externalVpnGateway:ExternalVpnGateway", "*", "what is known of the other side"},
	{"gcp:iap/tunnelInstanceIAMMember:TunnelInstanceIAMMember", "*", "who may come in"}, {"gcp:projects/iAMMember:IAMMember", "*-access-*", "who may come in"},
	{"gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "*-logs-2", "an account that encrypts no more"},
	{"gcp:projects/serviceIdentity:ServiceIdentity", "*", "an account of Google's, which the provider only forgets"},
	{"gcp:projects/iAMAuditConfig:IAMAuditConfig", "*", "what is recorded from now on"},
	{"gcp:logging/metric:Metric", "*", "an alarm"}, {"gcp:monitoring/*:*", "*", "an alarm, and who hears of it"},
	{"gcp:artifactregistry/repository:Repository", "*-k8s", "a cache"}, {"gcp:artifactregistry/repositoryIamMember:RepositoryIamMember", "*-k8s-*", "of a cache"},
	{"gcp:artifactregistry/repository:Repository", "*-docker", "a cache"}, {"gcp:artifactregistry/repositoryIamMember:RepositoryIamMember", "*-docker-*", "of a cache"},
	{"gcp:artifactregistry/repository:Repository", "*-quay", "a cache"}, {"gcp:artifactregistry/repositoryIamMember:RepositoryIamMember", "*-quay-*", "of a cache"},
	{"gcp:orgpolicy/policy:Policy", "*", "a constraint, which holds nothing"},
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
		if of.Kind() == reflect.Struct {
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
	base := prepare(t, "gcp-prod").edited(t, everySetting)
	if _, err := simgcp.Existing(base.Cloud, office+"topics/gke "+office+"topics/notices"); err != nil {
		t.Fatal(err)
	}
	base.mustUp()
	var denied []string
	for round := range rounds {
		of, whole := map[string]edit{}, edit{}
		for _, leaf := range slices.Sorted(maps.Keys(secondValues)) {
			s := secondValues[leaf]
			if s.to == nil || s.round != round {
				continue
			}
			of[leaf] = s.to
			for path, value := range s.to {
				if other, there := whole[path]; there && !reflect.DeepEqual(other, value) {
					t.Fatalf("round %d: %s changes %s, as another does: put it in another round", round, leaf, path)
				}
				whole[path] = value
			}
		}
		// Everything that is refused is said at once, before anything is made.
		planned, err := base.edited(t, whole).preview()
		together := []edit{}
		for _, leaf := range slices.Sorted(maps.Keys(of)) {
			if names(err, of[leaf]) {
				denied = append(denied, leaf)
				base.judgeRefusal(t, leaf, of[leaf], err)
			} else {
				together = append(together, of[leaf])
			}
		}
		accepted := base.edited(t, together...)
		if err != nil {
			planned, err = accepted.preview()
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, step := range lost(planned) {
			t.Errorf("round %d, of %v: not refused, and %s", round, slices.Sorted(maps.Keys(of)), step)
		}
		if round > 0 {
			continue
		}
		// Google takes what is not refused, and what was before again.
		if _, err := accepted.up(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		base.mustUp()
	}
	t.Logf("%d settings, refused: %v", len(all), denied)
}

// names tells whether a refusal names a setting of a change.
func names(refusal error, change edit) bool {
	for field := range change {
		if refusal != nil && strings.Contains(refusal.Error(), "redoubt:"+field+": ") {
			return true
		}
	}
	return false
}

// saidOf is the setting that a line of a refusal is of.
var saidOf = regexp.MustCompile(`(?m)^\s*redoubt:([\w.]+): `)

// judgeRefusal looks at what happens where all that was refused is allowed: something is lost, or Google refuses.
func (e environment) judgeRefusal(t *testing.T, leaf string, change edit, refusal error) {
	t.Helper()
	var fields []string
	for _, said := range saidOf.FindAllStringSubmatch(refusal.Error(), -1) {
		fields = append(fields, said[1])
	}
	allowed := e.edited(t, change, edit{"allowReplacement": fields})
	planned, err := allowed.preview()
	if leaf == "publicCIDRs" {
		_, err = allowed.up()
		refused(t, err, "Updating private endpoint on vpc peering private clusters is not supported")
		return
	}
	if err != nil || len(lost(planned)) == 0 {
		t.Errorf("%s is refused, but allowed it deletes nothing: %v %v", leaf, err, planned.Changes)
	}
}

// lost are the steps of a run that delete or make anew what is kept.
func lost(r rehearse.Result) []string {
	var out []string
	for _, step := range r.Steps {
		name := strings.ReplaceAll(resource.URN(step.URN).Name(), "/", "_")
		if !slices.Contains([]apitype.OpType{apitype.OpDelete, apitype.OpReplace, apitype.OpDeleteReplaced}, step.Op) || !strings.HasPrefix(step.Type, "gcp:") {
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

// Who comes in under another name keeps coming in: Google knows a grant by its member, and the old one would take it
// along. Who is left out does not.
func TestNamesOfThoseWhoComeIn(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.mustUp()
	_, err := e.edited(t, edit{"access[0].name": "administrators"}).preview()
	refused(t, err, "redoubt:access[0].name: was platform and is administrators")
	fewer, err := e.edited(t, edit{"access": []any{map[string]any{"name": "platform", "role": "admin", "member": "group:platform@example.com"}},
		"entry.members": []string{"group:developers@example.com"}}).up()
	if err != nil || fewer.Replaces() != 0 || fewer.Deletes() != 3 {
		t.Errorf("%v %v", err, fewer.Changes)
	}
	left := only(t, e.Cloud, "gcp:iap/tunnelInstanceIAMMember:TunnelInstanceIAMMember")
	if left.State.String("member") != "group:developers@example.com" {
		t.Errorf("%s comes in", left.State.String("member"))
	}
}

// What was not there may come: an archive, a registry, a lock.
func TestSettingsThatAddAreTaken(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.edited(t, edit{"registry": nil}).mustUp()
	more, err := e.edited(t, edit{"logs.archive": map[string]any{"lock": "none"}, "exceptions[2]": accepted("M38/object-lock"), "registry.repositories": []string{"services", "shop"}}).up()
	if err != nil || len(lost(more)) > 0 {
		t.Fatalf("%v %v", err, lost(more))
	}
	locked, err := e.edited(t, edit{"logs.archive": map[string]any{"lockDays": 400}, "registry.repositories": []string{"shop", "services"}}).up()
	if err != nil || locked.Replaces() > 0 || locked.Deletes() > 0 {
		t.Fatalf("%v %v", err, locked.Changes)
	}
	_, err = e.edited(t, edit{"logs.archive": map[string]any{"lock": "none"}, "exceptions[2]": accepted("M38/object-lock"), "registry.repositories": []string{"services"}}).preview()
	refused(t, err, "redoubt:logs.archive.lock: was compliance and is none", "redoubt:registry.repositories: shop is left out")
	_, err = e.edited(t, edit{"logs.archive": map[string]any{"lockDays": 365}, "registry": nil, "allowReplacement": []string{"registry.repositories"}}).preview()
	refused(t, err, "redoubt:logs.archive.lockDays: was 400 and is 365")
	_, err = e.preview() // without an archive
	refused(t, err, "redoubt:logs.archive.disabled: was false and is true", "redoubt:registry.repositories: shop is left out")
}

// What somebody else made is theirs: another network is refused.
func TestSettingsOfANetworkThatExists(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	theirs(t, e)
	mine := e.edited(t, existingNetwork("theirs"))
	mine.mustUp()
	if n := len(e.Cloud.Objects("gcp:compute/network:Network")); n != 1 {
		t.Errorf("%d networks", n)
	}
	_, err := e.edited(t, existingNetwork("others")).preview()
	refused(t, err, "redoubt:network.existing.subnetwork: was projects/redoubt-dev-4712/regions/europe-west3/subnetworks/theirs")
	_, err = e.preview() // a network of its own
	refused(t, err, "redoubt:network.existing.subnetwork: was projects/redoubt-dev-4712/regions/europe-west3/subnetworks/theirs and is none")
}
