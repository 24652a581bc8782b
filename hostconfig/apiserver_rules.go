package hostconfig

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// apiServerRules are the rules of kube-apiserver's flags in the supported minors.
func apiServerRules() map[string]Rule {
	return commonRules(ruleSet{}, "CIS-1.2.15", "CIS-1.2.24", "CIS-1.2.29").
		decidedBy("advertiseAddress", "advertise-address").
		decidedBy("bindAddress", "bind-address").
		decidedBy("ports.apiServer", "secure-port").
		decidedBy("allowPrivileged", "allow-privileged").
		decidedBy("serviceCIDR", "service-cluster-ip-range").
		decidedBy("oidc", "oidc-ca-file", "oidc-client-id", "oidc-groups-claim", "oidc-groups-prefix", "oidc-issuer-url",
			"oidc-required-claim", "oidc-signing-algs", "oidc-username-claim", "oidc-username-prefix").
		decidedBy("audit.maxAgeDays", "audit-log-maxage").
		decidedBy("audit.maxBackups", "audit-log-maxbackup").
		decidedBy("audit.maxSizeMegabytes", "audit-log-maxsize").
		decidedBy("ports.etcdClient", "etcd-servers").
		// Authentication.
		locked("CIS-1.2.1", "anonymous-auth", "authentication-config").
		locked("CIS-1.2.2", "token-auth-file").
		locked("CIS-1.2.25", "client-ca-file").
		locked("M14", "enable-bootstrap-token-auth", "authentication-token-webhook-config-file", "authentication-token-webhook-version",
			"authentication-token-webhook-cache-ttl", "api-audiences", "service-account-issuer", "service-account-jwks-uri",
			"service-account-signing-key-file", "service-account-signing-endpoint", "requestheader-allowed-names",
			"requestheader-client-ca-file", "requestheader-extra-headers-prefix", "requestheader-group-headers",
			"requestheader-uid-headers", "requestheader-username-headers", "proxy-client-cert-file", "proxy-client-key-file").
		locked("CIS-1.2.21", "service-account-lookup").
		locked("CIS-1.2.22", "service-account-key-file").
		locked("CIS-1.2.30", "service-account-extend-token-expiration").
		bounded("M34", "service-account-max-token-expiration", "1h to 24h", durationBetween(time.Hour, 24*time.Hour)).
		// Authorization.
		locked("CIS-1.2.6", "authorization-mode", "authorization-config", "authorization-policy-file").
		locked("M14", "authorization-webhook-config-file", "authorization-webhook-version",
			"authorization-webhook-cache-authorized-ttl", "authorization-webhook-cache-unauthorized-ttl").
		// Admission.
		additive("CIS-1.2.10", "enable-admission-plugins", "any plugin but AlwaysAdmit", acceptsAdmissionPlugins).
		locked("CIS-1.2.13", "disable-admission-plugins", "admission-control").
		locked("M22", "admission-control-config-file").
		bounded("M14", "runtime-config", "no class of APIs turned on, and no stable API turned off", acceptsRuntimeConfig).
		// Audit.
		locked("CIS-1.2.16", "audit-log-path", "audit-log-mode", "audit-log-format", "audit-log-version", "audit-log-truncate-enabled",
			"audit-log-truncate-max-batch-size", "audit-log-truncate-max-event-size", "audit-log-batch-buffer-size",
			"audit-log-batch-max-size", "audit-log-batch-max-wait", "audit-log-batch-throttle-burst",
			"audit-log-batch-throttle-enable", "audit-log-batch-throttle-qps").
		locked("CIS-3.2.1", "audit-policy-file").
		overwritable("audit-log-compress", "audit-webhook-batch-buffer-size", "audit-webhook-batch-max-size",
			"audit-webhook-batch-max-wait", "audit-webhook-batch-throttle-burst", "audit-webhook-batch-throttle-enable",
			"audit-webhook-batch-throttle-qps", "audit-webhook-config-file", "audit-webhook-initial-backoff",
			"audit-webhook-mode", "audit-webhook-truncate-enabled", "audit-webhook-truncate-max-batch-size",
			"audit-webhook-truncate-max-event-size", "audit-webhook-version").
		// Storage.
		locked("CIS-1.2.27", "encryption-provider-config", "encryption-provider-config-automatic-reload").
		locked("CIS-1.2.26", "etcd-cafile", "etcd-servers-overrides", "storage-backend").
		locked("CIS-1.2.23", "etcd-certfile", "etcd-keyfile").
		overwritable("delete-collection-workers", "enable-garbage-collector", "etcd-compaction-interval",
			"etcd-count-metric-poll-period", "etcd-db-metric-poll-interval", "etcd-healthcheck-timeout", "etcd-prefix",
			"etcd-readycheck-timeout", "lease-reuse-duration-seconds", "storage-media-type", "watch-cache", "watch-cache-sizes",
			"storage-initialization-timeout").
		// Kubelets.
		locked("CIS-1.2.5", "kubelet-certificate-authority").
		locked("CIS-1.2.4", "kubelet-client-certificate", "kubelet-client-key").
		overwritable("kubelet-preferred-address-types", "kubelet-timeout").
		// What the server shows and how it is reached.
		locked("CIS-1.2.15", "debug-socket-path").
		locked("M14", "enable-logs-handler", "cors-allowed-origins", "strict-transport-security-directives",
			"aggregator-reject-forwarding-redirect", "emulated-version", "emulation-forward-compatible",
			"min-compatibility-version", "runtime-config-emulation-forward-compatible", "enable-priority-and-fairness",
			"kubernetes-service-node-port", "peer-advertise-ip", "peer-advertise-port", "peer-ca-file").
		bounded("CIS-1.2.20", "request-timeout", "1s to 5m", durationBetween(time.Second, 5*time.Minute)).
		overwritable("external-hostname", "goaway-chance", "livez-grace-period", "max-mutating-requests-inflight",
			"max-requests-inflight", "min-request-timeout", "shutdown-delay-duration", "shutdown-send-retry-after",
			"shutdown-watch-termination-grace-period", "egress-selector-config-file", "default-not-ready-toleration-seconds",
			"default-unreachable-toleration-seconds", "tracing-config-file", "coordinated-leadership-lease-duration",
			"coordinated-leadership-renew-deadline", "coordinated-leadership-retry-period", "enable-aggregator-routing",
			"endpoint-reconciler-type", "event-ttl", "max-connection-bytes-per-sec", "service-node-port-range")
}

