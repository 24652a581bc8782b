// Package aws is the Pulumi program of environments on AWS: it reads their
// settings, checks all of them, and registers the components of an environment.
// An environment is two stacks. The first holds what only the API of AWS is
// needed for. The second holds what lies inside the cluster, whose endpoint is
// private: it runs where that is reached, and finds the cluster through a
// reference to the first.
//
// It registers nothing before every setting is known to be good, and asks AWS
// nothing that a preview would need.
package aws

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Platforms of this program, as redoubt:platform names them.
const (
	Platform         = "aws"
	BaselinePlatform = "aws-baseline"
	// Those of clusters that run themselves.
	FlatcarPlatform         = "aws-flatcar"
	FlatcarBaselinePlatform = "aws-flatcar-baseline"
)

// Program is the Pulumi program of every stack on AWS.
func Program(ctx *pulumi.Context) error {
	switch platform := config.Get(ctx, settings.Namespace+":platform"); platform {
	case Platform:
		return cluster(ctx)
	case BaselinePlatform:
		return inCluster(ctx)
	case FlatcarPlatform:
		return flatcarCluster(ctx)
	case FlatcarBaselinePlatform:
		return incluster.SelfManaged(incluster.Outputs{Cluster: outputCluster, Endpoint: outputEndpoint, Authority: outputAuthority}, linkLocalResolver)(ctx)
	default:
		return fmt.Errorf("%s:platform: %q is not a platform of this program; write %s, %s, %s or %s", settings.Namespace, platform,
			Platform, BaselinePlatform, FlatcarPlatform, FlatcarBaselinePlatform)
	}
}
