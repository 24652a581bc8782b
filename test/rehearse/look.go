package rehearse

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// Outputs reads the stack's outputs without changing anything.
func (d *Driver) Outputs(ctx context.Context) (out auto.OutputMap, err error) {
	err = d.look(ctx, func(s *session) error {
		s.observer = nil // there are no events to know them from
		out, err = s.outputs(ctx)
		return err
	})
	return out, err
}

// Export reads the stack's state without changing anything: the deployment as the engine writes it, with its resources,
// what each depends on, and its secrets readable.
func (d *Driver) Export(ctx context.Context) (deployment json.RawMessage, err error) {
	err = d.look(ctx, func(s *session) error {
		exported, err := s.stack.Export(ctx)
		deployment = exported.Deployment
		return err
	})
	return deployment, err
}

// look opens an environment that exists for reading.
func (d *Driver) look(ctx context.Context, do func(*session) error) error {
	if d.problem != nil {
		return d.problem
	}
	if project, err := d.projectName(); err != nil {
		return err
	} else if !d.exists(project) {
		return fmt.Errorf("environment %s does not exist: make it with `make up ENV=%s`", d.options.Environment, d.options.Environment)
	}
	s, err := d.open(ctx, Refresh)
	if err != nil {
		return err
	}
	defer s.close()
	s.observer.finish()
	return do(s)
}
