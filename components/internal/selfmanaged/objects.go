package selfmanaged

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Object is one object of a cluster's store that Pulumi writes.
type Object struct {
	// Key is its name in the store, such as control-plane/control-plane-1.ign.
	Key string
	// Content is a text. An output that is a secret stays one.
	Content pulumi.StringOutput
	// Source is a file instead of Content.
	Source pulumi.AssetOrArchive
}

// Program is a program of the hosts as an object: its name has its hash, so that
// another one is another object, and what runs keeps what it was started with.
type Program struct {
	// Key is bin/redoubt-node-<hash>, SHA256 the hash in hexadecimal digits.
	Key, SHA256 string
	// File is where it lies.
	File string
}

// ReadProgram reads the program that hosts run. It is built by `make node-program`.
func ReadProgram(file string) (Program, error) {
	f, err := os.Open(file)
	if err != nil {
		return Program{}, fmt.Errorf("the program of the hosts cannot be read: %w; build it with make node-program", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return Program{}, fmt.Errorf("the program of the hosts cannot be read: %w", err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	return Program{Key: "bin/redoubt-node-" + sum[:16], SHA256: sum, File: file}, nil
}

// Object is the program as an object of the store.
func (p Program) Object() Object { return Object{Key: p.Key, Source: pulumi.NewFileAsset(p.File)} }
