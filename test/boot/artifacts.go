package boot

import (
	"context"
	"path/filepath"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Artifacts are files that are made once for many rehearsals.
type Artifacts struct {
	// Bin is the directory of programs, Images that of [MakeImages].
	Bin, Images string
	// Extension is the system extension image, Node the host program, each with
	// its hash.
	Extension, ExtensionHash string
	Node, NodeHash           string
}

// MakeArtifacts makes what is not there yet, in bin/.boot; it is made anew when a
// program of bin changes.
func MakeArtifacts(ctx context.Context, bin string) (Artifacts, error) {
	bin, err := filepath.EvalSymlinks(bin)
	if err != nil {
		return Artifacts{}, err
	}
	if bin, err = filepath.Abs(bin); err != nil { // sockets below it are named in URLs
		return Artifacts{}, err
	}
	cache := filepath.Join(bin, ".boot")
	a := Artifacts{Bin: bin, Images: filepath.Join(cache, "images"), Extension: filepath.Join(cache, "kubernetes.raw"), Node: filepath.Join(bin, "redoubt-node")}
	if err := made(cache, bin, func() error { return a.make(ctx, cache) }); err != nil {
		return a, err
	}
	if a.ExtensionHash, err = hashOf(a.Extension); err != nil {
		return a, err
	}
	a.NodeHash, err = hashOf(a.Node)
	return a, err
}

func (a Artifacts) make(ctx context.Context, cache string) error {
	if _, err := Extension(ctx, a.Bin, "kubernetes-"+hostconfig.DefaultKubernetesVersion+"-x86-64", filepath.Join(cache, "kubernetes.raw")); err != nil {
		return err
	}
	all, err := ReleaseImages(ctx, a.Bin, filepath.Join(a.Bin, ".built/programs/pause"))
	if err != nil {
		return err
	}
	all = append(all, Image{Name: helloImage, Programs: map[string]string{"/hello": filepath.Join(a.Bin, ".built/programs/hello")}, Entrypoint: []string{"/hello"}})
	return MakeImages(ctx, a.Bin, a.Images, all)
}
