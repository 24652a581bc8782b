package gcp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/gcp/controls"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

// benchmark are the ids of CIS GKE that show in a project. 4.1.4, 4.2.1, 4.3.2 and 4.6.1 are upheld inside the cluster;
// 5.7.2 is a program that runs there too, and the limits of the provider say of 4.1.8 to 4.1.10 what is done instead.
var benchmark = strings.Fields(`3.1.1 3.1.2 3.1.3 3.1.4 4.3.1 4.5.1 5.1.1 5.1.3 5.1.4 5.2.1 5.2.2 5.3.1 5.4.1 5.5.1 5.5.2 5.5.3 5.5.4 5.5.5 5.5.6 5.5.7
	5.6.1 5.6.2 5.6.3 5.6.4 5.6.5 5.6.6 5.7.1 5.8.1 5.8.2 5.8.3 5.9.1 5.9.2 5.10.1 5.10.2 5.10.3 5.10.4 5.10.5`)

// rows are those of the mission that show in a project.
var rows = strings.Fields(`M03 M05 M07 M08 M09 M11 M16 M17 M18 M19 M20 M24 M26 M27 M28 M29 M33 M35 M38 M39`)

// gcp-prod upholds every control by what it makes, and each check tells when it does not: with each of its mutants, and
// because of nothing else.
func TestControlsOfProduction(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-prod")
	e.mustUp()
	ids := slices.Clone(rows)
	for _, id := range benchmark {
		ids = append(ids, "CIS-GKE-"+id)
	}
	judge.Prove(t, e.Cloud.Objects(), controls.Checks(), mutants, ids)
}

// What development differs in from production is what its settings say, and no more: by every other control it is as
// hardened.
func TestWhatDevelopmentLacks(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.mustUp()
	lacks := map[string]string{
		"nobody deletes the cluster by mistake": "unprotected",
		"keys are kept in hardware, rotate within a year, and a destroyed one can be brought back for a month": "keys.protection",
		"who reads and writes data is recorded, everywhere":                                                    "logs.dataAccess",
		"logs are kept for a year":                                                     "M17/retention",
		"the archive is locked for a year, for everybody":                              "M38/archive",
		"the archive is not public, and is encrypted with a key of the customer":       "M38/archive",
		"the archive gets all evidence, from a writer that neither reads nor replaces": "M38/archive",
		"people hear of what must not go unnoticed":                                    "no break-glass",
		"a pool has kernels of their own for pods, and is kept for those that ask":     "one pool",
	}
	for _, check := range controls.Checks() {
		wrong := check.Wrong(e.Cloud.Objects())
		if why := lacks[check.About]; (len(wrong) > 0) != (why != "") {
			t.Errorf("%s: %q, expected because of %q", check.About, wrong, why)
		}
		delete(lacks, check.About)
	}
	for about := range lacks {
		t.Errorf("no check: %s", about)
	}
}
