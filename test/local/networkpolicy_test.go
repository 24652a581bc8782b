package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policyPods are the pods of a test of policies, by name.
type policyPods map[string]runningPod

// TestNetworkPolicies sends packets between real pods of two workers, to the API
// server, to the outside and to the metadata address, with policies and without,
// and while the agent that enforces them is away (M21).
func TestNetworkPolicies(t *testing.T) {
	root := needsMachines(t)
	directory, dns := withDNS(t, root)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "2", "redoubt:tenants": flowTenants("10.80.0.10"), "redoubt:programsDirectory": directory})
	_, c := r.up(t)
	c.newNamespace(t, "front", nil)
	c.newNamespace(t, "back", nil)
	pods := policyPods{}
	for _, p := range []struct{ name, namespace, node string }{
		{"front-1", "front", "worker-1"}, {"back-1", "back", "worker-1"}, {"back-2", "back", "worker-2"},
	} {
		c.awaitDefaultAccount(t, p.namespace)
		pods[p.name] = c.startPod(t, podOn(p.name, p.namespace, p.node))
	}
	api := net.JoinHostPort(c.ControlPlane.Address, "6443")
	back1, back2 := pods.address("back-1"), pods.address("back-2")

	// Nothing is forbidden yet: what is dropped below, a policy drops.
	pods.flows(t, c, "no policies", map[string]bool{
		"front-1 " + back1: true, "front-1 " + back2: true, "back-1 " + back2: true, "back-2 " + back1: true,
		"front-1 " + api: true, "back-1 " + api: true, "back-2 " + api: true,
	})

	c.apply(t, "back", networkPolicy("deny", nil, nil))
	pods.flows(t, c, "default deny", map[string]bool{
		"front-1 " + back1: false, "front-1 " + back2: false, "back-1 " + back2: false, "back-2 " + back1: false,
		"front-1 " + api: true, "back-1 " + api: false, "back-2 " + api: false,
	})
	// The other machine is a stranger to the pod; its own kubelet must reach it.
	pods.from(t, c.DialFrom("worker-2"), "worker-2", back1, false)
	pods.from(t, c.DialFrom("worker-1"), "worker-1", back1, true)

	c.apply(t, "back", networkPolicy("from-front", []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "front"}}}}, Ports: tcpPort(helloPort)}}, nil))
	pods.flows(t, c, "ingress from a namespace", map[string]bool{
		"front-1 " + back1: true, "front-1 " + back2: true, "back-1 " + back2: false, "back-2 " + back1: false,
	})

	c.apply(t, "front", networkPolicy("deny", nil, nil))
	pods.flows(t, c, "egress denied", map[string]bool{"front-1 " + back1: false, "front-1 " + back2: false, "front-1 " + api: false})
	c.apply(t, "front", networkPolicy("to-back", nil, []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "back"}}}}, Ports: tcpPort(helloPort)}}))
	pods.flows(t, c, "egress to a namespace", map[string]bool{"front-1 " + back1: true, "front-1 " + back2: true, "front-1 " + api: false})
	c.apply(t, "front", networkPolicy("to-api", nil, []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{
		IPBlock: &networkingv1.IPBlock{CIDR: c.ControlPlane.Address + "/32"}}}, Ports: tcpPort(6443)}}))
	pods.flows(t, c, "egress to a range", map[string]bool{"front-1 " + api: true, "back-1 " + api: false})

	t.Run("outside and metadata", func(t *testing.T) { nothingLeavesTheCluster(t, c, pods) })
	t.Run("restart of the agent", func(t *testing.T) { agentRestarts(t, c, pods) })
	for _, p := range [][2]string{{"free-1", "worker-1"}, {"free-2", "worker-1"}, {"free-3", "worker-2"}} {
		c.newNamespace(t, p[0], nil)
		c.awaitDefaultAccount(t, p[0])
		pods[p[0]] = c.startPod(t, podOn(p[0], p[0], p[1])) // nothing is forbidden there
	}
	pods.flows(t, c, "pods that nothing holds", map[string]bool{"free-1 " + pods.address("free-2"): true, "free-2 " + pods.address("free-1"): true, "free-1 " + pods.address("free-3"): true})
	t.Run("a pod before its policies", func(t *testing.T) { podIsAloneUntilJudged(t, c, pods) })
	t.Run("connections of a pod under quarantine", func(t *testing.T) { quarantineCutsConnections(t, c, pods) })
	t.Run("rules of the guard", func(t *testing.T) { guardRepairs(t, c, pods) })
	tenants := c.flowPods(t)
	t.Run("flows of tenants", func(t *testing.T) { flowsOfTenants(t, c, tenants) })
	t.Run("names", func(t *testing.T) { namesAreForTenants(t, c, tenants, dns) })
	t.Run("names outside", func(t *testing.T) { namesOutsideAreRefused(t, r) })
	t.Run("rights of the agent", func(t *testing.T) { policyAgentHasFewRights(t, c) })
}

