package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
)

// Unprotect lifts the protection of every resource in the state and gives their URNs. It is for environments that are
// not real: whoever removes a real one lifts it in its settings.
func (d *Driver) Unprotect(ctx context.Context) ([]string, error) {
	if d.problem != nil {
		return nil, d.problem
	}
	if !d.options.Simulated {
		return nil, fmt.Errorf("environment %s is real: its protection is lifted in its settings", d.options.Environment)
	}
	project, err := d.projectName()
	if err != nil || !d.exists(project) {
		return nil, err
	}
	s, err := d.open(ctx, Refresh)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.observer.finish()
	exported, err := s.stack.Export(ctx)
	if err != nil {
		return nil, err
	}
	var deployment map[string]json.RawMessage
	var resources []map[string]json.RawMessage
	if err := json.Unmarshal(exported.Deployment, &deployment); err != nil {
		return nil, fmt.Errorf("the state of environment %s: %w", d.options.Environment, err)
	}
	if raw, ok := deployment["resources"]; !ok {
		return nil, nil
	} else if err := json.Unmarshal(raw, &resources); err != nil {
		return nil, fmt.Errorf("the state of environment %s: %w", d.options.Environment, err)
	}
	var lifted []string
	for _, r := range resources {
		if string(r["protect"]) != "true" {
			continue
		}
		var urn string
		if err := json.Unmarshal(r["urn"], &urn); err != nil {
			return nil, err
		}
		lifted = append(lifted, urn)
		delete(r, "protect")
	}
	if len(lifted) == 0 {
		return nil, nil
	}
	if deployment["resources"], err = json.Marshal(resources); err != nil {
		return nil, err
	}
	if exported.Deployment, err = json.Marshal(deployment); err != nil {
		return nil, err
	}
	return lifted, s.stack.Import(ctx, exported)
}
