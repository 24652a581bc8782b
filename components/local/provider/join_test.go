package provider

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestPressureKeepsAnUpWaiting asks of conditions what `up` would wait for: a
// node whose disk is short is Ready, and runs no pod.
func TestPressureKeepsAnUpWaiting(t *testing.T) {
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue}
	short := corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Message: "kubelet has disk pressure"}
	enough := corev1.NodeCondition{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}
	if got := pressures([]corev1.NodeCondition{ready, enough}); got != "" {
		t.Errorf("a node that lacks nothing is held up: %s", got)
	}
	want := "DiskPressure (kubelet has disk pressure): free some of this machine's disk"
	if got := pressures([]corev1.NodeCondition{ready, enough, short}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
