// Package aws provisions the private network, the keys and the logs of a hardened EKS cluster. It needs the AWS API
// only: nothing here speaks to Kubernetes, so that a cluster with a private endpoint can be made from outside its
// network.
//
// Every constructor judges its arguments before it registers anything, and says all that is wrong with them at once.
package aws

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Type tokens of the platform.
const (
	networkToken = "redoubt:aws:Network"
	keysToken    = "redoubt:aws:Keys"
	logsToken    = "redoubt:aws:Logs"

	firewallToken = "redoubt:aws:Firewall"
)

var (
	regionName  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	accountID   = regexp.MustCompile(`^\d{12}$`)
	clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
)

// problems collects everything that is wrong with arguments.
type problems []error

func (p *problems) add(field, remedy, problem string, a ...any) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: fmt.Sprintf(problem, a...), Remedy: remedy})
}

func (p problems) join() error { return errors.Join(p...) }

func (p *problems) region(region string) {
	if !regionName.MatchString(region) {
		p.add("region", "write a region such as eu-central-1", "%q is not a region", region)
	}
}

func (p *problems) account(account string) {
	if !accountID.MatchString(account) {
		p.add("accountId", "write the twelve digits of the account", "%q is not an account", account)
	}
}
