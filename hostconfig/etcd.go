package hostconfig

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
)

// etcdPeerName is the common name that every peer certificate carries, and the
// only one that peers accept: the certificate with which the API server reads
// etcd comes from the same authority and must not open the peer port.
const etcdPeerName = "redoubt:etcd-peer"

func httpsURL(address string, port int) string {
	return "https://" + net.JoinHostPort(address, strconv.Itoa(port))
}

// etcd gives etcd's hardened arguments. CIS Kubernetes section 2 is named per flag.
func (c ControlPlane) etcd() map[string]string {
	loopback := "127.0.0.1"
	// A single member has no peers: even its peer port stays on loopback.
	address, members := loopback, []EtcdMember{{Name: c.Name, Address: loopback}}
	clients := httpsURL(loopback, c.Ports.EtcdClient)
	if c.severalMembers() {
		address, members = c.AdvertiseAddress, c.EtcdMembers
		clients += "," + httpsURL(address, c.Ports.EtcdClient)
	}
	cluster := make([]string, 0, len(members))
	for _, member := range members {
		cluster = append(cluster, member.Name+"="+httpsURL(member.Address, c.Ports.EtcdPeer))
	}
	pki := c.Paths.EtcdPKI()
	peer := httpsURL(address, c.Ports.EtcdPeer)
	return map[string]string{
		"name":     c.Name,
		"data-dir": c.Paths.EtcdData(),

		"cert-file":        path.Join(pki, "server.crt"), // 2.1
		"key-file":         path.Join(pki, "server.key"), // 2.1
		"client-cert-auth": "true",                       // 2.2
		"trusted-ca-file":  path.Join(pki, "ca.crt"),     // 2.7
		"auto-tls":         "false",                      // 2.3

		"peer-cert-file":        path.Join(pki, "peer.crt"), // 2.4
		"peer-key-file":         path.Join(pki, "peer.key"), // 2.4
		"peer-client-cert-auth": "true",                     // 2.5
		"peer-trusted-ca-file":  path.Join(pki, "ca.crt"),   // 2.7
		"peer-auto-tls":         "false",                    // 2.6
		"peer-cert-allowed-cn":  etcdPeerName,

		"cipher-suites":   cipherSuiteList(),
		"tls-min-version": tlsMinimumEtcd,

		"listen-client-urls":          clients,
		"advertise-client-urls":       httpsURL(address, c.Ports.EtcdClient),
		"listen-peer-urls":            peer,
		"initial-advertise-peer-urls": peer,
		"initial-cluster":             strings.Join(cluster, ","),
		"initial-cluster-token":       c.ClusterName,
		"initial-cluster-state":       "new",

		// The separate listener uses https, and so asks for a client certificate.
		"listen-metrics-urls": httpsURL(loopback, c.Ports.EtcdMetrics),
		// The JSON gateway has no client here.
		"enable-grpc-gateway": "false",
		"enable-pprof":        "false",
		"log-outputs":         "stderr",
	}
}

