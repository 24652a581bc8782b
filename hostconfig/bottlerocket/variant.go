package bottlerocket

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variant is a kind of image beside the plain one.
type Variant string

// Variants. All kinds have the same settings but for those of NVIDIA's drivers:
// a FIPS image differs in its kernel's parameters and its cryptography only.
const (
	VariantPlain      Variant = ""
	VariantFIPS       Variant = "fips"
	VariantNvidia     Variant = "nvidia"
	VariantNvidiaFIPS Variant = "nvidia-fips"
)

func (v Variant) nvidia() bool { return v == VariantNvidia || v == VariantNvidiaFIPS }

// firstImages gives, by Kubernetes minor, the first version of the operating
// system that has a variant for it.
// https://github.com/bottlerocket-os/bottlerocket/releases
var firstImages = map[string]string{"1.35": "1.53.0", "1.36": "1.61.0", "1.37": "1.66.0"}

// KubernetesVersions gives the minors whose variants the model describes.
func KubernetesVersions() []string { return slices.Sorted(maps.Keys(firstImages)) }

// VariantName gives the name of the image, for example aws-k8s-1.37-nvidia-fips.
func (s Spec) VariantName() string {
	name := "aws-k8s-" + s.WithDefaults().minor()
	if s.Variant != VariantPlain {
		name += "-" + string(s.Variant)
	}
	return name
}

// newer are settings that older images refuse, by the beginning of their path,
// and the first version that knows them.
var newer = map[string]string{
	"container-runtime.max-concurrent-unpacks":    "1.60.0",
	"image-verifier-plugins.":                     "1.63.0", // in the variants of Kubernetes
	"kernel.drivers.":                             "1.66.0",
	"kernel.hugepages.":                           "1.64.0",
	"kubelet-device-plugins.nvidia.enabled":       "1.63.0",
	"kubelet-device-plugins.nvidia.mps.":          "1.54.0",
	"kubelet-dra-drivers.net.":                    "1.69.0",
	"kubelet-dra-drivers.nvidia.":                 "1.66.0",
	"kubernetes.container-runtime-endpoint":       "1.64.0",
	"kubernetes.topology-manager-policy-options.": "1.60.0",
}

// nvidiaOnly are settings that images without NVIDIA's drivers refuse.
var nvidiaOnly = []string{"kernel.drivers.nvidia.", "kubelet-device-plugins.nvidia.", "kubelet-dra-drivers.", "nvidia-container-runtime."}

