package baseline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
	"github.com/redoubt-dev/redoubt/test/kubeapply"
	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// own is a policy of a user's: no ConfigMap whose name begins so. The sentinel of a broken one is never refused.
func own(remedy string, broken bool) admission.Policy {
	p := admission.Policy{
		ID: "own", Title: "no map is forbidden", Controls: []string{"M25"}, Mode: admission.Deny, Scope: admission.Workloads,
		Rules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{"CREATE"}, Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}}}},
		Findings: `dyn(object).metadata.name.startsWith('forbidden') ? ['metadata.name'] : []`, Remedy: remedy, Sentinel: admission.Sentinel{Kind: "ConfigMap"},
	}
	if broken {
		p.Conditions = []admissionv1.MatchCondition{{Name: "never", Expression: "false"}}
	}
	return p
}

// engine runs the baseline with the real engine against a real API server.
type engine struct {
	t         *testing.T
	server    *kubeapi.Server
	directory string
}

func newEngine(t *testing.T, server *kubeapi.Server) *engine {
	t.Helper()
	if _, err := os.Stat(filepath.Join(kubeapi.Programs(), "pulumi")); err != nil {
		t.Fatal("the engine is not built: run `make tools` first")
	}
	e := &engine{t, server, t.TempDir()}
	for name, text := range map[string]string{"Pulumi.yaml": "name: baseline\nruntime: go\n", "Pulumi.test.yaml": "config: {}\n"} {
		if err := os.WriteFile(filepath.Join(e.directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("REDOUBT_SETTINGS_DIR", rehearse.SettingsDirectory(e.directory))
	return e
}

func (e *engine) driver(args *baseline.Args) *rehearse.Driver {
	return e.driverOf(func(ctx *pulumi.Context, api *kubernetes.Provider) error {
		args.Kubeconfig = pulumi.String(e.server.Kubeconfig)
		_, err := baseline.NewBaseline(ctx, "baseline", args, pulumi.Provider(api))
		return err
	})
}

// driverOf runs what is registered with a provider that reaches the server.
func (e *engine) driverOf(register func(ctx *pulumi.Context, api *kubernetes.Provider) error) *rehearse.Driver {
	program := func(ctx *pulumi.Context) error {
		api, err := kubernetes.NewProvider(ctx, "api", &kubernetes.ProviderArgs{Kubeconfig: pulumi.String(e.server.Kubeconfig), EnableServerSideApply: pulumi.Bool(true)})
		if err != nil {
			return err
		}
		return register(ctx, api)
	}
	return rehearse.New(rehearse.Options{
		Environment: "test", Repository: e.directory, ConfigFile: "Pulumi.test.yaml", StateDirectory: e.directory, BinDirectory: kubeapi.Programs(),
		Program: program, StandIns: true, Simulated: true,
		Providers: []rehearse.Provider{{Name: kubeapply.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return kubeapply.New(kubeapply.Options{}), nil
		}}},
	})
}

// A policy is replaced without a moment in which neither version holds, and not at all by one that does not come into
// force. A second run changes nothing, and without the baseline the cluster is as it was.
func TestReplacementLeavesNoGap(t *testing.T) {
	a := alone(t, kubeapi.Options{Controllers: true})
	before := a.listing(t)
	e := newEngine(t, a.Server)
	withoutAddon := settings
	withoutAddon.SystemNamespaces = nil
	args := func(p admission.Policy) *baseline.Args {
		return &baseline.Args{Spec: baseline.Spec{Policies: withoutAddon}, Policies: []admission.Policy{p}, Patience: 15 * time.Second}
	}
	up := func(p admission.Policy) (rehearse.Result, error) { return e.driver(args(p)).Up(context.Background()) }
	first, err := up(own("the first", false))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the baseline took %s: %d objects", first.Duration, first.Creates())
	again, err := up(own("the first", false))
	if err != nil || again.Changed() != 0 {
		t.Fatalf("a second run changes %d objects: %v", again.Changed(), err)
	}

	// From now on somebody tries without a pause.
	stop, done := make(chan struct{}), make(chan struct{})
	var tries, letIn atomic.Int64
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			tries.Add(1)
			if err := a.create(a.dynamic, of("v1", "ConfigMap", "kube-public", m{"metadata": m{"name": "forbidden", "namespace": "default"}}), true); err == nil {
				letIn.Add(1)
			}
		}
	}()
	if _, err := up(own("the second", false)); err != nil {
		t.Error(err)
	}
	if _, err := e.driver(impatient(args(own("broken", true)))).Up(context.Background()); err == nil || !strings.Contains(err.Error(), "is not in force") {
		t.Errorf("a successor that never refuses anything: %v", err)
	}
	close(stop)
	<-done
	if letIn.Load() > 0 || tries.Load() < 20 {
		t.Errorf("%d of %d tries were let in", letIn.Load(), tries.Load())
	}
	list, err := a.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(context.Background(), metav1.ListOptions{LabelSelector: admission.Group + "/policy=own"})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, p := range list.Items {
		_, remedy, _ := strings.Cut(p.Spec.Validations[0].Message, "; ")
		remedy, _, _ = strings.Cut(remedy, " (")
		said[remedy] = true
	}
	if said["the first"] || !said["the second"] {
		t.Errorf("there are %v", said)
	}
	if _, err := e.driver(args(own("the second", false))).Destroy(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := a.listing(t); after != before {
		t.Errorf("the cluster is not as before:\n%s\n---\n%s", before, after)
	}
}

// listing is what the baseline might leave in a cluster: its kinds by name, namespaces by their labels, and whether the
// default accounts give tokens.
func (a *api) listing(t *testing.T) string {
	t.Helper()
	ctx, all := context.Background(), metav1.ListOptions{}
	var out []string
	policies, err := a.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range policies.Items {
		out = append(out, "policy "+o.Name)
	}
	bindings, err := a.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range bindings.Items {
		out = append(out, "binding "+o.Name)
	}
	maps, err := a.client.CoreV1().ConfigMaps("kube-system").List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range maps.Items {
		if strings.HasPrefix(o.Name, "redoubt") {
			out = append(out, "map "+o.Name)
		}
	}
	roles, err := a.client.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{LabelSelector: admission.LabelManagedBy + "=" + admission.ManagedBy})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range roles.Items {
		out = append(out, "role "+o.Name)
	}
	namespaces, err := a.client.CoreV1().Namespaces().List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range namespaces.Items {
		if strings.HasPrefix(o.Name, "kube-") || o.Name == "default" {
			for label, value := range o.Labels {
				if strings.HasPrefix(label, "pod-security") {
					out = append(out, o.Name+" "+label+"="+value)
				}
			}
		}
	}
	return strings.Join(out, "\n")
}

// impatient does not wait for what never comes.
func impatient(args *baseline.Args) *baseline.Args {
	args.Patience = 2 * time.Second
	return args
}
