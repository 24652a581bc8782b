package bottlerocket

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func TestImagesKnowTheirSettings(t *testing.T) {
	text := pointer[string]
	kernel := func(k Kernel) Settings { return Settings{Kernel: &k} }
	for prefix, c := range map[string]struct {
		nvidia   bool
		settings Settings
	}{
		"container-runtime.max-concurrent-unpacks": {false, Settings{ContainerRuntime: &ContainerRuntime{MaxConcurrentUnpacks: pointer(int64(4))}}},
		"kernel.hugepages.":                        {false, kernel(Kernel{Hugepages: &Hugepages{Static: &StaticHugepages{Size2Mi: &PagePool{text("512")}}}})},
		"kernel.drivers.":                          {true, kernel(Kernel{Drivers: &Drivers{&NvidiaDriver{text("lts")}}})},
		"kubelet-device-plugins.nvidia.enabled":    {true, Settings{KubeletDevicePlugins: &KubeletDevicePlugins{&NvidiaDevicePlugin{Enabled: pointer(false)}}}},
		"kubelet-device-plugins.nvidia.mps.":       {true, Settings{KubeletDevicePlugins: &KubeletDevicePlugins{&NvidiaDevicePlugin{MPS: &NvidiaMPS{Replicas: pointer(int64(4))}}}}},
		"kubelet-dra-drivers.net.":                 {true, Settings{KubeletDRADrivers: &KubeletDRADrivers{Net: &NetDRADriver{BindAddress: text("127.0.0.1:9177")}}}},
		"kubelet-dra-drivers.nvidia.":              {true, Settings{KubeletDRADrivers: &KubeletDRADrivers{Nvidia: &NvidiaDRADriver{pointer(true)}}}},
		"kubernetes.topology-manager-policy-options.": {false, Settings{Kubernetes: &Kubernetes{
			TopologyManagerPolicyOptions: &TopologyOptions{PreferClosestNUMANodes: pointer(true)}}}},
	} {
		first, known := newer[prefix]
		if !known {
			t.Fatalf("no first image of %s", prefix)
		}
		spec := selfManaged(t)
		spec.Settings = c.settings
		if c.nvidia {
			spec.OSVersion = "1.69.0"
			refused(t, spec.Validate(now), "variant", "NVIDIA")
			spec.Variant = VariantNvidia
			if spec.Settings.Kernel == nil {
				spec.Settings.Kernel = &Kernel{}
			}
			spec.Settings.Kernel.Lockdown = text("none")
			spec = spec.with(lockdown)
		}
		spec.OSVersion = first
		if err := spec.Validate(now); err != nil {
			t.Errorf("%s on %s: %v", prefix, first, err)
		}
		for _, older := range []string{"1.53.0", ""} {
			spec.OSVersion = older
			refused(t, spec.Validate(now), "osVersion", strings.TrimSuffix(prefix, "."))
		}
	}
}

func TestVariants(t *testing.T) {
	spec := selfManaged(t)
	for _, minor := range KubernetesVersions() {
		spec.Node.KubernetesVersion = "v" + minor + ".0"
		spec.OSVersion = firstImages[minor]
		if err := proven(spec.Validate(now)); err != nil {
			t.Errorf("%s: %v", minor, err)
		}
		spec.OSVersion = "1.52.9"
		refused(t, spec.Validate(now), "osVersion", minor)
	}
	spec.OSVersion = "1.66"
	refused(t, spec.Validate(now), "osVersion", "version")
	spec = selfManaged(t)
	spec.Variant = VariantFIPS
	if err := spec.Validate(now); err != nil || spec.VariantName() != "aws-k8s-1.35-fips" {
		t.Errorf("%s: %v", spec.VariantName(), err)
	}
	fips, _ := spec.Render()
	if plain, _ := selfManaged(t).Render(); string(plain.TOML) != string(fips.TOML) {
		t.Error("a FIPS image has other settings")
	}
	// NVIDIA's drivers need a kernel without lockdown, which is a risk to accept.
	spec.Variant = VariantNvidiaFIPS
	refused(t, spec.Validate(now), "settings.kernel.lockdown", lockdown)
	spec.Settings.Kernel = &Kernel{Lockdown: pointer("none")}
	refused(t, spec.Validate(now), "settings.kernel.lockdown", lockdown)
	spec = spec.with(lockdown)
	if err := spec.Validate(now); err != nil {
		t.Error(err)
	}
}

