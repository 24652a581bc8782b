package hostconfig_test

import (
	"fmt"
	"path"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// exampleWorker is where the examples start.
func exampleWorker() hostconfig.Worker {
	return hostconfig.Worker{
		ClusterName: "prod", Name: "node-1", NodeIP: "10.80.0.11", APIServer: "https://10.80.0.10:6443",
		PodCIDR: "10.81.1.0/24", ClusterPodCIDR: "10.81.0.0/16", ContainerdVersion: hostconfig.Containerd2,
	}
}

func printWorkerFile(w hostconfig.Worker, name string) {
	files, err := w.Files()
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if file.Path == name {
			fmt.Print(file.Contents)
		}
	}
}

// Images come from one registry, by way of a mirror with an authority of its own.
// Whatever else a pod names is refused.
func ExampleRegistries() {
	w := exampleWorker()
	w.SandboxImage = "registry.example.org/pause:3.10.1"
	w.Registries.Allowed = []hostconfig.Registry{{
		Name:    "registry.example.org",
		Mirrors: []hostconfig.Mirror{{URL: "https://mirror.example.org:5000"}},
	}}
	printWorkerFile(w, path.Join(w.Paths.RegistryHosts(), "registry.example.org", "hosts.toml"))
	fmt.Println("--- every other registry")
	printWorkerFile(w, path.Join(w.Paths.RegistryHosts(), "_default", "hosts.toml"))
	// Output:
	// server = "https://refused.invalid"
	// capabilities = ["push"]
	//
	// [host."https://mirror.example.org:5000"]
	//   capabilities = ["pull", "resolve"]
	//
	// [host."https://registry.example.org"]
	//   capabilities = ["pull", "resolve"]
	// --- every other registry
	// # A registry that has no directory here is refused.
	// server = "https://refused.invalid"
	// capabilities = ["push"]
	//
	// [host."https://refused.invalid"]
	//   capabilities = ["push"]
}

// Pods of a runtime class run on gVisor.
func ExampleRuntimeClasses() {
	w := exampleWorker()
	w.RuntimeClasses = []string{hostconfig.RuntimeClassGVisor}
	w.GVisorPlatform = "kvm"
	printWorkerFile(w.WithDefaults(), w.Paths.Runsc())
	// Output:
	// [runsc_config]
	//   allow-flag-override = "false"
	//   allow-packet-socket-write = "false"
	//   debug = "false"
	//   file-access = "exclusive"
	//   host-fifo = "none"
	//   host-uds = "none"
	//   ignore-cgroups = "false"
	//   net-raw = "false"
	//   network = "sandbox"
	//   oci-seccomp = "true"
	//   platform = "kvm"
	//   profile = "false"
	//   rootless = "false"
	//   strace = "false"
	//   systemd-cgroup = "false"
}

// The kubelet gets credentials of Artifact Registry from the machine's identity.
func ExampleGCRCredentialProvider() {
	w := exampleWorker()
	w.Registries.CredentialProviders = []hostconfig.CredentialProvider{hostconfig.GCRCredentialProvider()}
	printWorkerFile(w, w.Paths.CredentialProviders())
	// Output:
	// apiVersion: kubelet.config.k8s.io/v1
	// kind: CredentialProviderConfig
	// providers:
	// - apiVersion: credentialprovider.kubelet.k8s.io/v1
	//   args:
	//   - get-credentials
	//   - --v=3
	//   defaultCacheDuration: 1m0s
	//   matchImages:
	//   - gcr.io
	//   - '*.gcr.io'
	//   - '*.pkg.dev'
	//   - container.cloud.google.com
	//   name: gcp-credential-provider
}

// A weaker value of a locked key is refused; one within its bounds stands.
func ExampleContainerdRules() {
	for _, rule := range hostconfig.ContainerdRules() {
		if rule.Name == "unset_seccomp_profile" || rule.Name == "max_concurrent_downloads" {
			fmt.Printf("%s: %s %q\n", rule.Name, rule.Merge, rule.Control)
		}
	}
	// Output:
	// max_concurrent_downloads: overwritable ""
	// unset_seccomp_profile: locked "CIS-4.2.14"
}
