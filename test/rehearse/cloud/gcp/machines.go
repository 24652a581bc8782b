package gcp

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	poolToken     = "gcp:container/nodePool:NodePool"
	instanceToken = "gcp:compute/instance:Instance"

	// metadataLimit is that of a value: https://cloud.google.com/compute/docs/metadata/setting-custom-metadata
	metadataLimit = 256 * 1024
	cloudConfig   = "#cloud-config\n"
)

// Machines judges what machines boot with. Those of a pool get theirs from GKE: what decides it is the pool's
// configuration. A machine of the environment's own gets a document of cloud-init.
func Machines(c *simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
	var machines []cloud.Machine
	var findings []cloud.Finding
	for _, pool := range c.Objects(poolToken) {
		m, found := node(pool)
		machines, findings = append(machines, m), append(findings, found...)
	}
	for _, instance := range c.Objects(instanceToken) {
		m, found := document(instance)
		machines, findings = append(machines, m), append(findings, found...)
	}
	slices.SortFunc(machines, func(a, b cloud.Machine) int { return strings.Compare(a.Pool, b.Pool) })
	return machines, findings
}

// node judges what decides how the nodes of a pool boot (M03, M16; CIS-GKE 5.4.1, 5.5.1, 5.5.5 to 5.5.7, 5.9.1).
func node(pool simcloud.Object) (cloud.Machine, []cloud.Finding) {
	v := pool.State
	m := cloud.Machine{Pool: "pool " + v.String("name"), Source: "node pool of GKE", Settings: []string{
		fmt.Sprintf("image %s, machine %s", v.String("nodeConfig.imageType"), v.String("nodeConfig.machineType")),
		fmt.Sprintf("secure boot %t, integrity monitoring %t, confidential %t", v.Bool("nodeConfig.shieldedInstanceConfig.enableSecureBoot"),
			v.Bool("nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring"), v.Bool("nodeConfig.confidentialNodes.enabled")),
		"runs as " + v.String("nodeConfig.serviceAccount"),
	}}
	var findings []cloud.Finding
	for _, check := range []struct {
		holds            bool
		problem, control string
	}{
		{strings.HasPrefix(v.String("nodeConfig.imageType"), "COS_CONTAINERD"), "its image is not Container-Optimized OS", "CIS-GKE-5.5.1"},
		{v.Bool("nodeConfig.shieldedInstanceConfig.enableSecureBoot"), "it boots what nobody signed", "CIS-GKE-5.5.7"},
		{v.Bool("nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring"), "nobody learns that it booted something else", "CIS-GKE-5.5.6"},
		{v.String("nodeConfig.workloadMetadataConfig.mode") == "GKE_METADATA", "pods get the account of their node", "CIS-GKE-5.4.1"},
		{v.String("nodeConfig.bootDiskKmsKey") != "", "its disk has no key of the customer", "CIS-GKE-5.9.1"},
		{v.String("nodeConfig.serviceAccount") != "" && v.String("nodeConfig.serviceAccount") != "default", "it runs as the default account of the project", "CIS-GKE-5.2.1"},
	} {
		if !check.holds {
			findings = append(findings, cloud.Finding{Level: cloud.Error, Subject: m.Pool, Problem: check.problem + " (" + check.control + ")", Remedy: "make the pool with NodePool"})
		}
	}
	return m, findings
}

// document opens what cloud-init reads on a machine.
func document(instance simcloud.Object) (cloud.Machine, []cloud.Finding) {
	metadata := instance.State.Texts("metadata")
	text := metadata["user-data"]
	m := cloud.Machine{Pool: "machine " + instance.State.String("name"), Source: "instance metadata", Bytes: len(text), Limit: metadataLimit}
	wrong := func(problem, remedy string) []cloud.Finding {
		return []cloud.Finding{{Level: cloud.Error, Subject: m.Pool, Problem: problem, Remedy: remedy}}
	}
	var config struct {
		Files []struct {
			Path string `yaml:"path"`
		} `yaml:"write_files"`
		Commands []any `yaml:"runcmd"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	switch err := decoder.Decode(&config); {
	case !strings.HasPrefix(text, cloudConfig):
		return m, wrong("cloud-init would not read its user data: it does not begin with #cloud-config", "begin it so")
	case err != nil:
		return m, wrong("cloud-init would not read its user data: "+err.Error(), "write YAML")
	case len(text) > metadataLimit:
		return m, wrong("its user data is larger than metadata takes", "make it smaller")
	}
	for _, key := range []string{"ssh-keys", "sshKeys"} {
		if metadata[key] != "" {
			return m, wrong("it has SSH keys (M09)", "leave them out")
		}
	}
	var files []string
	for _, file := range config.Files {
		files = append(files, path.Base(file.Path))
	}
	m.Settings = []string{fmt.Sprintf("files: %s; commands: %d", strings.Join(files, ", "), len(config.Commands)),
		fmt.Sprintf("secure boot %t, addresses on the internet: %d", instance.State.Bool("shieldedInstanceConfig.enableSecureBoot"), external(instance))}
	return m, nil
}

// external counts addresses on the internet.
func external(instance simcloud.Object) int {
	n := 0
	for _, each := range instance.State.List("networkInterfaces") {
		n += len(each.List("accessConfigs"))
	}
	return n
}
