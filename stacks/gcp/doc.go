// Package gcp is the Pulumi program of environments on Google Cloud: it reads
// their settings, checks all of them, and registers the components of an
// environment. As on AWS an environment is two stacks: the first holds what only
// Google's API is needed for, the second what lies inside the cluster, whose
// endpoint is private.
//
// It registers nothing before every setting is known to be good, and looks
// nothing up.
package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Platforms of this program, as redoubt:platform names them.
const (
	Platform         = "gcp"
	BaselinePlatform = "gcp-baseline"
	// Those of clusters that run themselves.
	FlatcarPlatform         = "gcp-flatcar"
	FlatcarBaselinePlatform = "gcp-flatcar-baseline"
)

// Program is the Pulumi program of every stack on Google Cloud.
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
