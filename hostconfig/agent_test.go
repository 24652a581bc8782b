package hostconfig

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestAgentConfig(t *testing.T) {
	nodes := []NodeIdentity{{Name: "worker-1", Addresses: []string{"10.80.0.11"}}}
	configuration := isolated().AgentConfig(nodes)
	accepted(t, configuration.Validate())
	document, err := json.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), `"validity":"24h0m0s"`) || strings.Contains(string(document), "PRIVATE KEY") {
		t.Errorf("%s", document)
	}
	var again AgentConfig
	if err := json.Unmarshal(document, &again); err != nil || !reflect.DeepEqual(configuration, again) {
		t.Errorf("it changes when it is read again: %v", err)
	}
	if configuration.APIServer != "https://127.0.0.1:6443" || configuration.ReadyFile != "/etc/kubernetes/pki/.ready" {
		t.Errorf("%+v", configuration)
	}
	c := plain()
	c.Ports.APIServer = 7443
	if got := c.AgentConfig(nil); got.APIServer != "https://127.0.0.1:7443" || got.Nodes == nil {
		t.Errorf("%+v", got)
	}
}

func TestAgentRefusesAmbiguousNodes(t *testing.T) {
	for name, each := range map[string]struct {
		nodes []NodeIdentity
		field string
	}{
		"name twice":     {[]NodeIdentity{{"a", []string{"10.0.0.1"}}, {"a", []string{"10.0.0.2"}}}, "nodes[1].name"},
		"address shared": {[]NodeIdentity{{"a", []string{"10.0.0.1"}}, {"b", []string{"10.0.0.1"}}}, "nodes[1].addresses[0]"},
		"no address":     {[]NodeIdentity{{"a", nil}}, "nodes[0].addresses"},
		"not a name":     {[]NodeIdentity{{"system:node:a", []string{"10.0.0.1"}}}, "nodes[0].name"},
		"not an address": {[]NodeIdentity{{"a", []string{"a.example.org"}}}, "nodes[0].addresses[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, isolated().AgentConfig(each.nodes).Validate(), each.field, "")
		})
	}
}
