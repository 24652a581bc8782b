package hostconfig

import (
	"path"
	"strconv"
	"time"
)

// controllerManagerUser is the built-in user of kube-controller-manager.
const controllerManagerUser = "system:kube-controller-manager"

// healthPaths are the only paths that need no rights.
const healthPaths = "/healthz,/livez,/readyz"

// controllerManager gives kube-controller-manager's hardened arguments. CIS
// Kubernetes section 1.3 is named per flag.
func (c ControlPlane) controllerManager() map[string]string {
	pki := c.Paths.PKI()
	kubeconfig := c.Paths.Kubeconfig("controller-manager")
	ca, key := path.Join(pki, "ca.crt"), path.Join(pki, "ca.key")
	return map[string]string{
		"kubeconfig":                       kubeconfig,
		"authentication-kubeconfig":        kubeconfig,
		"authorization-kubeconfig":         kubeconfig,
		"authorization-always-allow-paths": healthPaths,
		"bind-address":                     "127.0.0.1", // 1.3.7
		"secure-port":                      strconv.Itoa(c.Ports.ControllerManager),
		"client-ca-file":                   ca,
		"requestheader-client-ca-file":     path.Join(pki, "front-proxy-ca.crt"),
		"requestheader-allowed-names":      frontProxyName,
		"cluster-name":                     c.ClusterName,
		"service-cluster-ip-range":         c.ServiceCIDR,
		"allocate-node-cidrs":              "false",                      // each node's range is part of its own specification
		"controllers":                      "*,token-cleaner-controller", // expired bootstrap tokens are removed
		// The defaults of 20 and 30 requests make a start take six seconds: each
		// controller asks for its own token. The API server's fairness protects it.
		"kube-api-qps":                     "100",
		"kube-api-burst":                   "200",
		"leader-elect":                     strconv.FormatBool(c.severalMembers()), // alone, waiting for its own old lease only delays a restart
		"profiling":                        "false",                                // 1.3.2
		"root-ca-file":                     ca,                                     // 1.3.5
		"service-account-private-key-file": path.Join(pki, "sa.key"),               // 1.3.4
		"terminated-pod-gc-threshold":      "1000",                                 // 1.3.1: the default of 12500 lets a small etcd fill up
		"use-service-account-credentials":  "true",                                 // 1.3.3
		"tls-cert-file":                    path.Join(pki, "controller-manager-server.crt"),
		"tls-private-key-file":             path.Join(pki, "controller-manager-server.key"),
		"tls-cipher-suites":                cipherSuiteList(),
		"tls-min-version":                  tlsMinimum,

		// Only the two signers that kubelets need. The general key pair would
		// also sign for the legacy-unknown signer, which checks nothing.
		"cluster-signing-kubelet-client-cert-file":  ca,
		"cluster-signing-kubelet-client-key-file":   key,
		"cluster-signing-kubelet-serving-cert-file": ca,
		"cluster-signing-kubelet-serving-key-file":  key,
		"cluster-signing-duration":                  "24h0m0s", // M34
	}
}

