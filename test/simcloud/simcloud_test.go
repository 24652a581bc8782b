package simcloud

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// thingArgs has the shapes that SDK argument structs have.
type thingArgs struct {
	Name  string            `pulumi:"name"`
	Count *int              `pulumi:"count"`
	Ratio *float64          `pulumi:"ratio"`
	On    *bool             `pulumi:"on"`
	Items []string          `pulumi:"items"`
	Tags  map[string]string `pulumi:"tags"`
	Inner *inner            `pulumi:"inner"`
	Rules []inner           `pulumi:"rules"`
	Any   any               `pulumi:"any"`
}

type inner struct {
	Port int    `pulumi:"port"`
	Next *inner `pulumi:"next"`
}

// ThingArgs is what a program fills in.
type ThingArgs struct{ Name pulumi.StringInput }

// ElementType leads to the plain struct, as in every SDK.
func (ThingArgs) ElementType() reflect.Type { return reflect.TypeOf((*thingArgs)(nil)).Elem() }

type thing struct {
	pulumi.CustomResourceState
	Arn  pulumi.StringOutput      `pulumi:"arn"`
	Note pulumi.StringPtrOutput   `pulumi:"note"`
	List pulumi.StringArrayOutput `pulumi:"list"`
}

func TestPropertiesAreCheckedAgainstTheSDKsTypes(t *testing.T) {
	t.Parallel()
	args := Inputs(ThingArgs{}, "items")
	good := Values{"name": "x", "items": []any{"a"}}
	for name, test := range map[string]struct {
		set  Values
		path string
		want string
	}{
		"all":            {Values{"count": 1.0, "ratio": 1.5, "on": true, "tags": map[string]any{"a": "b"}, "inner": map[string]any{"port": 1.0}, "any": []any{1.0}}, "", ""},
		"unknown":        {Values{"name": Unknown{}, "inner": Unknown{}, "items": []any{Unknown{}}}, "", ""},
		"internal":       {Values{"__defaults": []any{"name"}}, "", ""},
		"missing":        {Values{"name": nil}, "name", `"name" is required`},
		"missing list":   {Values{"items": nil}, "items", `"items" is required`},
		"misspelled":     {Values{"tag": "x"}, "tag", `did you mean "tags"?`},
		"text":           {Values{"name": true}, "name", "expected a string, got the boolean true"},
		"number":         {Values{"count": "1"}, "count", `expected a number, got the string "1"`},
		"whole":          {Values{"count": 1.5}, "count", "expected a whole number"},
		"truth":          {Values{"on": "true"}, "on", "expected a boolean"},
		"list":           {Values{"items": "a"}, "items", "expected a list"},
		"item":           {Values{"items": []any{"a", 2.0}}, "items[1]", "expected a string"},
		"map":            {Values{"tags": map[string]any{"a": 1.0}}, "tags[a]", "expected a string"},
		"object":         {Values{"inner": "x"}, "inner", "expected an object"},
		"inside":         {Values{"inner": map[string]any{"prt": 1.0, "port": 2.0}}, "inner.prt", "not expected here"},
		"missing inside": {Values{"rules": []any{map[string]any{}}}, "rules[0].port", "is required"},
	} {
		values := good.Copy()
		for key, value := range test.set {
			if value == nil {
				delete(values, key)
			} else {
				values[key] = value
			}
		}
		findings := args.Check(values)
		switch {
		case test.want == "" && len(findings) > 0:
			t.Errorf("%s: %v", name, findings)
		case test.want != "" && (len(findings) != 1 || findings[0].Path != test.path || !strings.Contains(findings[0].Problem, test.want)):
			t.Errorf("%s: want %q at %s, got %v", name, test.want, test.path, findings)
		}
	}
	out := Outputs(thing{})
	if !out.Fields["arn"].Required || out.Fields["note"].Required || out.Fields["list"].Type.Kind != List {
		t.Errorf("outputs %v", out.Fields)
	}
}

func TestPathsOfChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, pattern string
		want          bool
	}{
		{"name", "name", true}, {"names", "name", false}, {"rules[2].port", "rules[].port", true}, {"rules[2].port", "rules", true},
		{"vpcConfig.subnetIds[0]", "vpcConfig.subnetIds", true}, {"vpcConfig.endpoint", "vpcConfig.subnetIds", false}, {"tags.name", "name", false},
	} {
		if got := covered(test.path, test.pattern); got != test.want {
			t.Errorf("%s under %s: %v", test.path, test.pattern, got)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	v := fromProperties(resource.PropertyMap{
		"secret": resource.MakeSecret(resource.NewStringProperty("s")), "later": resource.MakeComputed(resource.NewStringProperty("")),
		"list": resource.NewArrayProperty([]resource.PropertyValue{resource.NewObjectProperty(resource.PropertyMap{"n": resource.NewNumberProperty(3)})}),
	})
	if v.String("secret") != "s" || v.Int("list[0].n") != 3 || v.Known("later") || !v.Has("later") || v.Get("later.more") != (Unknown{}) || v.Has("list[1]") || v.Has("secret.x") {
		t.Errorf("values %v", v)
	}
	var at []string
	v.each("list[].n", func(path string, value any) { at = append(at, path) })
	if !reflect.DeepEqual(at, []string{"list[0].n"}) {
		t.Errorf("paths %v", at)
	}
	back, err := v.wire()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := fromWire(back); err != nil || !reflect.DeepEqual(again, v) {
		t.Errorf("%v became %v (%v)", v, again, err)
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	free := NewClock(0)
	started := time.Now()
	if err := free.Sleep(context.Background(), time.Hour); err != nil || time.Since(started) > time.Second || free.Now() != Epoch.Add(time.Hour) {
		t.Errorf("%v %s", err, free.Now())
	}
	fast := NewClock(36000)
	if err := fast.Sleep(context.Background(), time.Hour); err != nil || time.Since(started) < 50*time.Millisecond || fast.Now().Sub(Epoch) < time.Hour {
		t.Errorf("%v %s", err, fast.Now())
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if NewClock(1).Sleep(ended, time.Hour) == nil {
		t.Error("a cancelled sleep went on")
	}
}

func TestFaultsHappenAsPlanned(t *testing.T) {
	t.Parallel()
	var f faults
	f.add(Fault{Operation: Create, Type: "a", Name: "web-*", Skip: 1, Times: 2, Err: Errorf("X", "no")})
	var got []bool
	for _, call := range []struct {
		operation   Operation
		token, name string
	}{{Delete, "a", "web-1"}, {Create, "b", "web-1"}, {Create, "a", "db"}, {Create, "a", "web-1"}, {Create, "a", "web-1"}, {Create, "a", "web-2"}, {Create, "a", "web-3"}} {
		got = append(got, f.next(call.operation, call.token, call.name) != nil)
	}
	if !reflect.DeepEqual(got, []bool{false, false, false, false, true, true, false}) {
		t.Errorf("faults %v", got)
	}
}

func TestJournals(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cloud.jsonl")
	s, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		if err := s.put(&Object{Type: "t", ID: id, Inputs: Values{"n": 1}, State: Values{"list": []string{"x"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.remove((&Object{Type: "t", ID: "one"}).Key()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.count("ids"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	// A process that is killed while it writes leaves half a line.
	half, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = half.WriteString(`{"put":{"type":"t","id":"three"`)
	_ = half.Close()
	again, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	if all := again.sorted(); len(all) != 1 || all[0].ID != "two" || all[0].State.Strings("list")[0] != "x" || all[0].Inputs.Int("n") != 1 {
		t.Errorf("objects %v", all)
	}
	if n, _ := again.count("ids"); n != 2 {
		t.Errorf("the next number is %d", n)
	}
	if err := os.WriteFile(path, []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(path); err == nil || !strings.Contains(err.Error(), ":1:") {
		t.Errorf("a damaged journal was read: %v", err)
	}
}

func TestDefinitionsAreWhole(t *testing.T) {
	t.Parallel()
	if _, err := Open(Definition{Types: []*ResourceType{{Token: "a"}, {Token: "a"}}}, Options{}); err == nil {
		t.Error("a type twice")
	}
	if _, err := Open(Definition{Types: []*ResourceType{{Token: "a", References: []Reference{{Path: "x", To: []string{"b"}}}}}}, Options{}); err == nil {
		t.Error("a reference to no type")
	}
}
