package aws

import (
	"fmt"
	"regexp"
	"strings"
)

// Account is where an environment lives.
type Account struct {
	// ID is the account's number, 12 digits.
	ID string `pulumi:"id"`
	// Region is for example eu-central-1.
	Region string `pulumi:"region"`
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-gov)?-[a-z]+-[0-9]$`)
	// clusterPattern is a name that EKS takes and that also fits in the names of
	// buckets, aliases and roles.
	clusterPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)
)

// partition is the part of AWS that the region belongs to.
func (a Account) partition() string {
	if strings.HasPrefix(a.Region, "us-gov-") {
		return "aws-us-gov"
	}
	return "aws"
}

// arn names a resource of the account in its region.
func (a Account) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", a.partition(), service, a.Region, a.ID, resource)
}

// iamARN names what IAM holds: it has no region.
func (a Account) iamARN(resource string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s", a.partition(), a.ID, resource)
}

// s3ARN names a bucket, or objects in it: neither region nor account.
func (a Account) s3ARN(resource string) string {
	return fmt.Sprintf("arn:%s:s3:::%s", a.partition(), resource)
}

func (p *problems) account(field string, a Account) {
	if !accountPattern.MatchString(a.ID) {
		p.add(field+".id", fmt.Sprintf("%q is not the number of an account", a.ID), "write its 12 digits, in quotes")
	}
	switch {
	case !regionPattern.MatchString(a.Region):
		p.add(field+".region", fmt.Sprintf("%q is not a region", a.Region), "write one such as eu-central-1")
	case strings.HasPrefix(a.Region, "cn-"):
		p.add(field+".region", a.Region+" is in a partition whose services have other names", "choose a region outside China")
	}
}

func (p *problems) cluster(field, name string) {
	if !clusterPattern.MatchString(name) {
		p.add(field, fmt.Sprintf("%q is not a name for a cluster", name),
			"write at most 32 lower-case letters, digits and dashes, beginning with a letter")
	}
}
