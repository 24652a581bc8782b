package kubeadm

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestGolden(t *testing.T) {
	for _, m := range hostconfig.SupportedMinors() {
		for name, each := range cases() {
			golden.Compare(t, m.Name+"/"+name+".yaml", render(t, each.spec.of(m.Proven), each.action))
		}
	}
}

func documents(contents string) map[string]string {
	found := map[string]string{}
	for _, document := range strings.Split(contents, "---\n") {
		var kind typeMeta
		if yaml.Unmarshal([]byte(document), &kind) == nil {
			found[kind.Kind] = document
		}
	}
	return found
}

// TestDocumentsDecodeStrictly reads each document into its type, with nothing unknown.
func TestDocumentsDecodeStrictly(t *testing.T) {
	for name, each := range cases() {
		for kind, document := range documents(render(t, each.spec, each.action)) {
			into := map[string]any{
				"InitConfiguration": &initConfiguration{}, "ClusterConfiguration": &clusterConfiguration{},
				"JoinConfiguration": &joinConfiguration{}, "KubeProxyConfiguration": &map[string]any{}, // judged by kube-proxy itself
				"KubeletConfiguration": &kubeletv1beta1.KubeletConfiguration{},
			}[kind]
			if into == nil {
				t.Fatalf("%s: unknown document %q", name, kind)
			}
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Errorf("%s: %s: %v", name, kind, err)
			}
		}
	}
}

// TestEveryArgument holds each component against hostconfig: nothing is lost,
// changed or added but for the deviations, and each deviation is one.
func TestEveryArgument(t *testing.T) {
	for name, s := range map[string]Spec{"alone": controlPlane(), "several": several()} {
		s = s.WithDefaults()
		for component, rendered := range map[string][]string{
			hostconfig.ComponentEtcd: s.plane().EtcdArgs(), hostconfig.ComponentAPIServer: s.plane().APIServerArgs(),
			hostconfig.ComponentControllerManager: s.plane().ControllerManagerArgs(), hostconfig.ComponentScheduler: s.plane().SchedulerArgs(),
		} {
			meant, got := map[string]string{}, map[string]string{}
			for _, a := range parse(rendered) {
				meant[a.Name] = a.Value
			}
			for _, a := range s.arguments(component) {
				got[a.Name] = a.Value
			}
			for _, d := range Deviations() {
				if d.Component != component {
					continue
				}
				if _, is := meant[d.Flag]; is == d.Set || d.Reason == "" {
					t.Errorf("%s: %s %s is no deviation, or has no reason", name, component, d.Flag)
				}
				delete(meant, d.Flag)
				if d.Set {
					meant[d.Flag] = d.Value
				}
			}
			if !reflect.DeepEqual(meant, got) {
				t.Errorf("%s: %s: want %v, got %v", name, component, meant, got)
			}
		}
	}
}

func TestKubeletIsHostconfigs(t *testing.T) {
	s := controlPlane().WithDefaults()
	var got kubeletv1beta1.KubeletConfiguration
	if err := yaml.UnmarshalStrict([]byte(documents(render(t, s, Init))["KubeletConfiguration"]), &got); err != nil {
		t.Fatal(err)
	}
	want, err := s.worker().KubeletConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	if got.StaticPodPath != "/etc/kubernetes/manifests" {
		t.Errorf("static pods come from %q", got.StaticPodPath)
	}
	got.StaticPodPath, want.Address, want.RegisterWithTaints = "", "", nil
	wanted, _ := yaml.Marshal(want)
	found, _ := yaml.Marshal(got)
	if string(wanted) != string(found) {
		t.Errorf("want\n%s\ngot\n%s", wanted, found)
	}
}

// TestNoToken: neither a token nor a key is rendered, and kubeadm makes none.
func TestNoToken(t *testing.T) {
	for name, each := range cases() {
		contents := render(t, each.spec, each.action)
		for _, never := range []string{"token:", "tlsBootstrapToken", "certificateKey", "PRIVATE KEY", "unsafeSkipCAVerification", "ignorePreflightErrors", "patches"} {
			if strings.Contains(contents, never) {
				t.Errorf("%s contains %q", name, never)
			}
		}
		if each.action == Init && !slices.Contains(strings.Fields(contents), "bootstrap-token") {
			t.Errorf("%s: kubeadm would make a token", name)
		}
	}
}

// TestSharedDocumentHasNoMachine: what kubeadm stores for all machines names none.
func TestSharedDocumentHasNoMachine(t *testing.T) {
	all := documents(render(t, several(), Init))
	for _, kind := range []string{"ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"} {
		for _, machine := range []string{"10.80.0.10", "cp-1"} {
			if strings.Contains(all[kind], machine) {
				t.Errorf("%s names the machine %s", kind, machine)
			}
		}
	}
}

