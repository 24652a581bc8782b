package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/local/agent/images"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// flowTenants are tenants with a flow of each kind: shop's front pods reach cards at both ends of the flow, ledger
// reaches the API server, vault a range, and other has none.
func flowTenants(controlPlane string) string {
	front := map[string]string{"tier": "front"}
	port := []network.Port{{Port: helloPort}}
	text, err := json.Marshal([]baseline.TenantSpec{
		{Name: "shop", Egress: []network.Flow{{Name: "cards", Tenant: "cards", Workloads: front, Ports: port, Reason: "orders are paid there"}}},
		{Name: "cards", Ingress: []network.Flow{{Name: "shop", Tenant: "shop", TenantWorkloads: front, Ports: port, Reason: "orders are paid here"}}},
		{Name: "ledger", Egress: []network.Flow{{Name: "api", APIServer: true, Reason: "it watches its own jobs"}}},
		{Name: "vault", Egress: []network.Flow{{Name: "range", CIDR: controlPlane + "/32", Ports: []network.Port{{Port: 6443}}, Reason: "stands for a range outside"}}},
		{Name: "other"},
	})
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

// otherPort is one that no flow names.
const otherPort = 9000

// flowPods are the pods of the tenants, and one of kube-system that no policy knows.
func (c *Cluster) flowPods(t *testing.T) policyPods {
	pods := policyPods{}
	for _, p := range []struct{ name, namespace, node, tier string }{
		{"front-1", "shop", "worker-1", "front"}, {"back-1", "shop", "worker-1", "back"}, {"cards-1", "cards", "worker-1", ""}, {"cards-2", "cards", "worker-2", ""},
		{"ledger-1", "ledger", "worker-2", ""}, {"vault-1", "vault", "worker-1", ""}, {"other-1", "other", "worker-1", ""}, {"system-1", "kube-system", "worker-1", ""},
	} {
		c.awaitDefaultAccount(t, p.namespace)
		pod := podOn(p.name, p.namespace, p.node)
		pod.Labels["tier"] = p.tier
		pods[p.name] = c.startPod(t, pod)
		// Somebody listens there: what does not pass, a policy drops.
		listener, err := listenIn(fmt.Sprintf("/proc/%d/ns/net", pods[p.name].pid), net.JoinHostPort(pods[p.name].Status.PodIP, fmt.Sprint(otherPort)))
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
	}
	return pods
}

// flowsOfTenants sends packets along every flow that tenants have, back, and aside (M21, M24).
func flowsOfTenants(t *testing.T, c *Cluster, pods policyPods) {
	at := func(name string, port int) string { return net.JoinHostPort(pods[name].Status.PodIP, fmt.Sprint(port)) }
	api := net.JoinHostPort(c.ControlPlane.Address, "6443")
	want := map[string]bool{
		// Declared, on one node and across nodes.
		"front-1 " + pods.address("cards-1"): true, "front-1 " + pods.address("cards-2"): true,
		"ledger-1 " + api: true, "vault-1 " + api: true,
		// Another port, and the way back.
		"front-1 " + at("cards-1", otherPort): false, "front-1 " + at("cards-2", otherPort): false,
		"cards-1 " + pods.address("front-1"): false, "cards-2 " + pods.address("front-1"): false,
		// Other pods of the same tenant, and pods of one tenant among themselves.
		"back-1 " + pods.address("cards-1"): false, "back-1 " + pods.address("cards-2"): false, "front-1 " + pods.address("back-1"): false, "cards-1 " + pods.address("cards-2"): false,
		// The API server is for those alone who said so.
		"front-1 " + api: false, "cards-2 " + api: false, "other-1 " + api: false,
		// Who has no flows is alone.
		"other-1 " + pods.address("cards-1"): false, "other-1 " + pods.address("cards-2"): false, "front-1 " + pods.address("other-1"): false, "ledger-1 " + pods.address("other-1"): false,
		// Nor is the system's own namespace a way around: M21 holds there too.
		"system-1 " + api: false, "system-1 " + pods.address("cards-1"): false, "system-1 " + pods.address("cards-2"): false, "front-1 " + pods.address("system-1"): false,
		"ledger-1 " + pods.address("system-1"): false,
	}
	pods.flows(t, c, "flows of tenants", want)
	// What somebody listens on, the pod itself reaches.
	assert.True(t, reaches(t.Context(), pods["cards-1"].dial(), at("cards-1", otherPort)), "nobody listens")
}

const (
	dnsImage   = "redoubt.local/coredns:1.0"
	dnsAccount = "coredns"
)

// withDNS makes a directory of the programs with an image of CoreDNS beside the others, and gives the image by its
// digest.
func withDNS(t *testing.T, root string) (directory, image string) {
	program := filepath.Join(programs(root), "coredns")
	require.FileExists(t, program, "the programs are not built: run `make test`, which builds them first")
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".state"), 0o755))
	directory, err := os.MkdirTemp(filepath.Join(root, ".state"), "programs-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(directory)) })
	require.NoError(t, os.Chmod(directory, 0o755))
	entries, err := os.ReadDir(programs(root))
	require.NoError(t, err)
	for _, entry := range entries {
		from, err := filepath.EvalSymlinks(filepath.Join(programs(root), entry.Name()))
		require.NoError(t, err)
		if info, err := os.Stat(from); err != nil || info.IsDir() {
			continue
		}
		if os.Link(from, filepath.Join(directory, entry.Name())) != nil { // another file system
			data, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(directory, entry.Name()), data, 0o755))
		}
	}
	require.NoError(t, os.CopyFS(filepath.Join(directory, "images"), os.DirFS(filepath.Join(programs(root), "images"))))
	digest, err := images.Add(filepath.Join(directory, "images"), images.Image{Binary: program, Name: dnsImage, User: images.DefaultUser})
	require.NoError(t, err)
	return directory, dnsImage + "@" + digest
}

