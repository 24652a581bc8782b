package aws

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// document is what a pool of a managed cluster gets.
func document(t *testing.T) string {
	t.Helper()
	data, err := bottlerocket.Spec{Group: bottlerocket.ManagedGroup, Node: hostconfig.Node{
		Role: hostconfig.RoleWorker, OS: hostconfig.OSBottlerocket, Platform: hostconfig.PlatformAWS, Cluster: hostconfig.Cluster{Name: "prod", Managed: true},
	}}.Render()
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(data.Base64())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// The documents are opened as a node opens them, and one that would not boot, or is weaker than it was, is found.
func TestMachines(t *testing.T) {
	good := document(t)
	weak := strings.Replace(good, "seccomp-default = true", "seccomp-default = false", 1)
	noLockdown := strings.Replace(good, `lockdown = 'integrity'`, `lockdown = 'none'`, 1)
	if weak == good || noLockdown == good {
		t.Fatalf("nothing was weakened: the test proves nothing:\n%s", good)
	}
	in := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct {
		data  string
		level cloud.Level
		words string
	}{
		"plain":         {in(good), "", ""},
		"compressed":    {in(zipped(good)), "", ""},
		"none":          {"", cloud.Error, "no user data"},
		"not base64":    {"[settings]", cloud.Error, "cannot be opened"},
		"half a gzip":   {in(zipped(good)[:40]), cloud.Error, "cannot be opened"},
		"misspelt":      {in(strings.Replace(good, "seccomp-default", "seccomp-defualt", 1)), cloud.Error, "seccomp-defualt"},
		"no TOML":       {in("#cloud-config\nusers: []\n"), cloud.Error, "would not boot"},
		"weak kubelet":  {in(weak), cloud.Warning, "seccomp-default is \"false\""},
		"weak kernel":   {in(noLockdown), cloud.Warning, "CIS Bottlerocket"},
		"empty setting": {in("[settings]\n"), cloud.Warning, "is not set"},
	} {
		account, err := simaws.Open(simcloud.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []simcloud.Object{
			{Scope: "eu-central-1", Type: launchTemplates, ID: "lt-1", State: simcloud.Values{"userData": c.data}},
			{Scope: "eu-central-1", Type: nodeGroups, ID: "g", State: simcloud.Values{"nodeGroupNamePrefix": "general-", "launchTemplate": map[string]any{"id": "lt-1"}}},
		} {
			if err := account.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		machines, findings := Machines(account)
		if c.level == "" {
			if len(findings) > 0 || len(machines) != 1 || machines[0].Pool != "pool general" || machines[0].Bytes == 0 || !strings.Contains(strings.Join(machines[0].Settings, "\n"), "host containers: none") {
				t.Errorf("%s: %+v %+v", name, machines, findings)
			}
			continue
		}
		found := false
		for _, f := range findings {
			found = found || f.Level == c.level && f.Subject == "pool general" && strings.Contains(f.Problem, c.words)
		}
		if !found {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

func TestTheAccountIsReplaced(t *testing.T) {
	for settings, want := range map[string]string{
		"config: {redoubt:account: {id: \"444455556666\"}}": "444455556666",
		"config: {redoubt:account: {id: \"111122223333\"}}": "",
		"config: {redoubt:account: {id: 12}}":               "",
		"config: [":                                         "",
	} {
		got := replace([]byte(settings))
		if want == "" && len(got) > 0 || want != "" && got[want] != simaws.Account {
			t.Errorf("%s: %v", settings, got)
		}
	}
}
