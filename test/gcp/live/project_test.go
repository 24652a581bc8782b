package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// project is a real one.
type project struct{ id, number, region, group, member string }

// interfaces are those of Google that an environment is made with.
var interfaces = []string{"artifactregistry", "binaryauthorization", "cloudkms", "cloudresourcemanager", "compute", "container", "containerscanning", "dns", "iam", "iap", "logging", "monitoring", "serviceusage"}

// open finds the project that the test was told, and skips or fails where it is not the one of the configuration.
func open(t *testing.T) project {
	t.Helper()
	p := project{id: os.Getenv("REDOUBT_LIVE_GCP"), region: os.Getenv("REDOUBT_LIVE_GCP_REGION"), group: os.Getenv("REDOUBT_LIVE_GCP_GROUP"), member: os.Getenv("REDOUBT_LIVE_GCP_MEMBER")}
	if p.id == "" {
		t.Skip("makes a cluster in a real project, for money: set REDOUBT_LIVE_GCP to the id of the project to run it")
	}
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Fatalf("%v: install the Google Cloud CLI", err)
	}
	if p.region == "" {
		p.region = "europe-west3"
	}
	if p.group == "" {
		t.Fatal("set REDOUBT_LIVE_GCP_GROUP to gke-security-groups@ and your domain, a group that exists")
	}
	var configured struct {
		Core struct{ Account, Project string }
	}
	p.ask(t, &configured, "config", "list")
	if configured.Core.Project != p.id {
		t.Fatalf("gcloud is configured for project %q, and REDOUBT_LIVE_GCP is %s: nothing was made", configured.Core.Project, p.id)
	}
	if p.member == "" && strings.HasSuffix(configured.Core.Account, ".gserviceaccount.com") {
		p.member = "serviceAccount:" + configured.Core.Account
	}
	if p.member == "" {
		t.Fatalf("the credentials are those of %s: set REDOUBT_LIVE_GCP_MEMBER to a group or a service account that shall administer the cluster", configured.Core.Account)
	}
	var described struct{ ProjectNumber string }
	p.ask(t, &described, "projects", "describe", p.id)
	p.number = described.ProjectNumber
	var enabled []struct{ Config struct{ Name string } }
	p.ask(t, &enabled, "services", "list", "--enabled")
	var missing []string
	for _, each := range interfaces {
		if name := each + ".googleapis.com"; !slices.ContainsFunc(enabled, func(s struct{ Config struct{ Name string } }) bool { return s.Config.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("the project lacks interfaces: gcloud services enable %s", strings.Join(missing, " "))
	}
	return p
}

// ask reads an answer of the Google Cloud CLI.
func (p project) ask(t *testing.T, into any, arguments ...string) {
	t.Helper()
	if err := p.call(t.Context(), into, arguments...); err != nil {
		t.Fatal(err)
	}
}

// call is ask where the test may have ended.
func (p project) call(ctx context.Context, into any, arguments ...string) error {
	command := exec.CommandContext(ctx, "gcloud", append(arguments, "--project", p.id, "--format", "json", "--quiet")...)
	text, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("gcloud %s: %s", strings.Join(arguments, " "), exit.Stderr)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// sweep names what is left of an environment, by the names of its parts.
func (p project) sweep(ctx context.Context, name string) error {
	var problems []error
	for _, kind := range [][]string{{"container", "clusters"}, {"compute", "instances"}, {"compute", "disks"}, {"compute", "networks"}, {"compute", "firewall-rules"}, {"compute", "routers"},
		{"dns", "managed-zones"}, {"logging", "sinks"}, {"iam", "service-accounts"}} {
		var found []struct{ Name string }
		if err := p.call(ctx, &found, append(kind, "list")...); err != nil {
			problems = append(problems, err)
		}
		for _, each := range found {
			// A service account is named by its path, GKE names what it makes gke-<cluster>-.
			last := strings.TrimPrefix(each.Name[strings.LastIndex(each.Name, "/")+1:], "gke-")
			if last == name || strings.HasPrefix(last, name+"-") {
				problems = append(problems, fmt.Errorf("left: %s %s", strings.Join(kind, " "), each.Name))
			}
		}
	}
	return errors.Join(problems...)
}
