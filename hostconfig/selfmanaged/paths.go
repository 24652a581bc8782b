package selfmanaged

// Paths on a control plane that this package decides.
const (
	// initPath and joinPath are kubeadm's documents; both stay, because a machine may
	// have to begin again.
	initPath = "/etc/kubernetes/kubeadm-init.yaml"
	joinPath = "/etc/kubernetes/kubeadm-join.yaml"
	// controlPlaneMark says that this machine is a control plane of the cluster. It
	// dies with the machine's own disk.
	controlPlaneMark = "/var/lib/redoubt/control-plane.done"
	// volumePath is where etcd's volume is mounted. etcdPath, its only data, is a
	// folder of it, so that etcd's directory has etcd's files alone.
	volumePath = "/var/lib/redoubt/volume"
	etcdPath   = "/var/lib/etcd"
	// foundingMark says that on this volume the cluster is being made, memberMark
	// that it holds a member of the cluster. They outlive the machine.
	foundingMark = volumePath + "/founding"
	memberMark   = volumePath + "/member"
	// signerPath is the authority that signs, without those of a rotation.
	signerPath = "/etc/kubernetes/pki/signer.crt"
	// kmsDir is the directory of the plugin's socket.
	kmsDir = "/run/redoubt/kms"
	// approveDir is the directory of the approver's credential.
	approveDir = "/run/redoubt/approve"
	// shipDir is what the shipper of the audit log remembers. It dies with the
	// machine's own disk, as the log does.
	shipDir = "/var/lib/redoubt/audit-ship"

	volumeScript       = "/opt/redoubt/bin/prepare-volume"
	foldersScript      = "/opt/redoubt/bin/prepare-folders"
	controlPlaneScript = "/opt/redoubt/bin/control-plane"
	addressScript      = "/opt/redoubt/bin/api-address"
	hostnamePath       = "/opt/redoubt/bin/short-hostname"
)

// Programs of Flatcar and of the Kubernetes system extension.
const (
	kubeadmProgram = "/usr/bin/kubeadm"
)

// Names of units.
const (
	unitVolume       = "redoubt-volume.service"
	unitFolders      = "redoubt-volume-folders.service"
	unitControlPlane = "redoubt-control-plane.service"
	unitAPIAddress   = "redoubt-api-address.service"
	unitKMS          = "redoubt-kms.service"
	unitApprove      = "redoubt-approve.service"
	unitJoinConfig   = "redoubt-join-config.service"
	timerJoinConfig  = "redoubt-join-config.timer"
	unitSnapshot     = "redoubt-snapshot.service"
	timerSnapshot    = "redoubt-snapshot.timer"
	unitReencrypt    = "redoubt-reencrypt.service"
	timerReencrypt   = "redoubt-reencrypt.timer"
	unitYield        = "redoubt-etcd-yield.service"
	unitAuditShip    = "redoubt-audit-ship.service"
	unitHostname     = "redoubt-hostname.service"
	unitFetchJoin    = "redoubt-fetch-join.service"

	unitContainerd = "containerd.service"
	unitFirewall   = "redoubt-nftables.service"
	unitKubelet    = "kubelet.service"
)
