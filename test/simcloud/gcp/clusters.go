package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// excluded are the properties whose very presence an Autopilot cluster excludes, and which exclude enableAutopilot: a
// Standard cluster does not say that it is none.
var excluded = []string{"networkPolicy", "nodePools", "binaryAuthorization.enabled", "enableShieldedNodes", "removeDefaultNodePool", "defaultMaxPodsPerNode",
	"enableIntranodeVisibility", "clusterAutoscaling.enabled"}

// clusterTypes are clusters of GKE: https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
func clusterTypes() []*simcloud.ResourceType {
	t := named(kind(cluster, clusterForm, container.ClusterArgs{}, container.Cluster{}), 40)
	t.Defaults = simcloud.Values{"deletionProtection": true, "network": "default", "networkingMode": "VPC_NATIVE", "enableKubernetesAlpha": false, "enableLegacyAbac": false}
	t.Replace = append(t.Replace, "network", "subnetwork", "ipAllocationPolicy", "clusterIpv4Cidr", "privateClusterConfig.masterIpv4CidrBlock", "privateClusterConfig.enablePrivateNodes",
		"privateClusterConfig.privateEndpointSubnetwork", "datapathProvider", "enableAutopilot", "confidentialNodes", "nodeConfig.shieldedInstanceConfig", "nodeConfig.serviceAccount",
		"nodeConfig.bootDiskKmsKey", "nodeConfig.oauthScopes", "nodeConfig.metadata", "nodeConfig.spot", "initialNodeCount", "description", "defaultMaxPodsPerNode", "networkingMode", "enableMultiNetworking",
		"enableKubernetesAlpha", "masterAuth.clientCertificateConfig", "enableTpu")
	t.References = []simcloud.Reference{holding(toNetwork("network")), holding(clusterSubnetwork()), toTopic("notificationConfig.pubsub.topic")}
	t.Check = checkCluster
	judged(t, createCluster, updateCluster)
	t.Delete = func(c *simcloud.Change) error {
		if c.Old.Bool("deletionProtection") {
			return provider("Cannot destroy cluster because deletion_protection is set to true. Set it to false to proceed with cluster deletion.")
		}
		for _, o := range poolsOf(c.Cloud, c.Object.ID) { // they go with their cluster
			if err := c.Cloud.Release(o); err != nil {
				return err
			}
		}
		return nil
	}
	return []*simcloud.ResourceType{t}
}

func toTopic(path string) simcloud.Reference { return to(path, topic, topicForm) }

// clusterSubnetwork is the reference to a subnetwork, by a name in the region of the cluster and, when the network is
// given in full, in that one's project.
func clusterSubnetwork() simcloud.Reference {
	r := toSubnetwork("subnetwork")
	r.Normal = func(scope string, of simcloud.Values, value string) string {
		of = of.Copy()
		of["region"] = regionOf(placeOf(scope, of).location(of))
		of["project"] = part(normal(scope, of, networkForm, of.String("network")), "projects")
		return normal(scope, of, subnetForm, value)
	}
	return r
}

// subnetworkOf is the id of a cluster's subnetwork.
func subnetworkOf(o *simcloud.Object) string {
	return clusterSubnetwork().Normal("", o.State, o.State.String("subnetwork"))
}

