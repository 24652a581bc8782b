// Command main is the Pulumi program of stacks on AWS.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks/aws"
)

func main() { pulumi.Run(aws.Program) }
