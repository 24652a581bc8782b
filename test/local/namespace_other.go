//go:build !linux

package local

import "fmt"

// inNamespace tells that there are no network namespaces here.
func inNamespace(path string, fn func() error) error {
	return fmt.Errorf("network namespace %s: this needs Linux", path)
}
