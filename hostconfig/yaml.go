package hostconfig

import (
	"sigs.k8s.io/yaml"
)

// renderYAML gives an upstream configuration object as YAML: through its JSON
// tags, as the programs that read it decode it, and with sorted keys.
func renderYAML(object any) (string, error) {
	rendered, err := yaml.Marshal(object)
	if err != nil {
		return "", err
	}
	return string(rendered), nil
}
