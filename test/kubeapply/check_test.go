package kubeapply_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/redoubt-dev/redoubt/test/kubeapply"
)

func nested(o m, path ...string) (any, bool, error) {
	return unstructured.NestedFieldNoCopy(o, path...)
}

// withoutSecrets prints properties with what is marked secret left out.
func withoutSecrets(in resource.PropertyMap) string {
	out, _ := json.Marshal(in.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		if v.IsSecret() {
			return "[secret]", true
		}
		return nil, false
	}))
	return string(out)
}

// offline is a provider whose cluster does not exist.
func offline(t *testing.T) *kubeapply.Server {
	return provider(t, m{"kubeconfig": filepath.Join(t.TempDir(), "not-yet")})
}

func TestAutonamesAreUniqueStableAndMarked(t *testing.T) {
	t.Parallel()
	s := offline(t)
	o := declare(t, s, "kubernetes:core/v1:ConfigMap", "web-config", m{"data": m{"a": "b"}})
	name := decode(t, o.inputs)["metadata"].ObjectValue()["name"].StringValue()
	if !regexp.MustCompile(`^web-config-[0-9a-f]{8}$`).MatchString(name) {
		t.Errorf("name %q", name)
	}
	if err := o.check(m{"data": m{"a": "c"}}); err != nil {
		t.Fatal(err)
	}
	if again := decode(t, o.inputs)["metadata"].ObjectValue()["name"].StringValue(); again != name {
		t.Errorf("renamed from %s to %s", name, again)
	}
	if !strings.Contains(withoutSecrets(decode(t, o.inputs)), "pulumi.com/autonamed") {
		t.Error("not marked as autonamed")
	}
	other := declare(t, s, "kubernetes:core/v1:ConfigMap", "other", m{})
	if decode(t, other.inputs)["metadata"].ObjectValue()["name"].StringValue() == name {
		t.Error("two objects of one name")
	}
}

func TestWhatCannotBeServedIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := offline(t)
	for token, words := range map[string][]string{
		"kubernetes:core/v1:ConfigMapList":       {"ConfigMapList", "declare each ConfigMap"},
		"kubernetes:helm.sh/v3:Release":          {"helm.sh", "pulumi plugin install"},
		"kubernetes:core:Pod":                    {"<group>/<version>:<Kind>"},
		"kubernetes:core/v1:ServiceAccountPatch": {"metadata.name", "required"},
	} {
		o := &object{t: t, server: s, urn: urn(token, "x")}
		mustFail(t, o.check(m{}), words...)
	}
	o := &object{t: t, server: s, urn: urn("kubernetes:core/v1:Pod", "x")}
	mustFail(t, o.check(m{"metadata": m{"generateName": "x-"}}), "generateName")
	mustFail(t, o.check(m{"metadata": "x"}), "metadata")
	mustFail(t, o.check(m{"metadata": m{"name": ""}}), "must not be empty")
	_, err := s.Invoke(context.Background(), &pulumirpc.InvokeRequest{Tok: "kubernetes:yaml:decode"})
	mustFail(t, err, "kubernetes:yaml:decode", "pulumi plugin install")
}

func TestDefaultNamespaceGoesToNamespacedKindsOnly(t *testing.T) {
	t.Parallel()
	s := provider(t, m{"namespace": "team", "kubeconfig": filepath.Join(t.TempDir(), "not-yet")})
	for token, want := range map[string]bool{
		"kubernetes:core/v1:ConfigMap": true, "kubernetes:apps/v1:Deployment": true, "kubernetes:stable.example.com/v1:CronTab": true,
		"kubernetes:core/v1:Namespace": false, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": false,
	} {
		o := declare(t, s, token, "x", m{"metadata": m{"name": "x"}})
		if _, got := decode(t, o.inputs)["metadata"].ObjectValue()["namespace"]; got != want {
			t.Errorf("%s: namespace set %v", token, got)
		}
	}
}

