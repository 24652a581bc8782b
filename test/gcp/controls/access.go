package controls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

var access = []judge.Check{
	{IDs: []string{"CIS-GKE-5.8.1"}, About: "nobody gets in with a certificate", Wrong: judge.Each(clusterType, judge.Is("masterAuth.clientCertificateConfig.issueClientCertificate", false),
		judge.Empty("masterAuth.clientCertificate"), judge.Empty("masterAuth.clientKey"))},
	{IDs: []string{"CIS-GKE-5.8.2", "M20"}, About: "role bindings name groups of the organization", Wrong: judge.Each(clusterType, judge.Holds("authenticatorGroupsConfig.securityGroup", "gke-security-groups@"))},
	{IDs: []string{"CIS-GKE-5.8.3", "M20"}, About: "roles of Kubernetes decide, and nothing before them", Wrong: judge.Each(clusterType, judge.Is("enableLegacyAbac", false))},
	{IDs: []string{"M20"}, About: "who gets in is a group or an account, in this cluster only, and not everybody administers", Wrong: administrators},
	{IDs: []string{"CIS-GKE-5.2.1", "M20"}, About: "nodes have an account of their own that may do no more than nodes need", Wrong: nodeAccount},
	{IDs: []string{"CIS-GKE-5.2.2", "CIS-GKE-5.4.1"}, About: "pods do not have the account of their node", Wrong: judge.All(
		judge.Each(clusterType, judge.Holds("workloadIdentityConfig.workloadPool", ".svc.id.goog")),
		judge.Each(poolType, judge.Is("nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"), judge.Is("nodeConfig.metadata.disable-legacy-endpoints", "true")))},
	{IDs: []string{"CIS-GKE-5.1.3"}, About: "nodes pull images of named repositories, and push none", Wrong: judge.All(judge.Each(readerType, judge.Is("role", "roles/artifactregistry.reader")),
		judge.None(memberType, func(v simcloud.Values) bool {
			return strings.HasPrefix(v.String("role"), "roles/artifactregistry.") || strings.HasPrefix(v.String("role"), "roles/storage.")
		}))},
	{IDs: []string{"CIS-GKE-5.1.1", "M27"}, About: "every image is scanned", Wrong: judge.Some(serviceType, func(v simcloud.Values) bool {
		return v.String("service") == "containerscanning.googleapis.com"
	})},
	{IDs: []string{"M26"}, About: "tags of images never move", Wrong: judge.Some(repositoryType, func(v simcloud.Values) bool { return v.String("mode") == "STANDARD_REPOSITORY" }, judge.Is("dockerConfig.immutableTags", true))},
	{IDs: []string{"M09"}, About: "people come through tunnels of Identity-Aware Proxy, to one port", Wrong: judge.All(
		judge.Each(tunnelType, judge.Is("role", "roles/iap.tunnelResourceAccessor"), judge.Holds("condition.expression", "destination.port == "), named),
		judge.Each(instanceType, func(v simcloud.Values) string {
			for _, each := range v.List("networkInterfaces") {
				if each.Has("accessConfigs") || each.Has("ipv6AccessConfigs") {
					return "has an address on the internet"
				}
			}
			return ""
		}, judge.Holds("metadata.user-data", "mask --now sshd.service"), judge.Holds("bootDisk.kmsKeySelfLink", "/cryptoKeys/"), judge.Is("shieldedInstanceConfig.enableSecureBoot", true)))},
	{IDs: []string{"M09"}, About: "no machine has a key of SSH or a console", Wrong: judge.All(
		judge.Each(poolType, judge.Is("nodeConfig.metadata.block-project-ssh-keys", "true"), judge.Is("nodeConfig.metadata.serial-port-enable", "false"), judge.Empty("nodeConfig.metadata.ssh-keys")),
		judge.Each(instanceType, judge.Is("metadata.block-project-ssh-keys", "TRUE"), judge.Is("metadata.serial-port-enable", "FALSE"), judge.Empty("metadata.ssh-keys")))},
	{IDs: []string{"M20"}, About: "no credential is made that does not expire", Wrong: judge.None(accountKeyType, nil)},
}

// named wants a member that is known by name.
func named(v simcloud.Values) string {
	member := v.String("member")
	for _, kind := range []string{"group:", "serviceAccount:", "principal:", "principalSet:"} {
		if strings.HasPrefix(member, kind) {
			return ""
		}
	}
	return fmt.Sprintf("%q gets in", member)
}

// administrators: a role that administers is the exception, and no role is for more than the cluster.
func administrators(w judge.World) []string {
	var out []string
	wide, all := 0, 0
	for _, o := range w.Of(memberType) {
		role := o.State.String("role")
		if !strings.HasPrefix(role, "roles/container.") {
			continue
		}
		all++
		if wrong := named(o.State); wrong != "" {
			out = append(out, wrong)
		}
		if !strings.Contains(o.State.String("condition.expression"), "resource.name == ") || !strings.Contains(o.State.String("condition.expression"), "/clusters/") {
			out = append(out, o.ID+" is for every cluster")
		}
		switch role {
		case "roles/container.admin":
			wide++
		case "roles/container.clusterViewer":
		default:
			out = append(out, o.ID+" is more than the way in")
		}
	}
	if wide == 0 || wide == all {
		out = append(out, fmt.Sprintf("%d of %d administer", wide, all))
	}
	return out
}

// nodeRoles are what a node does in its project.
var nodeRoles = []string{"roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/stackdriver.resourceMetadata.writer"}

func nodeAccount(w judge.World) []string {
	var out []string
	who := account(w)
	if who == "" || who == "default" || strings.HasSuffix(who, "-compute@developer.gserviceaccount.com") {
		return []string{"nodes have the account " + who}
	}
	for _, o := range w.Of(poolType) {
		if other := o.State.String("nodeConfig.serviceAccount"); other != who {
			out = append(out, o.ID+" has the account "+other)
		}
	}
	seen := 0
	for _, o := range w.Of(memberType) {
		if o.State.String("member") != "serviceAccount:"+who {
			continue
		}
		seen++
		if !slices.Contains(nodeRoles, o.State.String("role")) {
			out = append(out, "nodes have "+o.State.String("role"))
		}
	}
	if seen != len(nodeRoles) {
		out = append(out, fmt.Sprintf("nodes have %d roles", seen))
	}
	return out
}
