package gcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// reserved are the ranges of which the networks allowed at a private endpoint must be part.
// https://cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks
var reserved = usable

// docker is the range of the bridge that GKE's nodes have.
var docker = prefixes("172.17.0.0/16")

func createCluster(c *simcloud.Change) error {
	v := c.New
	at := placeOf(c.Scope, v)
	location := at.location(v)
	if regionOf(location) == "" {
		return badRequest("Location \"%s\" does not exist.", location)
	}
	if len(v.List("nodePools")) > 0 {
		return badRequest("the simulation takes no node pools within a cluster: make them resources of their own")
	}
	channel := v.String("releaseChannel.channel")
	version, offered := resolve(channel, v.String("minMasterVersion"))
	if !offered {
		return badRequest("Master version \"%s\" is unsupported.", v.String("minMasterVersion"))
	}
	if nodes := v.String("nodeVersion"); nodes != "" && nodes != v.String("minMasterVersion") && nodes != version {
		return provider("Resource argument node_version (value: %s) must either be unset or set to the same value as min_master_version (value: %s) on create.", nodes, v.String("minMasterVersion"))
	}
	if !v.Bool("enableAutopilot") && v.Int("initialNodeCount") < 1 {
		return badRequest("Cluster.initial_node_count must be greater than zero.")
	}
	if v.Bool("enableAutopilot") && (v.Has("nodeConfig.machineType") || v.Has("nodeConfig.imageType")) {
		return badRequest("Autopilot clusters do not support node_config: GKE chooses the machines.")
	}
	c.Out["masterVersion"], c.Out["nodeVersion"], c.Out["operation"] = version, version, "operation-"+digits(c.Cloud, "operation", 13)
	in, err := judgeClusterNetwork(c, at.project, location)
	if err != nil {
		return err
	}
	if err := judgeCluster(c, at.project, location); err != nil {
		return err
	}
	if err := finishCluster(c, at.project, location, in); err != nil {
		return err
	}
	if v.Bool("enableAutopilot") {
		return nil
	}
	return defaultPool(c, in, location)
}

// judgeClusterNetwork judges where the nodes, the pods, the services and the control plane are.
func judgeClusterNetwork(c *simcloud.Change, project, location string) (*simcloud.Object, error) {
	v := c.New
	net := c.Cloud.Get("", network, normal(c.Scope, v, networkForm, v.String("network")))
	in := c.Cloud.Get("", subnetwork, clusterSubnetwork().Normal(c.Scope, v, v.String("subnetwork")))
	switch {
	case in == nil && net.State.Get("autoCreateSubnetworks") == true:
		in = c.Cloud.Get("", subnetwork, "projects/"+part(net.ID, "projects")+"/regions/"+regionOf(location)+"/subnetworks/"+net.State.String("name"))
	case in == nil:
		return nil, badRequest("Network \"%s\" requires a subnetwork: it is not in auto mode.", net.State.String("name"))
	}
	if in == nil || networkOf(in) != net.ID || in.State.String("region") != regionOf(location) {
		return nil, badRequest("Subnetwork \"%s\" is not valid for Network \"%s\".", lastPart(v.String("subnetwork")), net.State.String("name"))
	}
	if err := judgeShared(c, project, in); err != nil {
		return nil, err
	}
	for i, each := range v.Strings("nodeLocations") {
		if regionOf(each) != regionOf(location) || !validZone(each) || each == location {
			return nil, badRequest("Invalid value for field 'node_locations[%d]': \"%s\" is no other zone of %s.", i, each, regionOf(location))
		}
	}
	if v.String("networkingMode") == "ROUTES" && v.Bool("privateClusterConfig.enablePrivateNodes") {
		return nil, badRequest("Private clusters must be VPC-native: ip_allocation_policy.use_ip_aliases must be true.")
	}
	if v.Has("ipAllocationPolicy") {
		if err := judgeSecondaryRanges(c, net, in); err != nil {
			return nil, err
		}
	}
	return in, judgeControlBlock(c, net)
}

