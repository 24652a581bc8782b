package live

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// account is a real one.
type account struct {
	id, region, role string
	// caller tells that the role is that of the credentials.
	caller bool
}

// assumed is who has taken a role: the role's name is in its ARN, its path is not.
var assumed = regexp.MustCompile(`^arn:(aws|aws-us-gov):sts::([0-9]{12}):assumed-role/([^/]+)/`)

// open finds the account that the test was told, and skips or fails where it is not the one of the credentials.
func open(t *testing.T) account {
	t.Helper()
	a := account{id: os.Getenv("REDOUBT_LIVE_AWS"), region: os.Getenv("REDOUBT_LIVE_AWS_REGION"), role: os.Getenv("REDOUBT_LIVE_AWS_ROLE")}
	if a.id == "" {
		t.Skip("makes a cluster in a real account, for money: set REDOUBT_LIVE_AWS to the id of the account to run it")
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Fatalf("%v: install the AWS CLI, version 2", err)
	}
	if a.region == "" {
		a.region = "eu-central-1"
	}
	var caller struct{ Account, Arn string }
	a.ask(t, &caller, "sts", "get-caller-identity")
	if caller.Account != a.id {
		t.Fatalf("the credentials are of account %s, and REDOUBT_LIVE_AWS is %s: nothing was made", caller.Account, a.id)
	}
	if parts := assumed.FindStringSubmatch(caller.Arn); a.role == "" && parts != nil {
		var role struct{ Role struct{ Arn string } }
		a.ask(t, &role, "iam", "get-role", "--role-name", parts[3])
		a.role, a.caller = role.Role.Arn, true
	}
	if a.role == "" {
		t.Fatalf("the credentials are those of %s, which is no role: set REDOUBT_LIVE_AWS_ROLE to the ARN of one that shall administer the cluster", caller.Arn)
	}
	return a
}

// ask reads an answer of the AWS CLI.
func (a account) ask(t *testing.T, into any, arguments ...string) {
	t.Helper()
	if err := a.call(t.Context(), into, arguments...); err != nil {
		t.Fatal(err)
	}
}

// addon is the version of an add-on that AWS offers by default.
func (a account) addon(t *testing.T, name, minor string) string {
	t.Helper()
	var found []string
	a.ask(t, &found, "eks", "describe-addon-versions", "--addon-name", name, "--kubernetes-version", minor,
		"--query", "addons[0].addonVersions[?compatibilities[?defaultVersion]].addonVersion")
	if len(found) == 0 {
		t.Fatalf("AWS has no %s for Kubernetes %s", name, minor)
	}
	return found[0]
}

// release is the newest image of Bottlerocket.
func (a account) release(t *testing.T, minor, architecture string) string {
	t.Helper()
	var found string
	a.ask(t, &found, "ssm", "get-parameter", "--name", "/aws/service/bottlerocket/aws-k8s-"+minor+"/"+architecture+"/latest/image_version", "--query", "Parameter.Value")
	return found
}
