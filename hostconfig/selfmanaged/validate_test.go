package selfmanaged

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// TestValidateAccepts: what every other test stands on.
func TestValidateAccepts(t *testing.T) {
	for name, s := range specs() {
		if err := s.Validate(now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.WithDefaults().Validate(now); err != nil {
			t.Errorf("%s, with its defaults: %v", name, err)
		}
	}
}

// TestValidateRefuses changes one thing at a time.
func TestValidateRefuses(t *testing.T) {
	for _, each := range []struct {
		field, problem string
		change         func(*Spec)
	}{
		{"controlPlanes", "2 machines", func(s *Spec) { s.ControlPlanes = s.ControlPlanes[:2] }},
		{"controlPlanes[1].address", "not an IPv4", func(s *Spec) { s.ControlPlanes[1].Address = "fd00::1" }},
		{"controlPlanes[1]", "address 10.80.1.10 is also", func(s *Spec) { s.ControlPlanes[1].Address = "10.80.1.10" }},
		{"controlPlanes[2]", "name control-plane-1 is also", func(s *Spec) { s.ControlPlanes[2].Name = "control-plane-1" }},
		{"controlPlanes[0].name", "DNS label", func(s *Spec) { s.ControlPlanes[0].Name = "Control_Plane" }},
		{"controlPlanes[0].device", "not a device", func(s *Spec) { s.ControlPlanes[0].Device = "/dev/sda; rm -rf /" }},
		{"controlPlanes[0].device", "not a device", func(s *Spec) { s.ControlPlanes[0].Device = "" }},
		{"controlPlanes[0].podCIDR", "bridge", func(s *Spec) { s.ControlPlanes[0].PodCIDR = "10.81.1.0/24" }},
		{"pools[0].podCIDR", "bridge", func(s *Spec) { s.Pools[0].PodCIDR = "10.81.1.0/24" }},
		{"pools[0].name", "also a control plane", func(s *Spec) { s.Pools[0].Name = "control-plane-2" }},
		{"pools[1].taints[0]", "is not a taint", func(s *Spec) { s.Pools[1].Taints = []string{"nonsense"} }},
		{"pools[1].labels[\"kubernetes.io/arch\"]", "NodeRestriction", func(s *Spec) { s.Pools[1].Labels = map[string]string{"kubernetes.io/arch": "x"} }},
		{"pools[1].extensions[0].hash", "M26", func(s *Spec) { s.Pools[1].Extensions[0].Hash = "" }},
		{"cluster.endpoint", "not the URL", func(s *Spec) { s.Cluster.Endpoint = "http://api.prod.internal:6443" }},
		{"cluster.endpoint", "another port", func(s *Spec) { s.Cluster.Endpoint = "https://api.prod.internal" }},
		{"cluster.endpoint", "whose loss", func(s *Spec) { s.Cluster.Endpoint = "https://10.80.2.10:6443" }},
		{"cluster.endpoint", "neither a name", func(s *Spec) { s.Cluster.Endpoint = "https://API_:6443" }},
		{"loadBalancer.passthrough", "not an IPv4", func(s *Spec) { s.LoadBalancer.Passthrough = "10.80.1.0/24" }},
		{"network.cni", "not a network plugin", func(s *Spec) { s.Network.CNI = "flannel" }},
		{"store", "not the name of a bucket", func(s *Spec) { s.Store = "s3://prod" }},
		{`pki["ca.key"]`, "is missing", func(s *Spec) { delete(s.PKI, "ca.key") }},
		{`pki["sa.pub"]`, "not a hash", func(s *Spec) { s.PKI["sa.pub"] = "md5-x" }},
		{`pki["other"]`, "no file", func(s *Spec) { s.PKI["other"] = Hash(nil) }},
		{`pki["ca.crt"]`, "not the hash", func(s *Spec) { s.PKI["ca.crt"] = Hash(nil) }},
		{`pki["encryption.yaml"]`, "is missing", func(s *Spec) { s.Encryption = Encryption{Provider: hostconfig.EncryptionSecretbox} }},
		{"encryption.keys", "M18", func(s *Spec) { s.Encryption.Keys = nil }},
		{"encryption.provider", "CIS-1.2.28", func(s *Spec) { s.Encryption.Provider = "identity" }},
		{"repairAfter", "not between", func(s *Spec) { s.RepairAfter.Duration = time.Minute }},
		{"snapshots.every", "not between", func(s *Spec) { s.Snapshots.Every.Duration = 48 * time.Hour }},
		{"controlPlanes[0].snapshots.bucket", "is the store", func(s *Spec) { s.Snapshots.Bucket = s.Store }},
		{"controlPlanes[0].auditLog.bucket", "another use's", func(s *Spec) { s.AuditLog.Bucket = s.Snapshots.Bucket }},
		{"controlPlanes[0].auditLog.bucket", "", func(s *Spec) { s.AuditLog.Bucket = "" }},
		{`settings.extraArgs["kube-apiserver"]["audit-log-compress"]`, "packs files", func(s *Spec) {
			s.Settings.ExtraArgs = map[string]map[string]string{hostconfig.ComponentAPIServer: {"audit-log-compress": "true"}}
		}},
		{"restore.snapshot", "not the key", func(s *Spec) { s.Restore = &Restore{Snapshot: "a'b", Until: now.Format(time.RFC3339)} }},
		{"restore.until", "not a time", func(s *Spec) { s.Restore = &Restore{Snapshot: "etcd/a.db", Until: "tomorrow"} }},
		{"restore.until", "more than a day", func(s *Spec) {
			s.Restore = &Restore{Snapshot: "etcd/a.db", Until: now.Add(25 * time.Hour).Format(time.RFC3339)}
		}},
		{"program.hash", "M26", func(s *Spec) { s.Program.Hash = "" }},
		{"kubernetes.hash", "M26", func(s *Spec) { s.Kubernetes.Hash = "" }},
		{"kubernetes.source", "is not a URL", func(s *Spec) { s.Kubernetes.Source = "http://x/kubernetes-v1.35.4-x86-64.raw" }},
		{"node.role", "decided by", func(s *Spec) { s.Node.Role = hostconfig.RoleWorker }},
		{"node.cluster", "decided by", func(s *Spec) { s.Node.Cluster.Name = "x" }},
		{"node.exceptions", "decided by", func(s *Spec) { s.Node.Exceptions = []hostconfig.Exception{{}} }},
		{"settings.encryption", "decided by", func(s *Spec) { s.Settings.Encryption.Provider = hostconfig.EncryptionAESCBC }},
		{"cluster.controlPlanes", "decided by", func(s *Spec) { s.Cluster.ControlPlanes = []hostconfig.Machine{{Name: "x", Address: "10.80.0.9"}} }},
		{"kubeadm.discoveryFile", "decided by", func(s *Spec) { s.Kubeadm.DiscoveryFile = "/x" }},
		{"kubernetesVersion", "not for v1.30", func(s *Spec) { *s = s.of("v1.30.0") }},
		{"cluster.podCIDRs", "", func(s *Spec) { s.Cluster.PodCIDRs = nil }},
		// What weakens a control is refused as on any other machine.
		{"node.files[0].path", "M03/file-opt-redoubt", func(s *Spec) {
			s.Node.Files = []hostconfig.File{{Path: "/opt/redoubt/bin/other", Mode: 0o755, Owner: "root", Contents: "x"}}
		}},
		{"node.units[0].name", "a unit of the machine", func(s *Spec) {
			s.Node.Units = []systemd.Service{{Name: "redoubt-approve.service", Description: "x", Start: []systemd.Command{{"/usr/bin/true"}}}}
		}},
		{`settings.extraArgs["kube-apiserver"]["anonymous-auth"]`, "", func(s *Spec) {
			s.Settings.ExtraArgs = map[string]map[string]string{hostconfig.ComponentAPIServer: {"anonymous-auth": "true"}}
		}},
		{"controlPlanes[0].controlPlaneRole", "", func(s *Spec) { s.ControlPlaneRole = "" }},
		{"controlPlanes[0].pools[1]", "shares", func(s *Spec) { s.Pools[1].Role = s.Pools[0].Role }},
	} {
		s := aws()
		each.change(&s)
		found := split(s.Validate(now))
		if !slices.ContainsFunc(found, func(e *hostconfig.FieldError) bool {
			return e.Field == each.field && strings.Contains(e.Problem, each.problem) && e.Remedy != ""
		}) {
			t.Errorf("%s: want %q, got %v", each.field, each.problem, found)
		}
	}
	s := aws()
	s.Node.Files = []hostconfig.File{{Path: "/opt/redoubt/bin/other", Mode: 0o755, Owner: "root", Contents: "x"}}
	if _, err := s.Render(now); err == nil {
		t.Error("what is refused is rendered all the same")
	}
}

// TestValidateSaysAll: two mistakes, two reports.
func TestValidateSaysAll(t *testing.T) {
	s := aws()
	s.Store, s.Network.CNI, s.Program.Hash, s.ControlPlanes[0].Address = "", "", "", ""
	if found := split(s.Validate(now)); len(found) < 4 {
		t.Errorf("%v", found)
	}
}

// TestExceptions: with one, and only while it holds, the locked file is rendered.
func TestExceptions(t *testing.T) {
	s := aws()
	s.Node.Files = []hostconfig.File{{Path: "/etc/profile.d/site.sh", Mode: 0o644, Owner: "root", Contents: "x\n"}}
	s.Exceptions = []hostconfig.Exception{{Control: "M03/file-etc-profile-d", Reason: "accepted by the owner for a test", Expires: "2026-12-31"}}
	if err := s.Validate(now); err != nil {
		t.Error(err)
	}
	if s.Validate(now.AddDate(1, 0, 0)) == nil {
		t.Error("it holds for ever")
	}
}

// TestGrants: nobody reads what is another's, and no machine writes what a machine
// boots from.
func TestGrants(t *testing.T) {
	s := gcp()
	rendered := map[string]bool{}
	for _, object := range must[Rendering](t)(s.Render(now)).Objects {
		rendered[object.Key] = true
		if (object.Contents == nil) != (strings.HasPrefix(object.Key, PKIPrefix) || strings.HasPrefix(object.Key, "bin/")) {
			t.Errorf("%s: contents: %v", object.Key, object.Contents != nil)
		}
	}
	for _, grant := range s.Grants() {
		boots := strings.HasSuffix(grant.Key, ".ign") || strings.HasPrefix(grant.Key, "bin/") || strings.HasPrefix(grant.Key, PKIPrefix)
		if boots && !slices.Equal(grant.Writers, []Principal{Provisioner}) {
			t.Errorf("%s is written by %v", grant.Key, grant.Writers)
		}
		if rendered[grant.Key] != slices.Contains(grant.Writers, Provisioner) {
			t.Errorf("%s: the provisioner writes it: %v", grant.Key, rendered[grant.Key])
		}
		for _, reader := range grant.Readers {
			pool, isPool := strings.CutPrefix(string(reader), "pool:")
			if isPool && !strings.HasPrefix(grant.Key, "workers/"+pool+"/") && !strings.HasPrefix(grant.Key, "bin/") {
				t.Errorf("%s is read by %s", grant.Key, reader)
			}
		}
		if strings.HasSuffix(grant.Key, ".key") && !grant.Secret || strings.HasSuffix(grant.Key, "join.conf") && !grant.Secret {
			t.Errorf("%s is no secret", grant.Key)
		}
	}
	for _, key := range []string{PKIKey("ca.key"), PKIKey(EncryptionFile), "workers/general/join.conf", nodeconfig.KeyInitialized, s.ProgramKey(), "control-plane/control-plane-3.ign"} {
		if !slices.ContainsFunc(s.Grants(), func(g Grant) bool { return g.Key == key }) {
			t.Errorf("nobody may read %s", key)
		}
	}
	// Every object that a machine fetches from the store, it may read.
	r := must[Rendering](t)(s.Render(now))
	for _, m := range append(r.ControlPlanes, r.Pools...) {
		who := ControlPlanes
		if m.Role == hostconfig.RoleWorker {
			who = PoolPrincipal(m.Name)
		}
		for _, source := range append([]flatcar.Fetched{{Source: m.Source}}, m.Spec.Parts.Fetched...) {
			key := strings.TrimPrefix(source.Source, "gs://"+s.Store+"/")
			if !slices.ContainsFunc(s.Grants(), func(g Grant) bool { return g.Key == key && slices.Contains(g.Readers, who) }) {
				t.Errorf("%s fetches %s, which %s may not read", m.Name, source.Source, who)
			}
		}
	}
}
