package hostconfig

import (
	"fmt"
	"reflect"
	"testing"
)

// testCluster is the one that isolated and worker are machines of.
func testCluster(t testing.TB) Cluster {
	t.Helper()
	return Cluster{
		Name: "local", Endpoint: "https://10.80.0.10:6443", CACertificate: worker(t).CACertificate,
		DNS:      []string{"10.82.0.10"},
		PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.0/24"},
		ControlPlanes: []Machine{{Name: "control-plane", Address: "10.80.0.10"}},
		Workers:       []Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"}, {Name: "worker-2", Address: "10.80.0.12", PodCIDR: "10.81.2.0/24"}},
		Operators:     []string{"10.83.0.0/29"},
	}
}

func TestClusterIsAccepted(t *testing.T) {
	accepted(t, testCluster(t).Validate())
	accepted(t, Cluster{Name: "managed", Managed: true}.Validate())
	dual := testCluster(t)
	dual.PodCIDRs, dual.ServiceCIDRs = append(dual.PodCIDRs, "fd81::/56"), append(dual.ServiceCIDRs, "fd82::/108")
	dual.NodeCIDRs, dual.DNS = append(dual.NodeCIDRs, "fd80::/64", "10.84.0.0/24"), append(dual.DNS, "fd82::a")
	dual.Operators = append(dual.Operators, "10.80.0.0/25", "10.83.0.0/30")
	accepted(t, dual.Validate())
}

func TestClusterDefaultsAreIdempotent(t *testing.T) {
	once := Cluster{Name: "local"}.WithDefaults()
	if !reflect.DeepEqual(once, once.WithDefaults()) || once.Domain != DefaultClusterDomain || once.Ports.APIServer != 6443 {
		t.Errorf("defaults: %+v", once)
	}
}

func TestClusterRefusals(t *testing.T) {
	for field, c := range map[string]struct {
		text  string
		spoil func(*Cluster)
	}{
		"name":                     {"DNS label", func(c *Cluster) { c.Name = "" }},
		"domain":                   {"DNS name", func(c *Cluster) { c.Domain = "no domain" }},
		"endpoint":                 {"https", func(c *Cluster) { c.Endpoint = "http://10.80.0.10:6443" }},
		"caCertificate":            {"certificate", func(c *Cluster) { c.CACertificate = "none" }},
		"dns[0]":                   {"IP address", func(c *Cluster) { c.DNS = []string{"dns"} }},
		"ports.kubelet":            {"not a port", func(c *Cluster) { c.Ports.Kubelet = 70000 }},
		"podCIDRs[0]":              {"host bits", func(c *Cluster) { c.PodCIDRs = []string{"10.81.0.1/16"} }},
		"podCIDRs[1]":              {"same IP family", func(c *Cluster) { c.PodCIDRs = append(c.PodCIDRs, "10.90.0.0/16") }},
		"serviceCIDRs[0]":          {"overlaps", func(c *Cluster) { c.ServiceCIDRs = []string{"10.81.240.0/20"} }},
		"nodeCIDRs[0]":             {"not a range", func(c *Cluster) { c.NodeCIDRs = []string{"10.80.0.0"} }},
		"nodeCIDRs[1]":             {"overlaps", func(c *Cluster) { c.NodeCIDRs = append(c.NodeCIDRs, "10.80.0.128/25") }},
		"operators[0]":             {"open to the world", func(c *Cluster) { c.Operators = []string{"0.0.0.0/0"} }},
		"operators[1]":             {"overlaps", func(c *Cluster) { c.Operators = append(c.Operators, "10.81.3.0/24") }},
		"controlPlanes[0].name":    {"DNS label", func(c *Cluster) { c.ControlPlanes[0].Name = "A" }},
		"controlPlanes[0].address": {"lies in serviceCIDRs[0]", func(c *Cluster) { c.ControlPlanes[0].Address = "10.82.0.1" }},
		"workers[0].address":       {"controlPlanes[0]", func(c *Cluster) { c.Workers[0].Address = "10.80.0.10" }},
		"workers[1].name":          {"workers[0]", func(c *Cluster) { c.Workers[1].Name = "worker-1" }},
		"workers[0].podCIDR":       {"outside", func(c *Cluster) { c.Workers[0].PodCIDR = "10.90.1.0/24" }},
		"workers[1].podCIDR":       {"overlaps", func(c *Cluster) { c.Workers[1].PodCIDR = "10.81.1.128/25" }},
	} {
		cluster := testCluster(t)
		c.spoil(&cluster)
		refused(t, cluster.Validate(), field, c.text)
	}
}

// A range that an unrelated one lies beside is still compared with what holds it.
func TestOverlapIsFoundBehindAnotherRange(t *testing.T) {
	c := testCluster(t)
	c.NodeCIDRs, c.ControlPlanes, c.Workers = []string{"10.96.0.0/12"}, nil, nil
	c.Operators = []string{"10.97.0.0/24"}
	c.ServiceCIDRs = []string{"10.98.0.0/20"}
	refused(t, c.Validate(), "serviceCIDRs[0]", "overlaps 10.96.0.0/12 of nodeCIDRs[0]")
}

// manyMachines is a cluster of n workers.
func manyMachines(t testing.TB, n int) Cluster {
	c := testCluster(t)
	c.NodeCIDRs, c.PodCIDRs, c.Workers = []string{"10.80.0.0/16"}, []string{"10.128.0.0/9"}, nil
	for i := range n {
		c.Workers = append(c.Workers, Machine{
			Name: fmt.Sprintf("worker-%d", i), Address: fmt.Sprintf("10.80.%d.%d", 1+i/250, 1+i%250),
			PodCIDR: fmt.Sprintf("10.%d.%d.0/25", 128+i/256, i%256),
		})
	}
	return c
}

func BenchmarkClusterValidate(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		c := manyMachines(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := c.Validate(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/machine")
		})
	}
}
