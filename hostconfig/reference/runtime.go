package reference

import (
	"encoding/json"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// containerd shows the keys of containerd's configuration, under the names that
// hold for every line of containerd.
func (p *page) containerd() error {
	worker := Example(hostconfig.RoleWorker).Worker()
	files, err := worker.Files()
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, file := range files {
		if file.Path != worker.Paths.ContainerdConfig() {
			continue
		}
		var tree map[string]any
		if err := toml.Unmarshal([]byte(file.Contents), &tree); err != nil {
			return err
		}
		if err := flattenInto(values, "", tree); err != nil {
			return err
		}
	}
	defaults := map[string]string{}
	for _, rule := range hostconfig.ContainerdRules() {
		for _, path := range sortedKeys(values) {
			if path == rule.Name || strings.HasSuffix(path, "."+rule.Name) {
				defaults[rule.Name] = values[path]
				break
			}
		}
	}
	p.section(2, "containerd's configuration", "The example is a worker on Flatcar, with containerd "+string(worker.ContainerdVersion)+
		". Each key is written where the machine's line of containerd has it.")
	p.table([]string{"key", "default", "control", "change"}, ruleRows(hostconfig.ContainerdRules(), defaults))
	return nil
}

// kubeProxy shows the fields of the KubeProxyConfiguration.
func (p *page) kubeProxy() error {
	document, err := hostconfig.KubeProxy{PodCIDR: "10.81.0.0/16"}.Configuration()
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(document), &fields); err != nil {
		return err
	}
	defaults := map[string]string{}
	for name, value := range fields {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		defaults[name] = strings.Trim(string(text), `"`)
	}
	p.section(2, "kube-proxy's configuration", "Fields of `KubeProxyConfiguration`, kubeproxy.config.k8s.io/v1alpha1.")
	p.table([]string{"field", "default", "control", "change"}, ruleRows(hostconfig.KubeProxyRules(), defaults))
	return nil
}

// flattenInto gives the scalars and lists of a tree by their dotted paths.
func flattenInto(values map[string]string, path string, value any) error {
	if table, isTable := value.(map[string]any); isTable {
		for _, key := range sortedKeys(table) {
			if err := flattenInto(values, strings.TrimPrefix(path+"."+key, "."), table[key]); err != nil {
				return err
			}
		}
		return nil
	}
	if text, isText := value.(string); isText {
		values[path] = text
		return nil
	}
	text, err := json.Marshal(value)
	values[path] = string(text)
	return err
}
