package hostconfig

import (
	"slices"
	"strings"
	"testing"
)

// TestCISArguments states the benchmark's expectations once more, independently
// of the code: CIS Kubernetes 1.12, sections 1.2, 1.3, 1.4, 2 and 3.2.
func TestCISArguments(t *testing.T) {
	set := func(want string) func(string, bool) bool {
		return func(got string, isSet bool) bool { return isSet && got == want }
	}
	unset := func(_ string, isSet bool) bool { return !isSet }
	contains := func(items ...string) func(string, bool) bool {
		return func(got string, _ bool) bool {
			list := strings.Split(got, ",")
			return !slices.ContainsFunc(items, func(item string) bool { return !slices.Contains(list, item) })
		}
	}
	lacks := func(items ...string) func(string, bool) bool {
		return func(got string, _ bool) bool {
			list := strings.Split(got, ",")
			return !slices.ContainsFunc(items, func(item string) bool { return slices.Contains(list, item) })
		}
	}
	nonEmpty := func(got string, isSet bool) bool { return isSet && got != "" }
	aead := func(got string, _ bool) bool {
		for _, suite := range strings.Split(got, ",") {
			if !strings.HasPrefix(suite, "TLS_ECDHE_") || !(strings.Contains(suite, "_GCM_") || strings.Contains(suite, "CHACHA20")) {
				return false
			}
		}
		return got != ""
	}
	type expectation struct {
		control, component, flag string
		holds                    func(value string, isSet bool) bool
	}
	api, manager, scheduler, etcd := ComponentAPIServer, ComponentControllerManager, ComponentScheduler, ComponentEtcd
	expectations := []expectation{
		{"1.2.1", api, "anonymous-auth", unset},
		{"1.2.1", api, "authentication-config", nonEmpty},
		{"1.2.2", api, "token-auth-file", unset},
		{"1.2.3", api, "enable-admission-plugins", contains("DenyServiceExternalIPs")},
		{"1.2.4", api, "kubelet-client-certificate", nonEmpty},
		{"1.2.4", api, "kubelet-client-key", nonEmpty},
		{"1.2.5", api, "kubelet-certificate-authority", set("/etc/kubernetes/pki/ca.crt")},
		{"1.2.6-8", api, "authorization-mode", set("Node,RBAC")},
		{"1.2.9", api, "enable-admission-plugins", contains("EventRateLimit")},
		{"1.2.10", api, "enable-admission-plugins", lacks("AlwaysAdmit")},
		{"1.2.11", api, "enable-admission-plugins", contains("AlwaysPullImages")},
		{"1.2.12-13", api, "disable-admission-plugins", unset},
		{"1.2.14", api, "enable-admission-plugins", contains("NodeRestriction")},
		{"1.2.15", api, "profiling", set("false")},
		{"1.2.16", api, "audit-log-path", set("/var/log/kubernetes/audit.log")},
		{"1.2.17", api, "audit-log-maxage", set("30")},
		{"1.2.18", api, "audit-log-maxbackup", set("10")},
		{"1.2.19", api, "audit-log-maxsize", set("100")},
		{"1.2.20", api, "request-timeout", set("1m0s")},
		{"1.2.21", api, "service-account-lookup", set("true")},
		{"1.2.22", api, "service-account-key-file", nonEmpty},
		{"1.2.23", api, "etcd-certfile", nonEmpty},
		{"1.2.23", api, "etcd-keyfile", nonEmpty},
		{"1.2.24", api, "tls-cert-file", nonEmpty},
		{"1.2.24", api, "tls-private-key-file", nonEmpty},
		{"1.2.25", api, "client-ca-file", nonEmpty},
		{"1.2.26", api, "etcd-cafile", nonEmpty},
		{"1.2.27", api, "encryption-provider-config", nonEmpty},
		{"1.2.29", api, "tls-cipher-suites", aead},
		{"1.2.29", api, "tls-min-version", set("VersionTLS12")},
		{"1.2.30", api, "service-account-extend-token-expiration", set("false")},
		{"3.2.1", api, "audit-policy-file", nonEmpty},
		{"M14", api, "service-account-issuer", set("https://kubernetes.default.svc.cluster.local")},
		{"M14", api, "api-audiences", set("https://kubernetes.default.svc.cluster.local")},
		{"M13", api, "etcd-servers", set("https://127.0.0.1:2379")},
		{"M18", api, "encryption-provider-config-automatic-reload", set("false")},
		{"1.3.1", manager, "terminated-pod-gc-threshold", set("1000")},
		{"1.3.2", manager, "profiling", set("false")},
		{"1.3.3", manager, "use-service-account-credentials", set("true")},
		{"1.3.4", manager, "service-account-private-key-file", nonEmpty},
		{"1.3.5", manager, "root-ca-file", nonEmpty},
		{"1.3.6", manager, "feature-gates", contains("RotateKubeletServerCertificate=true")},
		{"1.3.7", manager, "bind-address", set("127.0.0.1")},
		{"M34", manager, "cluster-signing-duration", set("24h0m0s")},
		{"M34", manager, "cluster-signing-cert-file", unset},
		{"M34", manager, "cluster-signing-legacy-unknown-cert-file", unset},
		{"M15", manager, "tls-cipher-suites", aead},
		{"1.4.1", scheduler, "profiling", set("false")},
		{"1.4.2", scheduler, "bind-address", set("127.0.0.1")},
		{"M15", scheduler, "tls-cipher-suites", aead},
		{"2.1", etcd, "cert-file", nonEmpty},
		{"2.1", etcd, "key-file", nonEmpty},
		{"2.2", etcd, "client-cert-auth", set("true")},
		{"2.3", etcd, "auto-tls", set("false")},
		{"2.4", etcd, "peer-cert-file", nonEmpty},
		{"2.4", etcd, "peer-key-file", nonEmpty},
		{"2.5", etcd, "peer-client-cert-auth", set("true")},
		{"2.6", etcd, "peer-auto-tls", set("false")},
		{"2.7", etcd, "trusted-ca-file", set("/etc/etcd/pki/ca.crt")},
		{"2.7", etcd, "peer-trusted-ca-file", set("/etc/etcd/pki/ca.crt")},
		{"M13", etcd, "listen-client-urls", set("https://127.0.0.1:2379")},
		{"M13", etcd, "listen-peer-urls", set("https://127.0.0.1:2380")},
		{"M13", etcd, "listen-metrics-urls", set("https://127.0.0.1:2381")},
		{"M13", etcd, "cipher-suites", aead},
		{"M13", etcd, "tls-min-version", set("TLS1.2")},
		{"M13", etcd, "enable-pprof", set("false")},
	}
	for _, c := range []ControlPlane{isolated(), {
		// The defaults hold without WithDefaults too.
		ClusterName: "local", Name: "control-plane", AdvertiseAddress: "10.80.0.10",
		ServiceCIDR: "10.82.0.0/20", PodCIDR: "10.81.0.0/16",
	}} {
		for _, e := range expectations {
			if got, isSet := value(c.arguments(e.component), e.flag); !e.holds(got, isSet) {
				t.Errorf("%s: %s --%s is %q (set: %t)", e.control, e.component, e.flag, got, isSet)
			}
		}
	}
	// The cluster's and etcd's authorities are two (2.7).
	cluster, _ := value(isolated().APIServerArgs(), "client-ca-file")
	if ca, _ := value(isolated().EtcdArgs(), "trusted-ca-file"); ca == cluster {
		t.Errorf("etcd trusts the cluster's authority %s", ca)
	}
}

