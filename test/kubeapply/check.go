package kubeapply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	annotationAutonamed = "pulumi.com/autonamed"
	// fieldManagerPrefix begins every field manager this provider applies under, as the official provider's.
	fieldManagerPrefix = "pulumi-kubernetes"
)

// serverOwned are metadata fields only the API server writes; they come along when a program copies a live object.
var serverOwned = []resource.PropertyKey{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
	"resourceVersion", "selfLink", "uid",
}

// Check fills in what identifies the object and refuses what could not be applied.
func (s *Server) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	urn := resource.URN(req.GetUrn())
	olds, err := unmarshal(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	k, err := parseKind(urn, news)
	if err != nil {
		return nil, err
	}
	namespace := s.session(ctx).configured().namespace

	var failures []*pulumirpc.CheckFailure
	fail := func(property, format string, a ...any) {
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: fmt.Sprintf(format, a...)})
	}
	inputs := news.Copy()
	inputs["apiVersion"] = resource.NewStringProperty(k.gvk.GroupVersion().String())
	inputs["kind"] = resource.NewStringProperty(k.gvk.Kind)
	metadata, known, err := metadataOf(inputs)
	if err != nil {
		fail("metadata", "%v", err)
	}
	if known && err == nil {
		for _, key := range serverOwned {
			delete(metadata, key)
		}
		if _, ok := metadata["generateName"]; ok {
			fail("metadata.generateName", "is not supported with server-side apply: leave out metadata.name to get a unique name")
		}
		if failure := nameObject(k, urn, metadata, olds, req); failure != "" {
			fail("metadata.name", "%s", failure)
		}
		if _, set := metadata["namespace"]; !set && namespace != "" {
			// A custom resource whose scope cannot be told here is taken as namespaced; applying corrects it.
			if namespaced, _ := k.namespaced(); namespaced {
				metadata["namespace"] = resource.NewStringProperty(namespace)
			}
		}
		inputs["metadata"] = resource.NewObjectProperty(metadata)
	}
	out, err := marshal(inputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: out, Failures: failures}, nil
}

// metadataOf copies the object's metadata; known is false when all of it is still to be computed.
func metadataOf(inputs resource.PropertyMap) (metadata resource.PropertyMap, known bool, err error) {
	v := plain(inputs["metadata"])
	switch {
	case v.IsNull():
		return resource.PropertyMap{}, true, nil
	case v.IsComputed() || v.IsOutput():
		return nil, false, nil
	case v.IsObject():
		return v.ObjectValue().Copy(), true, nil
	}
	return nil, true, fmt.Errorf("must be an object, not %s", v.TypeString())
}

// nameObject gives an object without a name one: the name it had, what the engine's autonaming proposes, or the
// resource's name and 8 random hexadecimal digits drawn from the engine's seed, so that a retried create repeats it.
func nameObject(k kind, urn resource.URN, metadata, olds resource.PropertyMap, req *pulumirpc.CheckRequest) string {
	if v, ok := metadata["name"]; ok {
		if v = plain(v); v.IsString() && v.StringValue() == "" {
			return "must not be empty"
		}
		return ""
	}
	if k.patch {
		return "is required on a patch: it says which object is patched"
	}
	name := ""
	if before, _, err := metadataOf(olds); err == nil {
		annotations := plain(before["annotations"])
		if annotations.IsObject() && annotations.ObjectValue().HasValue(annotationAutonamed) && plain(before["name"]).IsString() {
			name = plain(before["name"]).StringValue()
		}
	}
	if name == "" {
		switch a := req.GetAutonaming(); {
		case a != nil && a.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
			return "is required: autonaming is disabled in this project"
		case a != nil && a.GetProposedName() != "":
			name = a.GetProposedName()
		default:
			generated, err := resource.NewUniqueName(req.GetRandomSeed(), urn.Name()+"-", 8, 253, nil) // 253: RFC 1123 subdomain
			if err != nil {
				return err.Error()
			}
			name = generated
		}
	}
	metadata["name"] = resource.NewStringProperty(name)
	annotations := resource.PropertyMap{}
	if v := plain(metadata["annotations"]); v.IsObject() {
		annotations = v.ObjectValue().Copy()
	}
	annotations[annotationAutonamed] = resource.NewStringProperty("true")
	metadata["annotations"] = resource.NewObjectProperty(annotations)
	return ""
}

// managerOf is the field manager of a resource: what its annotation or its state says, else a name that follows from
// its URN. The official provider draws it at random, so a create that was interrupted leaves a manager behind which
// keeps owning fields; ours is the same in every attempt.
func managerOf(urn resource.URN, recorded string, object map[string]any) string {
	if annotated := annotationOf(object, "pulumi.com/patchFieldManager"); annotated != "" {
		return annotated
	}
	if recorded != "" {
		return recorded
	}
	sum := sha256.Sum256([]byte(urn))
	return fieldManagerPrefix + "-" + hex.EncodeToString(sum[:4])
}

// annotationOf reads one annotation of a JSON object.
func annotationOf(object map[string]any, key string) string {
	metadata, _ := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, _ := annotations[key].(string)
	return value
}
