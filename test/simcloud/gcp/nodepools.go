package gcp

import (
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// nodePoolTypes are node pools: https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools
func nodePoolTypes() []*simcloud.ResourceType {
	t := named(kind(nodePool, "{cluster}/nodePools/{name}", container.NodePoolArgs{}, container.NodePool{}), 40)
	t.Naming.Prefix = "namePrefix"
	at := "nodeConfig."
	t.Replace = []string{"name", "namePrefix", "cluster", "location", "project", "initialNodeCount", "maxPodsPerNode", "placementPolicy", "networkConfig.podRange", "networkConfig.createPodRange",
		at + "metadata", at + "oauthScopes", at + "serviceAccount", at + "bootDiskKmsKey", at + "spot", at + "preemptible", at + "shieldedInstanceConfig", at + "sandboxConfig",
		at + "minCpuPlatform", at + "confidentialNodes", at + "advancedMachineFeatures", at + "guestAccelerators", at + "localSsdCount"}
	t.References = []simcloud.Reference{to("cluster", cluster, clusterForm)}
	t.Check = func(p *simcloud.Plan) {
		clusterNameAt(p, "name")
		conflicts(p, "autoscaling.minNodeCount", "autoscaling.totalMinNodeCount", "autoscaling.totalMaxNodeCount")
		conflicts(p, "autoscaling.maxNodeCount", "autoscaling.totalMinNodeCount", "autoscaling.totalMaxNodeCount")
		p.OneOf("autoscaling.locationPolicy", "BALANCED", "ANY")
		p.OneOf("upgradeSettings.strategy", "SURGE", "BLUE_GREEN", "SHORT_LIVED")
		nodeConfigAt(p, at)
	}
	judged(t, createPool, func(c *simcloud.Change) error {
		of := c.Cloud.Get("", cluster, normal(c.Scope, c.Old, clusterForm, c.New.String("cluster")))
		if err := judgeNodes(c, of); err != nil || c.Object.Ready && !changed(c, "nodeConfig.tags") {
			return err
		}
		return joinPool(c, of) // nodes that never joined, or new ones, must join
	})
	return []*simcloud.ResourceType{t}
}

func createPool(c *simcloud.Change) error {
	v := c.New
	of := c.Cloud.Get("", cluster, normal(c.Scope, v, clusterForm, v.String("cluster")))
	name := v.String("name")
	if name == "" {
		name = v.String("namePrefix") + digits(c.Cloud, "pool", 8)
		c.Out["name"] = name
	}
	c.ID = of.ID + "/nodePools/" + name
	c.Out["location"], c.Out["project"] = of.State["location"], part(of.ID, "projects")
	if c.Cloud.Get("", nodePool, c.ID) != nil {
		return coded(409, "alreadyExists", "Already exists: %s.", c.ID)
	}
	if of.State.Bool("enableAutopilot") {
		return badRequest("Autopilot clusters do not support mutating node pools.")
	}
	if !of.Ready {
		return coded(400, "failedPrecondition", "Cluster %s is not running: its creation has not ended well.", of.ID)
	}
	if err := judgeNodes(c, of); err != nil {
		return err
	}
	c.Out["instanceGroupUrls"], c.Out["managedInstanceGroupUrls"] = groups(c, of, name)
	c.Out["operation"] = "operation-" + digits(c.Cloud, "operation", 13)
	return joinPool(c, of)
}

// joinPool judges that the nodes of a pool have room and join.
func joinPool(c *simcloud.Change, of *simcloud.Object) error {
	in := c.Cloud.Get("", subnetwork, subnetworkOf(of))
	count, err := poolSpace(c, of, in)
	if err != nil {
		return err
	}
	private := of.State.Bool("privateClusterConfig.enablePrivateNodes")
	if c.New.Has("networkConfig.enablePrivateNodes") {
		private = c.New.Bool("networkConfig.enablePrivateNodes")
	}
	join(c, nodesOf(c.Cloud, of, in, section(c.New, "nodeConfig"), of.State.String("location"), private, count))
	return nil
}

// nodesOf are the nodes of a cluster with a configuration.
func nodesOf(cloud *simcloud.Cloud, of, in *simcloud.Object, config simcloud.Values, location string, private bool, count int) nodes {
	account := config.String("serviceAccount")
	if account == "" || account == "default" {
		account = defaultAccount(cloud, part(of.ID, "projects"))
	}
	control, _ := netip.ParsePrefix(of.State.String("privateClusterConfig.masterIpv4CidrBlock"))
	return nodes{network: networkOf(in), region: regionOf(location), control: control, endpoint: of.State.String("endpoint"), private: private, in: in,
		tags: append(slices.Clone(config.Strings("tags")), nodeTag(of)), account: account, count: count}
}

// defaultPool judges the nodes that a cluster begins with, also where they are removed at once: they must join first.
func defaultPool(c *simcloud.Change, in *simcloud.Object, location string) error {
	config := section(c.New, "nodeConfig")
	if config.Has("sandboxConfig") {
		return badRequest("The default node pool cannot be sandboxed.")
	}
	if err := judgeNodeConfig(c, config, c.New, part(c.ID, "projects"), location); err != nil {
		return err
	}
	of := &simcloud.Object{ID: c.ID, State: c.New.Copy()}
	of.State["endpoint"] = c.Out["endpoint"]
	count := c.New.Int("initialNodeCount") * max(1, len(simcloud.Values(c.Out).Copy().Strings("nodeLocations")))
	n := nodesOf(c.Cloud, of, in, config, location, c.New.Bool("privateClusterConfig.enablePrivateNodes"), count)
	n.extra = c.Beside
	join(c, n)
	return nil
}

// section is a part of properties as properties of its own.
func section(v simcloud.Values, path string) simcloud.Values {
	out, _ := v.Get(path).(map[string]any)
	return out
}

// judgeNodes judges what may change at any time, too.
func judgeNodes(c *simcloud.Change, of *simcloud.Object) error {
	v := c.New
	version, err := nodeVersion(of, v.String("version"))
	if err != nil {
		return err
	}
	if v.String("version") == "" && c.Object != nil {
		version = c.Old.String("version") // GKE upgrades by itself, in its own time
	}
	c.Out["version"] = version
	if channel := of.State.String("releaseChannel.channel"); channel != "" && channel != "UNSPECIFIED" {
		for _, each := range []struct{ name, words string }{{"autoUpgrade", "Auto_upgrade"}, {"autoRepair", "Auto_repair"}} {
			if v.Get("management."+each.name) == false {
				return badRequest("%s must be true when release_channel %s is set.", each.words, channel)
			}
		}
	}
	low, high := v.Int("autoscaling.minNodeCount"), v.Int("autoscaling.maxNodeCount")
	if v.Has("autoscaling") && (low > high || v.Int("autoscaling.totalMinNodeCount") > v.Int("autoscaling.totalMaxNodeCount")) {
		return badRequest("Invalid autoscaling: the minimum of nodes is above the maximum.")
	}
	blue := v.String("upgradeSettings.strategy") == "BLUE_GREEN"
	switch {
	case blue && (v.Int("upgradeSettings.maxSurge") > 0 || v.Int("upgradeSettings.maxUnavailable") > 0):
		return badRequest("max_surge and max_unavailable must not be set with the strategy BLUE_GREEN.")
	case !blue && v.Has("upgradeSettings.blueGreenSettings"):
		return badRequest("blue_green_settings must not be set without the strategy BLUE_GREEN.")
	case v.Has("upgradeSettings") && !blue && v.Has("upgradeSettings.maxSurge") && v.Int("upgradeSettings.maxSurge")+v.Int("upgradeSettings.maxUnavailable") < 1:
		return badRequest("At least one of max_surge and max_unavailable must be greater than zero.")
	}
	location := of.State.String("location")
	for i, each := range v.Strings("nodeLocations") {
		if !validZone(each) || regionOf(each) != regionOf(location) {
			return badRequest("Invalid value for field 'node_locations[%d]': \"%s\" is no zone of %s.", i, each, regionOf(location))
		}
	}
	return judgeNodeConfig(c, section(v, "nodeConfig"), of.State, part(of.ID, "projects"), location)
}

// poolSpace judges that the pods' range has room for a pool's nodes, each of which takes twice as many addresses as it
// may have pods, and gives how many nodes there are.
// https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips#cluster_sizing
func poolSpace(c *simcloud.Change, of, in *simcloud.Object) (int, error) {
	v := c.New
	zones := poolZones(v, of)
	each := max(v.Int("initialNodeCount"), v.Int("nodeCount"))
	if !v.Has("initialNodeCount") && !v.Has("nodeCount") {
		each = max(v.Int("autoscaling.minNodeCount"), 0)
		if !v.Has("autoscaling") {
			each = 1
		}
	}
	count := each * max(1, len(zones))
	name := v.String("networkConfig.podRange")
	if name == "" {
		name = of.State.String("ipAllocationPolicy.clusterSecondaryRangeName")
	}
	if name == "" {
		return count, nil
	}
	pods := secondary(in, name)
	if !pods.IsValid() {
		return 0, badRequest("Pod secondary range \"%s\" not found in network \"%s\", subnetwork \"%s\".", name, lastPart(networkOf(in)), in.State.String("name"))
	}
	most := v.Int("maxPodsPerNode")
	if most == 0 {
		if most = of.State.Int("defaultMaxPodsPerNode"); most == 0 {
			most = 110
		}
	}
	if most < 8 || most > 256 {
		return 0, badRequest("Invalid value %d of max_pods_per_node: must be between 8 and 256.", most)
	}
	bits := 32
	for size := 1; size < 2*most; size *= 2 {
		bits--
	}
	if room := 1 << max(0, bits-pods.Bits()); bits < pods.Bits() || room < count {
		return 0, badRequest("IP_SPACE_EXHAUSTED: the pod range \"%s\" (%s) has no room for %d nodes of up to %d pods each.", name, pods, count, most)
	}
	return count, nil
}

// poolZones are the zones of a pool: its own, or else its cluster's, of which a zonal cluster does not name its first.
func poolZones(v simcloud.Values, of *simcloud.Object) []string {
	if own := v.Strings("nodeLocations"); len(own) > 0 {
		return own
	}
	out := slices.Clone(of.State.Strings("nodeLocations"))
	if location := of.State.String("location"); validZone(location) {
		out = append(out, location)
	}
	return out
}

// groups are the instance groups of a pool, one a zone.
func groups(c *simcloud.Change, of *simcloud.Object, name string) (groups, managers []string) {
	for _, zone := range poolZones(c.New, of) {
		at := computeAPI + "projects/" + part(of.ID, "projects") + "/zones/" + zone
		group := "gke-" + of.State.String("name") + "-" + name + "-" + hexOf(c.ID + zone)[:8] + "-grp"
		groups, managers = append(groups, at+"/instanceGroups/"+group), append(managers, at+"/instanceGroupManagers/"+group)
	}
	return groups, managers
}
