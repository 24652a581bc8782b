package hostconfig

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestControlPlaneValid(t *testing.T) {
	for name, c := range map[string]ControlPlane{"isolated": isolated(), "plain": plain(), "several": several()} {
		if err := c.Validate(now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControlPlaneRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*ControlPlane)
		field, text string
	}{
		"no cluster name":        {func(c *ControlPlane) { c.ClusterName = "" }, "clusterName", "DNS label"},
		"name with dots":         {func(c *ControlPlane) { c.Name = "a.b" }, "name", "DNS label"},
		"version latest":         {func(c *ControlPlane) { c.KubernetesVersion = "latest" }, "kubernetesVersion", "v1.35"},
		"unsupported minor":      {func(c *ControlPlane) { c.KubernetesVersion = "v1.29.0" }, "kubernetesVersion", "proven"},
		"relative root":          {func(c *ControlPlane) { c.Paths.Root = "state/x" }, "paths.root", "absolute"},
		"root that climbs":       {func(c *ControlPlane) { c.Paths.Root = "/srv/../etc" }, "paths.root", "clean"},
		"port too large":         {func(c *ControlPlane) { c.Ports.Scheduler = 70000 }, "ports.scheduler", "not a port"},
		"port twice":             {func(c *ControlPlane) { c.Ports.EtcdPeer = c.Ports.APIServer }, "ports.etcdPeer", "also"},
		"no address":             {func(c *ControlPlane) { c.AdvertiseAddress = "" }, "advertiseAddress", "IPv4"},
		"unspecified address":    {func(c *ControlPlane) { c.AdvertiseAddress = "0.0.0.0" }, "advertiseAddress", "no machine"},
		"IPv6 bind":              {func(c *ControlPlane) { c.BindAddress = "::" }, "bindAddress", "IPv4"},
		"host bits":              {func(c *ControlPlane) { c.ServiceCIDR = "10.82.0.1/20" }, "serviceCIDR", "10.82.0.0/20"},
		"overlap":                {func(c *ControlPlane) { c.PodCIDR = "10.82.0.0/16" }, "serviceCIDR", "overlaps"},
		"tiny services":          {func(c *ControlPlane) { c.ServiceCIDR = "10.82.0.0/30" }, "serviceCIDR", "too small"},
		"huge services":          {func(c *ControlPlane) { c.ServiceCIDR = "11.0.0.0/8" }, "serviceCIDR", "larger"},
		"machine among pods":     {func(c *ControlPlane) { c.AdvertiseAddress = "10.81.0.4" }, "advertiseAddress", "range of services or pods"},
		"wildcard name":          {func(c *ControlPlane) { c.SANs = []string{"*.example.org"} }, "sans[0]", "neither"},
		"bad domain":             {func(c *ControlPlane) { c.ClusterDomain = "Cluster_Local" }, "clusterDomain", "DNS name"},
		"user with a slash":      {func(c *ControlPlane) { c.EtcdUser = "../root" }, "etcdUser", "user name"},
		"long client validity":   {func(c *ControlPlane) { c.Certificates.ClientValidity.Duration = 48 * time.Hour }, "certificates.clientValidity", "M34"},
		"renewal after the end":  {func(c *ControlPlane) { c.Certificates.RenewBefore.Duration = 48 * time.Hour }, "certificates.renewBefore", "within"},
		"short audit":            {func(c *ControlPlane) { c.Audit.MaxAgeDays = 7 }, "audit.maxAgeDays", "CIS-1.2.17"},
		"few audit logs":         {func(c *ControlPlane) { c.Audit.MaxBackups = 1 }, "audit.maxBackups", "CIS-1.2.18"},
		"small audit logs":       {func(c *ControlPlane) { c.Audit.MaxSizeMegabytes = 10 }, "audit.maxSizeMegabytes", "CIS-1.2.19"},
		"member missing":         {func(c *ControlPlane) { c.EtcdMembers = several().EtcdMembers[1:] }, "etcdMembers", "not among"},
		"two members":            {func(c *ControlPlane) { c.EtcdMembers = several().EtcdMembers[:2] }, "etcdMembers", "even"},
		"member twice":           {func(c *ControlPlane) { c.EtcdMembers = append(several().EtcdMembers[:2:2], several().EtcdMembers[1]) }, "etcdMembers[2]", "earlier"},
		"unlimited events":       {func(c *ControlPlane) { c.EventRateLimit.Server.QPS = 100000 }, "eventRateLimit.server.qps", "CIS-1.2.9"},
		"burst below rate":       {func(c *ControlPlane) { c.EventRateLimit.User.Burst = 1 }, "eventRateLimit.user.burst", "burst"},
		"negative cache":         {func(c *ControlPlane) { c.EventRateLimit.User.CacheSize = -1 }, "eventRateLimit.user.cacheSize", "negative"},
		"plaintext at rest":      {func(c *ControlPlane) { c.Encryption.Provider = "identity" }, "encryption.provider", "CIS-1.2.28"},
		"exception without date": {func(c *ControlPlane) { c.Exceptions = []Exception{{Control: "M14", Reason: "accepted by nobody"}} }, "exceptions[0].expires", "date"},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated()
			each.change(&c)
			refused(t, c.Validate(now), each.field, each.text)
		})
	}
}

