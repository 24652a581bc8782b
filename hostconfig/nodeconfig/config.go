package nodeconfig

import (
	"net/netip"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Config is what redoubt-node must know. The same file serves all subcommands of
// a machine; a field that only some need says so.
type Config struct {
	// Cluster is the cluster's name, a DNS label.
	Cluster string `json:"cluster"`
	Cloud   Cloud  `json:"cloud"`
	// Store is the cluster's bucket, without "s3://" or "gs://".
	Store string `json:"store"`
	// Endpoint is the https URL of the load balancer in front of the API servers.
	Endpoint string `json:"endpoint"`
	// CACertificate is the cluster's authority in PEM, in a rotation both: a join
	// configuration with another one is refused.
	CACertificate string `json:"caCertificate"`

	// Node is this machine's name, on control planes only: one of ControlPlanes.
	Node string `json:"node,omitempty"`
	// Pool is the machine's pool, on workers only.
	Pool string `json:"pool,omitempty"`

	// What follows is for control planes.

	// ControlPlanes are all of the cluster, this one included.
	ControlPlanes []ControlPlane `json:"controlPlanes,omitempty"`
	// ControlPlaneRole is the role of their instances; see [Pool.Role].
	ControlPlaneRole string `json:"controlPlaneRole,omitempty"`
	// APIServer is the https URL of this machine's API server: port 6443 of its
	// own address by default.
	APIServer string `json:"apiServer,omitempty"`
	// Pools are all pools of workers.
	Pools []Pool `json:"pools,omitempty"`
	// Tokens says how long what workers join with is good.
	Tokens *Tokens `json:"tokens,omitempty"`
	// KMS is nil where Secrets are encrypted with a local key.
	KMS *KMS `json:"kms,omitempty"`
	// Snapshots is nil where none are taken.
	Snapshots *Snapshots `json:"snapshots,omitempty"`
	// AuditLog is nil where the API server's audit log stays on the machine.
	AuditLog *AuditLog `json:"auditLog,omitempty"`
	// NetworkAgent is nil where nodes register without [TaintNetwork].
	NetworkAgent *NetworkAgent `json:"networkAgent,omitempty"`
	// Encryption is the API server's EncryptionConfiguration; by default the file of
	// [hostconfig.Paths].
	Encryption string `json:"encryption,omitempty"`
	// RepairAfter is how long a worker's node may be silent before its machine is
	// replaced (M05): [DefaultRepairAfter] by default, [ShortestRepairAfter] to
	// [LongestRepairAfter].
	RepairAfter hostconfig.Duration `json:"repairAfter,omitzero"`
	// PKI is the directory of the authorities; [PKIDirectory] by default.
	PKI string `json:"pki,omitempty"`
}

// Cloud is where the machines are.
type Cloud struct {
	// Platform is aws or gcp.
	Platform hostconfig.Platform `json:"platform"`
	// Region is the only one that is used, for example eu-central-1.
	Region string `json:"region"`
	// Account is AWS's account number; empty on GCP.
	Account string `json:"account,omitempty"`
	// Project is GCP's project id; empty on AWS.
	Project string `json:"project,omitempty"`
	// Zones are GCP's zones that have machines, for example europe-west3-a;
	// instances are listed by zone there. Empty on AWS.
	Zones []string `json:"zones,omitempty"`
}

// ControlPlane is a control plane, whose name and address are fixed.
type ControlPlane struct {
	// Name is the node's name.
	Name string `json:"name"`
	// Address is its private address, at which etcd and the API server listen.
	Address string `json:"address"`
}

// Pool is a group of workers.
type Pool struct {
	// Name is a DNS label.
	Name string `json:"name"`
	// Role is what only instances of this pool run as: on AWS the ARN of the
	// instance profile, on GCP the e-mail name of the service account.
	Role string `json:"role"`
	// Group is the name of the autoscaling group or of the regional managed
	// instance group that makes the instances. The cloud itself notes it on them.
	Group string `json:"group"`
}

// Tokens are lifetimes of bootstrap tokens.
type Tokens struct {
	// Validity is 12 hours by default, 24 at most (M34).
	Validity hostconfig.Duration `json:"validity"`
	// RotateAfter is 6 hours by default, at most half of the validity: the token
	// that a machine fetched just before a rotation must outlive its boot.
	RotateAfter hostconfig.Duration `json:"rotateAfter"`
}

// Defaults of [Tokens].
const (
	DefaultTokenValidity    = 12 * time.Hour
	DefaultTokenRotateAfter = 6 * time.Hour
)

// Bounds of [Config.RepairAfter]. Ten minutes is what managed clusters wait:
// https://cloud.google.com/kubernetes-engine/docs/how-to/node-auto-repair. A machine
// that only restarts is back within the shortest; after the longest nobody relies on
// its coming back.
const (
	DefaultRepairAfter  = 10 * time.Minute
	ShortestRepairAfter = 2 * time.Minute
	LongestRepairAfter  = 24 * time.Hour
)

// KMS is the cloud's key for Secrets.
type KMS struct {
	// Keys are ARNs of AWS keys (arn:aws:kms:REGION:ACCOUNT:key/ID, no alias) or
	// names of Cloud KMS keys (projects/P/locations/L/keyRings/R/cryptoKeys/K). The
	// first encrypts; all decrypt, so that a key can be replaced by another one.
	Keys []string `json:"keys"`
	// Socket is [KMSSocket] by default.
	Socket string `json:"socket,omitempty"`
}

// Snapshots says where snapshots of etcd go.
type Snapshots struct {
	// Bucket is another one than the store, with locked retention.
	Bucket string `json:"bucket"`
	// Prefix precedes the objects' names: "etcd/" by default.
	Prefix string `json:"prefix,omitempty"`
}

// AuditLog says where the audit log of the API server goes (M17, M38).
type AuditLog struct {
	// Bucket is one of its own, with locked retention.
	Bucket string `json:"bucket"`
	// Prefix precedes the objects' names: [AuditLogPrefix] by default, and then the node's.
	Prefix string `json:"prefix,omitempty"`
	// File is what the API server writes to; by default that of [hostconfig.Paths].
	File string `json:"file,omitempty"`
}

// NetworkAgent tells which pods enforce network policy.
type NetworkAgent struct {
	// Namespace and Labels select the agent's pods, one on each node.
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
}

// WithDefaults fills what is not given.
func (c Config) WithDefaults() Config {
	if c.PKI == "" {
		c.PKI = PKIDirectory
	}
	if c.Encryption == "" && c.ControlPlaneMachine() {
		c.Encryption = hostconfig.Paths{}.Encryption()
	}
	if own, found := c.Own(); found && c.APIServer == "" {
		c.APIServer = own.URL(hostconfig.DefaultPorts().APIServer)
	}
	tokens := Tokens{}
	if c.Tokens != nil {
		tokens = *c.Tokens
	}
	if tokens.Validity.Duration == 0 {
		tokens.Validity.Duration = DefaultTokenValidity
	}
	if tokens.RotateAfter.Duration == 0 {
		tokens.RotateAfter.Duration = tokens.Validity.Duration / 2
	}
	c.Tokens = &tokens
	if c.RepairAfter.Duration == 0 {
		c.RepairAfter.Duration = DefaultRepairAfter
	}
	if c.KMS != nil {
		kms := *c.KMS
		if kms.Socket == "" {
			kms.Socket = KMSSocket
		}
		c.KMS = &kms
	}
	if c.Snapshots != nil {
		snapshots := *c.Snapshots
		if snapshots.Prefix == "" {
			snapshots.Prefix = "etcd/"
		}
		c.Snapshots = &snapshots
	}
	if c.AuditLog != nil {
		log := *c.AuditLog
		if log.Prefix == "" {
			log.Prefix = AuditLogPrefix
		}
		if log.File == "" {
			log.File = hostconfig.Paths{}.AuditLog()
		}
		c.AuditLog = &log
	}
	return c
}

// ControlPlaneMachine tells whether the file is a control plane's.
func (c Config) ControlPlaneMachine() bool { return c.Node != "" }

// Own gives this control plane.
func (c Config) Own() (ControlPlane, bool) {
	for _, each := range c.ControlPlanes {
		if each.Name == c.Node {
			return each, true
		}
	}
	return ControlPlane{}, false
}

// URL gives the address of one of the machine's servers, for example its etcd.
func (c ControlPlane) URL(port int) string {
	address, err := netip.ParseAddr(c.Address)
	if err != nil {
		return "" // refused by Validate
	}
	return "https://" + netip.AddrPortFrom(address, uint16(port)).String()
}
