package hostconfig

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

var (
	// programPattern is a file name that is no path and no flag.
	programPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	environmentPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// storedCredential are variables by which programs take secrets.
	storedCredential = regexp.MustCompile(`(?i)(secret|password|passwd|token|access_key|api_key|private_key)$`)
	globPart         = regexp.MustCompile(`^[A-Za-z0-9*]([A-Za-z0-9*-]*[A-Za-z0-9*])?$`)
	globPath         = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)*/?$`)
)

// imageGlob says what is wrong with a pattern of images. It refuses what the
// kubelet refuses, and a pattern whose last two parts are not spelled out: its
// credentials would go to whoever registers a name that matches.
func imageGlob(glob string) string {
	if strings.Contains(glob, "://") {
		return "has a scheme, which images have not"
	}
	host, rest, hasPath := strings.Cut(glob, "/")
	if hasPath && !globPath.MatchString("/"+rest) {
		return "has a path that no image has: globs stand in the host's name only"
	}
	host, port, hasPort := strings.Cut(host, ":")
	if hasPort && !isPort(port) {
		return "has no port between 1 and 65535"
	}
	if _, err := url.Parse("https://" + glob); err != nil {
		return "cannot be parsed"
	}
	parts := strings.Split(host, ".")
	for _, part := range parts {
		if _, err := path.Match(part, ""); err != nil || !globPart.MatchString(part) {
			return "is not a host's name with globs"
		}
	}
	if len(parts) < 2 && host != "localhost" {
		return "names no registry"
	}
	if slices.ContainsFunc(parts[max(0, len(parts)-2):], func(part string) bool { return strings.Contains(part, "*") }) {
		return "could match a host of somebody else: credentials would go there"
	}
	return ""
}

func (p *problems) serviceAccountToken(field string, token *ServiceAccountToken) {
	if token == nil {
		return
	}
	if token.Audience == "" || strings.ContainsAny(token.Audience, "\n\x00") {
		p.add(field+".audience", quote(token.Audience)+" is not an audience", "write whom the token is for, for example sts.amazonaws.com")
	}
	if token.Optional && len(token.RequiredAnnotations) > 0 {
		p.add(field+".optional", "contradicts required annotations, which a pod without service account lacks", "leave one of the two out")
	}
	seen := map[string]bool{}
	for _, list := range []struct {
		name string
		keys []string
	}{{".requiredAnnotations", token.RequiredAnnotations}, {".optionalAnnotations", token.OptionalAnnotations}} {
		name := list.name
		for _, key := range list.keys {
			switch {
			case len(validation.IsQualifiedName(strings.ToLower(key))) > 0:
				p.add(field+name, quote(key)+" is not the key of an annotation", "write a key such as example.org/registry-role")
			case seen[key]:
				p.add(field+name, quote(key)+" is listed twice", "list it once, as required or optional")
			}
			seen[key] = true
		}
	}
}
