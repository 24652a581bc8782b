package hostconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"path"
	"slices"
	"strings"
)

// nowhere stands where containerd would otherwise ask the registry of the image's
// name. RFC 6761 keeps .invalid from ever existing, and a host that can neither
// pull nor resolve is not even looked up: "push" is the one capability that a
// node has no use for, and none at all would mean every one.
const nowhere = "https://refused.invalid"

var (
	pullable = []string{"pull", "resolve"}
	pushOnly = []string{"push"}
)

// refuseRest ends every list of hosts: nobody is asked who is not in it.
func refuseRest(why string) tomlTable {
	return tomlTable{lines: []tomlLine{{"server", nowhere, why}, {"capabilities", pushOnly, ""}}}
}

// registryFiles renders a hosts.toml for each registry, one for all others, and
// the authorities that they name. containerd takes a file that it cannot parse
// for none, and asks the registry of the image's name: the files hold nothing
// that validation has not seen. To 1.6 a file without any host is such a file,
// so that whoever may be asked is a host and never only the server.
func (w Worker) registryFiles() []File {
	var files []File
	authorities := map[string]File{}
	for _, registry := range w.registries() {
		tables := []tomlTable{refuseRest("")}
		hosts := slices.Clone(registry.Mirrors)
		if !registry.MirrorsOnly {
			hosts = append(hosts, Mirror{URL: registry.server(), RegistryTrust: registry.RegistryTrust})
		}
		for _, host := range hosts {
			tables = append(tables, w.registryHost(authorities, host))
		}
		files = append(files, w.hostsFile(registry.Name, tables))
	}
	others := []tomlTable{refuseRest("No pull falls back to the registry of the image's name.")}
	switch {
	case w.Registries.Endpoint != "":
		others = append(others, w.registryHost(authorities, Mirror{URL: w.Registries.Endpoint}))
	case !w.unlistedAllowed():
		others = []tomlTable{refuseRest("A registry that has no directory here is refused."), nobody}
	case w.Registries.TrustedCertificates != "":
		// Without a server it is the one of the image's name.
		own := w.registryHost(authorities, Mirror{})
		others = []tomlTable{{lines: own.lines}, nobody}
	default:
		others = nil
	}
	if others != nil {
		files = append(files, w.hostsFile("_default", others))
	}
	for _, file := range authorities {
		files = append(files, file)
	}
	return files
}

// nobody is a host that is never asked.
var nobody = tomlTable{path: []string{"host", nowhere}, lines: []tomlLine{{"capabilities", pushOnly, ""}}}

func (w Worker) hostsFile(name string, tables []tomlTable) File {
	return File{Path: path.Join(w.Paths.RegistryHosts(), name, "hosts.toml"), Mode: modePrivate, Owner: ownerRoot, Contents: renderTOML(tables)}
}

// registryHost gives the table of one host, and adds the files of those whom the
// node trusts for it.
func (w Worker) registryHost(authorities map[string]File, host Mirror) tomlTable {
	table := tomlTable{path: []string{"host", host.URL}, lines: []tomlLine{{"capabilities", pullable, ""}}}
	if strings.HasPrefix(host.URL, "http://") {
		return table // with certificates containerd would first try TLS here
	}
	var trusted []string
	for _, contents := range []string{host.CertificateAuthority, w.Registries.TrustedCertificates} {
		if contents != "" {
			file := w.authorityPath(contents)
			authorities[file] = File{Path: file, Mode: modePublic, Owner: ownerRoot, Contents: contents}
			trusted = append(trusted, file)
		}
	}
	if len(trusted) > 0 {
		table.lines = append(table.lines, tomlLine{"ca", trusted, ""})
	}
	if host.ClientCertificate != "" {
		table.lines = append(table.lines, tomlLine{"client", [][]string{{host.ClientCertificate, host.ClientKey}}, ""})
	}
	if host.OverridePath {
		table.lines = append(table.lines, tomlLine{"override_path", true, ""})
	}
	return table
}

// server is the registry's own URL: docker.io answers under another name.
func (r Registry) server() string {
	if r.Name == "docker.io" {
		return "https://registry-1.docker.io"
	}
	return "https://" + r.Name
}

// authorityPath names a file after its contents, so that two registries of one
// authority share it.
func (w Worker) authorityPath(contents string) string {
	sum := sha256.Sum256([]byte(contents))
	return path.Join(w.Paths.RegistryAuthorities(), hex.EncodeToString(sum[:8])+".crt")
}

// authorities wants certificates of authorities in PEM, one or more, or nothing.
func (p *problems) authorities(field, value string) {
	if strings.Contains(value, "PRIVATE KEY") {
		p.add(field, "holds a private key", "write the certificates alone")
		return
	}
	for rest := []byte(value); len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			p.add(field, "holds something that is not a certificate", "write certificates in PEM")
			return
		}
		switch certificate, err := x509.ParseCertificate(block.Bytes); {
		case err != nil:
			p.add(field, "holds a certificate that cannot be read: "+err.Error(), "write certificates in PEM")
			return
		case !certificate.IsCA:
			p.add(field, quote(certificate.Subject.String())+" is not the certificate of an authority", "write the authority's certificate, not the registry's")
		}
	}
}
