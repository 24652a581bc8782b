package gcp

// Limit is a setting of GKE that the provider, pulumi-gcp v7, cannot say.
type Limit struct {
	// Field is where the setting is in the provider's later versions.
	Field string `json:"field"`
	// Controls are the rows that it belongs to.
	Controls []string `json:"controls"`
	// Consequence is what holds while nobody sets it.
	Consequence string `json:"consequence"`
	// Compensation is what is done instead.
	Compensation string `json:"compensation"`
}

// Limits gives every one of them, for documents and the evidence report.
func Limits() []Limit {
	return []Limit{
		{Field: "Cluster.nodePoolAutoConfig.nodeKubeletConfig", Controls: []string{"M16"},
			Consequence:  "in a cluster of Autopilot nobody says whether the kubelet's read-only port is open; Google's default is off from 1.32 on",
			Compensation: "versions before 1.35 are refused; Firewall denies tcp:10255 before the rules that GKE makes; OrgPolicy has container.managed.disableInsecureKubeletReadOnlyPort"},
		{Field: "NodePool.nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", Controls: []string{"M16"},
			Consequence:  "of a node pool nobody says whether the kubelet's read-only port is open; Google's default is off from 1.32 on",
			Compensation: "versions before 1.35 are refused; Firewall denies tcp:10255 before the rules that GKE makes; OrgPolicy has container.managed.disableInsecureKubeletReadOnlyPort"},
		{Field: "Cluster.controlPlaneEndpointsConfig", Controls: []string{"M09", "M11"},
			Consequence:  "the endpoint by name, which IAM guards, cannot be switched on or off; it is off unless somebody switches it on",
			Compensation: "people come through IapAccess or CloudVpn; an alarm (cluster-changed) tells of who switches it on"},
		{Field: "Cluster.privateClusterConfig.privateEndpointEnforcementEnabled", Controls: []string{"M11"},
			Consequence:  "authorized networks are not enforced again on the private endpoint for Google's own ranges",
			Compensation: "gcpPublicCidrsAccessEnabled is off, and authorized networks are private, narrow and never empty"},
		{Field: "Cluster.anonymousAuthenticationConfig", Controls: []string{"M14", "M20", "CIS-GKE-4.1.8"},
			Consequence:  "the API server takes requests without a name, to which default roles answer only health and version",
			Compensation: "the endpoint is private; policies of the baseline refuse bindings for anonymous users; the alarm anonymous-access tells of the first answer"},
		{Field: "Cluster.rbacBindingConfig", Controls: []string{"M20", "CIS-GKE-4.1.8", "CIS-GKE-4.1.9", "CIS-GKE-4.1.10"},
			Consequence:  "role bindings for everybody and for every account can be made",
			Compensation: "policies of the baseline refuse them; OrgPolicy has container.managed.disableRBACSystemBindings"},
		{Field: "Cluster.inTransitEncryptionConfig", Controls: []string{"M32"},
			Consequence:  "packets between nodes are encrypted only as Google's own network does it below machines",
			Compensation: "what must be encrypted end to end uses TLS or a mesh; Confidential encrypts the memory of nodes"},
		{Field: "NodePool.nodeConfig.confidentialNodes.confidentialInstanceType", Controls: []string{"M32"},
			Consequence:  "memory is encrypted as machines of AMD do it (SEV), and neither SEV-SNP nor TDX can be asked for",
			Compensation: "Confidential takes only the machine types that do it, and refuses the others"},
		{Field: "Cluster.userManagedKeysConfig", Controls: []string{"M18"},
			Consequence:  "the authorities of the cluster, the keys that sign accounts, and the disks and backups of its state have keys of Google's",
			Compensation: "secrets are encrypted with a key of the customer before they reach that state"},
		{Field: "Repository.vulnerabilityScanningConfig", Controls: []string{"M27", "CIS-GKE-5.1.1"},
			Consequence:  "scanning of images cannot be decided for one repository",
			Compensation: "ArtifactRegistry switches it on for the project"},
	}
}