// judgeSecondaryRanges judges those of pods and services. https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips
func judgeSecondaryRanges(c *simcloud.Change, net, in *simcloud.Object) error {
	pods, services := c.New.String("ipAllocationPolicy.clusterSecondaryRangeName"), c.New.String("ipAllocationPolicy.servicesSecondaryRangeName")
	out := simcloud.Values{}
	if given, ok := c.New.Get("ipAllocationPolicy").(map[string]any); ok {
		out = simcloud.Values(given).Copy()
	}
	c.Out["ipAllocationPolicy"] = out
	for _, each := range []struct{ what, name, field string }{{"Pod", pods, "clusterIpv4CidrBlock"}, {"Services", services, "servicesIpv4CidrBlock"}} {
		if each.name == "" {
			text := c.New.String("ipAllocationPolicy." + each.field)
			mine, err := netip.ParsePrefix(text)
			if err != nil {
				return badRequest("the simulation chooses no ranges by itself: name a secondary range or give ip_allocation_policy.%s in full", each.field)
			}
			for _, other := range ranges(c.Cloud, net.ID) {
				if other.by.ID != c.ID && other.prefix.Overlaps(mine) {
					return badRequest("%s range %s conflicts with %s of '%s' in network \"%s\".", each.what, mine, other.prefix, other.by.ID, net.State.String("name"))
				}
			}
			continue
		}
		found := secondary(in, each.name)
		if !found.IsValid() {
			return badRequest("%s secondary range \"%s\" not found in network \"%s\", subnetwork \"%s\".", each.what, each.name, net.State.String("name"), in.State.String("name"))
		}
		out[each.field] = found.String()
	}
	if pods != "" && pods == services {
		return badRequest("Services secondary range must be different from the pods' (\"%s\").", pods)
	}
	if size, err := netip.ParsePrefix(out.String("servicesIpv4CidrBlock")); err == nil && (size.Bits() < 16 || size.Bits() > 28) {
		return badRequest("Services range %s must be between /16 and /28.", size)
	}
	c.Out["servicesIpv4Cidr"], c.Out["clusterIpv4Cidr"] = out["servicesIpv4CidrBlock"], out["clusterIpv4CidrBlock"]
	for _, o := range c.Cloud.Find("", cluster, func(o *simcloud.Object) bool { return o.ID != c.ID && subnetworkOf(o) == in.ID }) {
		if services != "" && o.State.String("ipAllocationPolicy.servicesSecondaryRangeName") == services {
			return badRequest("Services range \"%s\" in network \"%s\", subnetwork \"%s\" is already used by another cluster.", services, net.State.String("name"), in.State.String("name"))
		}
	}
	return nil
}

// judgeControlBlock judges that the control plane's 16 addresses lie apart from everything of the network.
func judgeControlBlock(c *simcloud.Change, net *simcloud.Object) error {
	text := c.New.String("privateClusterConfig.masterIpv4CidrBlock")
	if text == "" {
		return nil
	}
	block, err := netip.ParsePrefix(text)
	if err != nil || block.Bits() != 28 || !within(block, reserved) || overlaps(block, docker) || overlaps(block, prohibited) {
		return badRequest("Invalid master_ipv4_cidr_block \"%s\": it must lie in a private range, and apart from 172.17.0.0/16.", text)
	}
	for _, other := range ranges(c.Cloud, net.ID) {
		if other.by.ID != c.ID && other.prefix.Overlaps(block) {
			return badRequest("Requested CIDR block %s for the master is not available in network \"%s\" for cluster: it conflicts with %s of '%s'.", text, net.State.String("name"), other.prefix, other.by.ID)
		}
	}
	if p, err := netip.ParsePrefix(c.New.String("ipAllocationPolicy.clusterIpv4CidrBlock")); err == nil && p.Overlaps(block) {
		return badRequest("Requested CIDR block %s for the master is not available in network \"%s\" for cluster: it conflicts with the pods' range.", text, net.State.String("name"))
	}
	return nil
}

// judgeCluster judges what may change at any time, too.
func judgeCluster(c *simcloud.Change, project, location string) error {
	v := c.New
	private := v.Bool("privateClusterConfig.enablePrivateEndpoint")
	switch authorized := v.Has("masterAuthorizedNetworksConfig"); {
	case private && !v.Bool("privateClusterConfig.enablePrivateNodes"):
		return badRequest("enable_private_endpoint can only be true if enable_private_nodes is true.")
	case private && !authorized:
		return badRequest("Master authorized networks must be enabled if private endpoint is enabled.")
	}
	blocks := v.List("masterAuthorizedNetworksConfig.cidrBlocks")
	if len(blocks) > 100 {
		return badRequest("Too many master authorized networks: %d, at most 100.", len(blocks))
	}
	for _, each := range blocks {
		p, err := netip.ParsePrefix(each.String("cidrBlock"))
		if private && (err != nil || !within(p, reserved)) {
			return badRequest("Invalid master authorized networks: network \"%s\" is not a reserved network, which is required for private endpoints.", each.String("cidrBlock"))
		}
	}
	advanced := v.String("datapathProvider") == "ADVANCED_DATAPATH" || v.Bool("enableAutopilot")
	switch {
	case advanced && v.Bool("networkPolicy.enabled"):
		return badRequest("Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.")
	case !advanced && (v.Bool("enableFqdnNetworkPolicy") || v.Bool("enableCiliumClusterwideNetworkPolicy")):
		return badRequest("FQDN and Cilium clusterwide network policies need DatapathProvider=ADVANCED_DATAPATH.")
	}
	if pool := v.String("workloadIdentityConfig.workloadPool"); pool != "" && pool != project+".svc.id.goog" {
		return badRequest("Currently, the only supported identity namespace is the project's default (%s.svc.id.goog), got \"%s\".", project, pool)
	}
	if group := v.String("authenticatorGroupsConfig.securityGroup"); group != "" && !strings.HasPrefix(group, "gke-security-groups@") {
		return badRequest("Invalid security group \"%s\": it must be named gke-security-groups@<domain>.", group)
	}
	if v.Bool("notificationConfig.pubsub.enabled") && !v.Has("notificationConfig.pubsub.topic") {
		return badRequest("notification_config.pubsub.topic must be set if notifications are enabled.")
	}
	if err := judgeMaintenance(v); err != nil {
		return err
	}
	if v.String("databaseEncryption.state") == "ENCRYPTED" {
		if v.String("databaseEncryption.keyName") == "" {
			return badRequest("database_encryption.key_name must be set if the state is ENCRYPTED.")
		}
		if err := keyFor(c, v.String("databaseEncryption.keyName"), gkeAgent(c.Cloud, project), regionOf(location)); err != nil {
			return err
		}
	}
	return nil
}

