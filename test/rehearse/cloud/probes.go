package cloud

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/controls"
	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// probeTime bounds the probes: an API server that is up answers each at once.
const probeTime = 30 * time.Second

var (
	podResource     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	namespaces      = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	quotas          = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	configMaps      = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	limitRanges     = schema.GroupVersionResource{Version: "v1", Resource: "limitranges"}
	networkPolicies = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
)

// kubernetesNamespaces are those that every cluster has of itself.
var kubernetesNamespaces = []string{"default", "kube-node-lease", "kube-public", "kube-system"}

// tenantLabel is on the namespaces of tenants.
const tenantLabel = admission.LabelManagedBy + "=" + admission.ManagedBy + ",!" + admission.LabelSystem

// probeOf asks a real API server something, and says what holds.
type probeOf struct {
	Name string
	// Controls are the rows that it looks at; GKE and EKS are the numbers of the recommendations of CIS.
	Controls, GKE, EKS []string
	// Only is the benchmark of the environments that it is asked in; all when empty.
	Only string
	Run  func(ctx context.Context, config *rest.Config, baseline rehearse.Result) (holds string, findings []Finding, err error)
}

// probe asks the real API server what the baseline promises of every cluster.
func (x *run) probe(ctx context.Context, kubeconfig string, baseline rehearse.Result) {
	for _, probe := range probes(x.StrictAgent) {
		if probe.Only != "" && (x.Demands == nil || x.Demands.Benchmark != probe.Only) {
			continue
		}
		x.step(ctx, probe.Name, func(io.Writer) (string, error) {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return "", err
			}
			within, cancel := context.WithTimeout(ctx, probeTime)
			defer cancel()
			holds, findings, err := probe.Run(within, config, baseline)
			x.find(probe.Name, findings...)
			if err == nil {
				x.saw(probe, holds, findings)
			}
			if len(findings) > 0 {
				holds = plural(len(findings), "finding")
			}
			return holds, err
		})
	}
}

// saw records what a probe looked at, for the evidence. A finding that is no error, such as that there is no tenant, means
// that nothing was seen.
func (x *run) saw(probe probeOf, holds string, findings []Finding) {
	if x.Demands == nil {
		return
	}
	o := controls.Observation{Controls: slices.Clone(probe.Controls), About: strings.TrimPrefix(probe.Name, "probe: ") + ": " + holds, Level: controls.LiveAPI}
	numbers := map[string][]string{"CIS-GKE-": probe.GKE, "CIS-EKS-": probe.EKS}[x.Demands.Benchmark]
	for _, number := range numbers {
		o.Controls = append(o.Controls, x.Demands.Benchmark+number)
	}
	for _, f := range findings {
		if f.Level != Error {
			return
		}
		o.Wrong = append(o.Wrong, f.Subject+": "+f.Problem)
	}
	x.seen = append(x.seen, o)
}

// compareVersions tells when the cluster of this machine is of another minor than the environment's, such as "1.36".
func (x *run) compareVersions(ctx context.Context, kubeconfig, wanted string) {
	const step = "the version of Kubernetes"
	x.step(ctx, step, func(io.Writer) (string, error) {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return "", err
		}
		client, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			return "", err
		}
		here, err := client.ServerVersion()
		if err != nil {
			return "", err
		}
		if minor := here.Major + "." + here.Minor; wanted != "" && minor != wanted && !strings.HasPrefix(strings.TrimPrefix(wanted, "v"), minor+".") {
			x.find(step, Finding{Level: Warning, Problem: "the environment's is " + wanted + ", and " + here.GitVersion + " was here: what differs between them was not rehearsed"})
		}
		return here.GitVersion, nil
	})
}

// probes are those of every cluster; the agent of some is strict.
func probes(strict bool) []probeOf {
	with := func(ask func(asker) (string, []Finding, error)) func(context.Context, *rest.Config, rehearse.Result) (string, []Finding, error) {
		return func(ctx context.Context, config *rest.Config, baseline rehearse.Result) (string, []Finding, error) {
			client, err := dynamic.NewForConfig(config)
			if err != nil {
				return "", nil, err
			}
			a := asker{ctx: ctx, client: client, strict: strict}
			if a.tenants, err = a.findTenants(baseline); err != nil {
				return "", nil, err
			}
			return ask(a)
		}
	}
	return []probeOf{
		{Name: "probe: Pod Security", Controls: []string{"M22"}, GKE: []string{"4.2.1"}, EKS: []string{"4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.2.5"}, Run: with(asker.podSecurity)},
		{Name: "probe: network policies", Controls: []string{"M21"}, GKE: []string{"4.3.2"}, EKS: []string{"4.3.2"}, Run: with(asker.networkPolicies)},
		{Name: "probe: quotas and limits", Controls: []string{"M23"}, GKE: []string{"4.6.1"}, EKS: []string{"4.5.1"}, Run: with(asker.quotas)},
		{Name: "probe: service account tokens", GKE: []string{"4.1.4"}, EKS: []string{"4.1.5"}, Run: with(asker.tokens)},
		{Name: "probe: audit daemon of nodes", Controls: []string{"M17"}, GKE: []string{"5.7.2"}, Only: "CIS-GKE-", Run: with(asker.nodeAudit)},
	}
}

