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

// files wants every path once, and no path that a control depends on.
func (p *problems) files(s Spec, own []hostconfig.File) {
	seen := map[string]string{"/opt/extensions/kubernetes/" + s.imageName(): "the system extension"}
	for _, file := range own {
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
