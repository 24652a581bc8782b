// Package aws says how environments of AWS are rehearsed: which program, which simulated account, and what only AWS has.
package aws

import (
	"cmp"
	"fmt"
	"os"
	"regexp"

	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/policies/controls"
	program "github.com/redoubt-dev/redoubt/stacks/aws"
	checks "github.com/redoubt-dev/redoubt/test/aws/controls"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/costs"
)

// Rehearsal is that of an environment of the repository at root.
func Rehearsal(root, environment string) (cloud.Rehearsal, error) {
	r := cloud.Rehearsal{
		Environment: environment, Baseline: environment + cloud.BaselineSuffix, Repository: root, BinDirectory: os.Getenv("REDOUBT_BIN_DIR"),
		Platform: program.Platform, Cloud: "AWS", Program: program.Program, Open: simaws.Open, Endpoint: "apiEndpoint",
		Lift: map[string]string{"redoubt:unprotected": "true"}, StrictAgent: true,
		Replace: replace, Given: given, Machines: Machines, Costs: estimate, Keeps: Keeps,
		Demands: &cloud.Demands{Benchmark: "CIS-EKS-", Catalogue: controls.CISEKS(), Checks: checks.Checks()},
	}
	if cloud.PlatformOf(root, environment) == program.FlatcarPlatform {
		return flatcarRehearsal(r)
	}
	var err error
	r.Cluster, err = r.ThisMachine("")
	return r, err
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// replace puts the simulated account where the settings name another: there is no other here.
func replace(settings []byte) map[string]string {
	var file struct {
		Config struct {
			Account struct {
				ID string `yaml:"id"`
			} `yaml:"redoubt:account"`
		} `yaml:"config"`
	}
	_ = yaml.Unmarshal(settings, &file) // the program says what is wrong with it
	if id := file.Config.Account.ID; id != simaws.Account && accountID.MatchString(id) {
		return map[string]string{id: simaws.Account}
	}
	return nil
}

// given are the roles of people and automation.
func given(c *simcloud.Cloud, settings string) ([]string, error) {
	names, err := simaws.Existing(c, settings)
	for i, name := range names {
		names[i] = "role " + name
	}
	return names, err
}

// estimate is what the account costs where the environment is.
func estimate(c *simcloud.Cloud) *cloud.Costs {
	objects, region := c.Objects(), ""
	for _, o := range objects { // an environment is in one
		region = cmp.Or(region, o.Scope)
	}
	e := costs.Of(region, objects)
	out := &cloud.Costs{Basis: fmt.Sprintf("List prices of %s in %s, in USD a month, without traffic, stored data, taxes and discounts.", costs.PricesAsOf, region)}
	out.Monthly, out.Whole = e.Monthly()
	for _, l := range e.Lines {
		line := cloud.CostLine{Thing: l.Thing, Count: l.Count, Price: "its price: " + l.Source}
		if l.Known {
			monthly := l.Monthly()
			line.Monthly, line.Price = &monthly, fmt.Sprintf("%g per %s", l.Price, l.Unit)
		}
		out.Lines = append(out.Lines, line)
	}
	for _, v := range e.Volumes {
		out.Volumes = append(out.Volumes, fmt.Sprintf("%d × %s: %s", v.Count, v.Thing, v.By))
	}
	return out
}

const (
	bucketToken     = "aws:s3/bucketV2:BucketV2"
	encryptionToken = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
)

// Keeps tells what outlives an environment on purpose: an archive whose objects are locked, what guards it, and the key
// without which nobody reads it.
func Keeps(in *simcloud.Cloud, o simcloud.Object) string {
	const reason = "AWS deletes no locked object: the archive, what guards it and its key stay until its time is over"
	for _, bucket := range in.Objects(bucketToken) {
		if !bucket.State.Bool("objectLockEnabled") {
			continue
		}
		if o.ID == bucket.ID || o.State.String("bucket") == bucket.ID {
			return reason
		}
		for _, encryption := range in.Objects(encryptionToken) {
			if encryption.State.String("bucket") == bucket.ID && o.State.Has("arn") &&
				encryption.State.String("rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId") == o.State.String("arn") {
				return reason
			}
		}
	}
	return ""
}
