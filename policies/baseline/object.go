package baseline

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/runtime"
)

// newObject registers an object that a pure function made. Its kind and version
// must be set; its name is its own, so that a new name is a new object that is
// made before the old one goes.
func newObject(ctx *pulumi.Context, name string, object runtime.Object, opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	return newObjectWith(ctx, name, object, func(pulumi.Map) {}, opts...)
}

// newBinding registers the binding of a policy, by the policy's own id: while that
// is still to be made, a preview does not ask the API server about the binding,
// which would refuse one whose policy it does not know.
func newBinding(ctx *pulumi.Context, name string, binding runtime.Object, policy pulumi.CustomResource, opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	return newObjectWith(ctx, name, binding, func(properties pulumi.Map) {
		if spec, ok := properties["spec"].(pulumi.Map); ok {
			spec["policyName"] = policy.ID().ToStringOutput()
		}
	}, opts...)
}

// newObjectWith lets what is registered be changed before.
func newObjectWith(ctx *pulumi.Context, name string, object runtime.Object, change func(pulumi.Map), opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	delete(fields, "status") // the API server's to write
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[forceAnnotation] = "true"
		metadata["annotations"] = annotations
	}
	apiVersion, _ := fields["apiVersion"].(string)
	kind, _ := fields["kind"].(string)
	if apiVersion == "" || kind == "" {
		return nil, fmt.Errorf("%s: an object without apiVersion or kind", name)
	}
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	properties := pulumi.Map{}
	for field, value := range fields {
		properties[field] = input(value)
	}
	change(properties)
	r := &pulumi.CustomResourceState{}
	return r, ctx.RegisterResource("kubernetes:"+apiVersion+":"+kind, name, properties, r, opts...)
}

// input is a value of JSON as Pulumi takes it.
func input(value any) pulumi.Input {
	switch value := value.(type) {
	case map[string]any:
		out := pulumi.Map{}
		for name, each := range value {
			out[name] = input(each)
		}
		return out
	case []any:
		out := pulumi.Array{}
		for _, each := range value {
			out = append(out, input(each))
		}
		return out
	case string:
		return pulumi.String(value)
	case bool:
		return pulumi.Bool(value)
	case float64:
		return pulumi.Float64(value)
	}
	return nil
}
