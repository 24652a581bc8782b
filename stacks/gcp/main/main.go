// Command main is the Pulumi program of stacks on Google Cloud.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks/gcp"
)

func main() { pulumi.Run(gcp.Program) }