// podOn is the compliant pod on one node.
func podOn(name, namespace, node string) *corev1.Pod {
	pod := compliantPod(name)
	pod.Namespace, pod.Labels["app"] = namespace, name
	pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node}
	return pod
}

func (p policyPods) address(name string) string {
	return net.JoinHostPort(p[name].Status.PodIP, fmt.Sprint(helloPort))
}

// flows demands that each flow, "pod address", comes to pass or to be blocked, and
// that all are so at once: an agent applies policies some time after they are made.
func (p policyPods) flows(t *testing.T, c *Cluster, stage string, want map[string]bool) {
	t.Helper()
	_, err := retry.DoWithRetryContextE(t, t.Context(), stage, 80, 250*time.Millisecond, func() (string, error) {
		var wrong []error
		for flow, passes := range want {
			name, target, _ := strings.Cut(flow, " ")
			if got := reaches(t.Context(), p[name].dial(), target); got != passes {
				wrong = append(wrong, fmt.Errorf("%s: passes %t, want %t", flow, got, passes))
			}
		}
		return "", errors.Join(wrong...)
	})
	require.NoError(t, err, stage)
}

// from is one flow of somebody who is no pod.
func (p policyPods) from(t *testing.T, dial dialer, who, target string, want bool) {
	t.Helper()
	assert.Equal(t, want, reaches(t.Context(), dial, target), "%s to %s", who, target)
}

// reaches tells whether a connection comes about. A policy that forbids it may
// answer or not.
func reaches(ctx context.Context, dial dialer, target string) bool {
	ctx, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	conn, err := dial(ctx, "tcp", target)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func networkPolicy(name string, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) *networkingv1.NetworkPolicy {
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()},
		Spec: networkingv1.NetworkPolicySpec{PolicyTypes: types, Ingress: in, Egress: out}}
}

func tcpPort(port int) []networkingv1.NetworkPolicyPort {
	tcp, number := corev1.ProtocolTCP, intstr.FromInt(port)
	return []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &number}}
}

// apply makes a policy; it goes with its namespace.
func (c *Cluster) apply(t *testing.T, namespace string, policy *networkingv1.NetworkPolicy) {
	t.Helper()
	_, err := c.client(t, c.masters(t)).NetworkingV1().NetworkPolicies(namespace).Create(t.Context(), policy, metav1.CreateOptions{})
	require.NoError(t, err)
}

// nothingLeavesTheCluster puts somebody into the node network, with an address of
// its own and that of the metadata service, and allows a pod to reach both as far
// as policies go: the host firewall still knows no such flow.
func nothingLeavesTheCluster(t *testing.T, c *Cluster, pods policyPods) {
	const metadata = "169.254.169.254"
	node := c.Nodes[0]
	address, err := freeAddress(c.Network.NodeCIDR, c.addresses()...)
	require.NoError(t, err)
	o := c.newOutsider(t, nodesBridge, address)
	for _, step := range [][]string{
		{"-n", o.namespace, "addr", "add", metadata + "/32", "dev", "eth0"},
		{"-n", c.NamespaceName(node.Name), "route", "add", metadata, "dev", "eth0"},
		{"-n", o.namespace, "route", "add", node.PodCIDR, "via", node.Address},
	} {
		_, err := ip(t.Context(), step...)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		_, err := ip(cleanupContext(t), "-n", c.NamespaceName(node.Name), "route", "delete", metadata)
		assert.NoError(t, err)
	})
	c.apply(t, "front", networkPolicy("to-anywhere", nil, []networkingv1.NetworkPolicyEgressRule{{}}))
	back := pods.address("back-1")
	pods.flows(t, c, "egress to anywhere", map[string]bool{"front-1 " + back: true})
	for _, target := range []string{o.address.String(), metadata} {
		listen, err := listenIn(namespacePath(o.namespace), net.JoinHostPort(target, "80"))
		require.NoError(t, err)
		defer listen.Close()
		// Somebody is there: the outsider reaches itself, and the machine's packet
		// gets as far as its own firewall.
		assert.True(t, reaches(t.Context(), o.dial(), listen.Addr().String()))
		assert.False(t, reaches(t.Context(), pods["front-1"].dial(), listen.Addr().String()), "a pod reaches %s", target)
	}
	// Nor does the stranger reach a pod, whatever route it takes.
	assert.False(t, reaches(t.Context(), o.dial(), back), "a stranger in the node network reaches a pod")
	require.NoError(t, c.client(t, c.masters(t)).NetworkingV1().NetworkPolicies("front").Delete(t.Context(), "to-anywhere", metav1.DeleteOptions{}))
}

