package machine

import (
	"strconv"
	"testing"
)

// TestMachineHoldsKernelSettings changes a setting of the real kernel that
// nothing depends on, and looks at it before, during and after.
func TestMachineHoldsKernelSettings(t *testing.T) {
	const name = "kernel.printk_ratelimit_burst"
	spec := isolated(t, sleeper("s"))
	before, err := hostKernel.read(name)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(before)
	if err != nil {
		t.Fatal(err)
	}
	want := strconv.Itoa(number + 1)
	spec.KernelSettings = map[string]string{name: want}
	launched(t, spec)
	if now, _ := hostKernel.read(name); now != want {
		t.Errorf("while the machine runs: %s, not %s", now, want)
	}
	if err := Stop(t.Context(), spec.Dir); err != nil {
		t.Fatal(err)
	}
	if now, _ := hostKernel.read(name); now != before {
		t.Errorf("after Stop: %s, not %s", now, before)
	}
}
