package incident

import "testing"

func TestParseTarget(t *testing.T) {
	for _, text := range []string{"pod/team-a/web", "namespace/team-a", "node/worker-1.example.org"} {
		if target, err := ParseTarget(text); err != nil || target.String() != text {
			t.Errorf("%s: %v %v", text, target, err)
		}
	}
	for _, text := range []string{"", "pod", "pod/web", "namespace/a/b", "deployment/a/b", "node/", "pod//web", "pod/../web", "namespace/$(id)", "node/a b"} {
		if target, err := ParseTarget(text); err == nil {
			t.Errorf("%q is taken as %v", text, target)
		}
	}
}
