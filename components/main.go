// Command components is the redoubt plugin: it serves the custom resources of
// the local platform, and every component to programs in any Pulumi language.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local"
	"github.com/redoubt-dev/redoubt/components/local/provider"
)

func main() {
	plugin, err := infer.NewProviderBuilder().
		WithDisplayName("Redoubt").
		WithDescription("Hardened Kubernetes clusters on private networks and immutable nodes.").
		WithNamespace("redoubt-dev").
		WithResources(provider.Resources()...).
		WithComponents(infer.ComponentF(local.NewCluster)).
		Build()
	if err == nil {
		err = plugin.Run(context.Background(), provider.Name, provider.Version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
