package aws

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

// Environment is what the settings of a stack say: the network, the cluster and
// its nodes. The zero value of a setting means its hardened default, unless it
// says that it is required.
type Environment struct {
	// Platform is aws.
	Platform string `json:"platform" jsonschema:"required"`
	// Account is where the environment lives. Credentials of another account are
	// refused. Required.
	Account Account `json:"account" jsonschema:"required"`
	// KubernetesVersion is a full version of a supported minor, v1.35.4 by default.
	// It goes up one minor at a time; nodes follow the control plane.
	KubernetesVersion string  `json:"kubernetesVersion,omitempty"`
	Network           Network `json:"network"`
	// Uses are what runs in the environment beside what every cluster has: each
	// brings the endpoints and permissions that it needs. ssm, guardduty,
	// load-balancers, cluster-autoscaler, secrets-manager; automation comes with runner.
	Uses []string `json:"uses,omitempty"`
	Keys Keys     `json:"keys"`
	Logs Logs     `json:"logs"`
	// Detection is who hears of what must not go unnoticed.
	Detection Detection `json:"detection"`
	// Firewall is what may flow beside what the cluster itself needs.
	Firewall Firewall `json:"firewall"`
	// Access is who gets into the cluster. Nobody else does, not even who makes
	// it; at least one entry administers it. Required.
	Access []Access `json:"access" jsonschema:"required"`
	// PublicCIDRs are ranges of the internet that reach the API server. None by
	// default; any needs an exception for M10/public-endpoint.
	PublicCIDRs []string `json:"publicCIDRs,omitempty"`
	// VPN is a way to the API server for people; none by default.
	VPN *VPN `json:"vpn,omitempty"`
	// Runner is a way to the API server for automation inside the network; none by
	// default. The stack gives out its security group.
	Runner *Runner `json:"runner,omitempty"`
	// AddonVersions pin vpc-cni, kube-proxy and eks-pod-identity-agent, and
	// aws-guardduty-agent where uses has guardduty. Required.
	AddonVersions map[string]string `json:"addonVersions" jsonschema:"required"`
	// NodePools are groups of nodes; at least one. Required.
	NodePools []NodePool `json:"nodePools" jsonschema:"required"`
	// Registry is the registry of the account in the region; none by default,
	// because an account has one, which another environment may hold already.
	Registry *Registry `json:"registry,omitempty"`
	// Unprotected lets `pulumi destroy` delete cluster, keys and logs, for
	// environments that come and go.
	Unprotected bool `json:"unprotected,omitempty"`
	// AllowReplacement names settings, such as network.cidr, whose change may
	// delete and make anew what they describe, with all data in it.
	AllowReplacement []string `json:"allowReplacement,omitempty"`
	// Tags are put on everything.
	Tags map[string]string `json:"tags,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// Account is where an environment lives.
type Account struct {
	// ID is the account's number, 12 digits in quotes.
	ID string `json:"id" jsonschema:"required"`
	// Region is for example eu-central-1.
	Region string `json:"region" jsonschema:"required"`
}

// Network is the private network.
type Network struct {
	// CIDR is the range of the network, a private one of 16 to 20 bits;
	// 10.0.0.0/16 by default. It never changes.
	CIDR string `json:"cidr,omitempty"`
	// Zones are two to six availability zones. More can be added. Required.
	Zones []string `json:"zones" jsonschema:"required"`
	// IPv6 adds a range that AWS chooses.
	IPv6 bool `json:"ipv6,omitempty"`
	// ServiceCIDR is the range of Kubernetes services, of 12 to 24 bits;
	// 172.20.0.0/16 by default. It never changes.
	ServiceCIDR string `json:"serviceCIDR,omitempty"`
	// PeerCIDRs are ranges of other networks that reach this one, by routes that
	// are made elsewhere.
	PeerCIDRs []string `json:"peerCIDRs,omitempty"`
	// Egress is none by default: nodes reach the endpoints of services of AWS and
	// nothing else. nat is a gateway in each zone, firewall an endpoint of a
	// firewall that exists.
	Egress string `json:"egress,omitempty"`
	// FirewallEndpoints are the ids of the endpoints by zone, with egress firewall.
	FirewallEndpoints map[string]string `json:"firewallEndpoints,omitempty"`
	// EgressPorts are the TCP ports that may leave, 443 by default.
	EgressPorts []int `json:"egressPorts,omitempty"`
	// ExtraEndpoints are further services, such as sqs.
	ExtraEndpoints []string `json:"extraEndpoints,omitempty"`
	// Existing is a network that is there already; left out, one is made.
	Existing *ExistingNetwork `json:"existing,omitempty"`
}

// ExistingNetwork is a network that somebody else made.
type ExistingNetwork struct {
	// VpcID is the id of the VPC.
	VpcID string `json:"vpcId" jsonschema:"required"`
	// SubnetIDs are private, one for each of the zones and in their order.
	SubnetIDs []string `json:"subnetIds" jsonschema:"required"`
	// RouteTableIDs are those of the subnets.
	RouteTableIDs []string `json:"routeTableIds" jsonschema:"required"`
}

// Keys are the customer keys.
type Keys struct {
	// RotationDays is how often key material is replaced, 365 by default, 90 at least.
	RotationDays int `json:"rotationDays,omitempty"`
	// DeletionWindowDays is how long a deleted key can be brought back, 30 by default.
	DeletionWindowDays int `json:"deletionWindowDays,omitempty"`
	// CreateAutoScalingRole makes the service-linked role of Auto Scaling, which a
	// fresh account lacks and of which an account has one.
	CreateAutoScalingRole bool `json:"createAutoScalingRole,omitempty"`
	// AccountDefault encrypts every new volume of the account in the region.
	AccountDefault bool `json:"accountDefault,omitempty"`
	// ArchiveReaders are the ARNs of roles that read the audit archive.
	ArchiveReaders []string `json:"archiveReaders,omitempty"`
}

// Logs are where logs are kept.
type Logs struct {
	// RetentionDays is how long logs are kept, 365 by default. Less needs an
	// exception for M17/retention.
	RetentionDays int `json:"retentionDays,omitempty"`
	// Archive is the bucket that nobody alters.
	Archive Archive `json:"archive"`
	// NoAuditStream keeps the logs of the control plane out of the archive; that
	// needs an exception for M38/audit-stream.
	NoAuditStream bool `json:"noAuditStream,omitempty"`
	// Trail records what is done in the account, in every region. Leave it off
	// where the account or its organization has a trail.
	Trail bool `json:"trail,omitempty"`
	// Sessions logs sessions of AWS Systems Manager, where uses has ssm. An account
	// has one such setting in a region: false where it is made elsewhere.
	Sessions *bool `json:"sessions,omitempty"`
}

// Detection is alarms on events, and threat detection.
type Detection struct {
	// Disabled leaves it out; that needs an exception for M39/detection.
	Disabled bool `json:"disabled,omitempty"`
	// TrailLogGroup is the log group of a trail that the account has. Without it
	// and without logs.trail nothing that is done through the API of AWS raises an
	// alarm.
	TrailLogGroup string `json:"trailLogGroup,omitempty"`
	// TopicArn is a topic of SNS that takes alarms; one is made by default.
	TopicArn string `json:"topicArn,omitempty"`
	// Emails get everything, once each address has confirmed it.
	Emails []string `json:"emails,omitempty"`
	// GuardDuty looks for threats; left out, the account does by itself. With
	// guardduty among the uses it looks at what runs on nodes, too.
	GuardDuty *GuardDuty `json:"guardDuty,omitempty"`
}

// GuardDuty is threat detection by AWS.
type GuardDuty struct {
	// DetectorID is the detector of the account in the region, of which there is
	// one. Left out, one is made.
	DetectorID string `json:"detectorId,omitempty"`
}

// Archive is the bucket of logs that an intruder cannot alter.
type Archive struct {
	// Disabled leaves it out; that needs an exception for M38/archive.
	Disabled bool `json:"disabled,omitempty"`
	// Bucket is its name, unique in all of AWS; made from cluster, account and
	// region by default.
	Bucket string `json:"bucket,omitempty"`
	// Lock is compliance by default: nobody deletes before the time is over, and
	// the bucket cannot be destroyed. governance and none are weaker; none needs an
	// exception for M38/object-lock.
	Lock string `json:"lock,omitempty"`
	// LockDays is 365 by default. Less needs an exception for M38/object-lock.
	LockDays int `json:"lockDays,omitempty"`
}

// Firewall is what may flow beside what the cluster itself needs.
type Firewall struct {
	// Operators are ranges from which people and automation reach the API server;
	// a range outside the network must be among network.peerCIDRs.
	Operators []string `json:"operators,omitempty"`
	// Webhooks are ports of pods that the API server calls.
	Webhooks []int `json:"webhooks,omitempty"`
	// Egress is what nodes may reach outside.
	Egress []Egress `json:"egress,omitempty"`
}

// Egress is something outside that nodes reach.
type Egress struct {
	// Name is a DNS label.
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

// Access lets one role of IAM into the cluster.
type Access struct {
	// Name is a DNS label of its own.
	Name string `json:"name" jsonschema:"required"`
	// Role is admin, operator, viewer or break-glass.
	Role string `json:"role" jsonschema:"required"`
	// PrincipalArn is a role of IAM; users are refused.
	PrincipalArn string `json:"principalArn" jsonschema:"required"`
	// Namespaces are where an operator or a viewer may do it.
	Namespaces []string `json:"namespaces,omitempty"`
}

// VPN is AWS Client VPN.
type VPN struct {
	// ClientCIDR is the range of those who connect, of 12 to 22 bits.
	ClientCIDR string `json:"clientCIDR" jsonschema:"required"`
	// Zones are those of the network from which it reaches the cluster; the first
	// by default. Every one costs.
	Zones []string `json:"zones,omitempty"`
	// ServerCertificateArn is of ACM.
	ServerCertificateArn string `json:"serverCertificateArn" jsonschema:"required"`
	// ClientCertificateArn is the authority, in ACM, of certificates of clients.
	ClientCertificateArn string `json:"clientCertificateArn,omitempty"`
	// SamlProviderArn is an identity provider in IAM, which can ask for a second factor.
	SamlProviderArn string `json:"samlProviderArn,omitempty"`
	// AccessGroup is the group of the identity provider that may connect.
	AccessGroup string `json:"accessGroup,omitempty"`
}

// Runner is a security group for automation inside the network.
type Runner struct {
	// Egress is what it reaches outside, such as the host of its sources.
	Egress []Egress `json:"egress,omitempty"`
}

// NodePool is a group of nodes on Bottlerocket.
type NodePool struct {
	// Name is a DNS label of at most 20 characters.
	Name string `json:"name" jsonschema:"required"`
	// KubernetesVersion is that of the environment by default, never newer.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// ReleaseVersion pins the image, such as 1.66.0-0123abcd. Another one replaces
	// the nodes, a few at a time.
	ReleaseVersion string `json:"releaseVersion" jsonschema:"required"`
	// InstanceTypes are all of the architecture.
	InstanceTypes []string `json:"instanceTypes" jsonschema:"required"`
	// Architecture is x86_64 by default, or arm64.
	Architecture string `json:"architecture,omitempty"`
	// FIPS takes the image whose cryptography is validated.
	FIPS bool `json:"fips,omitempty"`
	// Spot takes machines that AWS may take back.
	Spot bool `json:"spot,omitempty"`
	// MinSize is 2 by default.
	MinSize int `json:"minSize,omitempty"`
	// MaxSize is twice minSize by default.
	MaxSize int `json:"maxSize,omitempty"`
	// SurgePercent is how much of the pool is replaced at once, 33 by default.
	SurgePercent int `json:"surgePercent,omitempty"`
	// DataDiskGiB is the size of the disk of images and pods, 50 by default.
	DataDiskGiB int `json:"dataDiskGiB,omitempty"`
	// Labels of the nodes.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints of the nodes: key[=value]:Effect.
	Taints []string `json:"taints,omitempty"`
	// Isolation keeps the pool for workloads that ask for it, by a label and a
	// taint redoubt.dev/isolation of this value.
	Isolation string `json:"isolation,omitempty"`
	// Host is what else the operating system is told; docs/hostconfig.md has all.
	Host bottlerocket.Spec `json:"host"`
}

// Registry is the container registry of the account in the region.
type Registry struct {
	// Repositories are names of your own.
	Repositories []string `json:"repositories,omitempty"`
	// Cache are upstream registries by the first part of the names under which
	// their images are found; registry.k8s.io, quay.io and public.ecr.aws by default.
	Cache map[string]string `json:"cache,omitempty"`
	// CacheCredentialArns are secrets of Secrets Manager by the same names.
	CacheCredentialArns map[string]string `json:"cacheCredentialArns,omitempty"`
	// UntaggedDays is how long an image without a tag is kept, 14 by default.
	UntaggedDays int `json:"untaggedDays,omitempty"`
	// Inspector scans again whenever a vulnerability becomes known, for a price.
	Inspector bool `json:"inspector,omitempty"`
}

// Defaults are what the settings of an environment begin with.
func Defaults() Environment {
	return Environment{
		KubernetesVersion: hostconfig.DefaultKubernetesVersion,
		Network:           Network{CIDR: "10.0.0.0/16", ServiceCIDR: "172.20.0.0/16"},
	}
}