var osVersion = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$`)

// variant wants an image that exists.
func (p *problems) variant(s Spec) {
	first, supported := firstImages[s.minor()]
	switch {
	case !supported:
		p.add("node.kubernetesVersion", "no image has Kubernetes "+strconv.Quote(s.minor()), "write a version of "+strings.Join(KubernetesVersions(), ", "))
	case s.OSVersion != "" && !osVersion.MatchString(s.OSVersion):
		p.add("osVersion", strconv.Quote(s.OSVersion)+" is not a version", "write a version such as 1.66.0")
	case s.OSVersion != "" && olderThan(s.OSVersion, first):
		p.add("osVersion", fmt.Sprintf("no image of %s has Kubernetes %s", s.OSVersion, s.minor()), "write "+first+" or later")
	}
	switch s.Variant {
	case VariantPlain, VariantFIPS, VariantNvidia, VariantNvidiaFIPS:
	default:
		p.add("variant", strconv.Quote(string(s.Variant))+" is not a variant", "leave it out, or write fips, nvidia or nvidia-fips")
	}
}

// image wants one that knows every setting, and settings that it can run with.
func (p *problems) image(s Spec, settings Settings) {
	image := cmp.Or(s.OSVersion, firstImages[s.minor()])
	paths := map[string]bool{}
	for _, l := range leaves(settings) {
		paths[strings.Join(l.path, ".")+"."] = true
	}
	has := func(prefix string) bool {
		for path := range paths {
			if strings.HasPrefix(path, prefix) {
				return true
			}
		}
		return false
	}
	for _, prefix := range slices.Sorted(maps.Keys(newer)) {
		if olderThan(image, newer[prefix]) && has(prefix) {
			p.add("osVersion", fmt.Sprintf("images before %s refuse settings.%s", newer[prefix], strings.TrimSuffix(prefix, ".")),
				"write the image's version, "+newer[prefix]+" or later, or leave the setting out")
		}
	}
	for _, prefix := range nvidiaOnly {
		if !s.Variant.nvidia() && has(prefix) {
			p.add("variant", "images without NVIDIA's drivers refuse settings."+strings.TrimSuffix(prefix, "."), "write variant nvidia, or leave the setting out")
		}
	}
	if locked := settings.Kernel.Lockdown; s.Variant.nvidia() && locked != nil && *locked != "none" {
		p.add("settings.kernel.lockdown", "keeps the kernel from loading NVIDIA's drivers, which carry no signature that it knows",
			"write none, and accept the risk with an entry in exceptions: control "+lockdown+", a reason and an expiry")
	}
}

// consistent wants companions of settings, without which the node does not start.
func (p *problems) consistent(settings Settings) {
	k := settings.Kubernetes
	if k.ImageGCHighThresholdPercent != nil && k.ImageGCLowThresholdPercent != nil &&
		*k.ImageGCHighThresholdPercent <= *k.ImageGCLowThresholdPercent {
		p.add("settings.kubernetes.image-gc-high-threshold-percent", "is not above the low threshold", "write a larger number: the kubelet does not start")
	}
	for _, node := range slices.Sorted(maps.Keys(k.MemoryManagerReservedMemory)) {
		if k.MemoryManagerReservedMemory[node].Enabled == nil {
			p.add(pathName([]string{"kubernetes", "memory-manager-reserved-memory", node, "enabled"}), "is missing",
				"write it: the operating system refuses a reservation without it")
		}
	}
	for _, signal := range slices.Sorted(maps.Keys(k.EvictionSoft)) {
		if _, found := k.EvictionSoftGracePeriod[signal]; !found {
			p.add(pathName([]string{"kubernetes", "eviction-soft-grace-period", signal}), "is missing", "write it: the kubelet does not start with a soft threshold that has no grace period")
		}
	}
	if d := settings.KubeletDevicePlugins; d != nil && d.Nvidia != nil && is(d.Nvidia.DeviceSharingStrategy, "mps") && is(d.Nvidia.DevicePartitioningStrategy, "mig") {
		p.add("settings.kubelet-device-plugins.nvidia.device-sharing-strategy", "does not go with device-partitioning-strategy mig", "write none or time-slicing: the plugin does not start")
	}
}

func is(value *string, want string) bool { return value != nil && *value == want }

// mergeable wants what EKS can read where it merges its own settings into the
// document of a managed group; it knows less than all of TOML.
// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html#launch-template-user-data
func (p *problems) mergeable(s Spec, settings Settings) {
	if s.Group != ManagedGroup {
		return
	}
	for _, l := range leaves(settings) {
		switch {
		case strings.Join(l.pattern, ".") == "network.hosts":
			p.add(l.name(), "is a list of unlike values, which EKS cannot read in the document of a managed group", "leave it out, or use a group with an image of its own")
		case hasQuote(l):
			p.add(l.name(), "has a quotation mark, which EKS cannot read in the document of a managed group", "write it without")
		}
	}
}

// hasQuote looks into lists as well, where JSON escapes quotation marks.
func hasQuote(l leaf) bool {
	if reflect.Indirect(l.value).Kind() == reflect.String {
		return strings.Contains(l.text(), `"`)
	}
	return strings.Contains(l.text(), `\"`)
}

// olderThan compares versions of three numbers.
func olderThan(version, wanted string) bool {
	a, b := strings.Split(version, "."), strings.Split(wanted, ".")
	for i := range b {
		if i >= len(a) {
			return true
		}
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}
