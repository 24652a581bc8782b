// Command main is the Pulumi program that `pulumi up` runs.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks"
)

func main() { pulumi.Run(stacks.Program) }