// controllerManagerRules are the rules of kube-controller-manager's flags in the
// supported minors.
func controllerManagerRules() map[string]Rule {
	return componentRules(commonRules(ruleSet{}, "CIS-1.3.2", "M15", "M15"), "CIS-1.3.7").
		decidedBy("ports.controllerManager", "secure-port").
		decidedBy("clusterName", "cluster-name").
		decidedBy("serviceCIDR", "service-cluster-ip-range").
		bounded("CIS-1.3.1", "terminated-pod-gc-threshold", "1 to 12500", integerBetween(1, 12500)).
		locked("CIS-1.3.3", "use-service-account-credentials").
		locked("CIS-1.3.4", "service-account-private-key-file").
		locked("CIS-1.3.5", "root-ca-file").
		locked("M15", "controllers", "enable-hostpath-provisioner", "flex-volume-plugin-dir", "external-cloud-volume-plugin").
		locked("M34", "cluster-signing-cert-file", "cluster-signing-key-file",
			"cluster-signing-kubelet-client-cert-file", "cluster-signing-kubelet-client-key-file",
			"cluster-signing-kubelet-serving-cert-file", "cluster-signing-kubelet-serving-key-file",
			"cluster-signing-kube-apiserver-client-cert-file", "cluster-signing-kube-apiserver-client-key-file",
			"cluster-signing-legacy-unknown-cert-file", "cluster-signing-legacy-unknown-key-file").
		bounded("M34", "cluster-signing-duration", "1h to 24h", durationBetween(time.Hour, 24*time.Hour)).
		bounded("M34", "legacy-service-account-token-clean-up-period", "24h to 8760h", durationBetween(24*time.Hour, 8760*time.Hour)).
		overwritable("enable-leader-migration", "leader-migration-config", "allocate-node-cidrs", "cidr-allocator-type",
			"cloud-config", "cloud-provider", "cluster-cidr", "configure-cloud-routes", "controller-shutdown-timeout",
			"controller-start-interval", "min-resync-period", "node-monitor-period", "route-reconciliation-period",
			"concurrent-service-syncs", "attach-detach-reconcile-sync-period", "disable-attach-detach-reconcile-sync",
			"disable-force-detach-on-timeout", "concurrent-deployment-syncs", "concurrent-device-taint-eviction-syncs",
			"concurrent-statefulset-syncs", "concurrent-daemonset-syncs", "concurrent-endpoint-syncs",
			"endpoint-updates-batch-period", "concurrent-service-endpoint-syncs", "endpointslice-updates-batch-period",
			"max-endpoints-per-slice", "mirroring-concurrent-service-endpoint-syncs",
			"mirroring-endpointslice-updates-batch-period", "mirroring-max-endpoints-per-subset",
			"concurrent-ephemeralvolume-syncs", "concurrent-gc-syncs", "enable-garbage-collector",
			"concurrent-horizontal-pod-autoscaler-syncs", "horizontal-pod-autoscaler-cpu-initialization-period",
			"horizontal-pod-autoscaler-downscale-stabilization", "horizontal-pod-autoscaler-initial-readiness-delay",
			"horizontal-pod-autoscaler-sync-period", "horizontal-pod-autoscaler-tolerance", "concurrent-job-syncs",
			"concurrent-cron-job-syncs", "concurrent-namespace-syncs", "namespace-sync-period", "node-cidr-mask-size",
			"node-cidr-mask-size-ipv4", "node-cidr-mask-size-ipv6", "large-cluster-size-threshold", "node-eviction-rate",
			"node-monitor-grace-period", "node-startup-grace-period", "secondary-node-eviction-rate",
			"unhealthy-zone-threshold", "enable-dynamic-provisioning", "pv-recycler-increment-timeout-nfs",
			"pv-recycler-minimum-timeout-hostpath", "pv-recycler-minimum-timeout-nfs",
			"pv-recycler-pod-template-filepath-hostpath", "pv-recycler-pod-template-filepath-nfs",
			"pv-recycler-timeout-increment-hostpath", "pvclaimbinder-sync-period", "concurrent-replicaset-syncs",
			"concurrent-rc-syncs", "concurrent-resource-quota-syncs", "resource-quota-sync-period",
			"concurrent-serviceaccount-token-syncs", "concurrent-ttl-after-finished-syncs",
			"concurrent-validating-admission-policy-status-syncs", "concurrent-disruption-syncs",
			"concurrent-resourceclaim-syncs").
		since("v1.36", "concurrent-resourceclaim-syncs").
		since("v1.37", "concurrent-disruption-syncs").
		gone("v1.37", "concurrent-service-syncs")
}

// componentRules adds the flags that controller-manager and scheduler share.
func componentRules(s ruleSet, bind string) ruleSet {
	return s.
		locked(bind, "bind-address").
		locked("M15", "kubeconfig", "master", "authentication-kubeconfig", "authentication-skip-lookup",
			"authentication-tolerate-lookup-failure", "authentication-token-webhook-cache-ttl", "client-ca-file",
			"requestheader-allowed-names", "requestheader-client-ca-file", "requestheader-extra-headers-prefix",
			"requestheader-group-headers", "requestheader-uid-headers", "requestheader-username-headers",
			"authorization-always-allow-paths", "authorization-kubeconfig", "authorization-webhook-cache-authorized-ttl",
			"authorization-webhook-cache-unauthorized-ttl", "emulated-version", "min-compatibility-version").
		overwritable("leader-elect", "leader-elect-lease-duration", "leader-elect-renew-deadline",
			"leader-elect-resource-lock", "leader-elect-resource-name", "leader-elect-resource-namespace",
			"leader-elect-retry-period", "kube-api-burst", "kube-api-content-type", "kube-api-qps")
}
