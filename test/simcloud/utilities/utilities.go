// Package utilities stands in, in process, for the providers "tls" and "random": what they make is really made, keys
// and certificates included, and kept by the engine's state alone, as theirs is. Like the simulated clouds it refuses
// types and properties that the SDKs do not have. It asks nobody, and takes no time.
//
//   - https://www.pulumi.com/registry/packages/tls/
//   - https://www.pulumi.com/registry/packages/random/
package utilities

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Versions of the SDKs whose types are used.
const (
	TLSVersion    = "5.0.9"
	RandomVersion = "4.16.7"
)

// Utilities are both providers.
type Utilities struct{ TLS, Random *simcloud.Cloud }

// Open makes the providers.
func Open() (*Utilities, error) {
	nowhere := func(simcloud.Values) (string, error) { return "", nil }
	keys, err := simcloud.Open(simcloud.Definition{Package: "tls", Version: TLSVersion, Types: tlsTypes(), Provider: simcloud.Inputs(tls.ProviderArgs{}), Scope: nowhere, Frame: plainly}, simcloud.Options{})
	if err != nil {
		return nil, err
	}
	bytes, err := simcloud.Open(simcloud.Definition{Package: "random", Version: RandomVersion, Types: randomTypes(), Provider: simcloud.Inputs(random.ProviderArgs{}), Scope: nowhere, Frame: plainly}, simcloud.Options{})
	return &Utilities{TLS: keys, Random: bytes}, err
}

// Providers attach them to an engine, beside a cloud.
func (u *Utilities) Providers() []rehearse.Provider {
	of := func(c *simcloud.Cloud) rehearse.Provider {
		return rehearse.Provider{Name: c.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) { return c.Serve(), nil }}
	}
	return []rehearse.Provider{of(u.TLS), of(u.Random)}
}

// plainly words an error as it is.
func plainly(_ string, _ simcloud.Operation, e *simcloud.Error) string {
	return e.Code + ": " + e.Message
}

// id is that of something that was made: the hash of what it is.
func id(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:20])
}

// randomTypes are bytes that nobody guesses.
func randomTypes() []*simcloud.ResourceType {
	t := &simcloud.ResourceType{Token: "random:index/randomBytes:RandomBytes", Inputs: simcloud.Inputs(random.RandomBytesArgs{}), Outputs: simcloud.Outputs(random.RandomBytes{}),
		Replace: []string{"length", "keepers"}}
	t.Check = func(p *simcloud.Plan) { p.Between("length", 1, 1<<20) }
	t.Create = func(c *simcloud.Change) error {
		made := make([]byte, c.New.Int("length"))
		if _, err := rand.Read(made); err != nil {
			return err
		}
		c.ID = id(string(made))
		c.Out["base64"], c.Out["hex"] = base64.StdEncoding.EncodeToString(made), hex.EncodeToString(made)
		return nil
	}
	return []*simcloud.ResourceType{t}
}