// etcdRules are the rules of etcd v3.6's flags.
func etcdRules() map[string]Rule {
	return ruleSet{}.
		locked("CIS-2.1", "cert-file", "key-file").
		locked("CIS-2.2", "client-cert-auth", "client-cert-allowed-hostname", "client-crl-file").
		locked("CIS-2.3", "auto-tls", "self-signed-cert-validity").
		locked("CIS-2.4", "peer-cert-file", "peer-key-file", "client-cert-file", "client-key-file",
			"peer-client-cert-file", "peer-client-key-file").
		locked("CIS-2.5", "peer-client-cert-auth", "peer-cert-allowed-cn", "peer-cert-allowed-hostname", "peer-crl-file",
			"peer-skip-client-san-verification").
		locked("CIS-2.6", "peer-auto-tls").
		locked("CIS-2.7", "trusted-ca-file", "peer-trusted-ca-file").
		locked("M13", "enable-grpc-gateway", "enable-pprof", "listen-metrics-urls", "listen-client-http-urls",
			"listen-client-urls", "listen-peer-urls", "force-new-cluster", "unsafe-no-fsync", "config-file",
			"discovery", "discovery-token", "discovery-endpoints", "discovery-insecure-transport",
			"discovery-insecure-skip-tls-verify", "discovery-cert", "discovery-key", "discovery-cacert",
			"discovery-user", "discovery-password", "discovery-fallback", "discovery-proxy",
			"discovery-srv", "discovery-srv-name", "discovery-dial-timeout", "discovery-request-timeout",
			"discovery-keepalive-time", "discovery-keepalive-timeout",
			"cors", "host-whitelist", "auth-token", "auth-token-ttl", "bcrypt-cost", "strict-reconfig-check",
			"v2-deprecation", "feature-gates", "tls-max-version", "socket-reuse-port", "socket-reuse-address").
		bounded("M13", "cipher-suites", "suites with authenticated encryption only", subsetOf(aeadSuites)).
		bounded("M13", "tls-min-version", "TLS1.2 or TLS1.3", oneOf("TLS1.2", "TLS1.3")).
		decidedBy("name", "name").
		decidedBy("paths", "data-dir").
		decidedBy("clusterName", "initial-cluster-token").
		decidedBy("etcdMembers", "initial-cluster", "initial-advertise-peer-urls", "advertise-client-urls").
		bounded("M13", "initial-cluster-state", "new or existing", oneOf("new", "existing")).
		bounded("M13", "log-level", "debug, info, warn or error", oneOf("debug", "info", "warn", "error")).
		bounded("M13", "election-timeout", "1000 to 50000 milliseconds", integerBetween(1000, 50000)).
		bounded("M13", "heartbeat-interval", "100 to 5000 milliseconds", integerBetween(100, 5000)).
		bounded("M13", "warning-unary-request-duration", "10ms to 1m", durationBetween(10*time.Millisecond, time.Minute)).
		overwritable("wal-dir", "snapshot-count", "initial-election-tick-advance", "max-snapshots", "max-wals", "memory-mlock",
			"quota-backend-bytes", "backend-bbolt-freelist-type", "backend-batch-interval", "backend-batch-limit",
			"max-txn-ops", "max-request-bytes", "max-concurrent-streams", "grpc-keepalive-min-time",
			"grpc-keepalive-interval", "grpc-keepalive-timeout", "raft-read-timeout", "raft-write-timeout", "pre-vote",
			"auto-compaction-retention", "auto-compaction-mode", "metrics", "logger", "log-outputs", "log-format",
			"enable-log-rotation", "log-rotation-config-json", "enable-distributed-tracing",
			"distributed-tracing-address", "distributed-tracing-service-name", "distributed-tracing-instance-id",
			"distributed-tracing-sampling-rate", "corrupt-check-time", "compact-hash-check-time",
			"compaction-batch-limit", "compaction-sleep-interval", "watch-progress-notify-interval",
			"warning-apply-duration", "bootstrap-defrag-threshold-megabytes", "max-learners",
			"downgrade-check-time", "snapshot-catchup-entries")
}

func (p *problems) etcdMembers(c ControlPlane) {
	if len(c.EtcdMembers) == 0 {
		return
	}
	var self bool
	names, addresses := map[string]bool{}, map[string]bool{}
	for i, member := range c.EtcdMembers {
		at := fmt.Sprintf("etcdMembers[%d]", i)
		p.dnsLabel(at+".name", member.Name)
		p.ipv4(at+".address", member.Address)
		if names[member.Name] || addresses[member.Address] {
			p.add(at, "its name or address is that of an earlier member", "list each member once")
		}
		names[member.Name], addresses[member.Address] = true, true
		self = self || member == EtcdMember{Name: c.Name, Address: c.AdvertiseAddress}
	}
	if !self {
		p.add("etcdMembers", "this machine is not among them", "list it with its name and advertiseAddress")
	}
	// An even number tolerates no more failures than the odd number below it.
	if len(c.EtcdMembers)%2 == 0 {
		p.add("etcdMembers", fmt.Sprintf("%d members are an even number", len(c.EtcdMembers)), "use 1, 3 or 5")
	}
}