func TestCompanions(t *testing.T) {
	for field, settings := range map[string]Settings{
		"settings.kubernetes.memory-manager-reserved-memory.0.enabled": {Kubernetes: &Kubernetes{
			MemoryManagerReservedMemory: map[string]MemoryReservation{"0": {Memory: pointer("1Gi")}}}},
		`settings.kubernetes.eviction-soft-grace-period."memory.available"`: {Kubernetes: &Kubernetes{
			EvictionSoft: map[string]string{"memory.available": "1Gi"}}},
		"settings.kubernetes.image-gc-high-threshold-percent": {Kubernetes: &Kubernetes{
			ImageGCHighThresholdPercent: pointer(int64(50)), ImageGCLowThresholdPercent: pointer(int64(50))}},
		"settings.kubelet-device-plugins.nvidia.device-sharing-strategy": {KubeletDevicePlugins: &KubeletDevicePlugins{
			&NvidiaDevicePlugin{DeviceSharingStrategy: pointer("mps"), DevicePartitioningStrategy: pointer("mig")}}},
	} {
		spec := selfManaged(t)
		spec.Settings = settings
		refused(t, spec.Validate(now), field, "")
	}
}

// EKS reads less than all of TOML where it merges its own settings.
func TestManagedGroupsAvoidWhatEKSCannotRead(t *testing.T) {
	for field, settings := range map[string]Settings{
		"settings.motd":          {Motd: pointer(`it says "no"`)},
		"settings.network.hosts": {Network: &Network{Hosts: [][]any{{"10.0.0.1", []any{"registry.internal"}}}}},
	} {
		spec := managed(t)
		spec.Settings = settings
		refused(t, spec.Validate(now), field, "EKS cannot read")
		spec = selfManaged(t)
		spec.Settings = settings
		if err := spec.Validate(now); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestCustomVerifiers(t *testing.T) {
	spec := selfManaged(t)
	spec.ImageVerifiers = map[string]string{"inspector": `{"level":"strict"}`, "a": `{}`, "z": `{}`}
	refused(t, spec.Validate(now), "imageVerifiers", "a program")
	container := BootstrapContainer{Source: pointer("example.org/inspector:1.0"), Mode: pointer("always"), Essential: pointer(false)}
	spec.BootstrapContainers = map[string]BootstrapContainer{"install": container}
	spec = spec.with(bootstrapContainers)
	refused(t, spec.Validate(now), "imageVerifiers", "a program")
	container.Essential = pointer(true)
	spec.BootstrapContainers["install"] = container
	if err := spec.Validate(now); err != nil {
		t.Fatal(err)
	}
	data, err := spec.Render()
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, data.TOML)
	settings, err := Decode(data.TOML)
	if err != nil || len(settings.ImageVerifierPlugins.Custom) != 3 || *settings.ImageVerifierPlugins.Custom["inspector"].TrustPolicy != encode(`{"level":"strict"}`) {
		t.Errorf("%+v: %v", settings.ImageVerifierPlugins, err)
	}
	// Verifiers stand among the built-in ones.
	spec.Node.ImageVerification = &hostconfig.ImageVerification{NotationTrustPolicy: "{}"}
	data, err = spec.Render()
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, name := range []string{"a", "inspector", "notation", "z"} {
		at := strings.Index(string(data.TOML), "\n[settings.image-verifier-plugins."+name+"]\n")
		if at <= last {
			t.Errorf("%s is not in its place:\n%s", name, data.TOML)
		}
		last = at
	}
	roundTrip(t, data.TOML)
	for name, policy := range map[string]string{"notation": "{}", "a.b": "{}", "": "{}", "good": "[]"} {
		spec.ImageVerifiers = map[string]string{name: policy}
		refused(t, spec.Validate(now), "imageVerifiers", "wrong form")
	}
}
