// Command rehearse-gcp rehearses an environment of Google Cloud on this machine, with no account; see `make rehearse`.
// It is a program of its own, because it compiles the SDK of a cloud.
package main

import (
	"os"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud/gcp"
)

func main() { os.Exit(cloud.Main("rehearse-gcp", "gcp", gcp.Rehearsal)) }
