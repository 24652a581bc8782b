package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// LoadConfig reads the agent's configuration and refuses unknown fields, anything
// after the document and every setting that could not work, all faults at once.
func LoadConfig(path string) (hostconfig.AgentConfig, error) {
	var config hostconfig.AgentConfig
	data, err := os.ReadFile(path)
	if err != nil {
		return config, fmt.Errorf("reading the agent's configuration: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return config, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return config, fmt.Errorf("%s: something follows the JSON document: keep exactly one", path)
	}
	if err := validate(config); err != nil {
		return config, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

func validate(config hostconfig.AgentConfig) error {
	var faults []error
	fault := func(format string, arguments ...any) { faults = append(faults, fmt.Errorf(format, arguments...)) }
	if server, err := url.Parse(config.APIServer); err != nil || server.Scheme != "https" || server.Host == "" {
		fault("apiServer: %q is not an https URL: write for example https://10.80.0.10:6443", config.APIServer)
	}
	absolute := func(field, path string) {
		if !filepath.IsAbs(path) {
			fault("%s: %q is not an absolute path", field, path)
		}
	}
	absolute("clusterCA", config.ClusterCA)
	absolute("kubeconfig", config.Kubeconfig)
	absolute("readyFile", config.ReadyFile)
	names, files := map[string]bool{}, map[string]bool{}
	for i, leaf := range config.Certificates {
		at := fmt.Sprintf("certificates[%d] (%s)", i, leaf.Name)
		if leaf.Name == "" || names[leaf.Name] {
			fault("%s: the name is empty or used twice", at)
		}
		names[leaf.Name] = true
		absolute(at+".ca", leaf.CA)
		for _, file := range []string{leaf.CertFile, leaf.KeyFile} {
			absolute(at, file)
			if files[file] {
				fault("%s: the file %s is written by two certificates", at, file)
			}
			files[file] = true
		}
		if filepath.Dir(leaf.CertFile) != filepath.Dir(leaf.KeyFile) {
			fault("%s: certFile and keyFile are in different directories: put them side by side, so that they are swapped together", at)
		}
		if leaf.RenewBefore.Duration < time.Minute || leaf.RenewBefore.Duration >= leaf.Validity.Duration {
			fault("%s.renewBefore: %v is not between one minute and the validity of %v: half the validity is usual",
				at, leaf.RenewBefore.Duration, leaf.Validity.Duration)
		}
	}
	if err := config.Validate(); err != nil { // the inventory
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// LeafRequest translates a leaf certificate of the configuration for package pki.
func LeafRequest(leaf hostconfig.LeafCertificate) pki.LeafRequest {
	return pki.LeafRequest{
		CommonName:    leaf.CommonName,
		Organizations: leaf.Organizations,
		DNSNames:      leaf.DNSNames,
		IPAddresses:   leaf.IPAddresses,
		Server:        leaf.Server,
		Client:        leaf.Client,
		Validity:      leaf.Validity.Duration,
	}
}
