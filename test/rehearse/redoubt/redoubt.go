// Package redoubt says how this repository's environments are driven: their program, the providers that serve it, the
// phases a person waits for, and what must hold when it says "up". The driver itself knows none of it.
package redoubt

import (
	"fmt"
	"os"
	"path/filepath"

	p "github.com/pulumi/pulumi-go-provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/components/local/provider"
	"github.com/redoubt-dev/redoubt/stacks"
	"github.com/redoubt-dev/redoubt/test/kubeapply"
	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// Phases are the parts of an up, by the types of their resources.
func Phases() []rehearse.Phase {
	token := func(name string) string { return provider.Name + ":" + provider.Module + ":" + name }
	return []rehearse.Phase{
		{Name: "network", Types: []string{token("Network"), token("Firewall")}},
		{Name: "keys", Types: []string{token("CertificateAuthority"), token("ServiceAccountKey"), token("EncryptionKey")}},
		{Name: "control plane", Types: []string{token("ControlPlane")}},
		{Name: "workers", Types: []string{token("Worker")}},
		{Name: "baseline", Types: []string{kubeapply.Package + ":"}},
	}
}

// Providers serve the program: ours, and a stand-in for the kubernetes plugin where that is not installed.
func Providers() []rehearse.Provider {
	return []rehearse.Provider{
		{Name: provider.Name, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			ours, err := provider.New()
			if err != nil {
				return nil, err
			}
			return p.RawServer(provider.Name, provider.Version, ours)(nil)
		}},
		{Name: kubeapply.Package, StandIn: true, Serve: func(operation rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return kubeapply.New(kubeapply.Options{DeleteUnreachable: operation == rehearse.Destroy}), nil
		}},
	}
}

// Options drive an environment of the repository at root.
func Options(root, environment string) rehearse.Options {
	return rehearse.Options{
		Environment: environment, Repository: root, Program: stacks.Program,
		Providers: Providers(), Phases: Phases(), Verify: Verify, Sweep: Sweep,
	}
}

// Root is the directory of Pulumi.yaml at or above the working directory; REDOUBT_ROOT says otherwise.
func Root() (string, error) {
	if root := os.Getenv("REDOUBT_ROOT"); root != "" {
		return filepath.Abs(root)
	}
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no Pulumi.yaml at or above %s: run this inside the repository, or name it in REDOUBT_ROOT", start)
		}
	}
}

// Export tells the program, which runs in this process, what the ordinary CLI would tell it by its working directory:
// where the repository, the programs and the settings are.
func Export(root, programs string) error {
	if err := os.Setenv("REDOUBT_ROOT", root); err != nil {
		return err
	}
	if err := os.Setenv("REDOUBT_SETTINGS_DIR", rehearse.SettingsDirectory(filepath.Join(root, ".state"))); err != nil {
		return err
	}
	if programs == "" {
		return nil
	}
	return os.Setenv("REDOUBT_BIN_DIR", programs)
}