// TestAllErrorsAtOnce: a user mends a specification in one pass.
func TestAllErrorsAtOnce(t *testing.T) {
	err := ControlPlane{Exceptions: []Exception{{}}, ExtraArgs: map[string]map[string]string{ComponentScheduler: {"profiling": "true"}}}.Validate(now)
	for _, field := range []string{"clusterName", "name", "advertiseAddress", "serviceCIDR", "podCIDR", "exceptions[0].control",
		"exceptions[0].reason", "exceptions[0].expires", `extraArgs["kube-scheduler"]["profiling"]`} {
		refused(t, err, field, "")
	}
}

func TestDefaultsAreIdempotent(t *testing.T) {
	once := isolated()
	if twice := once.WithDefaults(); strings.Join(once.APIServerArgs(), " ") != strings.Join(twice.APIServerArgs(), " ") {
		t.Error("WithDefaults changes what it gave")
	}
}

func TestControlPlaneFiles(t *testing.T) {
	for name, c := range map[string]ControlPlane{"isolated": isolated(), "plain": plain()} {
		files, err := c.Files()
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for _, file := range files {
			if file.Path <= last {
				t.Errorf("%s is out of order", file.Path)
			}
			last = file.Path
			if file.Mode != 0o600 {
				t.Errorf("%s has mode %o (CIS 1.1.13 to 1.1.18)", file.Path, file.Mode)
			}
			if strings.Contains(file.Contents, "PRIVATE KEY") || strings.Contains(file.Contents, "-data:") {
				t.Errorf("%s embeds credentials", file.Path)
			}
			golden.Compare(t, "controlplane/"+name+"/"+path.Base(file.Path), file.Contents)
		}
		if len(files) != 7 {
			t.Errorf("%d files", len(files))
		}
	}
}

func TestSortFilesRefusesTwoForOnePath(t *testing.T) {
	if _, err := sortFiles([]File{{Path: "/a"}, {Path: "/b"}, {Path: "/a"}}); err == nil {
		t.Error("accepted")
	}
}

func FuzzValidateControlPlane(f *testing.F) {
	f.Add("local", "control-plane", "10.80.0.10", "10.82.0.0/20", "10.81.0.0/16", "localhost", "v1.35.4", "/srv/x")
	f.Add("", "a.b", "::1", "0.0.0.0/0", "10.81.0.0/33", "*", "v1", "..")
	f.Add("x\n", "x\x00", "10.80.0.010", "10.82.0.0/20", "10.82.0.0/16", "-", "v1.35.4\n", "/a\nb")
	f.Fuzz(func(t *testing.T, cluster, name, address, services, pods, san, version, root string) {
		c := ControlPlane{ClusterName: cluster, Name: name, AdvertiseAddress: address, ServiceCIDR: services, PodCIDR: pods,
			SANs: []string{san}, KubernetesVersion: version, Paths: Paths{Root: root}}
		err := c.Validate(now)
		for _, component := range components {
			for _, argument := range c.arguments(component) {
				if err == nil && strings.ContainsAny(argument, "\n\x00") {
					t.Fatalf("an accepted specification breaks a line: %q", argument)
				}
			}
		}
		if _, filesErr := c.Files(); err == nil && filesErr != nil {
			t.Fatalf("accepted, but not rendered: %v", filesErr)
		}
		for _, problem := range fieldErrors(err) {
			if problem.Field == "" || problem.Problem == "" || problem.Remedy == "" {
				t.Fatalf("an incomplete error: %v", problem)
			}
		}
		_ = c.LeafCertificates()
	})
}
