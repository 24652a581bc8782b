package hostconfig

import (
	"slices"
	"testing"
)

// weakValues are what each bounded or additive flag must refuse.
var weakValues = map[string][]string{
	"tls-cipher-suites":                    {"TLS_RSA_WITH_AES_128_CBC_SHA", "", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_GCM_SHA256"},
	"cipher-suites":                        {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", ""},
	"tls-min-version":                      {"VersionTLS10", "VersionTLS11", "TLS1.1", "", "VersionTLS12 "},
	"feature-gates":                        {"RotateKubeletServerCertificate=false", "AllAlpha=true", "kube:AllBeta=true", "NodeLogQuery=1", "AllAlpha =true", " kube: AllAlpha=true", "a:b:AllAlpha=true", "KubeletFineGrainedAuthz", "WatchList=false,ServiceAccountNodeAudienceRestriction=false"},
	"tls-curve-preferences":                {"", "1", "29,1", "X25519"},
	"v":                                    {"8", "10", "-1", "x"},
	"service-account-max-token-expiration": {"48h", "0s", "1s", ""},
	"enable-admission-plugins":             {"AlwaysAdmit", "LimitRanger, AlwaysAdmit", "NodeRestriction=x"},
	"vmodule":                              {"*=9", "round_trippers=8", "a=1,b=10", "a=x", "a"},
	"log-json-info-buffer-size":            {"1e-999999999", "x", ""},
	"log-text-info-buffer-size":            {"1e-999999999", "x", ""},
	"runtime-config":                       {"api/all=true", "api/alpha", "apps/v1=true,api/beta=true", "api/all =true", "admissionregistration.k8s.io/v1=false", "apps/v1=perhaps", "api/ga=false"},
	"request-timeout":                      {"0s", "24h", "-1m"},
	"terminated-pod-gc-threshold":          {"0", "-1", "1000000"},
	"cluster-signing-duration":             {"8760h", "0s"},
	"legacy-service-account-token-clean-up-period": {"0s", "87600h"},
	"initial-cluster-state":                        {"", "other"},
	"log-level":                                    {"panic", ""},
	"election-timeout":                             {"0", "500000"},
	"heartbeat-interval":                           {"0", "50000"},
	"warning-unary-request-duration":               {"0s", "1h"},
}

func TestBoundedFlags(t *testing.T) {
	for _, component := range components {
		for _, rule := range ArgumentRules(component) {
			if rule.accepts == nil {
				continue
			}
			weak := weakValues[rule.Name]
			if len(weak) == 0 {
				t.Errorf("no test tries to weaken %s of %s", rule.Name, component)
			}
			for _, attempt := range weak {
				c := isolated()
				c.KubernetesVersion = versionOf(rule)
				before := c.arguments(component)
				c.ExtraArgs = map[string]map[string]string{component: {rule.Name: attempt}}
				field := "extraArgs[" + quote(component) + "][" + quote(rule.Name) + "]"
				refused(t, c.Validate(now), field, rule.Control)
				if !slices.Equal(before, c.arguments(component)) {
					t.Errorf("%s=%q was refused but rendered", rule.Name, attempt)
				}
				c.Exceptions = []Exception{accept(rule.Control)}
				accepted(t, c.Validate(now))
			}
		}
	}
}
