package hostconfig

import (
	"fmt"
	"path"

	rbacv1 "k8s.io/api/rbac/v1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

// PolicyAgent is what enforces NetworkPolicies on a machine, beside its firewall.
type PolicyAgent string

// KubeRouter is the firewall of kube-router, without its routes and services:
// https://github.com/cloudnativelabs/kube-router/blob/v2.1.0/docs/user-guide.md
const KubeRouter PolicyAgent = "kube-router"

// judgedMarks are the bits of a packet's mark with which agents tell what they
// have found allowed. Kube-router sets its own on each packet of a pod that it
// knows, whether a policy allows it or none applies:
// https://github.com/cloudnativelabs/kube-router/blob/v2.1.0/pkg/controllers/netpol/pod.go
var judgedMarks = map[PolicyAgent]uint32{KubeRouter: 0x20000}

// judgement gives the rules by which a new connection of a pod passes a machine
// only when the agent has judged it (M21). A pod starts before its agent has
// heard of it, and an agent may be stopped: until it has put the pod's policies
// in force the pod is alone. An accepted connection goes on, as in the other
// chains. No mark comes from outside: a packet that enters a network namespace,
// a pod's or a machine's, loses it. What a pod sends needs a second mark, that of
// [PodRules]: the agent's is on it too where the agent knows the receiver alone.
func (f Firewall) judgement() []string {
	mark, known := judgedMarks[f.PolicyAgent]
	if !known || !f.Topology().runsPods(f.Role) {
		return nil
	}
	var rules []string
	for _, name := range f.PodInterfaces {
		for _, side := range []string{"iifname", "oifname"} {
			rules = append(rules, fmt.Sprintf(`%s %q ct state != { established, related } meta mark & 0x%08x == 0 drop comment "no policy judged it"`, side, name, mark))
		}
		rules = append(rules, fmt.Sprintf(`iifname %q ct state != { established, related } meta mark & 0x%08x == 0 drop comment "its policies are not in force yet"`, name, knownMark))
	}
	return rules
}

const (
	// GroupPolicyAgents holds the agents that enforce NetworkPolicies. They read
	// what policies are about, and write nothing.
	GroupPolicyAgents = "redoubt:policy-agents"
	policyAgentPrefix = "redoubt:policy-agent:"
	rolePolicyAgent   = "redoubt:policy-agent"
)

// SignerPolicyAgent is the signer of their certificates, which the agent of the
// control plane serves. The controller-manager signs for kubelets alone: with its
// signer of clients whoever may approve could make anybody of a request.
const SignerPolicyAgent = "redoubt.dev/policy-agent"

// UserPolicyAgent is the identity of the agent on a node.
func UserPolicyAgent(node string) string { return policyAgentPrefix + node }

// policyAgentRules are what kube-router watches. Without its services it still
// waits until it has seen all of them.
func policyAgentRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("", verbsRead, "pods", "namespaces", "nodes", "services", "endpoints"),
		rule("discovery.k8s.io", "list watch", "endpointslices"),
		rule("networking.k8s.io", "list watch", "networkpolicies"),
	}
}

// PolicyAgentCredential is the certificate of the agent that enforces policies,
// with its key, in one file that changes in one step.
func (p Paths) PolicyAgentCredential() string {
	return path.Join(p.PolicyAgentDir(), "client.pem")
}

// PolicyAgentDir holds the agent's credential, mode 0700.
func (p Paths) PolicyAgentDir() string { return p.at("/var/lib/redoubt/policy-agent") }

// PolicyAgentKubeconfig renders the kubeconfig of the machine's policy agent. It
// refers to the short-lived certificate by path and holds no secret.
func (w Worker) PolicyAgentKubeconfig() (File, error) {
	w = w.WithDefaults()
	file, err := renderKubeconfig(w.Paths.Kubeconfig("policy-agent"), w.ClusterName,
		clientcmdv1.Cluster{Server: w.APIServer, CertificateAuthority: w.Paths.ClusterCA()}, UserPolicyAgent(w.Name),
		clientcmdv1.AuthInfo{ClientCertificate: w.Paths.PolicyAgentCredential(), ClientKey: w.Paths.PolicyAgentCredential()})
	file.Owner = ownerRoot
	return file, err
}

// KubeRouterArgs are the arguments of kube-router as an agent of policies alone.
// What comes for the addresses of services it leaves to the rules behind it.
func (w Worker) KubeRouterArgs(serviceCIDR string) []string {
	w = w.WithDefaults()
	return []string{
		"--kubeconfig=" + w.Paths.Kubeconfig("policy-agent"),
		"--hostname-override=" + w.Name,
		"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false",
		"--enable-cni=false", // the network of pods is made already
		"--enable-ipv4=true", "--enable-ipv6=false",
		"--service-cluster-ip-range=" + serviceCIDR,
		// Rules that somebody removes come back after at most a minute.
		"--iptables-sync-period=1m",
		// Neither has a setting for loopback alone.
		"--health-port=0", "--metrics-port=0", "--enable-pprof=false",
	}
}