// TestNoPlaintext looks for listeners and endpoints without TLS.
func TestNoPlaintext(t *testing.T) {
	for _, c := range []ControlPlane{isolated(), plain(), several()} {
		for _, component := range components {
			for _, argument := range c.arguments(component) {
				if strings.Contains(argument, "http://") {
					t.Errorf("%s: %s", component, argument)
				}
			}
		}
	}
}

// TestPlainStaysBelowRoot: without isolation nothing lies elsewhere and nothing
// listens beyond the machine.
func TestPlainStaysBelowRoot(t *testing.T) {
	c := plain()
	for _, component := range components {
		for _, argument := range c.arguments(component) {
			for _, directory := range []string{"/etc", "/var", "/run", "/opt"} {
				if strings.Contains(argument, "="+directory+"/") {
					t.Errorf("%s: %s is outside %s", component, argument, c.Paths.Root)
				}
			}
			if strings.Contains(argument, "0.0.0.0") || strings.Contains(argument, "10.80.") {
				t.Errorf("%s: %s is not on loopback", component, argument)
			}
		}
	}
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasPrefix(file.Path, c.Paths.Root+"/") {
			t.Errorf("%s is outside %s", file.Path, c.Paths.Root)
		}
	}
	for _, leaf := range c.LeafCertificates() {
		for _, path := range []string{leaf.CA, leaf.CertFile, leaf.KeyFile} {
			if !strings.HasPrefix(path, c.Paths.Root+"/") {
				t.Errorf("%s is outside %s", path, c.Paths.Root)
			}
		}
	}
}
