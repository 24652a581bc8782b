package hostconfig

import (
	"path"
	"strconv"
)

// schedulerUser is the built-in user of kube-scheduler.
const schedulerUser = "system:kube-scheduler"

// scheduler gives kube-scheduler's hardened arguments. CIS Kubernetes section
// 1.4 is named per flag.
func (c ControlPlane) scheduler() map[string]string {
	pki := c.Paths.PKI()
	kubeconfig := c.Paths.Kubeconfig("scheduler")
	return map[string]string{
		"kubeconfig":                       kubeconfig,
		"authentication-kubeconfig":        kubeconfig,
		"authorization-kubeconfig":         kubeconfig,
		"authorization-always-allow-paths": healthPaths,
		"bind-address":                     "127.0.0.1", // 1.4.2
		"secure-port":                      strconv.Itoa(c.Ports.Scheduler),
		"client-ca-file":                   path.Join(pki, "ca.crt"),
		"requestheader-client-ca-file":     path.Join(pki, "front-proxy-ca.crt"),
		"requestheader-allowed-names":      frontProxyName,
		"leader-elect":                     strconv.FormatBool(c.severalMembers()),
		"profiling":                        "false", // 1.4.1
		"tls-cert-file":                    path.Join(pki, "scheduler-server.crt"),
		"tls-private-key-file":             path.Join(pki, "scheduler-server.key"),
		"tls-cipher-suites":                cipherSuiteList(),
		"tls-min-version":                  tlsMinimum,
	}
}

// schedulerRules are the rules of kube-scheduler's flags in the supported minors.
func schedulerRules() map[string]Rule {
	return componentRules(commonRules(ruleSet{}, "CIS-1.4.1", "M15", "M15"), "CIS-1.4.2").
		decidedBy("ports.scheduler", "secure-port").
		// A configuration file silently takes the place of --profiling.
		locked("CIS-1.4.1", "config", "write-config-to").
		overwritable("pod-max-in-unschedulable-pods-duration")
}