// asker asks one API server.
type asker struct {
	ctx     context.Context
	client  dynamic.Interface
	tenants []string
	strict  bool // pods of kube-system need policies too
}

// tenantsOf are the namespaces of the output "tenants".
func tenantsOf(baseline rehearse.Result) []string {
	var names []string
	listed, _ := baseline.Outputs["tenants"].Value.([]any)
	for _, each := range listed {
		if name, ok := each.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// findTenants are the namespaces of the output "tenants", and all that are labelled as such.
func (a asker) findTenants(baseline rehearse.Result) ([]string, error) {
	names := tenantsOf(baseline)
	list, err := a.client.Resource(namespaces).List(a.ctx, metav1.ListOptions{LabelSelector: tenantLabel})
	if err != nil {
		return nil, err
	}
	for _, each := range list.Items {
		names = append(names, each.GetName())
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// registry is one that the baseline lets images come from; none is ever pulled.
func (a asker) registry() string {
	parameters, err := a.client.Resource(configMaps).Namespace("kube-system").Get(a.ctx, admission.ParametersName, metav1.GetOptions{})
	if err != nil {
		return "example.test"
	}
	registries, _, _ := unstructured.NestedString(parameters.Object, "data", "registries")
	first, _, _ := strings.Cut(registries, "\n")
	return strings.TrimSuffix(first, "/")
}

// pod is one container. It is as restricted as Pod Security and the policies of the baseline want it, unless it is
// changed.
func pod(registry string, change func(spec, security map[string]any)) *unstructured.Unstructured {
	security := map[string]any{"allowPrivilegeEscalation": false, "runAsNonRoot": true, "readOnlyRootFilesystem": true, "runAsUser": int64(1000),
		"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"}}
	image := registry + "/probe@sha256:" + strings.Repeat("0", 64)
	spec := map[string]any{"automountServiceAccountToken": false, "containers": []any{map[string]any{"name": "probe", "image": image, "securityContext": security}}}
	change(spec, security)
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "rehearsal-probe"}, "spec": spec}}
}

// pods are tried in each tenant's namespace. One must be let in: otherwise the refusal of the others proves nothing.
var pods = []struct {
	name   string
	change func(spec, security map[string]any)
	// refusal is what the refusal must say, any of these; none: it must be let in.
	refusal []string
}{
	{"a restricted pod", func(_, _ map[string]any) {}, nil},
	// An API server without --allow-privileged refuses it before Pod Security is asked.
	{"a privileged pod", func(_, security map[string]any) {
		delete(security, "allowPrivilegeEscalation") // it contradicts the other
		security["privileged"] = true
	}, []string{"violates PodSecurity", "disallowed by cluster policy"}},
	{"a pod that sees the processes of its node", func(spec, _ map[string]any) { spec["hostPID"] = true }, []string{"violates PodSecurity"}},
	{"a pod that shares memory with its node", func(spec, _ map[string]any) { spec["hostIPC"] = true }, []string{"violates PodSecurity"}},
	{"a pod in the network of its node", func(spec, _ map[string]any) { spec["hostNetwork"] = true }, []string{"violates PodSecurity"}},
	{"a pod that may gain privileges", func(_, security map[string]any) { security["allowPrivilegeEscalation"] = true }, []string{"violates PodSecurity"}},
	{"a pod that runs as root", func(_, security map[string]any) { security["runAsNonRoot"], security["runAsUser"] = false, int64(0) }, []string{"violates PodSecurity"}},
}

// podSecurity tries pods in each tenant's namespace (M22). None is kept.
func (a asker) podSecurity() (string, []Finding, error) {
	if len(a.tenants) == 0 {
		return "", []Finding{noTenants}, nil
	}
	var findings []Finding
	registry := a.registry()
	for _, namespace := range a.tenants {
		for _, p := range pods {
			err := a.try(namespace, pod(registry, p.change))
			f := Finding{Level: Error, Subject: "namespace " + namespace}
			switch {
			case len(p.refusal) == 0 && err != nil:
				f.Problem, f.Remedy = p.name+" is refused: "+err.Error(), "let tenants run something"
			case len(p.refusal) > 0 && err == nil:
				f.Problem, f.Remedy = p.name+" is let in (M22)", "label the namespace pod-security.kubernetes.io/enforce=restricted"
			case len(p.refusal) > 0 && !slices.ContainsFunc(p.refusal, func(words string) bool { return strings.Contains(err.Error(), words) }):
				f.Problem = p.name + " is refused, but for another reason: " + err.Error()
			default:
				continue
			}
			findings = append(findings, f)
		}
	}
	return "privileged pods refused, restricted ones let in", findings, nil
}

