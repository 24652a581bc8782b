package rehearse_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

func TestProtectionIsLiftedOfWhatIsSimulated(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), repository(t)
	o := options(t, dir, "local")
	o.Simulated = true
	o.Program = func(ctx *pulumi.Context) error {
		for name, protect := range map[string]bool{"kept": true, "free": false} {
			if err := ctx.RegisterResource("toy:index:Thing", name, pulumi.Map{
				"path": pulumi.String(dir + "/local-" + name), "text": pulumi.ToSecret(pulumi.String(name)),
			}, &thing{}, pulumi.Protect(protect)); err != nil {
				return err
			}
		}
		return nil
	}
	_, err := rehearse.New(o).Up(ctx)
	must(t, err)
	_, err = rehearse.New(o).Destroy(ctx)
	mustSay(t, err, "protect")

	real := o
	real.Simulated = false
	_, err = rehearse.New(real).Unprotect(ctx)
	mustSay(t, err, "is real")

	lifted, err := rehearse.New(o).Unprotect(ctx)
	must(t, err)
	if len(lifted) != 1 || !strings.HasSuffix(lifted[0], "::kept") {
		t.Errorf("lifted %v", lifted)
	}
	again, err := rehearse.New(o).Up(ctx)
	must(t, err)
	if again.Creates() != again.Changed() || again.Creates() != 1 { // the free one is gone; protection is no change of a thing
		t.Errorf("%v", again.Changes)
	}
	lifted, err = rehearse.New(o).Unprotect(ctx)
	must(t, err)
	if !slices.ContainsFunc(lifted, func(urn string) bool { return strings.HasSuffix(urn, "::kept") }) {
		t.Errorf("lifted %v", lifted)
	}
	_, err = rehearse.New(o).Destroy(ctx)
	must(t, err)
	if content(t, dir, "local-kept") != "" {
		t.Error("the thing is still there")
	}
	if lifted, err := rehearse.New(o).Unprotect(ctx); err != nil || lifted != nil {
		t.Errorf("nothing there: %v %v", lifted, err)
	}
}
