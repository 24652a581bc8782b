// Package stacks is the Pulumi program of Redoubt: it reads an environment's
// settings, checks all of them, and registers the components that the
// environment consists of. It never registers anything before every setting is
// known to be good.
package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Platform registers the resources of an environment on one platform.
type Platform func(ctx *pulumi.Context, env Environment) error

// platforms are the platforms that this program was built with.
var platforms = map[string]Platform{"local": localPlatform}

// programs are the platforms of clouds, and the programs of their own that serve
// them: nothing compiles the SDK of a cloud that it does not use.
var programs = map[string]string{
	"aws": "stacks/aws/main", "aws-baseline": "stacks/aws/main", "aws-flatcar": "stacks/aws/main", "aws-flatcar-baseline": "stacks/aws/main",
	"gcp": "stacks/gcp/main", "gcp-baseline": "stacks/gcp/main", "gcp-flatcar": "stacks/gcp/main", "gcp-flatcar-baseline": "stacks/gcp/main",
}

// ProgramOf is the package of the program for a platform, "" for this one.
func ProgramOf(platform string) string { return programs[platform] }

// Program is the Pulumi program: `pulumi up` for the stack's environment.
func Program(ctx *pulumi.Context) error {
	name := config.Get(ctx, settings.Namespace+":platform")
	platform, ok := platforms[name]
	if !ok {
		return fmt.Errorf("%s:platform: %q is not a platform of this program; write %s", settings.Namespace, name,
			strings.Join(slices.Sorted(maps.Keys(platforms)), " or "))
	}
	env, err := ReadEnvironment(ctx)
	if err != nil {
		return err
	}
	return platform(ctx, env)
}
