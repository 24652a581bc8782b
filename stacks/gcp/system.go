package gcp

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
)

// Addresses on each node or network of Google Cloud.
const (
	// linkLocalResolver answers DNS on every network, and it alone on port 53. With
	// Cloud DNS it answers for the names of the cluster too.
	// https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-dns
	linkLocalResolver = "169.254.169.254/32"
	// gkeMetadata gives pods the credentials of their own account, on each node.
	// https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy#network-policy-and-workload-identity
	gkeMetadata = "169.254.169.252/32"
	// restrictedVIP are Google's interfaces inside the network.
	// https://cloud.google.com/vpc-service-controls/docs/set-up-private-connectivity
	restrictedVIP = "199.36.153.4/30"
)

// balancers are the sources of Google's load balancers and of their health checks.
// https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
var balancers = []string{"130.211.0.0/22", "35.191.0.0/16"}

// apiServers are the service of the API server, and the range of control planes
// behind it.
func (e environment) apiServers() []network.Endpoint {
	in := e.ranges()
	return []network.Endpoint{{CIDR: incluster.Nth(in.services, 1), Port: 443}, {CIDR: in.controlPlane, Port: 443}}
}

// systemWorkloads are the pods that GKE puts into kube-system and that have a
// network of their own; the others share that of their node, and no policy holds
// for them. Dataplane V2 gives nodes identities that no range matches, so that who
// must reach kubelets can only be held to ports:
// https://cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2#limitations
var systemWorkloads = func() []network.SystemWorkload {
	kubelet := network.Port{Port: hostconfig.DefaultPorts().Kubelet}
	tunnel := map[string]string{"k8s-app": "konnectivity-agent"}
	toAPI := network.SystemFlow{APIServer: true, Reason: "it watches what it works on"}
	watcher := func(name string) network.SystemWorkload {
		return network.SystemWorkload{Name: name, Labels: map[string]string{"k8s-app": name}, Egress: []network.SystemFlow{toAPI}}
	}
	return []network.SystemWorkload{
		{Name: "konnectivity-agent", Labels: tunnel, Egress: []network.SystemFlow{toAPI,
			// 8132: the other end of the tunnel, on the control plane. The others are those
			// of webhooks and of APIs that pods serve.
			{Ports: []network.Port{{Port: 8132}, kubelet, {Port: 443}, {Port: 4443}, {Port: 6443}, {Port: 8443}, {Port: 9443}},
				Reason: "the control plane reaches kubelets, webhooks and aggregated APIs through it"}}},
		{Name: "metrics-server", Labels: map[string]string{"k8s-app": "metrics-server"},
			Ingress: []network.SystemFlow{{Pods: tunnel, Ports: []network.Port{{Port: 443}, {Port: 4443}, kubelet}, Reason: "the API server asks it through the tunnel"}},
			Egress:  []network.SystemFlow{toAPI, {Ports: []network.Port{kubelet}, Reason: "kubelets tell what pods use"}}},
		{Name: "event-exporter", Labels: map[string]string{"k8s-app": "event-exporter"}, Egress: []network.SystemFlow{toAPI,
			{CIDRs: []string{restrictedVIP}, Ports: []network.Port{{Port: 443}}, Reason: "events are kept in Cloud Logging"},
			{CIDRs: []string{gkeMetadata}, Ports: []network.Port{{Port: 987}, {Port: 988}}, Reason: "credentials of its account"}}},
		{Name: "l7-default-backend", Labels: map[string]string{"k8s-app": "glbc"}, Ingress: []network.SystemFlow{
			{CIDRs: balancers, Ports: []network.Port{{Port: 8080}}, Reason: "load balancers ask it where nobody else answers"}}},
		watcher("kube-dns-autoscaler"), watcher("konnectivity-agent-cpha"), watcher("konnectivity-agent-autoscaler"),
	}
}()
