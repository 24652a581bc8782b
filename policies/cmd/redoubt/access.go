package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/policies/access"
	"github.com/redoubt-dev/redoubt/policies/access/live"
)

// runAccess prints the access review of a cluster.
func runAccess(ctx context.Context, arguments []string, out io.Writer) error {
	var (
		where        cluster
		asJSON, all  bool
		wanted       string
		set          = flag.NewFlagSet("access", flag.ContinueOnError)
		subjectForms = map[string]string{"group": access.KindGroup, "user": access.KindUser, "account": access.KindAccount}
	)
	where.flags(set)
	set.BoolVar(&asJSON, "json", false, "")
	set.BoolVar(&all, "all", false, "")
	set.StringVar(&wanted, "subject", "", "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	client, err := where.client()
	if err != nil {
		return err
	}
	c, err := live.Collect(ctx, client)
	if err != nil {
		return err
	}
	if version, err := client.Discovery().ServerVersion(); err == nil {
		c.Authorizers = authorizers(version.GitVersion)
	}
	report := access.Run(c)
	if wanted != "" {
		kind, name, _ := strings.Cut(wanted, ":")
		subject := access.Subject{Kind: subjectForms[kind], Name: name}
		if subject.Kind == access.KindAccount {
			subject.Namespace, subject.Name, _ = strings.Cut(name, "/")
		}
		if subject.Kind == "" || subject.Name == "" {
			return fmt.Errorf("--subject %q: write group:NAME, user:NAME or account:NAMESPACE/NAME", wanted)
		}
		report.Reviews = slices.DeleteFunc(report.Reviews, func(r access.Review) bool { return r.Subject != subject })
		if len(report.Reviews) == 0 {
			report.Reviews = []access.Review{access.Look(c, subject)}
		}
	} else if !all {
		report = report.ForPeople()
	}
	if !asJSON {
		_, err := io.WriteString(out, report.Text())
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// authorizers are those that a provider of clusters asks beside RBAC, by what it
// calls its versions.
func authorizers(version string) []string {
	switch {
	case strings.Contains(version, "-eks-"):
		return []string{"of access entries (Amazon EKS)"}
	case strings.Contains(version, "-gke."):
		return []string{"of Google Cloud IAM"}
	}
	return nil
}
