package awsflatcar_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/boot"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// M12: what the boot of the environment begins with: machines with the user data that the account has, addresses and
// ranges of pods of their own, and what they fetch from elsewhere where they look for it.
func TestWhatBootsIsWhatTheAccountHas(t *testing.T) {
	w := up(t)
	cluster, err := simaws.Machines(w.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	extension := filepath.Join(t.TempDir(), "kubernetes.raw")
	if err := os.WriteFile(extension, []byte("an image"), 0o600); err != nil {
		t.Fatal(err)
	}
	site := boot.Site{Name: "it", Dir: t.TempDir(), Artifacts: boot.Artifacts{Extension: extension}, PodCIDR: w.result.Output("podCIDR"), Workers: 2}
	config, err := boot.From(cluster, site)
	if err != nil {
		t.Fatal(err)
	}
	network, seen := netip.MustParsePrefix(config.NodeCIDR), map[string]bool{config.LoadBalancer.Address: true, config.Cloud.Address: true, config.Internet.Address: true}
	if len(seen) != 3 || config.NodeCIDR != "10.70.0.0/16" || len(config.Machines) != 7 || strings.Join(config.Internet.Outside, " ") != "10.200.32.1 10.200.33.1" {
		t.Errorf("%+v", config)
	}
	userData := map[string]bool{}
	for _, o := range w.Cloud.Objects(instances) {
		userData[o.State.String("userData")] = true
	}
	for _, m := range config.Machines {
		if seen[m.Address] || seen[m.PodCIDR] || !network.Contains(netip.MustParseAddr(m.Address)) || !strings.HasPrefix(m.PodCIDR, "10.128.") {
			t.Errorf("%s has the address %s and the range %s", m.Name, m.Address, m.PodCIDR)
		}
		seen[m.Address], seen[m.PodCIDR] = true, true
		if plane := m.Role == hostconfig.RoleControlPlane; plane != (m.Device != "") || plane && !userData[string(m.Instance.UserData)] {
			t.Errorf("%s, a %s, has the volume %q and other user data than its instance", m.Name, m.Role, m.Device)
		}
	}
	// The extension lies where the settings say, in a bucket of somebody else that machines may read.
	if _, err := cluster.Judge(config.Cloud.Server); err == nil || !strings.Contains(err.Error(), "kubernetes-v1.35.4-x86-64.raw has not the hash that is expected of it") {
		t.Errorf("an image with another hash than the settings': %v", err)
	}
	for words, wrong := range map[string]boot.Site{
		"the range of pods": {Artifacts: site.Artifacts},
		"has no room":       {Artifacts: site.Artifacts, PodCIDR: "10.128.0.0/23"},
		"no such file":      {PodCIDR: site.PodCIDR, Artifacts: boot.Artifacts{Extension: extension + ".absent"}},
	} {
		if _, err := boot.From(cluster, wrong); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}
