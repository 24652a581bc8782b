package gcp

import (
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// updateCluster judges changes in place.
func updateCluster(c *simcloud.Change) error {
	location, project := c.Old.String("location"), part(c.ID, "projects")
	if was, is := c.Old.Bool("privateClusterConfig.enablePrivateEndpoint"), c.New.Bool("privateClusterConfig.enablePrivateEndpoint"); was != is && c.New.Has("privateClusterConfig.masterIpv4CidrBlock") {
		return badRequest("Updating private endpoint on vpc peering private clusters is not supported.")
	}
	if err := judgeUpgrade(c); err != nil {
		return err
	}
	if err := judgeCluster(c, project, location); err != nil {
		return err
	}
	for _, name := range []string{"network", "subnetwork", "location", "selfLink", "endpoint", "privateClusterConfig", "masterAuth", "ipAllocationPolicy", "nodeLocations"} {
		if c.Old.Has(name) && !(name == "nodeLocations" && c.New.Has(name)) {
			c.Out[name] = c.Old[name]
		}
	}
	if !c.Object.Ready && !c.New.Bool("enableAutopilot") { // its first nodes never joined
		return defaultPool(c, c.Cloud.Get("", subnetwork, subnetworkOf(c.Object)), location)
	}
	return nil
}

// poolsOf are the node pools of a cluster.
func poolsOf(cloud *simcloud.Cloud, id string) []*simcloud.Object {
	return cloud.Find("", nodePool, func(o *simcloud.Object) bool {
		return normal("", o.State, clusterForm, o.State.String("cluster")) == id
	})
}
