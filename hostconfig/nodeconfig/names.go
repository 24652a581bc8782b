package nodeconfig

import (
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Places on a machine.
const (
	// File is where a machine keeps its [Config]: mode 0644, owner root.
	File = "/etc/redoubt/node.json"
	// Program is where the host program lies: mode 0755, owner root.
	Program = "/opt/redoubt/bin/redoubt-node"
	// KMSSocket is where the API server reaches the KMS plugin. The directory is
	// made by the plugin's unit (RuntimeDirectory=redoubt/kms, mode 0700).
	KMSSocket = "/run/redoubt/kms/kms.sock"
	// KMSName is the plugin's name in the API server's encryption configuration.
	KMSName = "redoubt"
	// JoinFile is where a worker keeps the join configuration that it fetched, and
	// a control plane the credential that it issued itself, both for kubeadm's
	// discovery.file: mode 0600, gone once the machine has joined.
	JoinFile = "/etc/kubernetes/join.conf"
	// PKIDirectory is kubeadm's: authorities and their keys on control planes.
	PKIDirectory = "/etc/kubernetes/pki"
)

// AuditShipStop is for how long the shipper of the audit log goes on when it is told
// to stop: the API server is down by then. A machine of Compute Engine has 90 seconds
// for all that stops.
const AuditShipStop = 20 * time.Second

// Names at which machines of a cluster are known in the cloud.
const (
	// TagCluster marks machines of a cluster on AWS; its value is the cluster's name.
	TagCluster = "redoubt.dev/cluster"
	// LabelCluster is the same on GCP, whose labels have no dots and slashes.
	LabelCluster = "redoubt-cluster"
	// LifecycleHook is the name of the Auto Scaling hook at which a terminating
	// instance waits until its pods are gone (autoscaling:EC2_INSTANCE_TERMINATING,
	// default result CONTINUE: a dead control plane must not keep machines alive).
	LifecycleHook = "redoubt-drain"
)

// Names in the cluster.
const (
	// LabelInstance says on a Node which instance of the cloud it is. Kubelets
	// cannot set labels with this prefix (NodeRestriction, CIS 1.2.14).
	LabelInstance = "node-restriction.kubernetes.io/redoubt-instance"
	// LabelPool marks token Secrets with their pool.
	LabelPool = "redoubt.dev/pool"
	// TaintNetwork is the key of the taint with which nodes register
	// (NoSchedule), removed when the network policy agent on them is ready.
	TaintNetwork = "redoubt.dev/network-agent-not-ready"
	// UserNodes is the identity with which redoubt-node looks after Node objects.
	UserNodes = "redoubt:node-agent"
	// UserTokens is the identity with which it looks after bootstrap tokens.
	UserTokens = "redoubt:token-agent"
	// UserEncryption is the identity with which it has the API server write anew what
	// is stored under another key than the one that writes.
	UserEncryption = "redoubt:encryption-agent"
	// UserJoinPrefix precedes a control plane's name in the identity with which it
	// joins: a certificate of minutes that it issues itself.
	UserJoinPrefix = "redoubt:join:"
)

// ContainersStop is what containers of a control plane that stops have for it, once
// etcd can do without the machine.
const ContainersStop = 20 * time.Second

// Keys of the store.
const (
	// KeyInitialized is an empty object: the cluster exists, no machine may make
	// it again.
	KeyInitialized = "control-plane/initialized"
)

// AuditLogPrefix is the folder of the audit log's bucket to which control planes add.
const AuditLogPrefix = "audit/"

// JoinConfigKey is the object with a pool's join configuration. Its readers are
// the pool's role, its writers the control plane's.
func JoinConfigKey(pool string) string { return "workers/" + pool + "/join.conf" }

// GroupPool is the group of the tokens with which machines of a pool join. It has
// the form that the API server allows for auth-extra-groups.
func GroupPool(pool string) string { return hostconfig.GroupNodeBootstrappers + ":pool:" + pool }

// UserJoin is the identity with which a control plane joins.
func UserJoin(node string) string { return UserJoinPrefix + node }

// EncryptionContext is bound into every ciphertext of the KMS plugin, and what a
// key policy can demand (kms:EncryptionContext:redoubt.dev/cluster): as AWS KMS's
// encryption context, or as text NAME=VALUE as Cloud KMS's additional data.
func EncryptionContext(cluster string) map[string]string {
	return map[string]string{"redoubt.dev/cluster": cluster, "redoubt.dev/purpose": "kubernetes-encryption"}
}

// HostLabel is the first label of a DNS name: an AWS worker's node name is the
// one of its private DNS name, ip-10-0-1-5.
func HostLabel(dnsName string) string {
	label, _, _ := strings.Cut(dnsName, ".")
	return label
}
