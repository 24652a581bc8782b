package flatcar

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// plainPath needs no quoting anywhere.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_.@+-]+)+$`)

var ownerPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// file wants one plain file.
func (p *problems) file(at string, file hostconfig.File) {
	if !cleanPath(file.Path) || !plainPath.MatchString(file.Path) {
		p.add(at+".path", fmt.Sprintf("%q is not a clean absolute path", file.Path), "write letters, digits, and one of _.@+- between slashes")
	}
	if file.Mode == 0 || file.Mode > 0o777 || file.Mode&0o002 != 0 {
		p.add(at+".mode", fmt.Sprintf("%#o is not a mode", file.Mode), "write permission bits, without set-user-id and without write for everybody")
	}
	if file.Owner != "" && !ownerPattern.MatchString(file.Owner) {
		p.add(at+".owner", fmt.Sprintf("%q is not a user name", file.Owner), "write a name such as root")
	}
	if !utf8.ValidString(file.Contents) || strings.ContainsRune(file.Contents, 0) {
		p.add(at+".contents", "is not text", "write UTF-8; fetch other files with a unit")
	}
}

// kubernetesPath tells whether a path lies in Kubernetes' directories.
func kubernetesPath(file string) bool {
	return below(file, "/etc/kubernetes") || below(file, "/var/lib/kubelet")
}

var extensionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// shippedExtensions are those of Flatcar's image and of this package; another image
// must not take their names.
var shippedExtensions = []string{"kubernetes", "docker-flatcar", "containerd-flatcar", "containerd-flat", "oem-"}

// fetched wants plain files and images that are verified.
func (p *problems) fetched(s Spec) {
	hash := func(at, value string) {
		if !hashPattern.MatchString(value) {
			p.add(at+".hash", "is missing or not a hash (M26)", "write sha512- and 128, or sha256- and 64 hexadecimal digits of the file")
		}
	}
	names := map[string]bool{}
	for i, extension := range s.Extensions {
		at := fmt.Sprintf("extensions[%d]", i)
		if !extensionPattern.MatchString(extension.Name) {
			p.add(at+".name", fmt.Sprintf("%q is not the name of an image", extension.Name), "write lower-case letters, digits, and one of _.-")
		}
		for _, shipped := range shippedExtensions {
			if strings.HasPrefix(extension.Name, shipped) {
				p.add(at+".name", extension.Name+" is an image of the system", "choose another name")
			}
		}
		if names[extension.Name] {
			p.add(at+".name", extension.Name+" is listed twice", "list each image once")
		}
		names[extension.Name] = true
		if !imageSource(extension.Source, extension.Name+".raw") {
			p.add(at+".source", fmt.Sprintf("%q is not a URL of %s.raw", extension.Source, extension.Name), "write an https, s3 or gs URL that ends in that name")
		}
		hash(at, extension.Hash)
	}
	for i, file := range s.Fetched {
		at := fmt.Sprintf("fetched[%d]", i)
		p.file(at, hostconfig.File{Path: file.Path, Mode: file.Mode})
		if !imageSource(file.Source, path.Base(file.Source)) {
			p.add(at+".source", fmt.Sprintf("%q is not the URL of a file", file.Source), "write an https, s3 or gs URL without a query")
		}
		hash(at, file.Hash)
		if below(file.Path, staticPods) {
			p.add(at+".path", file.Path+" would be a static pod, which no policy judges (M22)", "create it through the API")
		}
	}
}

// files wants every path once, and no path that a control depends on.
func (p *problems) files(s Spec, own []hostconfig.File) {
	seen := map[string]string{"/opt/extensions/kubernetes/" + s.imageName(): "the system extension"}
	for _, file := range own {
		seen[file.Path] = "a file of this package"
	}
	for _, file := range s.Parts.Fetched {
		seen[file.Path] = "a file of this package"
	}
	directories := map[string]bool{}
	for each := range seen {
		addParents(directories, each)
	}
	check := func(at string, file hostconfig.File) {
		if other := seen[file.Path]; other != "" {
			p.add(at+".path", file.Path+" is also "+other, "choose another path, or change the field that decides that file")
		}
		inFile := false
		for parent := path.Dir(file.Path); len(parent) > 1; parent = path.Dir(parent) {
			inFile = inFile || seen[parent] != ""
		}
		if inFile || directories[file.Path] {
			p.add(at+".path", file.Path+" and another file's directory cannot be one", "choose another path")
		}
		seen[file.Path] = at
		addParents(directories, file.Path)
	}
	for i, extension := range s.Extensions {
		check(fmt.Sprintf("extensions[%d]", i), hostconfig.File{Path: extension.path()})
	}
	for i, file := range s.Fetched {
		at := fmt.Sprintf("fetched[%d]", i)
		check(at, hostconfig.File{Path: file.Path})
		// What Kubernetes trusts comes this way, as in kubeadm.files.
		if !kubernetesPath(file.Path) {
			for _, lock := range protectingPaths(file.Path) {
				p.weakens(s, at+".path", file.Path+" is protected", partOf("file", lock))
			}
		}
	}
	for i, file := range s.Kubeadm.Files {
		check(fmt.Sprintf("kubeadm.files[%d]", i), file)
	}
	for i, file := range s.Node.Files {
		at := fmt.Sprintf("node.files[%d]", i)
		check(at, file)
		for _, lock := range protectingPaths(file.Path) {
			p.weakens(s, at+".path", file.Path+" is protected", partOf("file", lock))
		}
	}
}

// addParents adds every directory above a path.
func addParents(directories map[string]bool, file string) {
	for parent := path.Dir(file); len(parent) > 1 && !directories[parent]; parent = path.Dir(parent) {
		directories[parent] = true
	}
}

// services wants units that take nothing from those of the machine.
func (p *problems) services(s Spec) {
	for i, service := range s.Node.Units {
		at := fmt.Sprintf("node.units[%d]", i)
		if _, protected := protectedUnit(service.Name); protected {
			p.add(at+".name", service.Name+" is a unit of the machine", "choose another name")
		}
		for _, stopped := range service.Conflicts {
			if lock, protected := protectedUnit(stopped); protected {
				p.weakens(s, at+".conflicts", "stops "+stopped+", a unit of the machine", partOf("unit", lock))
			}
		}
	}
}
