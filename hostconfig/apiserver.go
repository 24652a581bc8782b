package hostconfig

import (
	"net/netip"
	"path"
	"strconv"
)

// frontProxyName is the only client that may speak for other users in request
// headers: the API server itself, to aggregated API servers and back.
const frontProxyName = "front-proxy-client"

// apiServer gives kube-apiserver's hardened arguments. CIS Kubernetes section
// 1.2 is named per flag.
//
// --anonymous-auth is not set, and must not be: the structured authentication
// configuration has an anonymous section, with which the flag cannot be
// combined; it allows anonymous requests to the health paths only (1.2.1).
func (c ControlPlane) apiServer() map[string]string {
	pki := c.Paths.PKI()
	arguments := map[string]string{
		"advertise-address": c.AdvertiseAddress,
		"bind-address":      c.BindAddress,
		"secure-port":       strconv.Itoa(c.Ports.APIServer),
		"allow-privileged":  strconv.FormatBool(c.AllowPrivileged),

		"authentication-config":       c.Paths.Authentication(), // 1.2.1, 3.1
		"enable-bootstrap-token-auth": "true",
		"client-ca-file":              path.Join(pki, "ca.crt"), // 1.2.25
		"authorization-mode":          "Node,RBAC",              // 1.2.6 to 1.2.8

		"admission-control-config-file": c.Paths.Admission(),
		"enable-admission-plugins":      c.enabledPlugins(), // 1.2.3, 1.2.9, 1.2.11, 1.2.14

		"audit-policy-file":   c.Paths.AuditPolicy(),                  // 3.2.1
		"audit-log-path":      c.Paths.AuditLog(),                     // 1.2.16
		"audit-log-maxage":    strconv.Itoa(c.Audit.MaxAgeDays),       // 1.2.17
		"audit-log-maxbackup": strconv.Itoa(c.Audit.MaxBackups),       // 1.2.18
		"audit-log-maxsize":   strconv.Itoa(c.Audit.MaxSizeMegabytes), // 1.2.19
		"audit-log-format":    "json",
		"audit-log-mode":      "blocking", // an answer leaves only after its record is written

		"encryption-provider-config": c.Paths.Encryption(), // 1.2.27
		// A new key takes effect by a restart, so that whoever rotates it knows when.
		"encryption-provider-config-automatic-reload": "false",

		"etcd-servers":  httpsURL("127.0.0.1", c.Ports.EtcdClient),
		"etcd-cafile":   path.Join(pki, "etcd-ca.crt"),               // 1.2.26
		"etcd-certfile": path.Join(pki, "apiserver-etcd-client.crt"), // 1.2.23
		"etcd-keyfile":  path.Join(pki, "apiserver-etcd-client.key"), // 1.2.23

		"kubelet-certificate-authority": path.Join(pki, "ca.crt"),                       // 1.2.5
		"kubelet-client-certificate":    path.Join(pki, "apiserver-kubelet-client.crt"), // 1.2.4
		"kubelet-client-key":            path.Join(pki, "apiserver-kubelet-client.key"), // 1.2.4
		// Addresses first: node names need not resolve.
		"kubelet-preferred-address-types": "InternalIP,Hostname",

		"proxy-client-cert-file":             path.Join(pki, "front-proxy-client.crt"),
		"proxy-client-key-file":              path.Join(pki, "front-proxy-client.key"),
		"requestheader-allowed-names":        frontProxyName,
		"requestheader-client-ca-file":       path.Join(pki, "front-proxy-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",

		"api-audiences":                           c.issuer(),
		"service-account-issuer":                  c.issuer(),
		"service-account-key-file":                path.Join(pki, "sa.pub"), // 1.2.22
		"service-account-signing-key-file":        path.Join(pki, "sa.key"),
		"service-account-lookup":                  "true",  // 1.2.21
		"service-account-extend-token-expiration": "false", // 1.2.30
		"service-account-max-token-expiration":    "24h",   // M34: at most a day
		"service-cluster-ip-range":                c.ServiceCIDR,
		"profiling":                               "false", // 1.2.15
		"request-timeout":                         "1m0s",  // 1.2.20: bounds what a slow client holds; watches have their own
		"strict-transport-security-directives":    "max-age=31536000,includeSubDomains",
		"tls-cert-file":                           path.Join(pki, "apiserver.crt"), // 1.2.24
		"tls-private-key-file":                    path.Join(pki, "apiserver.key"), // 1.2.24
		"tls-cipher-suites":                       cipherSuiteList(),               // 1.2.29
		"tls-min-version":                         tlsMinimum,
	}
	// Without isolation the address is a loopback one, which no Endpoints object
	// may hold: the API server would report an error every ten seconds.
	if address, err := netip.ParseAddr(c.AdvertiseAddress); err == nil && address.IsLoopback() {
		arguments["endpoint-reconciler-type"] = "none"
	}
	return arguments
}
