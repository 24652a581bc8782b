package access

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// tight is a container that does nothing of section 5.2.
func tight() corev1.SecurityContext {
	return corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), RunAsNonRoot: ptr.To(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}

// Each recommendation is seen in each list of containers, and nothing else is.
func TestDoes(t *testing.T) {
	for what, change := range map[string]func(*corev1.SecurityContext, *[]corev1.ContainerPort){
		"":                         func(*corev1.SecurityContext, *[]corev1.ContainerPort) {},
		"privileged":               func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) { s.Privileged = ptr.To(true) },
		"allowPrivilegeEscalation": func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) { s.AllowPrivilegeEscalation = nil },
		"root":                     func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) { s.RunAsNonRoot = nil },
		"capabilities.add": func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) {
			s.Capabilities.Add = []corev1.Capability{"CHOWN"}
		},
		"capabilities": func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) {
			s.Capabilities.Drop = []corev1.Capability{"NET_RAW"}
		},
		"hostPorts": func(_ *corev1.SecurityContext, p *[]corev1.ContainerPort) {
			*p = []corev1.ContainerPort{{HostPort: 80}}
		},
		"hostProcess": func(s *corev1.SecurityContext, _ *[]corev1.ContainerPort) {
			s.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: ptr.To(true)}
		},
	} {
		for list := range 3 {
			security, ports := tight(), []corev1.ContainerPort(nil)
			change(&security, &ports)
			var spec corev1.PodSpec
			switch list {
			case 0:
				spec.Containers = []corev1.Container{{SecurityContext: &security, Ports: ports}}
			case 1:
				spec.InitContainers = []corev1.Container{{SecurityContext: &security, Ports: ports}}
			default:
				spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{SecurityContext: &security, Ports: ports}}}
			}
			var want []string
			if what != "" {
				want = []string{what}
			}
			if got := Does(spec); !slices.Equal(got, want) {
				t.Errorf("%q in list %d: %v", what, list, got)
			}
		}
	}
	bare := tight()
	bare.Capabilities = nil
	if got := Does(corev1.PodSpec{Containers: []corev1.Container{{SecurityContext: &bare}}}); !slices.Equal(got, []string{"NET_RAW", "capabilities"}) {
		t.Errorf("without a word about capabilities: %v", got)
	}
	asRoot := tight()
	asRoot.RunAsUser = ptr.To(int64(0))
	if got := Does(corev1.PodSpec{Containers: []corev1.Container{{SecurityContext: &asRoot}}}); !slices.Equal(got, []string{"root"}) {
		t.Errorf("as user 0: %v", got)
	}
	host := corev1.PodSpec{HostPID: true, HostIPC: true, HostNetwork: true, Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}}}}
	if got := Does(host); !slices.Equal(got, []string{"hostPID", "hostIPC", "hostNetwork", "hostPath"}) {
		t.Errorf("parts of the node: %v", got)
	}
}

// Each verdict fails for the one thing that it is about.
func TestPodVerdicts(t *testing.T) {
	good := func() Cluster {
		return Cluster{PodSecurity: map[string]string{"team": "restricted", "kube-system": "privileged"},
			Accounts: []Account{{Namespace: "team", Name: "default", Automounts: ptr.To(false)}, {Namespace: "team", Name: "app"}},
			Pods:     []Pod{{Namespace: "team", Name: "web", Account: "app", Token: true}, {Namespace: "kube-system", Name: "cni", Does: []string{"privileged", "hostNetwork"}}}}
	}
	fails := func(c Cluster) []string {
		var ids []string
		for _, v := range c.podVerdicts() {
			if v.Holds != (len(v.Who) == 0) {
				t.Errorf("%v", v)
			}
			if !v.Holds {
				ids = append(ids, v.ID)
			}
		}
		return ids
	}
	if got := fails(good()); len(got) != 0 {
		t.Errorf("a good cluster: %v", got)
	}
	restricted := []string{"5.2.6", "5.2.7", "5.2.8", "5.2.10"}
	for name, each := range map[string]struct {
		change func(*Cluster)
		want   []string
	}{
		"a default account": {func(c *Cluster) { c.Accounts[0].Automounts = nil }, []string{"5.1.5"}},
		"its token":         {func(c *Cluster) { c.Pods[0].Account = "default" }, []string{"5.1.5"}},
		"its rights": {func(c *Cluster) {
			c.RoleBindings = []rbacv1.RoleBinding{{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "b"}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "default"}}}}
		}, []string{"5.1.5"}},
		"a token unasked":         {func(c *Cluster) { c.Pods[0].Unasked = true }, []string{"5.1.6"}},
		"a namespace baseline":    {func(c *Cluster) { c.PodSecurity["team"] = "baseline" }, restricted},
		"a pod":                   {func(c *Cluster) { c.Pods[0].Does = []string{"hostPath"} }, []string{"5.2.12"}},
		"nothing can be read":     {func(c *Cluster) { c.Accounts, c.Pods, c.PodSecurity = nil, nil, nil }, []string{"5.1.5", "5.1.6", "5.2.1"}},
		"a level nobody knows":    {func(c *Cluster) { c.PodSecurity["team"] = "none" }, []string{"5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.6", "5.2.7", "5.2.8", "5.2.9", "5.2.10", "5.2.11", "5.2.12", "5.2.13"}},
		"no level of kube-system": {func(c *Cluster) { c.PodSecurity["kube-system"] = "" }, []string{"5.2.1"}},
	} {
		c := good()
		each.change(&c)
		if got := fails(c); !slices.Equal(got, each.want) {
			t.Errorf("%s: %v, want %v", name, got, each.want)
		}
	}
}
