package gcp

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// How the nodes of a pool are replaced.
const (
	// UpgradeSurge adds new nodes, a few at a time, before old ones go. The default.
	UpgradeSurge = "surge"
	// UpgradeBlueGreen makes all new nodes, moves pods in batches, and waits before
	// the old ones go.
	UpgradeBlueGreen = "blue-green"
)

// NodePoolArgs describes one group of nodes. Project, Cluster, ClusterName, Pool,
// DisksKeyID and NodeServiceAccount are required.
type NodePoolArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// ClusterName is the NodesClusterName of [GkeCluster]: nodes wait for it.
	ClusterName pulumi.StringInput `pulumi:"clusterName"`
	// Pool is the name of the pool, a DNS label of at most 20 characters.
	Pool string `pulumi:"pool"`
	// MachineType is e2-standard-4 by default, n2d-standard-4 with Confidential.
	MachineType string `pulumi:"machineType,optional"`
	// Zones are those of the cluster by default.
	Zones []string `pulumi:"zones,optional"`
	// MinSize is 3 and MaxSize twice that by default, of all zones together.
	MinSize int `pulumi:"minSize,optional"`
	MaxSize int `pulumi:"maxSize,optional"`
	// DiskGiB is the size of the boot disk, 100 by default, and DiskType
	// pd-balanced.
	DiskGiB  int    `pulumi:"diskGiB,optional"`
	DiskType string `pulumi:"diskType,optional"`
	// Spot takes machines that Google may take back.
	Spot bool `pulumi:"spot,optional"`
	// GVisor runs pods of the class gvisor in a kernel of their own (M28, CIS-GKE-5.10.3);
	// a cluster needs another pool beside.
	GVisor bool `pulumi:"gvisor,optional"`
	// Confidential encrypts the memory of machines.
	Confidential bool `pulumi:"confidential,optional"`
	// MaxPodsPerNode is the cluster's by default.
	MaxPodsPerNode int `pulumi:"maxPodsPerNode,optional"`
	// DisksKeyID is that of [Keys], NodeServiceAccount that of [Firewall].
	DisksKeyID         pulumi.StringInput `pulumi:"disksKeyId"`
	NodeServiceAccount pulumi.StringInput `pulumi:"nodeServiceAccount"`
	// NodeLabels and Taints are those of the nodes; a taint is key=value:Effect.
	NodeLabels map[string]string `pulumi:"nodeLabels,optional"`
	Taints     []string          `pulumi:"taints,optional"`
	// Isolation keeps the pool for the workloads that ask for it: it labels and
	// taints the nodes with redoubt.dev/isolation and this name (M24).
	Isolation string `pulumi:"isolation,optional"`
	// Kubelet is what GKE lets one say to the kubelet.
	Kubelet *KubeletArgs `pulumi:"kubelet,optional"`
	// Sysctls are those of the kernel's network that GKE takes.
	Sysctls map[string]string `pulumi:"sysctls,optional"`
	// Upgrade is how nodes are replaced.
	Upgrade    *UpgradeArgs      `pulumi:"upgrade,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

// KubeletArgs is what GKE lets one say to the kubelet. A field that is not set
// has its default.
type KubeletArgs struct {
	// PodPidsLimit is 4096 by default, at least 1024. More than 65536 needs an
	// exception for CIS-4.2.13.
	PodPidsLimit int `pulumi:"podPidsLimit,optional"`
	// StaticCPUs gives a pod that asks for whole CPUs its own.
	StaticCPUs bool `pulumi:"staticCpus,optional"`
	// CPUQuotaPeriod is the kernel's, 100ms by default, 1ms to 1s.
	CPUQuotaPeriod string `pulumi:"cpuQuotaPeriod,optional"`
}

// UpgradeArgs is how nodes are replaced. A field that is not set has its default.
type UpgradeArgs struct {
	// Strategy is UpgradeSurge by default.
	Strategy string `pulumi:"strategy,optional"`
	// MaxSurge is how many nodes more there are, 1 by default, and MaxUnavailable
	// how many fewer, none by default. With UpgradeSurge.
	MaxSurge       int `pulumi:"maxSurge,optional"`
	MaxUnavailable int `pulumi:"maxUnavailable,optional"`
	// BatchPercent is how much of the pool is drained at once, 25 by default;
	// BatchSoakSeconds is the wait after each batch, 300 by default, and
	// PoolSoakSeconds that before the old nodes go, 3600 by default. With
	// UpgradeBlueGreen.
	BatchPercent     int `pulumi:"batchPercent,optional"`
	BatchSoakSeconds int `pulumi:"batchSoakSeconds,optional"`
	PoolSoakSeconds  int `pulumi:"poolSoakSeconds,optional"`
}

const isolationKey = "redoubt.dev/isolation"

func (a NodePoolArgs) withDefaults() NodePoolArgs {
	if a.Confidential {
		setDefault(&a.MachineType, "n2d-standard-4")
	}
	setDefault(&a.MachineType, "e2-standard-4")
	setDefault(&a.MinSize, 3)
	setDefault(&a.MaxSize, 2*a.MinSize)
	setDefault(&a.DiskGiB, 100)
	setDefault(&a.DiskType, "pd-balanced")
	kubelet, upgrade := given(a.Kubelet), given(a.Upgrade)
	setDefault(&kubelet.PodPidsLimit, 4096)
	setDefault(&kubelet.CPUQuotaPeriod, "100ms")
	setDefault(&upgrade.Strategy, UpgradeSurge)
	switch upgrade.Strategy {
	case UpgradeSurge:
		if upgrade.MaxUnavailable == 0 {
			setDefault(&upgrade.MaxSurge, 1)
		}
	case UpgradeBlueGreen:
		setDefault(&upgrade.BatchPercent, 25)
		setDefault(&upgrade.BatchSoakSeconds, 300)
		setDefault(&upgrade.PoolSoakSeconds, 3600)
	}
	a.Kubelet, a.Upgrade = &kubelet, &upgrade
	if a.Isolation != "" {
		labels := maps.Clone(a.NodeLabels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[isolationKey], a.NodeLabels = a.Isolation, labels
		if taint := isolationKey + "=" + a.Isolation + ":NoSchedule"; !slices.Contains(a.Taints, taint) {
			a.Taints = append(slices.Clone(a.Taints), taint)
		}
	}
	return a
}

var (
	poolPattern    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)
	machinePattern = regexp.MustCompile(`^[a-z][a-z0-9]*-[a-z]+(-[0-9]+)*[a-z]*$`)
	// confidentialPattern is machines of AMD: the provider cannot ask for what those of
	// Intel do. https://cloud.google.com/kubernetes-engine/docs/how-to/confidential-gke-nodes
	confidentialPattern = regexp.MustCompile(`^(n2d|c2d|c3d)-`)
	// https://cloud.google.com/kubernetes-engine/docs/how-to/node-system-config#sysctl-options
	sysctlPattern = regexp.MustCompile(`^net\.(core\.(busy_poll|busy_read|netdev_max_backlog|rmem_max|wmem_default|wmem_max|optmem_max|somaxconn)|ipv4\.(tcp_rmem|tcp_wmem|tcp_tw_reuse))$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a NodePoolArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.required("clusterName", a.ClusterName, "give NodesClusterName of GkeCluster")
	if !poolPattern.MatchString(a.Pool) {
		p.add("pool", fmt.Sprintf("%q is not a name for a pool", a.Pool), "write at most 20 lower-case letters, digits and dashes, beginning with a letter")
	}
	p.machine(a)
	p.zones("zones", a.Project.Region, a.Zones)
	if a.MinSize < 1 || a.MaxSize < a.MinSize || a.MaxSize > 1000 {
		p.add("minSize", fmt.Sprintf("%d to %d is no size", a.MinSize, a.MaxSize), "write 1 or more, and a maxSize that is not smaller")
	}
	if a.DiskGiB < 20 || a.DiskGiB > 65536 {
		p.add("diskGiB", fmt.Sprintf("%d does not hold an operating system and images", a.DiskGiB), "write 20 or more")
	}
	if !slices.Contains([]string{"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"}, a.DiskType) {
		p.add("diskType", fmt.Sprintf("%q is no type of boot disk", a.DiskType), "write pd-balanced, pd-ssd, pd-standard or hyperdisk-balanced")
	}
	if a.MaxPodsPerNode != 0 && (a.MaxPodsPerNode < 8 || a.MaxPodsPerNode > 256) {
		p.add("maxPodsPerNode", fmt.Sprintf("%d is not a number of pods that GKE takes", a.MaxPodsPerNode), "write 8 to 256")
	}
	p.key("disksKeyId", a.DisksKeyID)
	p.account("nodeServiceAccount", a.NodeServiceAccount, "give that of Firewall")
	p.scheduling(a)
	p.kubelet(a)
	p.upgrade(*a.Upgrade)
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

