// Package stacks is the Pulumi program of Redoubt: it reads an environment's
// settings, checks all of them, and registers the components that the
// environment consists of. It never registers anything before every setting is
// known to be good.
package stacks

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Platform registers the resources of an environment on one platform.
type Platform func(ctx *pulumi.Context, env Environment) error

// platforms are the platforms that this program was built with. The cloud
// platforms live in packages of their own, so that a program for one platform
// compiles no other platform's SDK.
var platforms = map[string]Platform{"local": localPlatform}

// Program is the Pulumi program: `pulumi up` for the stack's environment.
func Program(ctx *pulumi.Context) error {
	env, err := ReadEnvironment(ctx)
	if err != nil {
		return err
	}
	platform, ok := platforms[env.Platform]
	if !ok {
		return fmt.Errorf("%s:platform: %q is not a platform of this program; write local", namespace, env.Platform)
	}
	return platform(ctx, env)
}
