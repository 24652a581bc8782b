package gcp_test

import (
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

const (
	prodKeys = "projects/redoubt-prod-4711/locations/europe-west3/keyRings/gcp-prod/cryptoKeys/gcp-prod-"
	imagesOf = "binaryauthorization/policy:Policy"
	admin    = "roles/container.admin"
)

// mutants are environments without a control, by what the check of it is about.
var mutants = map[string][]judge.Mutant{
	"the internet does not reach the API server": {judge.Set("Cluster", "privateClusterConfig.enablePrivateEndpoint", false), judge.Set("Cluster", "privateClusterConfig.masterGlobalAccessConfig.enabled", true)},
	"nodes have no address on the internet":      {judge.Set("Cluster", "privateClusterConfig.enablePrivateNodes", false), judge.SetOf("NodePool", "/sandboxed", "networkConfig.enablePrivateNodes", false)},
	"only private, narrow ranges reach the API server": {judge.Without("Cluster", "masterAuthorizedNetworksConfig"), judge.Set("Cluster", "masterAuthorizedNetworksConfig.cidrBlocks[0].cidrBlock", "0.0.0.0/0"),
		judge.Set("Cluster", "masterAuthorizedNetworksConfig.cidrBlocks[0].cidrBlock", "10.0.0.0/8"), judge.Set("Cluster", "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", true)},
	"pods and services have ranges of their own": {judge.Set("Cluster", "networkingMode", "ROUTES"), judge.Without("Cluster", "ipAllocationPolicy")},
	"the data plane enforces policies of the network, those of the cluster too": {judge.Without("Cluster", "datapathProvider"), judge.Set("Cluster", "enableCiliumClusterwideNetworkPolicy", false), judge.Set("Cluster", "enableFqdnNetworkPolicy", false),
		judge.Set("Cluster", "serviceExternalIpsConfig.enabled", true)},
	"secrets are encrypted with a key of the customer": {judge.Without("Cluster", "databaseEncryption"), judge.Set("Cluster", "databaseEncryption.state", "DECRYPTED")},
	"every component of the control plane is recorded, and measured": {judge.Set("Cluster", "loggingConfig.enableComponents", []any{"SYSTEM_COMPONENTS", "WORKLOADS"}), judge.Without("Cluster", "loggingConfig"),
		judge.Set("Cluster", "monitoringConfig.enableComponents", []any{"SYSTEM_COMPONENTS"})},
	"a channel keeps the versions supported, in a window of maintenance": {judge.Without("Cluster", "releaseChannel"), judge.Set("Cluster", "releaseChannel.channel", "RAPID"), judge.Set("Cluster", "minMasterVersion", "1.31"), judge.Without("Cluster", "maintenancePolicy")},
	"no image runs that the policy does not name": {judge.Without("Cluster", "binaryAuthorization"), judge.Set("Cluster", "binaryAuthorization.evaluationMode", "DISABLED"), judge.Set(imagesOf, "defaultAdmissionRule.evaluationMode", "ALWAYS_ALLOW"),
		judge.Set(imagesOf, "defaultAdmissionRule.enforcementMode", "DRYRUN_AUDIT_LOG_ONLY"), judge.Set(imagesOf, "admissionWhitelistPatterns[0].namePattern", "*"), judge.Set(imagesOf, "admissionWhitelistPatterns[1].namePattern", "docker.io/**"),
		judge.Set(imagesOf, "clusterAdmissionRules", []any{map[string]any{"cluster": "europe-west3.gcp-prod", "evaluationMode": "ALWAYS_ALLOW"}})},
	"the posture and the vulnerabilities of workloads are watched": {judge.Without("Cluster", "securityPostureConfig"), judge.Set("Cluster", "securityPostureConfig.vulnerabilityMode", "DISABLED")},
	"there is no web interface":                                    {judge.Set("Cluster", "addonsConfig.kubernetesDashboard.disabled", false)},
	"no interface runs that may disappear":                         {judge.Set("Cluster", "enableKubernetesAlpha", true), judge.Set("Cluster", "enableK8sBetaApis.enabledApis", []any{"x"})},
	"disks of claims can have a key of the customer":               {judge.Set("Cluster", "addonsConfig.gcePersistentDiskCsiDriverConfig.enabled", false)},
	"nobody deletes the cluster by mistake":                        {judge.Set("Cluster", "deletionProtection", false)},

	"nobody gets in with a certificate":                   {judge.Set("Cluster", "masterAuth.clientCertificateConfig.issueClientCertificate", true), judge.Set("Cluster", "masterAuth.clientKey", "a key")},
	"role bindings name groups of the organization":       {judge.Without("Cluster", "authenticatorGroupsConfig")},
	"roles of Kubernetes decide, and nothing before them": {judge.Set("Cluster", "enableLegacyAbac", true)},
	"who gets in is a group or an account, in this cluster only, and not everybody administers": {judge.SetOf("IAMMember", "group:auditors", "role", admin), judge.SetOf("IAMMember", admin, "role", "roles/container.clusterViewer"),
		judge.SetOf("IAMMember", admin, "condition", nil), judge.SetOf("IAMMember", "group:auditors", "member", "user:alice@example.com"), judge.SetOf("IAMMember", "group:auditors", "role", "roles/container.developer")},
	"nodes have an account of their own that may do no more than nodes need": {judge.SetOf("NodePool", "/sandboxed", "nodeConfig.serviceAccount", "471100000001-compute@developer.gserviceaccount.com"),
		judge.Without("NodePool", "nodeConfig.serviceAccount"), judge.SetOf("IAMMember", "roles/logging.logWriter", "role", "roles/editor"),
		judge.Added("gcp:projects/iAMMember:IAMMember", simcloud.Values{"member": "serviceAccount:gcp-prod-nodes@redoubt-prod-4711.iam.gserviceaccount.com", "role": "roles/container.nodeServiceAgent"})},
	"pods do not have the account of their node": {judge.Without("Cluster", "workloadIdentityConfig"), judge.SetOf("NodePool", "/general", "nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA"), judge.Without("NodePool", "nodeConfig.workloadMetadataConfig"),
		judge.SetOf("NodePool", "/general", "nodeConfig.metadata.disable-legacy-endpoints", "false")},
	"nodes pull images of named repositories, and push none": {judge.SetOf("RepositoryIamMember", "/k8s/", "role", "roles/artifactregistry.writer"), judge.Gone("RepositoryIamMember", ""),
		judge.Added("gcp:projects/iAMMember:IAMMember", simcloud.Values{"role": "roles/storage.objectViewer"})},
	"every image is scanned":    {judge.Gone("Service", "containerscanning")},
	"tags of images never move": {judge.Set("Repository", "dockerConfig.immutableTags", false), judge.Without("Repository", "dockerConfig")},
	"people come through tunnels of Identity-Aware Proxy, to one port": {judge.Without("TunnelInstanceIAMMember", "condition"), judge.Set("TunnelInstanceIAMMember", "member", "allAuthenticatedUsers"), judge.Gone("Instance", ""),
		judge.Set("Instance", "networkInterfaces[0].accessConfigs", []any{map[string]any{"natIp": "203.0.113.9"}}), judge.Set("Instance", "metadata.user-data", [2]string{"mask --now sshd", "start sshd"}),
		judge.Without("Instance", "bootDisk.kmsKeySelfLink"), judge.Set("Instance", "shieldedInstanceConfig.enableSecureBoot", false)},
	"no machine has a key of SSH or a console": {judge.SetOf("NodePool", "/general", "nodeConfig.metadata.block-project-ssh-keys", nil), judge.Set("Instance", "metadata.serial-port-enable", "TRUE"), judge.Set("Instance", "metadata.ssh-keys", "alice:ssh-ed25519 AAAA"),
		judge.Set("NodePool", "nodeConfig.metadata.serial-port-enable", "true")},
	"no credential is made that does not expire": {judge.Added("gcp:serviceaccount/key:Key", simcloud.Values{})},

	"nodes are Container-Optimized OS, in which the files of the kubelet lie as Google ships them": {judge.SetOf("NodePool", "/general", "nodeConfig.imageType", "UBUNTU_CONTAINERD"), judge.Without("NodePool", "nodeConfig.imageType")},
	"nodes that fail are replaced":                                {judge.SetOf("NodePool", "/general", "management.autoRepair", false), judge.Without("NodePool", "management")},
	"nodes follow their control plane":                            {judge.SetOf("NodePool", "/general", "management.autoUpgrade", false)},
	"new nodes come before old ones go":                           {judge.SetOf("NodePool", "/general", "upgradeSettings.maxUnavailable", 3), judge.Set("NodePool", "upgradeSettings.maxSurge", 0)},
	"nodes prove which cluster they belong to":                    {judge.Set("Cluster", "enableShieldedNodes", false)},
	"what nodes booted is measured":                               {judge.SetOf("NodePool", "/general", "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", false), judge.Without("NodePool", "nodeConfig.shieldedInstanceConfig")},
	"nodes boot nothing that is not signed":                       {judge.SetOf("NodePool", "/general", "nodeConfig.shieldedInstanceConfig.enableSecureBoot", false)},
	"the disks of nodes are encrypted with a key of the customer": {judge.SetOf("NodePool", "/general", "nodeConfig.bootDiskKmsKey", nil), judge.Without("Cluster", "nodeConfig.bootDiskKmsKey")},
	"a pod has a limit of processes":                              {judge.SetOf("NodePool", "/general", "nodeConfig.kubeletConfig", nil), judge.Set("NodePool", "nodeConfig.kubeletConfig.podPidsLimit", 100000), judge.Set("NodePool", "nodeConfig.kubeletConfig.cpuCfsQuota", false)},
	"nobody reaches the kubelet's port without authentication": {judge.Gone("Firewall", "-read-only-port"), judge.SetOf("Firewall", "-read-only-port", "priority", 1000), judge.SetOf("Firewall", "-read-only-port", "sourceRanges", []any{"10.0.0.0/8"}),
		judge.SetOf("Firewall", "-read-only-port", "direction", "EGRESS")},
	"a pool has kernels of their own for pods, and is kept for those that ask": {judge.Gone("NodePool", "/sandboxed"), judge.SetOf("NodePool", "/sandboxed", "nodeConfig.sandboxConfig", nil), judge.SetOf("NodePool", "/sandboxed", "nodeConfig.taints", nil),
		judge.SetOf("NodePool", "/sandboxed", "nodeConfig.taints[0].effect", "PREFER_NO_SCHEDULE"), judge.SetOf("NodePool", "/sandboxed", "nodeConfig.labels", nil)},

	"the network has only the parts that were planned": {judge.Set("Network", "autoCreateSubnetworks", true), judge.Set("Network", "deleteDefaultRoutesOnCreate", false)},
	"nothing leads out of the network": {judge.Set("Route", "destRange", "0.0.0.0/0"), judge.Added("gcp:compute/route:Route", simcloud.Values{"destRange": "0.0.0.0/0"}), judge.Added("gcp:compute/routerNat:RouterNat", nil),
		judge.Added("gcp:compute/address:Address", simcloud.Values{"addressType": "EXTERNAL"})},
	"Google's interfaces are reached by their restricted addresses": {judge.SetOf("Subnetwork", "-nodes", "privateIpGoogleAccess", false), judge.Gone("ManagedZone", "-pkg-dev"), judge.SetOf("ManagedZone", "-gcr-io", "visibility", "public"),
		judge.SetOf("RecordSet", "/A", "rrdatas", []any{"199.36.153.8"}), judge.Gone("RecordSet", "/CNAME")},
	"every flow is recorded, with who its ends are": {judge.SetOf("Subnetwork", "-entry", "logConfig", nil), judge.Set("Subnetwork", "logConfig.flowSampling", 0.5), judge.Set("Subnetwork", "logConfig.metadata", "EXCLUDE_ALL_METADATA"),
		judge.Set("Subnetwork", "logConfig.aggregationInterval", "INTERVAL_15_MIN"), judge.Set("Subnetwork", "logConfig.filterExpr", "false"), judge.Set("Cluster", "enableIntranodeVisibility", false)},
	"queries of names are recorded": {judge.SetOf("Policy", "-queries", "enableLogging", false), judge.Gone("Policy", "-queries")},
	"what no rule allows neither comes in nor goes out, and is recorded": {judge.SetOf("Firewall", "-deny-out", "disabled", true), judge.SetOf("Firewall", "-deny-out", "priority", 65534), judge.SetOf("Firewall", "-deny-in", "denies[0].protocol", "tcp"),
		judge.SetOf("Firewall", "-deny-in", "logConfig", nil), judge.SetOf("Firewall", "-deny-out", "destinationRanges", []any{"10.0.0.0/8"})},
	"no rule is for the whole world": {judge.Added("gcp:compute/firewall:Firewall", simcloud.Values{"allows": []any{map[string]any{"protocol": "tcp"}}, "destinationRanges": []any{"0.0.0.0/0"}}),
		judge.Added("gcp:compute/firewall:Firewall", simcloud.Values{"allows": []any{map[string]any{"protocol": "tcp"}}})},
	"every rule is for machines of an account, and says why it is there": {judge.SetOf("Firewall", "-workers-api-out", "targetServiceAccounts", nil), judge.SetOf("Firewall", "-workers-api-out", "description", "rule")},

	"keys are kept in hardware, rotate within a year, and a destroyed one can be brought back for a month": {judge.SetOf("CryptoKey", "-disks", "versionTemplate.protectionLevel", "SOFTWARE"), judge.SetOf("CryptoKey", "-logs", "rotationPeriod", nil),
		judge.SetOf("CryptoKey", "-images", "rotationPeriod", "63072000s"), judge.Set("CryptoKey", "destroyScheduledDuration", "86400s")},
	"the key of secrets encrypts nothing else, and only GKE uses it": {judge.Set("Cluster", "databaseEncryption.keyName", prodKeys+"disks"), judge.SetOf("NodePool", "/general", "nodeConfig.bootDiskKmsKey", prodKeys+"secrets"),
		judge.Gone("CryptoKeyIAMMember", "-secrets/"), judge.SetOf("CryptoKeyIAMMember", "-secrets/", "member", "group:platform@example.com"), judge.SetOf("CryptoKeyIAMMember", "-disks/", "cryptoKeyId", prodKeys+"secrets")},
	"only accounts with which Google acts use keys": {judge.SetOf("CryptoKeyIAMMember", "-logs/", "member", "group:platform@example.com"), judge.Set("CryptoKeyIAMMember", "role", "roles/cloudkms.admin")},
	"who reads and writes data is recorded, everywhere": {judge.Gone("IAMAuditConfig", ""), judge.Set("IAMAuditConfig", "service", "container.googleapis.com"), judge.Set("IAMAuditConfig", "auditLogConfigs", []any{map[string]any{"logType": "ADMIN_READ"}}),
		judge.Set("IAMAuditConfig", "auditLogConfigs[1].exemptedMembers", []any{"user:alice@example.com"})},
	"logs are kept for a year": {judge.Set("ProjectBucketConfig", "retentionDays", 30), judge.Gone("ProjectBucketConfig", ""), judge.Gone("ProjectSink", "sinks/gcp-prod"), judge.Set("ProjectSink", "disabled", true),
		judge.Set("ProjectSink", "filter", [2]string{`log_id("cloudaudit.googleapis.com/data_access")`, `log_id("x")`})},
	"the archive is locked for a year, for everybody":                        {judge.Set("Bucket", "retentionPolicy.isLocked", false), judge.Without("Bucket", "retentionPolicy"), judge.Set("Bucket", "retentionPolicy.retentionPeriod", 30*86400), judge.Set("Bucket", "forceDestroy", true)},
	"the archive is not public, and is encrypted with a key of the customer": {judge.Set("Bucket", "publicAccessPrevention", "inherited"), judge.Set("Bucket", "uniformBucketLevelAccess", false), judge.Without("Bucket", "encryption")},
	"the archive gets all evidence, from a writer that neither reads nor replaces": {judge.Gone("ProjectSink", "-archive"), judge.SetOf("ProjectSink", "-archive", "filter", [2]string{`resource.type="k8s_control_plane_component"`, `resource.type="x"`}),
		judge.Set("BucketIAMMember", "role", "roles/storage.objectAdmin"), judge.Gone("BucketIAMMember", ""), judge.SetOf("ProjectSink", "-archive", "uniqueWriterIdentity", false)},
	"people hear of what must not go unnoticed": {judge.Gone("AlertPolicy", ""), judge.Set("AlertPolicy", "notificationChannels", []any{}), judge.Set("AlertPolicy", "enabled", false), judge.Gone("Metric", "-pod-shell"),
		judge.Set("AlertPolicy", "conditions[0].conditionMatchedLog", nil)},
	"images are encrypted with a key of the customer": {judge.SetOf("Repository", "/k8s", "kmsKeyName", nil)},
}
