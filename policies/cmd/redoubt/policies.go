package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission/judge"
)

// runPolicies prints what the policies would refuse. Nothing is written to the
// cluster: it is judged here, by the API server's own library.
func runPolicies(ctx context.Context, arguments []string, out io.Writer) error {
	var (
		where            cluster
		file, registries string
		asJSON           bool
		settings         admission.Settings
		set              = flag.NewFlagSet("policies", flag.ContinueOnError)
	)
	where.flags(set)
	set.StringVar(&file, "settings", "", "")
	set.StringVar(&registries, "registry", "", "")
	set.BoolVar(&asJSON, "json", false, "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := yaml.UnmarshalStrict(text, &settings); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if registries != "" {
		settings.Registries = strings.Split(registries, ",")
	}
	// What would break is what is refused in the end, whatever holds today.
	settings.Mode = ""
	if err := settings.Validate(nil, time.Now()); err != nil {
		return err
	}
	config, err := where.config()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	j, err := judge.New(settings, admission.Catalogue())
	if err != nil {
		return err
	}
	survey, err := j.Cluster(ctx, client)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(survey)
	}
	_, err = io.WriteString(out, survey.Text())
	if len(survey.Unreadable) > 0 {
		return errors.Join(err, errors.New("not everything could be read: nothing is known of the rest"))
	}
	return err
}
