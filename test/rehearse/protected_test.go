package rehearse_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// What is protected is removed only after a run that lifts it, and until then nothing else is.
func TestProtectedEnvironmentsStay(t *testing.T) {
	t.Parallel()
	ctx, dir, protect := context.Background(), repository(t), true
	o := options(t, dir, "local")
	o.Program = func(ctx *pulumi.Context) error {
		for _, name := range []string{"kept", "free"} {
			if err := ctx.RegisterResource("toy:index:Thing", name, pulumi.Map{
				"path": pulumi.String(dir + "/local-" + name), "text": pulumi.String(name),
			}, &thing{}, pulumi.Protect(protect && name == "kept")); err != nil {
				return err
			}
		}
		return nil
	}
	if protected, err := rehearse.New(o).Protected(); err != nil || protected != nil {
		t.Errorf("nothing there: %v %v", protected, err)
	}
	_, err := rehearse.New(o).Up(ctx)
	must(t, err)
	protected, err := rehearse.New(o).Protected()
	must(t, err)
	if len(protected) != 1 || !strings.HasSuffix(protected[0], "::kept") {
		t.Errorf("protected %v", protected)
	}
	_, err = rehearse.New(o).Destroy(ctx)
	mustSay(t, err, "holds what its settings protect, and nothing of it was removed")
	mustSay(t, err, "unprotected: true")
	if content(t, dir, "local-free") == "" || content(t, dir, "local-kept") == "" {
		t.Error("a refused destroy removed something")
	}
	protect = false
	_, err = rehearse.New(o).Up(ctx)
	must(t, err)
	_, err = rehearse.New(o).Destroy(ctx)
	must(t, err)
	if content(t, dir, "local-kept") != "" {
		t.Error("the thing is still there")
	}
}