// finishCluster fills in what is computed.
func finishCluster(c *simcloud.Change, project, location string, in *simcloud.Object) error {
	v := c.New
	c.Out["location"], c.Out["selfLink"] = location, "https://container.googleapis.com/v1/"+c.ID
	c.Out["network"], c.Out["subnetwork"] = networkOf(in), in.ID
	if !v.Has("nodeLocations") {
		names := []string{}
		if zones := zones(location); len(zones) > 0 {
			names = zones[:3]
		}
		c.Out["nodeLocations"] = names
	}
	public := external(c)
	c.Out["endpoint"] = public
	if given, ok := v.Get("privateClusterConfig").(map[string]any); ok {
		out := simcloud.Values(given).Copy()
		if block, err := netip.ParsePrefix(out.String("masterIpv4CidrBlock")); err == nil {
			out["privateEndpoint"], out["publicEndpoint"], out["peeringName"] = block.Addr().Next().Next().String(), public, "gke-n"+hexOf(c.ID)[:20]+"-peer"
		}
		if out.Bool("enablePrivateEndpoint") {
			c.Out["endpoint"] = out["privateEndpoint"]
		}
		c.Out["privateClusterConfig"] = out
	}
	authority, err := simcloud.Authority(project)
	if err != nil {
		return err
	}
	auth := simcloud.Values{"clientCertificateConfig": simcloud.Values{"issueClientCertificate": v.Bool("masterAuth.clientCertificateConfig.issueClientCertificate")},
		"clusterCaCertificate": authority, "clientCertificate": "", "clientKey": ""}
	c.Out["masterAuth"] = auth
	if v.Bool("enableAutopilot") {
		c.Out["workloadIdentityConfig"] = simcloud.Values{"workloadPool": project + ".svc.id.goog"}
		c.Out["datapathProvider"] = "ADVANCED_DATAPATH"
	}
	c.Beside = clusterRules(c, in)
	return nil
}

// clusterRules are the firewall rules that GKE makes for a cluster in its network.
// https://cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules
func clusterRules(c *simcloud.Change, in *simcloud.Object) []*simcloud.Object {
	prefix := "gke-" + c.New.String("name") + "-" + hexOf(c.ID)[:8]
	project := part(networkOf(in), "projects")
	pods := simcloud.Values(c.Out).Copy().String("ipAllocationPolicy.clusterIpv4CidrBlock")
	control := c.New.String("privateClusterConfig.masterIpv4CidrBlock")
	var out []*simcloud.Object
	add := func(suffix string, priority int, list string, from []string, of ...any) {
		id := "projects/" + project + "/global/firewalls/" + prefix + "-" + suffix
		out = append(out, &simcloud.Object{Type: firewall, ID: id, State: simcloud.Values{"name": prefix + "-" + suffix, "project": project, "network": computeAPI + networkOf(in),
			"direction": "INGRESS", "priority": priority, "sourceRanges": from, "targetTags": []string{prefix + "-node"}, list: of, "selfLink": computeAPI + id}})
	}
	rule := func(suffix, from string, allows ...any) {
		if from != "" {
			add(suffix, 1000, "allows", []string{from}, allows...)
		}
	}
	any := func(protocol string, ports ...string) any {
		return simcloud.Values{"protocol": protocol, "ports": ports}
	}
	rule("master", control, any("tcp", "443", "10250"))
	rule("vms", in.State.String("ipCidrRange"), any("icmp"), any("tcp", "1-65535"), any("udp", "1-65535"))
	rule("all", pods, any("tcp"), any("udp"), any("icmp"), any("esp"), any("ah"), any("sctp"))
	// The kubelet's port without authentication is open within the cluster, before the rules of others.
	add("inkubelet", 999, "allows", slices.DeleteFunc([]string{pods, in.State.String("ipCidrRange")}, func(cidr string) bool { return cidr == "" }), any("tcp", "10255"))
	add("exkubelet", 1000, "denies", []string{"0.0.0.0/0"}, any("tcp", "10255"))
	return out
}

// nodeTag is the tag that GKE gives every node of a cluster.
func nodeTag(o *simcloud.Object) string {
	return fmt.Sprintf("gke-%s-%s-node", o.State.String("name"), hexOf(o.ID)[:8])
}
