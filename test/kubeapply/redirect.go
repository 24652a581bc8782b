package kubeapply

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// redirected gives the connection that stands where the given one would lead. Of the given one only the address is read:
// its plugin is not run and its credentials go nowhere.
func (s *session) redirected(given clientcmd.ClientConfig) (clientcmd.ClientConfig, error) {
	config, err := given.ClientConfig()
	if err != nil {
		return nil, unreachable{reason: err}
	}
	file, ok := s.redirect[config.Host]
	if !ok {
		return nil, fmt.Errorf("the kubernetes provider leads to %s, which is none of the clusters of this rehearsal (%s): nothing was sent there",
			config.Host, strings.Join(slices.Sorted(maps.Keys(s.redirect)), ", "))
	}
	if file == "" {
		return nil, unreachable{host: config.Host, reason: errors.New("nothing stands in for it")}
	}
	return settings{kubeconfig: file}.clientConfig()
}
