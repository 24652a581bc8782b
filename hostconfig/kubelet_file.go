package hostconfig

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// kubeletFile renders the configuration for people to read: the upstream type
// writes some twenty empty durations and options that mean nothing.
func (w Worker) kubeletFile() (File, error) {
	configuration, refused := w.mergeKubelet()
	if err := problems(refused).join(); err != nil {
		return File{}, fmt.Errorf("kubelet configuration: %w", err)
	}
	fields, err := readableFields(configuration)
	if err != nil {
		return File{}, fmt.Errorf("kubelet configuration: %w", err)
	}
	contents, err := renderYAML(fields)
	if err != nil {
		return File{}, fmt.Errorf("kubelet configuration: %w", err)
	}
	return File{Path: w.Paths.KubeletConfig(), Mode: modePrivate, Owner: ownerRoot, Contents: contents}, nil
}

// readableFields gives the configuration without what is empty, but with the
// zero that an auditor looks for. Everything stays in the one case where an
// empty value that a user wrote means something else than an absent one.
func readableFields(configuration *kubeletConfiguration) (map[string]any, error) {
	document, err := json.Marshal(configuration)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(document, &all); err != nil {
		return nil, err
	}
	fields, _ := withoutEmpty(all).(map[string]any)
	pruned, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	var again, original kubeletConfiguration
	if err := json.Unmarshal(pruned, &again); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(document, &original); err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(again, original) {
		fields = all
	}
	if _, written := fields["readOnlyPort"]; !written {
		fields["readOnlyPort"] = 0 // CIS 4.2.4
	}
	return fields, nil
}

// withoutEmpty leaves out durations of zero and objects in which nothing is set.
func withoutEmpty(value any) any {
	object, isObject := value.(map[string]any)
	if !isObject {
		return value
	}
	kept := map[string]any{}
	for name, each := range object {
		each = withoutEmpty(each)
		if inner, isObject := each.(map[string]any); each == "0s" || isObject && len(inner) == 0 {
			continue
		}
		kept[name] = each
	}
	return kept
}
