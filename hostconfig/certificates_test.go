package hostconfig

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func leaves(t *testing.T, c ControlPlane) map[string]LeafCertificate {
	t.Helper()
	byName := map[string]LeafCertificate{}
	files := map[string]bool{}
	for _, leaf := range c.LeafCertificates() {
		if _, twice := byName[leaf.Name]; twice || files[leaf.CertFile] || files[leaf.KeyFile] {
			t.Errorf("%s or its files are there twice", leaf.Name)
		}
		byName[leaf.Name], files[leaf.CertFile], files[leaf.KeyFile] = leaf, true, true
	}
	return byName
}

func TestLeafCertificatesGolden(t *testing.T) {
	for name, c := range map[string]ControlPlane{"isolated": isolated(), "plain": plain(), "several": several()} {
		rendered, err := json.MarshalIndent(c.LeafCertificates(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "controlplane/"+name+"/certificates.json", string(rendered)+"\n")
	}
}

// TestLeafCertificatesServeTheArguments: every certificate that a program is told
// to read is one that the agent issues or that the authorities' owner provides.
func TestLeafCertificatesServeTheArguments(t *testing.T) {
	for _, c := range []ControlPlane{isolated(), plain(), several()} {
		provided := map[string]bool{}
		for _, leaf := range c.LeafCertificates() {
			provided[leaf.CertFile], provided[leaf.KeyFile] = true, true
		}
		a := c.Authorities()
		for _, authority := range []string{a.Cluster, a.Etcd, a.FrontProxy} {
			provided[authority+".crt"], provided[authority+".key"] = true, true
		}
		provided[a.EtcdForAPIServer], provided[a.ServiceAccountKey], provided[a.ServiceAccountPublicKey] = true, true, true
		for _, component := range components {
			for _, argument := range c.arguments(component) {
				_, file, _ := strings.Cut(argument, "=")
				if slices.Contains([]string{".crt", ".key", ".pub"}, path.Ext(file)) && !provided[file] {
					t.Errorf("%s: nobody provides %s", component, argument)
				}
			}
		}
		files, err := c.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, word := range strings.Fields(file.Contents) {
				if slices.Contains([]string{".crt", ".key"}, path.Ext(word)) && !provided[word] {
					t.Errorf("%s: nobody provides %s", file.Path, word)
				}
			}
		}
	}
}

func TestLeafCertificates(t *testing.T) {
	c := isolated()
	got, authorities := leaves(t, c), c.Authorities()
	for _, leaf := range got {
		usages := 0
		if leaf.Server {
			usages++
		}
		if leaf.Client {
			usages++
		}
		want := 1
		if leaf.Name == "etcd-peer" {
			want = 2
		}
		if usages != want {
			t.Errorf("%s has %d usages", leaf.Name, usages)
		}
		if leaf.Server != (len(leaf.DNSNames)+len(leaf.IPAddresses) > 0) {
			t.Errorf("%s: names do not go with its usage", leaf.Name)
		}
		if leaf.Validity.Duration != 24*time.Hour || leaf.RenewBefore.Duration != 12*time.Hour {
			t.Errorf("%s: validity %s, renewal %s before", leaf.Name, leaf.Validity.Duration, leaf.RenewBefore.Duration)
		}
		for _, organization := range leaf.Organizations {
			if organization == "system:masters" {
				t.Errorf("%s is in system:masters, which no authorizer can refuse", leaf.Name)
			}
		}
		owner := "root"
		if strings.HasPrefix(leaf.CertFile, c.Paths.EtcdPKI()+"/") {
			owner = "etcd"
			if leaf.CA != authorities.Etcd {
				t.Errorf("%s is not of etcd's own authority (CIS 2.7)", leaf.Name)
			}
		}
		if leaf.Owner != owner {
			t.Errorf("%s belongs to %q", leaf.Name, leaf.Owner)
		}
	}
	if a := got["admin"]; a.CommonName != "redoubt:admin" || !slices.Equal(a.Organizations, []string{"redoubt:platform-admins"}) || a.CertFile != "/etc/kubernetes/admin/client.crt" {
		t.Errorf("admin: %+v", a)
	}
	if a := got["agent"]; a.CommonName != "redoubt:agent" || len(a.Organizations) > 0 {
		t.Errorf("agent: %+v", a)
	}
	for _, address := range []string{"127.0.0.1", "10.80.0.10", "10.82.0.1", "10.83.0.2"} {
		if !slices.Contains(got["apiserver"].IPAddresses, address) {
			t.Errorf("the API server's certificate lacks %s: %v", address, got["apiserver"].IPAddresses)
		}
	}
	if !slices.Contains(got["apiserver"].DNSNames, "kubernetes.default.svc.cluster.local") {
		t.Errorf("names: %v", got["apiserver"].DNSNames)
	}
	// The peer port accepts one name only, and the API server's client has another.
	allowed, _ := value(c.EtcdArgs(), "peer-cert-allowed-cn")
	if got["etcd-peer"].CommonName != allowed || got["apiserver-etcd-client"].CommonName == allowed {
		t.Errorf("the peer port accepts %q", allowed)
	}
	for _, leaf := range leaves(t, plain()) {
		if leaf.Owner != "" {
			t.Errorf("without isolation %s belongs to %q", leaf.Name, leaf.Owner)
		}
	}
}

func TestRenewBeforeFollowsTheShorterValidity(t *testing.T) {
	c := isolated()
	c.Certificates = CertificateLifetimes{ClientValidity: Duration{Duration: time.Hour}}
	if got := c.WithDefaults().Certificates.RenewBefore.Duration; got != 30*time.Minute {
		t.Errorf("renewed %s before", got)
	}
	c.Certificates.ServerValidity.Duration = time.Minute
	refused(t, c.Validate(now), "certificates.serverValidity", "outside")
}
