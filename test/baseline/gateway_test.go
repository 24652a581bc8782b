package baseline

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

const gatewayGroup = "gateway.networking.k8s.io"

// gatewayAPI is the part of the Gateway API's definition that the policy reads; the rest is kept as it comes.
// https://gateway-api.sigs.k8s.io/reference/spec/
func gatewayAPI(t *testing.T, a *api) {
	t.Helper()
	text := m{"type": "string"}
	listener := m{"type": "object", "required": []any{"name", "port", "protocol"}, "x-kubernetes-preserve-unknown-fields": true,
		"properties": m{"name": text, "hostname": text, "protocol": text, "port": m{"type": "integer"}}}
	schema := m{"type": "object", "properties": m{"spec": m{"type": "object", "required": []any{"gatewayClassName", "listeners"}, "properties": m{
		"gatewayClassName": text, "listeners": m{"type": "array", "items": listener, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": []any{"name"}},
	}}}}
	var versions []any
	for _, name := range []string{"v1", "v1beta1"} {
		versions = append(versions, m{"name": name, "served": true, "storage": name == "v1", "schema": m{"openAPIV3Schema": schema}})
	}
	definition := m{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": m{"name": "gateways." + gatewayGroup, "annotations": m{"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328"}},
		"spec": m{"group": gatewayGroup, "scope": "Namespaced", "versions": versions,
			"names": m{"plural": "gateways", "singular": "gateway", "kind": "Gateway", "listKind": "GatewayList"}}}
	if err := a.create(a.dynamic, definition, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.dynamic.Resource(resourceOf(definition)).Delete(context.Background(), "gateways."+gatewayGroup, metav1.DeleteOptions{})
	})
	eventually(t, "gateways are not served", func() bool {
		_, err := a.dynamic.Resource(resourceOf(gateway("v1", "team"))).Namespace("team").List(context.Background(), metav1.ListOptions{})
		return err == nil
	})
}

func gateway(version, namespace string, listeners ...any) m {
	return of(gatewayGroup+"/"+version, "Gateway", namespace, m{"spec": m{"gatewayClassName": "x", "listeners": listeners}})
}

func listener(name, protocol, hostname string) m {
	l := m{"name": name, "protocol": protocol, "port": 443}
	if hostname != "" {
		l["hostname"] = hostname
	}
	return l
}

// M31: gateways listen with TLS and for names, those of the namespace where it has some, in every version that is served.
func TestGateways(t *testing.T) {
	a := server(t)
	gatewayAPI(t, a)
	config := rest.CopyConfig(a.config)
	for _, version := range []string{"v1", "v1beta1"} {
		for name, c := range map[string]struct {
			refused bool
			object  m
		}{
			"HTTPS for a name":            {false, gateway(version, "team", listener("web", "HTTPS", "a.example.org"))},
			"TLS for a name":              {false, gateway(version, "team", listener("db", "TLS", "db.example.org"))},
			"HTTP":                        {true, gateway(version, "team", listener("web", "HTTP", "a.example.org"))},
			"HTTP beside HTTPS":           {true, gateway(version, "team", listener("web", "HTTPS", "a.example.org"), listener("old", "HTTP", "a.example.org"))},
			"TCP":                         {true, gateway(version, "team", listener("raw", "TCP", "a.example.org"))},
			"UDP":                         {true, gateway(version, "team", listener("raw", "UDP", "a.example.org"))},
			"a protocol of a vendor":      {true, gateway(version, "team", listener("raw", "example.org/any", "a.example.org"))},
			"every name":                  {true, gateway(version, "team", listener("web", "HTTPS", ""))},
			"a wildcard":                  {true, gateway(version, "team", listener("web", "HTTPS", "*.example.org"))},
			"another namespace's name":    {true, gateway(version, "narrow", listener("web", "HTTPS", "a.example.org"))},
			"the namespace's name":        {false, gateway(version, "narrow", listener("web", "HTTPS", "shop.example.org"))},
			"below the namespace's name":  {false, gateway(version, "narrow", listener("web", "HTTPS", "v1.api.example.org"))},
			"beside the namespace's name": {true, gateway(version, "narrow", listener("web", "HTTPS", "evilapi.example.org"))},
			"where the system is":         {false, gateway(version, "addon", listener("web", "HTTP", ""))},
		} {
			t.Run(version+"/"+name, func(t *testing.T) {
				v := a.ask(config, c.object)
				if c.refused {
					refusedBy(t, v, "gateway-tls")
				} else if v.err != nil {
					t.Error(v)
				}
			})
		}
	}
	t.Run("a gateway that loses its TLS", func(t *testing.T) {
		o := gateway("v1", "team", listener("web", "HTTPS", "a.example.org"))
		if err := a.create(a.dynamic, o, false); err != nil {
			t.Fatal(err)
		}
		refusedBy(t, a.changeAs(t, config, o, func(live m) {
			set(live, "spec.listeners", []any{listener("web", "HTTP", "a.example.org")})
		}), "gateway-tls")
	})
}