// try asks for a pod without making it.
func (a asker) try(namespace string, pod *unstructured.Unstructured) error {
	for {
		_, err := a.client.Resource(podResource).Namespace(namespace).Create(a.ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		// A new namespace waits for its controllers: the quota's first count, the default account.
		if err == nil || !strings.Contains(err.Error(), "status unknown for quota") && !strings.Contains(err.Error(), "error looking up service account") {
			return err
		}
		select {
		case <-a.ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var noTenants = Finding{Level: Warning, Subject: "tenants", Problem: "there is none: nothing shows what the baseline does for one",
	Remedy: "name one in redoubt:tenants of the baseline"}

// networkPolicies looks for the default deny of each tenant, and for policies where the cluster's own pods run (M21).
func (a asker) networkPolicies() (string, []Finding, error) {
	var findings []Finding
	where := slices.Clone(a.tenants)
	said := fmt.Sprintf("default deny in %s", plural(len(a.tenants), "tenant"))
	if a.strict {
		where, said = append(where, "kube-system"), said+", policies in kube-system"
	}
	for _, namespace := range where {
		list, err := a.client.Resource(networkPolicies).Namespace(namespace).List(a.ctx, metav1.ListOptions{})
		if err != nil {
			return "", nil, err
		}
		switch {
		case namespace == "kube-system" && len(list.Items) == 0:
			findings = append(findings, Finding{Level: Error, Subject: "namespace kube-system", Problem: "has no network policy (M21): with the agent in strict mode nothing there would reach anything",
				Remedy: "add policies for DNS and the other pods of the cluster to the baseline"})
		case namespace != "kube-system" && !slices.ContainsFunc(list.Items, deniesAll):
			findings = append(findings, Finding{Level: Error, Subject: "namespace " + namespace, Problem: "no policy denies all traffic in both directions (M21)",
				Remedy: "add one with an empty podSelector, policyTypes Ingress and Egress, and no rule"})
		}
	}
	return said, findings, nil
}

func deniesAll(policy unstructured.Unstructured) bool {
	spec, _, _ := unstructured.NestedMap(policy.Object, "spec")
	selector, _ := spec["podSelector"].(map[string]any)
	types, _, _ := unstructured.NestedStringSlice(policy.Object, "spec", "policyTypes")
	ingress, _ := spec["ingress"].([]any)
	egress, _ := spec["egress"].([]any)
	return len(selector) == 0 && slices.Contains(types, "Ingress") && slices.Contains(types, "Egress") && len(ingress) == 0 && len(egress) == 0
}

// quotas looks for what bounds a tenant (M23).
func (a asker) quotas() (string, []Finding, error) {
	var findings []Finding
	for _, namespace := range a.tenants {
		for _, each := range []struct {
			what     string
			resource schema.GroupVersionResource
		}{{"ResourceQuota", quotas}, {"LimitRange", limitRanges}} {
			list, err := a.client.Resource(each.resource).Namespace(namespace).List(a.ctx, metav1.ListOptions{})
			if err != nil {
				return "", nil, err
			}
			if len(list.Items) == 0 {
				findings = append(findings, Finding{Level: Error, Subject: "namespace " + namespace, Problem: "has no " + each.what + " (M23)", Remedy: "add one: a tenant could take every node"})
			}
		}
	}
	return plural(len(a.tenants), "tenant") + " bounded", findings, nil
}

// tokens looks at the default service accounts: a pod that names none gets no token (CIS 5.1.5).
func (a asker) tokens() (string, []Finding, error) {
	var findings []Finding
	all := append(slices.Clone(kubernetesNamespaces), a.tenants...)
	for _, namespace := range all {
		account, err := a.client.Resource(serviceAccounts).Namespace(namespace).Get(a.ctx, "default", metav1.GetOptions{})
		if err != nil {
			return "", nil, err
		}
		if mounts, found, err := unstructured.NestedBool(account.Object, "automountServiceAccountToken"); err != nil || !found || mounts {
			findings = append(findings, Finding{Level: Error, Subject: "namespace " + namespace, Problem: "pods get the token of the default service account (CIS 5.1.5)",
				Remedy: "set automountServiceAccountToken: false on it"})
		}
	}
	return plural(len(all), "default account") + " without token", findings, nil
}