func checkCluster(p *simcloud.Plan) {
	v := p.Values
	clusterNameAt(p, "name")
	for _, name := range excluded {
		conflicts(p, "enableAutopilot", name)
	}
	conflicts(p, "binaryAuthorization.enabled", "binaryAuthorization.evaluationMode")
	conflicts(p, "loggingConfig", "loggingService")
	conflicts(p, "monitoringConfig", "monitoringService")
	conflicts(p, "clusterIpv4Cidr", "ipAllocationPolicy")
	conflicts(p, "ipAllocationPolicy.clusterSecondaryRangeName", "ipAllocationPolicy.clusterIpv4CidrBlock")
	conflicts(p, "ipAllocationPolicy.servicesSecondaryRangeName", "ipAllocationPolicy.servicesIpv4CidrBlock")
	p.OneOf("networkingMode", "VPC_NATIVE", "ROUTES")
	p.OneOf("datapathProvider", "LEGACY_DATAPATH", "ADVANCED_DATAPATH", "DATAPATH_PROVIDER_UNSPECIFIED")
	p.OneOf("releaseChannel.channel", "UNSPECIFIED", "RAPID", "REGULAR", "STABLE", "EXTENDED")
	p.OneOf("databaseEncryption.state", "ENCRYPTED", "DECRYPTED")
	p.OneOf("binaryAuthorization.evaluationMode", "DISABLED", "PROJECT_SINGLETON_POLICY_ENFORCE")
	p.OneOf("securityPostureConfig.mode", "DISABLED", "BASIC", "ENTERPRISE", "MODE_UNSPECIFIED")
	p.OneOf("securityPostureConfig.vulnerabilityMode", "VULNERABILITY_DISABLED", "VULNERABILITY_BASIC", "VULNERABILITY_ENTERPRISE", "VULNERABILITY_MODE_UNSPECIFIED")
	p.OneOf("ipAllocationPolicy.stackType", "IPV4", "IPV4_IPV6")
	p.OneOf("gatewayApiConfig.channel", "CHANNEL_DISABLED", "CHANNEL_EXPERIMENTAL", "CHANNEL_STANDARD")
	p.OneOf("dnsConfig.clusterDns", "PROVIDER_UNSPECIFIED", "PLATFORM_DEFAULT", "CLOUD_DNS", "KUBE_DNS")
	p.OneOf("dnsConfig.clusterDnsScope", "DNS_SCOPE_UNSPECIFIED", "CLUSTER_SCOPE", "VPC_SCOPE")
	listOf(p, "loggingConfig.enableComponents", "SYSTEM_COMPONENTS", "APISERVER", "CONTROLLER_MANAGER", "KCP_CONNECTION", "KCP_SSHD", "SCHEDULER", "WORKLOADS")
	listOf(p, "monitoringConfig.enableComponents", "SYSTEM_COMPONENTS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER", "STORAGE", "HPA", "POD", "DAEMONSET",
		"DEPLOYMENT", "STATEFULSET", "KUBELET", "CADVISOR", "DCGM", "WORKLOADS")
	for i, each := range v.List("masterAuthorizedNetworksConfig.cidrBlocks") {
		if _, err := simcloud.Network(each.String("cidrBlock")); err != nil && each.String("cidrBlock") != "" {
			p.Add(fmt.Sprintf("masterAuthorizedNetworksConfig.cidrBlocks[%d].cidrBlock", i), err.Error())
		}
	}
	checkPrivate(p)
	checkMaintenance(p)
	nodeConfigAt(p, "nodeConfig.")
}

// checkPrivate judges the control plane's block. The providers of this generation want exactly 16 addresses.
func checkPrivate(p *simcloud.Plan) {
	v, at := p.Values, "privateClusterConfig."
	block := at + "masterIpv4CidrBlock"
	p.CIDR(block, 28, 28)
	if !v.Known("privateClusterConfig") || !v.Has("privateClusterConfig") {
		return
	}
	if v.Bool(at+"enablePrivateNodes") && !v.Has(block) && !v.Has(at+"privateEndpointSubnetwork") && !v.Bool("enableAutopilot") {
		p.Add(block, "master_ipv4_cidr_block must be set if enable_private_nodes is true")
	}
	if !v.Bool(at+"enablePrivateNodes") && v.Has(block) {
		p.Add(block, "master_ipv4_cidr_block can only be set if enable_private_nodes is true")
	}
}

