package aws

import (
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// roleARN is a role of the simulated account, wherever it stands in a text.
var roleARN = regexp.MustCompile(`arn:aws:iam::` + Account + `:role/([\w+=,.@/-]*[\w+=,@])`)

// Existing makes the roles of people and automation that a text names, such as the settings of an environment: an
// account has them before the environment comes, and nothing in the environment makes them. It gives their names.
func Existing(cloud *simcloud.Cloud, text string) ([]string, error) {
	var names []string
	for _, found := range roleARN.FindAllStringSubmatch(text, -1) {
		path := found[1]
		name := path[strings.LastIndexByte(path, '/')+1:]
		if slices.Contains(names, name) {
			continue
		}
		state := simcloud.Values{"name": name, "arn": found[0], "path": "/" + strings.TrimSuffix(path, name), "uniqueId": "AROA" + strings.ToUpper(name),
			"assumeRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + Account + `:root"},"Action":"sts:AssumeRole"}]}`}
		if err := cloud.Put(simcloud.Object{Type: role, ID: name, State: state, Inputs: state}); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
