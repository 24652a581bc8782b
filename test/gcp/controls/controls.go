// Package controls says what a hardened environment of Google Cloud is, by what exists in it: checks for the benchmark of
// CIS for GKE and for the rows of the mission. It knows nothing of how the environment was made.
package controls

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

// Checks are all of them.
func Checks() []judge.Check { return slices.Concat(cluster, access, nodes, network, data) }

// Types that are looked at.
const (
	clusterType    = "gcp:container/cluster:Cluster"
	poolType       = "gcp:container/nodePool:NodePool"
	networkType    = "gcp:compute/network:Network"
	subnetworkType = "gcp:compute/subnetwork:Subnetwork"
	firewallType   = "gcp:compute/firewall:Firewall"
	routeType      = "gcp:compute/route:Route"
	natType        = "gcp:compute/routerNat:RouterNat"
	addressType    = "gcp:compute/address:Address"
	instanceType   = "gcp:compute/instance:Instance"
	zoneType       = "gcp:dns/managedZone:ManagedZone"
	recordType     = "gcp:dns/recordSet:RecordSet"
	queriesType    = "gcp:dns/policy:Policy"
	keyType        = "gcp:kms/cryptoKey:CryptoKey"
	keyMemberType  = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
	memberType     = "gcp:projects/iAMMember:IAMMember"
	auditType      = "gcp:projects/iAMAuditConfig:IAMAuditConfig"
	serviceType    = "gcp:projects/service:Service"
	accountKeyType = "gcp:serviceaccount/key:Key"
	tunnelType     = "gcp:iap/tunnelInstanceIAMMember:TunnelInstanceIAMMember"
	bucketType     = "gcp:storage/bucket:Bucket"
	bucketRoleType = "gcp:storage/bucketIAMMember:BucketIAMMember"
	sinkType       = "gcp:logging/projectSink:ProjectSink"
	logBucketType  = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
	metricType     = "gcp:logging/metric:Metric"
	alertType      = "gcp:monitoring/alertPolicy:AlertPolicy"
	repositoryType = "gcp:artifactregistry/repository:Repository"
	readerType     = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
	imagesType     = "gcp:binaryauthorization/policy:Policy"
)

const (
	year      = 365
	isolation = "redoubt.dev/isolation"
)

// seconds judges a duration such as 7776000s.
func seconds(path string, low, high int) judge.Judge {
	return func(v simcloud.Values) string {
		text := v.String(path)
		n, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
		if err != nil || n < low || n > high {
			return path + " is " + text
		}
		return ""
	}
}

// account finds the service account of nodes.
func account(w judge.World) string {
	for _, o := range w.Of(poolType) {
		return o.State.String("nodeConfig.serviceAccount")
	}
	return ""
}
