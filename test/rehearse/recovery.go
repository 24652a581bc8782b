package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// checkpoint is where the file backend keeps a stack's state.
func (d *Driver) checkpoint(project string) string {
	return filepath.Join(d.backend(), ".pulumi", "stacks", project, d.options.Environment+".json")
}

// exists tells whether the stack has been made.
func (d *Driver) exists(project string) bool {
	_, err := os.Stat(d.checkpoint(project))
	return err == nil
}

// mend removes what the file backend leaves behind when it is killed while it writes: it replaces a state at once, by
// another file, but writes the state's attributes in place. Without them it takes defaults; half of them, and it reads
// no state at all.
func (d *Driver) mend(project string) error {
	unfinished, err := filepath.Glob(d.checkpoint(project) + ".*.tmp")
	if err != nil {
		return err
	}
	for _, file := range unfinished {
		_ = os.Remove(file) // it is in nobody's way
	}
	for _, of := range []string{d.checkpoint(project), d.checkpoint(project) + ".bak", filepath.Join(d.backend(), ".pulumi", "meta.yaml")} {
		file := of + ".attrs"
		data, err := os.ReadFile(file)
		if err != nil || json.Valid(data) {
			continue // not there, as a rule
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the state of environment %s was interrupted while it was written: remove %s: %w", d.options.Environment, file, err)
		}
	}
	return nil
}

// operationsKey begins the list of steps that were under way when an engine was killed.
var operationsKey = []byte(`"pending_operations"`)

// clearPending forgets steps that a killed run left unfinished. The engine would otherwise warn about them for ever.
// Forgetting is right because creating is idempotent in every provider driven here: what exists is found and adopted;
// an update or a delete is still in the state and is repeated.
func (d *Driver) clearPending(ctx context.Context, stack auto.Stack, project string) error {
	data, err := os.ReadFile(d.checkpoint(project))
	if err != nil || !bytes.Contains(data, operationsKey) {
		return nil
	}
	exported, err := stack.Export(ctx)
	if err != nil {
		return fmt.Errorf("reading the state of the interrupted run: %w", err)
	}
	var deployment map[string]json.RawMessage
	if err := json.Unmarshal(exported.Deployment, &deployment); err != nil {
		return fmt.Errorf("the state of environment %s: %w", d.options.Environment, err)
	}
	var pending []struct {
		Type     string `json:"type"`
		Resource struct {
			URN string `json:"urn"`
		} `json:"resource"`
	}
	if raw, ok := deployment["pending_operations"]; !ok || json.Unmarshal(raw, &pending) != nil || len(pending) == 0 {
		return nil
	}
	var what []string
	for _, p := range pending {
		what = append(what, fmt.Sprintf("  %s %s", p.Type, resourceName(p.Resource.URN)))
	}
	delete(deployment, "pending_operations")
	if exported.Deployment, err = json.Marshal(deployment); err != nil {
		return err
	}
	if err := stack.Import(ctx, exported); err != nil {
		return fmt.Errorf("continuing the interrupted run: %w", err)
	}
	d.say("The last run was interrupted during:\n%s\nThe run continues: what exists is found and adopted.", strings.Join(what, "\n"))
	return nil
}

// resourceName is "<type> <name>" of a URN, for people.
func resourceName(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return urn
	}
	types := strings.Split(parts[2], "$")
	return types[len(types)-1] + " " + strings.Join(parts[3:], "::")
}