// commonRules adds the flags that the three Kubernetes components share. The
// controls are those of profiling, of the serving certificate and of ciphers.
func commonRules(s ruleSet, profiling, certificate, ciphers string) ruleSet {
	return s.
		locked(profiling, "profiling", "contention-profiling").
		locked(certificate, "tls-cert-file", "tls-private-key-file", "tls-sni-cert-key", "cert-dir").
		bounded(ciphers, "tls-cipher-suites", "suites with authenticated encryption only", subsetOf(aeadSuites)).
		bounded(ciphers, "tls-min-version", "VersionTLS12 or VersionTLS13", oneOf("VersionTLS12", "VersionTLS13")).
		bounded(ciphers, "tls-curve-preferences", curvesBound, subsetOf(curveIDs())).
		since("v1.36", "tls-curve-preferences").
		locked("M14", "permit-port-sharing", "permit-address-sharing").
		gates("M14", "feature-gates", acceptsGates).
		overwritable("disable-http2-serving", "http2-max-streams-per-connection", "allow-metric-labels",
			"allow-metric-labels-manifest", "disabled-metrics", "show-hidden-metrics-for-version", "log-flush-frequency",
			"log-json-split-stream", "log-text-split-stream", "logging-format").
		bounded("M17", "log-json-info-buffer-size", quantityBound, quantityPattern.MatchString).
		bounded("M17", "log-text-info-buffer-size", quantityBound, quantityPattern.MatchString).
		// From level 8 on, request and response bodies land in the log, secrets too.
		bounded("M17", "v", "0 to 7", integerBetween(0, mostVerbose)).
		bounded("M17", "vmodule", "file=level with levels of 0 to 7", acceptsVmodule)
}

// acceptsRuntimeConfig refuses whole classes of APIs: each one that is turned on
// adds an interface that nobody judged. Nor may a stable one be turned off: the
// policies of the cluster are objects of such APIs.
func acceptsRuntimeConfig(value string) bool {
	for _, item := range strings.Split(value, ",") {
		name, state, written := strings.Cut(strings.TrimSpace(item), "=")
		name = strings.TrimSpace(name) // as the API server reads it
		on := true
		if state = strings.TrimSpace(state); written && state != "" {
			var err error
			if on, err = strconv.ParseBool(state); err != nil {
				return false
			}
		}
		class := strings.HasPrefix(name, "api/")
		untried := strings.Contains(name, "alpha") || strings.Contains(name, "beta")
		if class && on || !on && !untried {
			return false
		}
	}
	return true
}

// admissionPluginPattern is how a plugin is spelled: anything else would replace
// the hardened entry of the same beginning when the lists are joined.
var admissionPluginPattern = regexp.MustCompile(`^[A-Za-z]+$`)

// acceptsAdmissionPlugins refuses the plugin that admits everything.
func acceptsAdmissionPlugins(value string) bool {
	for _, item := range strings.Split(value, ",") {
		if item = strings.TrimSpace(item); item == "AlwaysAdmit" || item != "" && !admissionPluginPattern.MatchString(item) {
			return false
		}
	}
	return true
}

// mostVerbose is the highest level that logs no bodies of requests.
const mostVerbose = 7

// acceptsVmodule judges a list of file=level, which raises the verbosity of
// single source files past that of the component.
func acceptsVmodule(value string) bool {
	for _, item := range strings.Split(value, ",") {
		if item == "" {
			continue
		}
		_, level, found := strings.Cut(item, "=")
		if n, err := strconv.Atoi(strings.TrimSpace(level)); !found || err != nil || n < 0 || n > mostVerbose {
			return false
		}
	}
	return true
}
