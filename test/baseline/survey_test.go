package baseline

import (
	"context"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission/judge"
)

// The survey names what would break, by whom somebody would have to change, with the words of the refusal.
func TestSurvey(t *testing.T) {
	a := server(t)
	// Namespaces of the system may run anything, so that something weak runs here; judged without that, it would break.
	strict := settings
	strict.SystemNamespaces = nil
	j, err := judge.New(strict, admission.Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range templates("addon", func() m { return set(podSpec(), "containers.0.image", "nginx:latest") }) {
		if c["kind"] == "Deployment" || c["kind"] == "CronJob" {
			set(c, "metadata.name", "surveyed-"+strings.ToLower(c["kind"].(string)))
			if err := a.create(a.dynamic, c, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the deployment has no pod", func() bool {
		survey, err := j.Cluster(context.Background(), a.dynamic)
		if err != nil {
			t.Fatal(err)
		}
		var deployment, cron bool
		for _, w := range survey.Workloads {
			if w.Name == "surveyed-deployment" && w.Kind == "Deployment" {
				deployment = len(w.Findings) == 3
				for _, f := range w.Findings {
					if f.Mode != admission.Deny || !strings.Contains(f.Message, "spec.containers[app].image is \"nginx:latest\"") {
						deployment = false
					}
				}
			}
			if w.Name == "surveyed-cronjob" {
				cron = strings.Contains(w.Findings[0].Message, "spec.jobTemplate.spec.template.spec.containers[app].image") && w.Findings[0].Mode == admission.Deny
			}
			if strings.HasPrefix(w.Name, "system:") || w.Name == "cluster-admin" {
				t.Errorf("%s is Kubernetes' own", w.Name)
			}
		}
		return deployment && cron && len(survey.Unreadable) == 0
	})
}
