// Command rehearse-aws rehearses an environment of AWS on this machine, with no account; see `make rehearse`. It is a
// program of its own, because it compiles the SDK of a cloud.
package main

import (
	"os"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud/aws"
)

func main() { os.Exit(cloud.Main("rehearse-aws", "aws", aws.Rehearsal)) }