func TestJoinAccess(t *testing.T) {
	for _, object := range JoinAccess() {
		switch each := object.(type) {
		case *rbacv1.ClusterRole:
			judgeRules(t, each.Rules)
		case *rbacv1.Role:
			judgeRules(t, each.Rules)
			if len(each.Rules[0].ResourceNames) == 0 {
				t.Error("every ConfigMap of kube-system is open")
			}
		}
	}
	if found := len(JoinAccess()); found != 4 {
		t.Errorf("%d objects", found)
	}
}

func judgeRules(t *testing.T, rules []rbacv1.PolicyRule) {
	t.Helper()
	for _, rule := range rules {
		if !slices.Equal(rule.Verbs, []string{"get"}) {
			t.Errorf("joiners may %v", rule.Verbs)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Spec)
		action      Action
		field, text string
	}{
		"no action":       {func(s *Spec) {}, "", "action", "not an action"},
		"root":            {func(s *Spec) { s.Node.Paths.Root = "/srv" }, Init, "node.paths.root", "built in"},
		"etcd port":       {func(s *Spec) { s.Node.Cluster.Ports.EtcdClient = 4001 }, Init, "node.cluster.ports.etcdClient", "probes"},
		"scheduler port":  {func(s *Spec) { s.Node.Cluster.Ports.Scheduler = 4001 }, Init, "node.cluster.ports.scheduler", "probes"},
		"worker":          {func(s *Spec) { s.Node.Role = hostconfig.RoleWorker }, Init, "node.role", "no control plane"},
		"joins below":     {func(s *Spec) {}, JoinWorker, "node.role", "as a worker"},
		"no services":     {func(s *Spec) { s.Node.Cluster.ServiceCIDRs = nil }, Init, "node.cluster.serviceCIDRs", "missing"},
		"short key":       {func(s *Spec) { s.EncryptionAlgorithm = "RSA-2048" }, Init, "encryptionAlgorithm", "not offered"},
		"short authority": {func(s *Spec) { s.CAValidity.Duration = time.Hour }, Init, "caValidity", "between"},
		"long authority":  {func(s *Spec) { s.CAValidity = metav1.Duration{Duration: 11 * longestCA / 10} }, Init, "caValidity", "between"},
		"gate":            {func(s *Spec) { s.FeatureGates = map[string]bool{"RootlessControlPlane": true} }, Init, `featureGates["RootlessControlPlane"]`, "unknown"},
		"gate of an older minor": {func(s *Spec) {
			*s = s.of("v1.37.1")
			s.FeatureGates = map[string]bool{"NodeLocalCRISocket": true}
		}, Init, `featureGates["NodeLocalCRISocket"]`, "unknown"},
		"proxy": {func(s *Spec) {
			s.SkipKubeProxy, s.Node.ControlPlane.AllowPrivileged = false, true
			s.ExtraKubeProxy = map[string]any{"metricsBindAddress": "0.0.0.0:10249"}
		}, Init, `kubeProxy.extra["metricsBindAddress"]`, "CIS-4.3.1"},
		"privileged proxy": {func(s *Spec) { s.SkipKubeProxy = false }, Init, "skipKubeProxy", "privileged"},
		"lonely join":      {func(s *Spec) {}, JoinControlPlane, "node.cluster.controlPlanes", "no other"},
		"discovery":        {func(s *Spec) { s.DiscoveryFile = "discovery.conf" }, JoinControlPlane, "discoveryFile", "absolute"},
		"kubelet":          {func(s *Spec) { s.Node.Kubelet.Extra = map[string]any{"readOnlyPort": 10255} }, Init, `node.kubelet.extra["readOnlyPort"]`, "CIS-4.2.4"},
		"locked flag": {func(s *Spec) {
			s.Node.ControlPlane.ExtraArgs = map[string]map[string]string{"kube-apiserver": {"profiling": "true"}}
		}, Init, `node.controlPlane.extraArgs["kube-apiserver"]["profiling"]`, "CIS-1.2.15"},
		"flag of kubeadm": {func(s *Spec) {
			s.Node.ControlPlane.ExtraArgs = map[string]map[string]string{"kube-scheduler": {"leader-elect": "false"}}
		}, Init, `node.controlPlane.extraArgs["kube-scheduler"]["leader-elect"]`, "kubeadm decides"},
	} {
		t.Run(name, func(t *testing.T) {
			s := controlPlane()
			each.change(&s)
			refused(t, s.Validate(each.action, now), each.field, each.text)
			if file, err := s.Render(each.action, now); err == nil || file.Contents != "" {
				t.Error("it was rendered nevertheless")
			}
		})
	}
}
