// Package aws says how environments of AWS are rehearsed: which program, which simulated account, and what only AWS has.
package aws

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

// Rehearsal is that of an environment of the repository at root.
func Rehearsal(root, environment string) (cloud.Rehearsal, error) {
	r := cloud.Rehearsal{
		Environment: environment, Repository: root, BinDirectory: os.Getenv("REDOUBT_BIN_DIR"), Platform: "aws", Cloud: "AWS",
		Open: simaws.Open, Endpoint: "apiEndpoint", Machines: Machines, Keeps: Keeps,
	}
	var err error
	r.Cluster, err = r.ThisMachine("")
	return r, err
}

// Keeps tells what AWS keeps of itself.
func Keeps(o simcloud.Object) string {
	return ""
}

var _ = fmt.Sprint
var _ = filepath.Join
var _ = strings.Cut