func (p *problems) machine(a NodePoolArgs) {
	switch {
	case !machinePattern.MatchString(a.MachineType):
		p.add("machineType", fmt.Sprintf("%q is not a machine type", a.MachineType), "write one such as e2-standard-4")
	case a.Confidential && !confidentialPattern.MatchString(a.MachineType):
		p.add("machineType", a.MachineType+" does not encrypt its memory", "write one such as n2d-standard-4")
	case a.GVisor && slices.Contains([]string{"e2-micro", "e2-small", "e2-medium"}, a.MachineType):
		p.add("machineType", a.MachineType+" is too small for gVisor", "write one such as e2-standard-4")
	}
}

// scheduling checks labels and taints. Those of Kubernetes and GKE are not for
// users: a node that could take them could draw other pods to it.
func (p *problems) scheduling(a NodePoolArgs) {
	reserved := func(key string) bool {
		domain, _, prefixed := strings.Cut(key, "/")
		return prefixed && (domain == "kubernetes.io" || domain == "k8s.io" || strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io") ||
			domain == "cloud.google.com" || domain == "sandbox.gke.io")
	}
	for _, key := range sorted(a.NodeLabels) {
		at := fmt.Sprintf("nodeLabels[%s]", key)
		switch {
		case reserved(key):
			p.add(at, "is not for users", "choose a domain of your own")
		case len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(a.NodeLabels[key])) > 0:
			p.add(at, "is no label of a node", "write a key such as example.com/team and a value of at most 63 letters, digits, dashes, underscores and dots")
		}
	}
	for i, text := range a.Taints {
		at := fmt.Sprintf("taints[%d]", i)
		taint, err := hostconfig.ParseTaint(text)
		switch {
		case err != nil:
			p.add(at, err.Error(), "write one such as example.com/slow=yes:NoSchedule")
		case reserved(taint.Key):
			p.add(at, taint.Key+" is not for users", "choose a domain of your own")
		case slices.Contains(a.Taints[:i], text):
			p.add(at, text+" is repeated", "list it once")
		}
	}
}

