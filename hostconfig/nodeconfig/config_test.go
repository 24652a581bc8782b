package nodeconfig_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const certificate = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"

func controlPlane() nodeconfig.Config {
	profile := func(name string) string { return "arn:aws:iam::123456789012:instance-profile/" + name }
	return nodeconfig.Config{
		Cluster: "prod", Cloud: nodeconfig.Cloud{Platform: hostconfig.PlatformAWS, Region: "eu-central-1", Account: "123456789012"},
		Store: "prod-store", Endpoint: "https://api.prod.internal:6443", CACertificate: certificate, Node: "control-plane-1",
		ControlPlanes:    []nodeconfig.ControlPlane{{Name: "control-plane-1", Address: "10.0.0.10"}, {Name: "control-plane-2", Address: "10.0.1.10"}},
		ControlPlaneRole: profile("prod-control-plane"), Pools: []nodeconfig.Pool{{Name: "general", Role: profile("prod-general"), Group: "prod-general"}},
		KMS:       &nodeconfig.KMS{Keys: []string{"arn:aws:kms:eu-central-1:123456789012:key/1"}},
		Snapshots: &nodeconfig.Snapshots{Bucket: "prod-snapshots"}, AuditLog: &nodeconfig.AuditLog{Bucket: "prod-audit"}, NetworkAgent: &nodeconfig.NetworkAgent{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "cilium"}},
	}
}

func worker() nodeconfig.Config {
	c := controlPlane()
	return nodeconfig.Config{Cluster: c.Cluster, Store: c.Store, Endpoint: c.Endpoint, CACertificate: certificate, Pool: "general",
		Cloud: nodeconfig.Cloud{Platform: hostconfig.PlatformGCP, Region: "europe-west3", Project: "acme-prod", Zones: []string{"europe-west3-a"}}}
}

func parse(t *testing.T, c nodeconfig.Config) (nodeconfig.Config, error) {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return nodeconfig.Parse(data)
}

func TestDefaults(t *testing.T) {
	c, err := parse(t, controlPlane())
	if err != nil {
		t.Fatal(err)
	}
	if c.APIServer != "https://10.0.0.10:6443" || c.Tokens.Validity.Duration != 12*time.Hour || c.Tokens.RotateAfter.Duration != 6*time.Hour || c.RepairAfter.Duration != 10*time.Minute ||
		c.KMS.Socket != nodeconfig.KMSSocket || c.Snapshots.Prefix != "etcd/" ||
		c.AuditLog.Prefix != "audit/" || c.AuditLog.File != "/var/log/kubernetes/audit.log" || c.PKI != nodeconfig.PKIDirectory {
		t.Errorf("defaults: %+v %+v", c, *c.Tokens)
	}
	if _, err := parse(t, worker()); err != nil {
		t.Error(err)
	}
}

// TestRefusals breaks one setting each, and wants the field named with a remedy.
func TestRefusals(t *testing.T) {
	for field, change := range map[string]func(*nodeconfig.Config){
		"cluster":                  func(c *nodeconfig.Config) { c.Cluster = "Prod" },
		"cloud.platform":           func(c *nodeconfig.Config) { c.Cloud.Platform = "azure" },
		"cloud.region":             func(c *nodeconfig.Config) { c.Cloud.Region = "eu-central-1.evil.example/" },
		"cloud.account":            func(c *nodeconfig.Config) { c.Cloud.Account = "12" },
		"store":                    func(c *nodeconfig.Config) { c.Store = "s3://prod-store" },
		"endpoint":                 func(c *nodeconfig.Config) { c.Endpoint = "http://api.prod.internal" },
		"apiServer":                func(c *nodeconfig.Config) { c.APIServer = "10.0.0.10:6443" },
		"caCertificate":            func(c *nodeconfig.Config) { c.CACertificate = certificate + certificate + certificate },
		"node":                     func(c *nodeconfig.Config) { c.Node = "control-plane-9"; c.APIServer = "https://10.0.0.10:6443" },
		"pool":                     func(c *nodeconfig.Config) { c.Pool = "general" },
		"controlPlanes[1]":         func(c *nodeconfig.Config) { c.ControlPlanes[1].Address = "10.0.0.10" },
		"controlPlanes[1].address": func(c *nodeconfig.Config) { c.ControlPlanes[1].Address = "fd00::1" },
		"controlPlaneRole":         func(c *nodeconfig.Config) { c.ControlPlaneRole = "prod-control-plane" },
		"pools[0].role":            func(c *nodeconfig.Config) { c.Pools[0].Role = "*" },
		"pools[0].group":           func(c *nodeconfig.Config) { c.Pools[0].Group = "" },
		"pools[0]":                 func(c *nodeconfig.Config) { c.Pools[0].Role = c.ControlPlaneRole },
		"tokens.validity": func(c *nodeconfig.Config) {
			c.Tokens = &nodeconfig.Tokens{Validity: hostconfig.Duration{Duration: 48 * time.Hour}}
		},
		"tokens.rotateAfter": func(c *nodeconfig.Config) {
			c.Tokens = &nodeconfig.Tokens{RotateAfter: hostconfig.Duration{Duration: 11 * time.Hour}}
		},
		"repairAfter":      func(c *nodeconfig.Config) { c.RepairAfter.Duration = time.Minute },
		"kms.keys":         func(c *nodeconfig.Config) { c.KMS.Keys = nil },
		"kms.keys[0]":      func(c *nodeconfig.Config) { c.KMS.Keys[0] = "arn:aws:kms:eu-central-1:123456789012:alias/prod" },
		"kms.socket":       func(c *nodeconfig.Config) { c.KMS.Socket = "/" + strings.Repeat("x", 107) },
		"snapshots.bucket": func(c *nodeconfig.Config) { c.Snapshots.Bucket = c.Store },
		"snapshots.prefix": func(c *nodeconfig.Config) { c.Snapshots.Prefix = "/etcd/" },
		"auditLog.bucket":  func(c *nodeconfig.Config) { c.AuditLog.Bucket = c.Snapshots.Bucket },
		"auditLog.prefix":  func(c *nodeconfig.Config) { c.AuditLog.Prefix = "/audit/" },
		"auditLog.file":    func(c *nodeconfig.Config) { c.AuditLog.File = "audit.log" },
		"networkAgent":     func(c *nodeconfig.Config) { c.NetworkAgent.Labels = nil },
		"pki":              func(c *nodeconfig.Config) { c.PKI = "pki" },
	} {
		c := controlPlane()
		change(&c)
		_, err := parse(t, c)
		if err == nil || !strings.HasPrefix(err.Error(), field+": ") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, text := range map[string]string{"an unknown field": `{"cluster":"prod","clutser":"x"}`, "two documents": `{} {}`, "nothing": ``} {
		if _, err := nodeconfig.Parse([]byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestAllFaultsAtOnce: a user mends a file in one pass.
func TestAllFaultsAtOnce(t *testing.T) {
	c := controlPlane()
	c.Cluster, c.Store, c.Endpoint, c.Pools[0].Group = "", "", "", ""
	_, err := parse(t, c)
	for _, field := range []string{"cluster: ", "store: ", "endpoint: ", "pools[0].group: "} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not among %v", field, err)
		}
	}
}
