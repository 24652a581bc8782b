package gcp

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Environment is what the settings of a stack say: the network, the cluster and
// its nodes. The zero value of a setting means its hardened default, unless it
// says that it is required.
type Environment struct {
	// Platform is gcp.
	Platform string `json:"platform" jsonschema:"required"`
	// Project is where the environment lives. Required.
	Project Project `json:"project" jsonschema:"required"`
	// KubernetesVersion is a full version of a supported minor, v1.35.4 by default,
	// of which GKE takes the minor as the oldest.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Channel is REGULAR by default, or STABLE, or EXTENDED.
	Channel string `json:"channel,omitempty"`
	// Autopilot leaves nodes to Google; there are no nodePools then. It never changes.
	Autopilot bool    `json:"autopilot,omitempty"`
	Network   Network `json:"network"`
	Keys      Keys    `json:"keys"`
	Logs      Logs    `json:"logs"`
	// Detection is who hears of what must not go unnoticed.
	Detection Detection `json:"detection"`
	// Firewall is what may flow beside what the cluster itself needs.
	Firewall Firewall `json:"firewall"`
	// SecurityGroup is gke-security-groups@<domain>, whose member groups role
	// bindings of the cluster may name. Required.
	SecurityGroup string `json:"securityGroup" jsonschema:"required"`
	// AuthorizedNetworks are further private ranges from which people and automation
	// reach the API server.
	AuthorizedNetworks []AuthorizedNetwork `json:"authorizedNetworks,omitempty"`
	// Access is who gets into the cluster; at least one entry administers it. Required.
	Access []Access `json:"access" jsonschema:"required"`
	// PublicCIDRs are ranges of the internet that reach the API server. None by
	// default; any needs an exception for M10/public-endpoint.
	PublicCIDRs []string `json:"publicCIDRs,omitempty"`
	// Entry is a way to the API server for people: a tunnel of Identity-Aware Proxy.
	Entry *Entry `json:"entry,omitempty"`
	// VPN is a way to the API server for another network: Cloud VPN.
	VPN *VPN `json:"vpn,omitempty"`
	// Maintenance is when Google may upgrade; nights of weekends by default.
	Maintenance Maintenance `json:"maintenance"`
	// NotificationTopic gets notices of upgrades and security bulletins:
	// projects/<project>/topics/<name>.
	NotificationTopic string `json:"notificationTopic,omitempty"`
	// CostAllocation shows costs by namespace and label.
	CostAllocation bool `json:"costAllocation,omitempty"`
	// ManagedPrometheus collects metrics of workloads.
	ManagedPrometheus bool `json:"managedPrometheus,omitempty"`
	// Images are which images run in the clusters of the project. Required.
	Images Images `json:"images" jsonschema:"required"`
	// NodePools are groups of nodes; at least one, without autopilot.
	NodePools []NodePool `json:"nodePools,omitempty"`
	// Registry has repositories of images; none by default.
	Registry *Registry `json:"registry,omitempty"`
	// Constraints are policies of the organization above the cluster; none by default.
	Constraints *Constraints `json:"constraints,omitempty"`
	// Unprotected lets `pulumi destroy` delete cluster, keys and logs, for
	// environments that come and go.
	Unprotected bool `json:"unprotected,omitempty"`
	// AllowReplacement names settings, such as network.cidr, whose change may
	// delete and make anew what they describe, with all data in it.
	AllowReplacement []string `json:"allowReplacement,omitempty"`
	// Labels are put on everything that takes them.
	Labels map[string]string `json:"labels,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// Project is where an environment lives.
type Project struct {
	// ID is the project's id.
	ID string `json:"id" jsonschema:"required"`
	// Number is the project's number, in quotes.
	Number string `json:"number" jsonschema:"required"`
	// Region is for example europe-west3.
	Region string `json:"region" jsonschema:"required"`
}

// Network is the private network.
type Network struct {
	// CIDR is the range of the network, a private one of 16 to 20 bits, divided
	// among nodes, pods, services, the control plane and the way in; 10.0.0.0/16 by
	// default. It never changes.
	CIDR string `json:"cidr,omitempty"`
	// Zones are those of nodes; three of the region by default.
	Zones []string `json:"zones,omitempty"`
	// PeerCIDRs are ranges of other networks that reach this one.
	PeerCIDRs []string `json:"peerCIDRs,omitempty"`
	// Egress is none by default: nodes reach Google's interfaces and nothing else.
	// nat is Cloud NAT; the firewall still decides what leaves.
	Egress string `json:"egress,omitempty"`
	// Domains are further domains of Google that resolve to its restricted addresses.
	Domains []string `json:"domains,omitempty"`
	// Existing is a network that is there already; left out, one is made.
	Existing *ExistingNetwork `json:"existing,omitempty"`
}

// ExistingNetwork is a network that somebody else made.
type ExistingNetwork struct {
	// Network is projects/<project>/global/networks/<name>.
	Network string `json:"network" jsonschema:"required"`
	// Subnetwork is projects/<project>/regions/<region>/subnetworks/<name>.
	Subnetwork string `json:"subnetwork" jsonschema:"required"`
	// PodRange is the name of the secondary range of pods.
	PodRange string `json:"podRange" jsonschema:"required"`
	// ServiceRange is the name of the secondary range of services.
	ServiceRange string `json:"serviceRange" jsonschema:"required"`
	// NodeCIDR is the range of the subnetwork.
	NodeCIDR string `json:"nodeCIDR" jsonschema:"required"`
	// PodCIDR is the range of pods.
	PodCIDR string `json:"podCIDR" jsonschema:"required"`
	// ServiceCIDR is the range of services.
	ServiceCIDR string `json:"serviceCIDR" jsonschema:"required"`
	// ControlPlaneCIDR is a free /28.
	ControlPlaneCIDR string `json:"controlPlaneCIDR" jsonschema:"required"`
	// PrivateAccess says that the network has the zones and the route of Google's
	// restricted addresses.
	PrivateAccess bool `json:"privateAccess,omitempty"`
}

// Keys are the customer keys.
type Keys struct {
	// Generation tells the keys of an environment from those of one that had the
	// same name: rings and keys are never deleted.
	Generation string `json:"generation,omitempty"`
	// ExistingRing is projects/<project>/locations/<region>/keyRings/<name>.
	ExistingRing string `json:"existingRing,omitempty"`
	// RotationDays is 90 by default.
	RotationDays int `json:"rotationDays,omitempty"`
	// DestroyDays is how long a destroyed version can be brought back, 30 by default.
	DestroyDays int `json:"destroyDays,omitempty"`
	// Protection is HSM by default, or SOFTWARE.
	Protection string `json:"protection,omitempty"`
	// LoggingServiceAccount is what gcloud logging settings describe shows as
	// kmsServiceAccountId; with it the logs are encrypted with the customer key too.
	LoggingServiceAccount string `json:"loggingServiceAccount,omitempty"`
	// CreateAgents makes the accounts with which GKE acts, which a fresh project lacks.
	CreateAgents bool `json:"createAgents,omitempty"`
}

// Logs are where logs are kept.
type Logs struct {
	// RetentionDays is how long logs are kept, 365 by default. Less needs an
	// exception for M17/retention.
	RetentionDays int `json:"retentionDays,omitempty"`
	// Archive is the bucket that nobody alters.
	Archive Archive `json:"archive"`
	// DataAccess records who reads and writes data of every service of the project.
	DataAccess bool `json:"dataAccess,omitempty"`
}

// Archive is the bucket of logs that an intruder cannot alter.
type Archive struct {
	// Disabled leaves it out; that needs an exception for M38/archive.
	Disabled bool `json:"disabled,omitempty"`
	// Bucket is its name, unique in all of Google Cloud; made from cluster, project
	// and region by default.
	Bucket string `json:"bucket,omitempty"`
	// Lock is compliance by default, which is for ever. none needs an exception for
	// M38/object-lock.
	Lock string `json:"lock,omitempty"`
	// LockDays is 365 by default. Less needs an exception for M38/object-lock.
	LockDays int `json:"lockDays,omitempty"`
}

// Detection is alerts on events.
type Detection struct {
	// Disabled leaves it out; that needs an exception for M39/detection.
	Disabled bool `json:"disabled,omitempty"`
	// Channels tell people: projects/<project>/notificationChannels/<number>.
	Channels []string `json:"channels,omitempty"`
	// Emails are addresses that get everything, by channels that are made for them.
	// One of the two is needed.
	Emails []string `json:"emails,omitempty"`
	// Without are events that nobody hears of; each needs an exception for M39/alarms.
	Without []string `json:"without,omitempty"`
}

// Firewall is what may flow beside what the cluster itself needs.
type Firewall struct {
	// Webhooks are ports of pods that the API server calls.
	Webhooks []int `json:"webhooks,omitempty"`
	// Egress is what nodes may reach outside.
	Egress []Egress `json:"egress,omitempty"`
}

// Egress is something outside that nodes reach.
type Egress struct {
	// Name is a DNS label of at most 20 characters.
	Name string `json:"name" jsonschema:"required"`
	// CIDRs are its ranges.
	CIDRs []string `json:"cidrs" jsonschema:"required"`
	// Protocol is tcp by default, or udp.
	Protocol string `json:"protocol,omitempty"`
	// Port is 443 by default.
	Port int `json:"port,omitempty"`
	// Pods may reach it too.
	Pods bool `json:"pods,omitempty"`
	// Reason says what fails without it.
	Reason string `json:"reason" jsonschema:"required"`
}

// AuthorizedNetwork is a range that reaches the API server.
type AuthorizedNetwork struct {
	// Name says whose it is.
	Name string `json:"name" jsonschema:"required"`
	// CIDR is private.
	CIDR string `json:"cidr" jsonschema:"required"`
}

// Access lets a group or an account into the cluster.
type Access struct {
	// Name is a DNS label of its own, of at most 20 characters.
	Name string `json:"name" jsonschema:"required"`
	// Role is admin, operator, viewer or break-glass.
	Role string `json:"role" jsonschema:"required"`
	// Member is a group, a service account or an identity of a pool, as IAM writes
	// them; that of break-glass is a service account.
	Member string `json:"member" jsonschema:"required"`
}

// Images are which images run in the clusters of a project.
type Images struct {
	// Allowed are patterns of images that run without an attestation.
	Allowed []string `json:"allowed,omitempty"`
	// Attestors are projects/<project>/attestors/<name>: every other image needs an
	// attestation of each. Without any, no other image runs.
	Attestors []string `json:"attestors,omitempty"`
	// DryRun only records; that needs an exception for M26/image-policy.
	DryRun bool `json:"dryRun,omitempty"`
}

// NodePool is a group of nodes on Container-Optimized OS.
type NodePool struct {
	// Name is a DNS label of at most 20 characters.
	Name string `json:"name" jsonschema:"required"`
	// MachineType is e2-standard-4 by default.
	MachineType string `json:"machineType,omitempty"`
	// Zones are those of the cluster by default.
	Zones []string `json:"zones,omitempty"`
	// MinSize is 3 by default, of all zones together.
	MinSize int `json:"minSize,omitempty"`
	// MaxSize is twice minSize by default.
	MaxSize int `json:"maxSize,omitempty"`
	// DiskGiB is the size of the boot disk, 100 by default.
	DiskGiB int `json:"diskGiB,omitempty"`
	// DiskType is pd-balanced by default.
	DiskType string `json:"diskType,omitempty"`
	// Spot takes machines that Google may take back.
	Spot bool `json:"spot,omitempty"`
	// GVisor runs pods of the class gvisor in a kernel of their own.
	GVisor bool `json:"gvisor,omitempty"`
	// Confidential encrypts the memory of machines.
	Confidential bool `json:"confidential,omitempty"`
	// NodeLabels of the nodes.
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`
	// Taints of the nodes: key=value:Effect.
	Taints []string `json:"taints,omitempty"`
	// Isolation keeps the pool for workloads that ask for it, by a label and a
	// taint redoubt.dev/isolation of this value.
	Isolation string `json:"isolation,omitempty"`
	// PodPidsLimit is 4096 by default.
	PodPidsLimit int `json:"podPidsLimit,omitempty"`
	// Sysctls are those of the kernel's network that GKE takes.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// UpgradeStrategy is surge by default, or blue-green.
	UpgradeStrategy string `json:"upgradeStrategy,omitempty"`
}

// Registry has repositories of images.
type Registry struct {
	// Repositories are for images of your own, whose tags never move.
	Repositories []string `json:"repositories,omitempty"`
	// Remotes are caches of other registries, by name.
	Remotes map[string]string `json:"remotes,omitempty"`
	// UntaggedDays is how long an image without a tag is kept, 30 by default.
	UntaggedDays int `json:"untaggedDays,omitempty"`
}

// Constraints are policies of the organization.
type Constraints struct {
	// Parent is projects/<id>, folders/<number> or organizations/<number>; the
	// project by default.
	Parent string `json:"parent,omitempty"`
	// Without are constraints that are left alone; each needs an exception for
	// M46/org-policy.
	Without []string `json:"without,omitempty"`
	// DryRun only records; that needs an exception for M46/org-policy.
	DryRun bool `json:"dryRun,omitempty"`
}

// Defaults are what the settings of an environment begin with.
func Defaults() Environment {
	return Environment{KubernetesVersion: hostconfig.DefaultKubernetesVersion, Network: Network{CIDR: "10.0.0.0/16"}}
}
