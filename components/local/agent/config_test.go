package agent

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func TestLoadConfig(t *testing.T) {
	good := newBench(t).config
	good.Nodes = []hostconfig.NodeIdentity{{Name: "worker-1", Addresses: []string{"10.80.0.11"}}}
	for name, test := range map[string]struct {
		change func(*hostconfig.AgentConfig)
		text   func(string) string
		want   string
	}{
		"good":          {want: ""},
		"unknown field": {text: func(s string) string { return strings.Replace(s, "{", `{"approveAll":true,`, 1) }, want: `unknown field "approveAll"`},
		"unknown field below": {text: func(s string) string {
			return strings.Replace(s, `"name":"worker-1"`, `"name":"worker-1","dnsNames":["*"]`, 1)
		}, want: `unknown field "dnsNames"`},
		"second document":      {text: func(s string) string { return s + "{}" }, want: "something follows"},
		"half a document":      {text: func(s string) string { return s[:len(s)/2] }, want: "unexpected EOF"},
		"plain http":           {change: func(c *hostconfig.AgentConfig) { c.APIServer = "http://127.0.0.1:8080" }, want: "apiServer"},
		"relative path":        {change: func(c *hostconfig.AgentConfig) { c.ReadyFile = "ready" }, want: "readyFile"},
		"relative key":         {change: func(c *hostconfig.AgentConfig) { c.Certificates[0].KeyFile = "x.key" }, want: "absolute"},
		"one file twice":       {change: func(c *hostconfig.AgentConfig) { c.Certificates[0].KeyFile = c.Certificates[0].CertFile }, want: "two certificates"},
		"pair in two places":   {change: func(c *hostconfig.AgentConfig) { c.Certificates[0].KeyFile = "/elsewhere/x.key" }, want: "side by side"},
		"renewed without end":  {change: func(c *hostconfig.AgentConfig) { c.Certificates[0].RenewBefore = duration(24 * time.Hour) }, want: "renewBefore"},
		"never renewed":        {change: func(c *hostconfig.AgentConfig) { c.Certificates[0].RenewBefore = duration(0) }, want: "renewBefore"},
		"certificate twice":    {change: func(c *hostconfig.AgentConfig) { c.Certificates = append(c.Certificates, c.Certificates[0]) }, want: "used twice"},
		"node twice":           {change: func(c *hostconfig.AgentConfig) { c.Nodes = append(c.Nodes, c.Nodes[0]) }, want: "listed twice"},
		"node without name":    {change: func(c *hostconfig.AgentConfig) { c.Nodes[0].Name = "" }, want: "nodes[0].name"},
		"network as address":   {change: func(c *hostconfig.AgentConfig) { c.Nodes[0].Addresses = []string{"10.80.0.0/24"} }, want: "nodes[0].addresses[0]"},
		"a name as an address": {change: func(c *hostconfig.AgentConfig) { c.Nodes[0].Addresses = []string{"worker-1"} }, want: "nodes[0].addresses[0]"},
		"one address for two": {change: func(c *hostconfig.AgentConfig) {
			c.Nodes = append(c.Nodes, hostconfig.NodeIdentity{Name: "worker-2", Addresses: c.Nodes[0].Addresses})
		}, want: "worker-1's"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(good)
			if err != nil {
				t.Fatal(err)
			}
			var config hostconfig.AgentConfig
			if err := json.Unmarshal(data, &config); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(&config)
				if data, err = json.Marshal(config); err != nil {
					t.Fatal(err)
				}
			}
			text := string(data)
			if test.text != nil {
				text = test.text(text)
			}
			path := filepath.Join(t.TempDir(), "agent.json")
			write(t, path, []byte(text))
			_, err = LoadConfig(path)
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("error %v, want one that names the file and says %q", err, test.want)
			}
		})
	}
}
