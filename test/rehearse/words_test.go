package rehearse

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

func TestProgressLeavesProblemsToTheDriver(t *testing.T) {
	var out bytes.Buffer
	w := &progressWriter{to: &out}
	for _, piece := range []string{
		" +  a:b:C d creating (0s)\n +  a:b:C d creating (0s) error: it burns\n",
		" +  a:b:C d \x1b[31m**creating fai", "led**\x1b[0m error: it burns\n",
		"\x1b[1mDiagnostics:\x1b[0m\n  a:b:C (d):\n    error: it burns\n\n", "Resources:\n    1 errored\n",
		"^C received; cancelling.\n", "Duration: 1s",
	} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	want := " +  a:b:C d creating (0s)\n +  a:b:C d \x1b[31m**creating failed**\x1b[0m\nResources:\n    1 errored\nDuration: 1s\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestMessagesAreCleaned(t *testing.T) {
	for message, want := range map[string]string{
		"rpc error: code = Unknown desc = etcd: no":                                       "etcd: no",
		"an unhandled error occurred: program failed: 1 error occurred:\n\t* env: bad\n":  "env: bad",
		"panic: oh\n\ngoroutine 1 [running]:\nmain.main()":                                "panic: oh",
		"two lines\n  with structure":                                                     "two lines\n  with structure",
		"update of x: rpc error: code = Canceled desc = rpc error: code = Foo desc = end": "update of x: end",
	} {
		if got := clean(message); got != want {
			t.Errorf("%q becomes %q, not %q", message, got, want)
		}
	}
}

func TestEchoesGiveWayToTheCause(t *testing.T) {
	echo := Problem{Message: "update failed"}
	cause := Problem{URN: "urn:pulumi:a::b::c:d:E::f", Message: "it burns"}
	if got := relevant([]Problem{echo, cause, cause}); len(got) != 1 || got[0] != cause {
		t.Errorf("%v", got)
	}
	if got := relevant([]Problem{echo}); len(got) != 1 {
		t.Errorf("an echo alone is all there is: %v", got)
	}
}

func TestOneReasonOfSeveralResourcesIsSaidOnce(t *testing.T) {
	f := &Failure{Operation: Up, Environment: "local", Problems: []Problem{
		{URN: "urn:pulumi:l::p::a:b:C::one", Message: "no API"}, {URN: "urn:pulumi:l::p::a:b:C::two", Message: "no API"},
		{URN: "urn:pulumi:l::p::x$a:b:D::three", Message: "other"}}}
	text := f.Error()
	if strings.Count(text, "no API") != 1 || !strings.Contains(text, "a:b:C one\n  a:b:C two\n    no API\n\n  a:b:D three\n    other") {
		t.Errorf("%s", text)
	}
}

func TestPhasesCountTimeOnce(t *testing.T) {
	start := time.Now()
	at := func(from, to int) Step {
		return Step{Type: "a:b:C", Started: start.Add(time.Duration(from) * time.Second), Duration: time.Duration(to-from) * time.Second}
	}
	steps := []Step{at(0, 2), at(1, 3), at(5, 6), at(2, 4), {Type: "other", Started: start, Duration: time.Hour}}
	got := phases(steps, []Phase{{Name: "one", Types: []string{"a:"}}, {Name: "none", Types: []string{"z:"}}})
	if len(got) != 1 || got[0].Steps != 4 || got[0].Duration != 5*time.Second {
		t.Errorf("%v", got)
	}
}

func TestOverrides(t *testing.T) {
	config := map[string]any{"a:map": map[string]any{"x": 1, "y": 2}, "a:text": "t"}
	for key, value := range map[string]string{"a:map.x": "7", "a:new.deep.er": "true", "a:text": "u", "a:list": "[1, 2]", "a:number": "2"} {
		if err := override(config, key, value); err != nil {
			t.Fatal(err)
		}
	}
	inner := config["a:map"].(map[string]any)
	if inner["x"] != 7 || inner["y"] != 2 || config["a:text"] != "u" || config["a:number"] != "2" || len(config["a:list"].([]any)) != 2 {
		t.Errorf("%v", config)
	}
	if config["a:new"].(map[string]any)["deep"].(map[string]any)["er"] != true {
		t.Errorf("%v", config["a:new"])
	}
	for _, key := range []string{"plain", ":x", "a:", "a:text.deeper"} {
		if err := override(config, key, "v"); err == nil {
			t.Errorf("%q was accepted", key)
		}
	}
}

func TestSummary(t *testing.T) {
	var out bytes.Buffer
	Summary(&out, Result{
		Operation: Up, Environment: "local", Duration: 14 * time.Second, Changes: map[apitype.OpType]int{apitype.OpCreate: 3, apitype.OpSame: 1},
		Outputs: auto.OutputMap{"apiEndpoint": {Value: "https://a:6443"}, "kubeconfigPath": {Value: "/k"},
			"nodes": {Value: []any{map[string]any{"name": "worker-1", "address": "10.80.0.11"}}}},
		Phases: []PhaseDuration{{Name: "network", Duration: time.Second}}, Verified: []string{"nodes Ready"}, Warnings: []string{"old kernel"},
	}, "make verify")
	for _, want := range []string{"local is up: 3 created, 1 unchanged, in 14s", "https://a:6443", "/k", "worker-1 (10.80.0.11)",
		"nodes Ready", "network", "make verify", "warning: old kernel"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