// listenIn accepts connections inside a network namespace.
func listenIn(path, address string) (net.Listener, error) {
	return serveIn(path, address, func(conn net.Conn) {})
}

// serveIn does something with each connection to a listener inside a network namespace.
func serveIn(path, address string, do func(net.Conn)) (net.Listener, error) {
	var listener net.Listener
	err := inNamespace(path, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err == nil {
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					do(conn)
				}()
			}
		}()
	}
	return listener, err
}

// policyAgent is the process of kube-router on a machine.
func (c *Cluster) policyAgent(machine string) (int, error) {
	found, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	want, err := os.Stat(namespacePath(c.NamespaceName(machine)))
	if err != nil {
		return 0, err
	}
	for _, file := range found {
		name, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(name)) != "kube-router" {
			continue
		}
		own, err := os.Stat(filepath.Join(filepath.Dir(file), "ns/net"))
		if err == nil && os.SameFile(want, own) {
			var pid int
			_, err := fmt.Sscan(filepath.Base(filepath.Dir(file)), &pid)
			return pid, err
		}
	}
	return 0, fmt.Errorf("kube-router does not run on %s", machine)
}

// agentRestarts kills the agent, and tries all the while what is forbidden: there
// is no moment in which it passes. What is allowed goes on.
func agentRestarts(t *testing.T, c *Cluster, pods policyPods) {
	before, err := c.policyAgent("worker-1")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(before, syscall.SIGKILL))
	tries, after := 0, 0
	deadline := time.Now().Add(patience)
	var settled time.Time
	for ; settled.IsZero() || time.Since(settled) < 3*time.Second; tries++ {
		require.True(t, time.Now().Before(deadline), "the agent did not come back")
		for _, flow := range [][2]string{{"back-2", "back-1"}, {"back-1", "back-2"}} {
			require.False(t, reaches(t.Context(), pods[flow[0]].dial(), pods.address(flow[1])), "%s reaches %s while the agent restarts", flow[0], flow[1])
		}
		require.True(t, reaches(t.Context(), pods["front-1"].dial(), pods.address("back-2")), "an allowed flow is cut while the agent restarts")
		if pid, err := c.policyAgent("worker-1"); err == nil && pid != before && settled.IsZero() {
			after, settled = pid, time.Now()
		}
	}
	t.Logf("%d rounds, the agent is now %d instead of %d", tries, after, before)
}

// podIsAloneUntilJudged starts a pod while the agent stands still: nothing comes
// to it or from it until the agent has heard of it. In its namespace nothing is
// forbidden, so that it is the waiting that is seen.
func podIsAloneUntilJudged(t *testing.T, c *Cluster, pods policyPods) {
	c.newNamespace(t, "late", nil)
	c.awaitDefaultAccount(t, "late")
	agent, err := c.policyAgent("worker-1")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(agent, syscall.SIGSTOP))
	resume := func() { _ = syscall.Kill(agent, syscall.SIGCONT) }
	defer resume()
	pods["late-1"] = c.startPod(t, podOn("late-1", "late", "worker-1"))
	api := net.JoinHostPort(c.ControlPlane.Address, "6443")
	for _, flow := range [][2]string{{"late-1", api}, {"late-1", pods.address("back-2")}, {"front-1", pods.address("late-1")}, {"back-2", pods.address("late-1")},
		// Whom a policy of the same node knows, and lets hear everybody.
		{"late-1", pods.address("free-1")}, {"late-1", pods.address("free-2")}} {
		assert.False(t, reaches(t.Context(), pods[flow[0]].dial(), flow[1]), "%s reaches %s before any policy can be in force", flow[0], flow[1])
	}
	resume()
	pods.flows(t, c, "judged", map[string]bool{"late-1 " + api: true, "late-1 " + pods.address("free-1"): true})
}

// policyAgentHasFewRights reads what the kernel and the API server let it do.
func policyAgentHasFewRights(t *testing.T, c *Cluster) {
	pid, err := c.policyAgent("worker-1")
	require.NoError(t, err)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	status := parseStatus(string(data))
	for _, set := range []string{"CapEff", "CapPrm", "CapBnd"} {
		assert.Equal(t, "0000000000003000", status[set], "%s: NET_ADMIN and NET_RAW alone (capabilities(7))", set)
	}
	assert.Equal(t, "1", status["NoNewPrivs"])
	sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp6", pid))
	require.NoError(t, err)
	for _, port := range []string{":4F14 ", ":17AC "} { // 20244, 6060: health and profiles
		assert.NotContains(t, string(sockets), port, "kube-router listens")
	}
	info, err := os.Stat(c.Path("worker-1", "/var/lib/redoubt/policy-agent/client.pem"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