func (p *problems) kubelet(a NodePoolArgs) {
	k := a.Kubelet
	switch {
	case k.PodPidsLimit < 1024 || k.PodPidsLimit >= 4194304:
		p.add("kubelet.podPidsLimit", fmt.Sprintf("GKE does not take %d", k.PodPidsLimit), "write 1024 to 65536")
	case k.PodPidsLimit > 65536:
		p.weakens("kubelet.podPidsLimit", fmt.Sprintf("%d processes of one pod starve the others", k.PodPidsLimit), "CIS-4.2.13", a.Exceptions)
	}
	if period, err := time.ParseDuration(k.CPUQuotaPeriod); err != nil || period < time.Millisecond || period > time.Second {
		p.add("kubelet.cpuQuotaPeriod", fmt.Sprintf("%q is no period", k.CPUQuotaPeriod), "write 1ms to 1s")
	}
	for _, key := range sorted(a.Sysctls) {
		if !sysctlPattern.MatchString(key) || a.Sysctls[key] == "" {
			p.add(fmt.Sprintf("sysctls[%s]", key), "is none that GKE takes", "write one such as net.core.somaxconn, and its value")
		}
	}
}

func (p *problems) upgrade(u UpgradeArgs) {
	surge, blueGreen := u.MaxSurge != 0 || u.MaxUnavailable != 0, u.BatchPercent != 0 || u.BatchSoakSeconds != 0 || u.PoolSoakSeconds != 0
	switch {
	case u.Strategy == UpgradeSurge && blueGreen, u.Strategy == UpgradeBlueGreen && surge:
		p.add("upgrade", "has settings of the other strategy", "leave them out, or write the other strategy")
	case u.Strategy == UpgradeSurge && (u.MaxSurge < 0 || u.MaxUnavailable < 0 || u.MaxSurge+u.MaxUnavailable > 20):
		p.add("upgrade.maxSurge", fmt.Sprintf("GKE does not take %d and %d", u.MaxSurge, u.MaxUnavailable), "write at most 20, of both together")
	case u.Strategy == UpgradeBlueGreen && (u.BatchPercent < 1 || u.BatchPercent > 100):
		p.add("upgrade.batchPercent", fmt.Sprintf("%d is no part of a pool", u.BatchPercent), "write 1 to 100")
	case u.Strategy == UpgradeBlueGreen && (u.BatchSoakSeconds < 0 || u.PoolSoakSeconds < 0 || u.PoolSoakSeconds > 7*secondsPerDay):
		p.add("upgrade.poolSoakSeconds", "is no wait that GKE takes", "write at most a week")
	case u.Strategy != UpgradeSurge && u.Strategy != UpgradeBlueGreen:
		p.add("upgrade.strategy", fmt.Sprintf("%q is no strategy", u.Strategy), "write surge or blue-green")
	}
}