// corefile answers for the services of the cluster, as it learns of them from the API server.
const corefile = `.:53 {
  errors
  kubernetes cluster.local {
    kubeconfig /etc/coredns/kubeconfig
  }
}
`

// startDNS runs CoreDNS in kube-system with the labels that every installation gives it.
func (c *Cluster) startDNS(t *testing.T, image string) runningPod {
	client := c.client(t, c.masters(t))
	const system = metav1.NamespaceSystem
	meta := metav1.ObjectMeta{Name: dnsAccount, Labels: verifyLabels()}
	kubeconfig := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],
"clusters":[{"name":"x","cluster":{"server":"https://%s:6443","certificate-authority":"/etc/token/ca.crt"}}],"users":[{"name":"x","user":{"tokenFile":"/etc/token/token"}}]}`, c.ControlPlane.Address)
	_, err := client.CoreV1().ServiceAccounts(system).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.CoreV1().ConfigMaps(system).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"Corefile": corefile, "kubeconfig": kubeconfig}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "namespaces", "pods", "endpoints"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: dnsAccount},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: system, Name: dnsAccount}}}, metav1.CreateOptions{})
	require.NoError(t, err)

	pod := podOn("coredns", system, "worker-2")
	pod.Labels["k8s-app"] = "kube-dns"
	hour := int64(3600)
	pod.Spec.ServiceAccountName = dnsAccount
	pod.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "53"}}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: dnsAccount}}}},
		{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &hour}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
		}}}},
	}
	container := &pod.Spec.Containers[0]
	container.Image, container.Args, container.Ports = image, []string{"-conf", "/etc/coredns/Corefile"}, nil
	container.Resources.Limits = resources("500m", "170Mi")
	container.VolumeMounts = []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns", ReadOnly: true}, {Name: "token", MountPath: "/etc/token", ReadOnly: true}}
	return c.startPod(t, pod)
}

// namesAreForTenants asks the cluster's DNS from pods of tenants, and from one whose namespace has no flow to it; and
// tries what else DNS's pod could be used for (M21).
func namesAreForTenants(t *testing.T, c *Cluster, pods policyPods, image string) {
	service, err := c.client(t, c.masters(t)).CoreV1().Services("cards").Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: verifyLabels()},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: helloPort}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	c.newNamespace(t, "mute", nil)
	c.awaitDefaultAccount(t, "mute")
	c.apply(t, "mute", networkPolicy("deny", nil, nil))
	pods["mute-1"] = c.startPod(t, podOn("mute-1", "mute", "worker-1"))
	pods["dns"] = c.startDNS(t, image)
	at := func(port int) string { return net.JoinHostPort(pods["dns"].Status.PodIP, fmt.Sprint(port)) }
	const name = "web.cards.svc.cluster.local."
	ask := func(pod, over string) ([]string, error) {
		resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return pods[pod].dial()(ctx, over, at(53)) }}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return resolver.LookupHost(ctx, name)
	}
	for _, over := range []string{"udp", "tcp"} {
		for _, pod := range []string{"front-1", "other-1", "cards-2"} {
			_, err = retry.DoWithRetryContextE(t, t.Context(), name, 120, 500*time.Millisecond, func() (string, error) {
				answer, err := ask(pod, over)
				if err == nil && (len(answer) != 1 || answer[0] != service.Spec.ClusterIP) {
					err = fmt.Errorf("the answer is %v", answer)
				}
				return "", err
			})
			require.NoError(t, err, "%s asks over %s", pod, over)
		}
		for _, pod := range []string{"mute-1", "system-1"} {
			_, err := ask(pod, over)
			assert.Error(t, err, "%s, whose namespace has no flow to DNS, was answered over %s", pod, over)
		}
	}
	listener, err := listenIn(fmt.Sprintf("/proc/%d/ns/net", pods["dns"].pid), at(otherPort))
	require.NoError(t, err)
	defer listener.Close()
	api := net.JoinHostPort(c.ControlPlane.Address, "6443")
	pods.flows(t, c, "DNS", map[string]bool{
		"front-1 " + at(53): true, "front-1 " + at(otherPort): false, "cards-2 " + at(otherPort): false, "mute-1 " + at(53): false,
		"dns " + api: true, "dns " + pods.address("cards-1"): false, "dns " + pods.address("front-1"): false,
	})
}

// namesOutsideAreRefused declares a flow to a name: the plugin here has no such policies, and a declaration of nothing
// is an error (M21).
func namesOutsideAreRefused(t *testing.T, r *rehearsal) {
	other := *r
	other.set = map[string]string{"redoubt:workers": "2", "redoubt:tenants": `[{"name":"shop","egress":[{"name":"pay","fqdn":"api.example.org","ports":[{"port":443}],"reason":"payments are made there"}]}]`}
	_, err := other.tryUp(t)
	assert.ErrorContains(t, err, "egress[0].fqdn: the cluster's network plugin has no policies by name")
	assert.ErrorContains(t, err, "write cidr")
}