var (
	clusterNameForm = regexp.MustCompile(`^[a-z0-9-]*$`)
	dayTime         = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// clusterNameAt judges the name of a cluster or a node pool.
func clusterNameAt(p *simcloud.Plan, path string) {
	text := p.Values.String(path)
	switch {
	case text == "":
	case len(text) > 40:
		p.Add(path, fmt.Sprintf("%q cannot be longer than 40 characters", path))
	case !clusterNameForm.MatchString(text):
		p.Add(path, fmt.Sprintf("%q can only contain lowercase letters, numbers and hyphens", path))
	case text[0] < 'a' || text[0] > 'z':
		p.Add(path, fmt.Sprintf("%q must start with a letter", path))
	case strings.HasSuffix(text, "-"):
		p.Add(path, fmt.Sprintf("%q must end with a number or a letter", path))
	}
}

func listOf(p *simcloud.Plan, path string, allowed ...string) {
	for i, text := range p.Values.Strings(path) {
		if !slices.Contains(allowed, text) {
			p.Add(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("expected %s to be one of %v, got %s", path, allowed, text))
		}
	}
}

// checkMaintenance judges when GKE may work on a cluster.
func checkMaintenance(p *simcloud.Plan) {
	v, at := p.Values, "maintenancePolicy."
	if !v.Has("maintenancePolicy") {
		return
	}
	p.ExactlyOne(at+"dailyMaintenanceWindow", at+"recurringWindow")
	if text := v.String(at + "dailyMaintenanceWindow.startTime"); text != "" && !dayTime.MatchString(text) {
		p.Add(at+"dailyMaintenanceWindow.startTime", fmt.Sprintf("must be in HH:MM format (24-hour clock), got %q", text))
	}
	paths := []string{at + "recurringWindow.startTime", at + "recurringWindow.endTime"}
	for i := range v.List(at + "maintenanceExclusions") {
		paths = append(paths, fmt.Sprintf("%smaintenanceExclusions[%d].startTime", at, i), fmt.Sprintf("%smaintenanceExclusions[%d].endTime", at, i))
		p.OneOf(fmt.Sprintf("%smaintenanceExclusions[%d].exclusionOptions.scope", at, i), "NO_UPGRADES", "NO_MINOR_UPGRADES", "NO_MINOR_OR_NODE_UPGRADES")
	}
	for _, path := range paths {
		if text := v.String(path); text != "" {
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				p.Add(path, fmt.Sprintf("expected %s to be a RFC3339 time, got %q", path, text))
			}
		}
	}
	if text := v.String(at + "recurringWindow.recurrence"); text != "" && !strings.HasPrefix(text, "FREQ=") {
		p.Add(at+"recurringWindow.recurrence", fmt.Sprintf("must be an RFC 5545 recurrence rule such as FREQ=WEEKLY;BYDAY=SA,SU, got %q", text))
	}
}

// judgeMaintenance judges that a recurring window leaves GKE the time it demands.
// https://cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions#restrictions
func judgeMaintenance(v simcloud.Values) error {
	at := "maintenancePolicy."
	from, errFrom := time.Parse(time.RFC3339, v.String(at+"recurringWindow.startTime"))
	until, errUntil := time.Parse(time.RFC3339, v.String(at+"recurringWindow.endTime"))
	if errFrom == nil && errUntil == nil {
		times := 0 // in 32 days, at least
		rule := v.String(at + "recurringWindow.recurrence")
		_, days, _ := strings.Cut(rule, "BYDAY=")
		days, _, _ = strings.Cut(days, ";")
		switch {
		case strings.HasPrefix(rule, "FREQ=DAILY"):
			times = 32
		case strings.HasPrefix(rule, "FREQ=WEEKLY"):
			times = 4 * max(1, len(strings.Split(days, ",")))
		default:
			times = 1
		}
		if long := until.Sub(from); long <= 0 {
			return badRequest("maintenance_policy: the window's end must be after its start")
		} else if long < 4*time.Hour || time.Duration(times)*long < 48*time.Hour {
			return badRequest("Error validating maintenance policy: maintenance policy would go longer than 32d without 48h maintenance availability of >=4h duration (in UTC).")
		}
	}
	whole := 0
	for _, each := range v.List(at + "maintenanceExclusions") {
		begins, errBegins := time.Parse(time.RFC3339, each.String("startTime"))
		ends, errEnds := time.Parse(time.RFC3339, each.String("endTime"))
		if errBegins != nil || errEnds != nil {
			continue
		}
		if scope := each.String("exclusionOptions.scope"); scope == "" || scope == "NO_UPGRADES" {
			whole++
			if ends.Sub(begins) > 30*24*time.Hour {
				return badRequest("Error validating maintenance policy: exclusion %q of NO_UPGRADES lasts longer than 30 days", each.String("exclusionName"))
			}
		}
		if !ends.After(begins) {
			return badRequest("Error validating maintenance policy: exclusion %q ends before it starts", each.String("exclusionName"))
		}
	}
	if whole > 3 {
		return badRequest("Error validating maintenance policy: at most 3 exclusions of NO_UPGRADES, got %d", whole)
	}
	return nil
}