func TestPreviewNeedsNoCluster(t *testing.T) {
	t.Parallel()
	s := offline(t)
	o := declare(t, s, "kubernetes:core/v1:Namespace", "x", m{"metadata": m{"name": "x", "labels": m{"later": unknown{}}}})
	for range 2 { // with unknown inputs, then with known ones
		response, err := s.Create(context.Background(), &pulumirpc.CreateRequest{Urn: o.urn, Properties: o.inputs, Preview: true})
		if err != nil {
			t.Fatal(err)
		}
		if response.GetId() != "" || response.GetProperties() == nil {
			t.Errorf("%v", response)
		}
		if err := o.check(m{"metadata": m{"name": "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	unset := provider(t, m{"kubeconfig": unknown{}})
	if _, err := unset.Create(context.Background(), &pulumirpc.CreateRequest{Urn: o.urn, Properties: o.inputs, Preview: true}); err != nil {
		t.Errorf("kubeconfig not known: %v", err)
	}
}

func TestPreviewOnAClusterMeetsItsValidation(t *testing.T) {
	t.Parallel()
	s := connected(t)
	o := declare(t, s, "kubernetes:core/v1:ServiceAccount", "x", m{"metadata": m{"name": "Not_A_Name", "namespace": "default"}})
	_, err := s.Create(context.Background(), &pulumirpc.CreateRequest{Urn: o.urn, Properties: o.inputs, Preview: true})
	mustFail(t, err, "Not_A_Name", "Invalid value")
	// An object of a namespace that the same deployment makes is no error.
	o = declare(t, s, "kubernetes:core/v1:ServiceAccount", "x", m{"metadata": m{"name": "x", "namespace": "made-later"}})
	if _, err := s.Create(context.Background(), &pulumirpc.CreateRequest{Urn: o.urn, Properties: o.inputs, Preview: true}); err != nil {
		t.Error(err)
	}
}

func TestUnreachableClusterIsOneErrorWithTheRemedy(t *testing.T) {
	t.Parallel()
	kubeconfig := `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]}`
	s := kubeapply.New(kubeapply.Options{Patience: 300 * time.Millisecond})
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: encode(t, m{"kubeconfig": kubeconfig})}); err != nil {
		t.Fatal(err)
	}
	o := declare(t, s, "kubernetes:core/v1:Namespace", "x", m{"metadata": m{"name": "x"}})
	mustFail(t, o.create(), "https://127.0.0.1:1 cannot be reached", "connection refused", "Start the cluster")
	o.id = "x"
	mustFail(t, o.delete(), "cannot be reached", "PULUMI_K8S_DELETE_UNREACHABLE")
	lenient := provider(t, m{"kubeconfig": kubeconfig, "deleteUnreachable": "true"})
	o.server = lenient
	if err := o.delete(); err != nil {
		t.Errorf("deleteUnreachable: %v", err)
	}
}

func TestReplacements(t *testing.T) {
	t.Parallel()
	s := offline(t)
	base := func(spec m) m { return m{"metadata": m{"name": "x", "namespace": "n"}, "spec": spec} }
	role := func(name string) m {
		return m{"metadata": m{"name": "x", "namespace": "n"}, "roleRef": m{"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}}
	}
	template := func(image string) m {
		return base(m{"backoffLimit": 1.0, "template": m{"spec": m{"containers": []any{m{"name": "c", "image": image}}}}})
	}
	pod := func(image string, deadline float64) m {
		return base(m{"activeDeadlineSeconds": deadline, "containers": []any{m{"name": "c", "image": image}}})
	}
	for name, c := range map[string]struct {
		token         string
		before, after m
		replace       bool
		first         bool // the old object goes first
	}{
		"role of a binding":      {"rbac.authorization.k8s.io/v1:RoleBinding", role("a"), role("b"), true, true},
		"template of a job":      {"batch/v1:Job", template("a"), template("b"), true, true},
		"template of a workload": {"apps/v1:Deployment", template("a"), template("b"), false, false},
		"container of a pod":     {"core/v1:Pod", pod("a", 1), pod("b", 1), true, true},
		"deadline of a pod":      {"core/v1:Pod", pod("a", 1), pod("a", 2), false, false},
		"selector appears": {"apps/v1:Deployment", base(m{"replicas": 1.0}),
			base(m{"replicas": 1.0, "selector": m{"matchLabels": m{"a": "b"}}}), true, true},
		"name":      {"core/v1:ServiceAccount", m{"metadata": m{"name": "a"}}, m{"metadata": m{"name": "b"}}, true, false},
		"namespace": {"core/v1:ServiceAccount", m{"metadata": m{"name": "a", "namespace": "n"}}, m{"metadata": m{"name": "a", "namespace": "o"}}, true, false},
		"default namespace by name": {"core/v1:ServiceAccount", m{"metadata": m{"name": "a"}},
			m{"metadata": m{"name": "a", "namespace": "default"}}, false, false},
		"claim grows": {"core/v1:PersistentVolumeClaim", base(m{"resources": m{"requests": m{"storage": "1Gi"}}}),
			base(m{"resources": m{"requests": m{"storage": "2Gi"}}}), false, false},
		"label":                {"core/v1:Namespace", m{"metadata": m{"name": "a"}}, m{"metadata": m{"name": "a", "labels": m{"l": "1"}}}, false, false},
		"contents of a map":    {"core/v1:ConfigMap", m{"metadata": m{"name": "a"}, "data": m{"k": "1"}}, m{"metadata": m{"name": "a"}, "data": m{"k": "2"}}, true, true},
		"contents, autonamed":  {"core/v1:ConfigMap", m{"data": m{"k": "1"}}, m{"data": m{"k": "2"}}, true, false},
		"name not known yet":   {"core/v1:ServiceAccount", m{"metadata": m{"name": "a"}}, m{"metadata": m{"name": unknown{}}}, true, false},
		"secret mark, no more": {"core/v1:ConfigMap", m{"metadata": m{"name": "a"}, "data": m{"k": "1"}}, m{"metadata": m{"name": "a"}, "data": m{"k": secret{"1"}}}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := declare(t, s, "kubernetes:"+c.token, "x", c.before)
			o.id = "n/x"
			o.state = encodeState(t, o)
			d := o.diff(c.after)
			if got := len(d.GetReplaces()) > 0; got != c.replace {
				t.Errorf("replaces %v", d.GetReplaces())
			}
			if d.GetDeleteBeforeReplace() != c.first {
				t.Errorf("delete before replace: %v", d.GetDeleteBeforeReplace())
			}
			for _, path := range d.GetReplaces() {
				if !strings.HasSuffix(d.GetDetailedDiff()[path].GetKind().String(), "_REPLACE") {
					t.Errorf("%s is not shown as the reason: %v", path, d.GetDetailedDiff())
				}
			}
		})
	}
}

// encodeState is the state of an object as a create would have left it.
func encodeState(t *testing.T, o *object) *structpb.Struct {
	t.Helper()
	return encode(t, m{"__inputs": decode(t, o.inputs).Mappable()})
}

func TestProviderSettings(t *testing.T) {
	t.Parallel()
	s := kubeapply.New(kubeapply.Options{})
	t.Cleanup(func() { _ = s.Close() })
	check := func(args m) string {
		response, err := s.CheckConfig(context.Background(), &pulumirpc.CheckRequest{News: encode(t, args)})
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, f := range response.GetFailures() {
			out = append(out, f.GetProperty()+": "+f.GetReason())
		}
		return strings.Join(out, "\n")
	}
	if got := check(m{"enableServerSideApply": "true", "kubeconfig": "/not/yet", "namespace": unknown{}, "deleteUnreachable": "false"}); got != "" {
		t.Error(got)
	}
	for _, args := range []m{{"kubeconfig": "a: b: c\n"}, {"namespace": 3.0}, {"deleteUnreachable": "perhaps"}, {"renderYamlToDirectory": "out"}} {
		if got := check(args); got == "" {
			t.Errorf("%v accepted", args)
		}
	}
}

func TestOnlyAnotherClusterReplacesTheProvider(t *testing.T) {
	t.Parallel()
	s := kubeapply.New(kubeapply.Options{})
	t.Cleanup(func() { _ = s.Close() })
	kubeconfig := func(server, user string) string {
		return `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: ` + user + `}}], users: [{name: ` + user + `, user: {token: t}}], clusters: [{name: c, cluster: {server: "` + server + `"}}]}`
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(kubeconfig("https://a:6443", "u")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		before, after m
		replace       bool
	}{
		"other user":       {m{"kubeconfig": kubeconfig("https://a:6443", "u")}, m{"kubeconfig": kubeconfig("https://a:6443", "v")}, false},
		"other server":     {m{"kubeconfig": kubeconfig("https://a:6443", "u")}, m{"kubeconfig": kubeconfig("https://b:6443", "u")}, true},
		"contents to path": {m{"kubeconfig": kubeconfig("https://a:6443", "u")}, m{"kubeconfig": file}, false},
		"not known yet":    {m{"kubeconfig": kubeconfig("https://a:6443", "u")}, m{"kubeconfig": unknown{}}, false},
		"identifier":       {m{"clusterIdentifier": "1"}, m{"clusterIdentifier": "2"}, true},
		"identifier rules": {m{"clusterIdentifier": "1", "kubeconfig": kubeconfig("https://a:6443", "u")}, m{"clusterIdentifier": "1", "kubeconfig": kubeconfig("https://b:6443", "u")}, false},
	} {
		response, err := s.DiffConfig(context.Background(), &pulumirpc.DiffRequest{Olds: encode(t, c.before), News: encode(t, c.after)})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(response.GetReplaces()) > 0; got != c.replace || response.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME {
			t.Errorf("%s: %v", name, response)
		}
	}
}
