package evidence

import (
	"regexp"
	"strings"
)

// secrets are what credentials look like, wherever they stand.
var secrets = []struct {
	name    string
	pattern *regexp.Regexp
	// keep is what stays of a match, by its groups.
	keep string
}{
	{"private key", regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`), ""},
	// RFC 7519: three parts in base64url, the first two of which are JSON objects.
	{"token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), ""},
	{"bootstrap token", regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`), ""},
	{"access key of AWS", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), ""},
	{"token of Google Cloud", regexp.MustCompile(`\bya29\.[A-Za-z0-9_-]{20,}`), ""},
	{"authorization", regexp.MustCompile(`(?i)\b(authorization["']?\s*[:=]\s*["']?(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}`), "$1"},
	{"user of a URL", regexp.MustCompile(`(://[^/\s:@"']+:)[^/\s@"']+@`), "$1"},
	// "password": "x", PASSWORD=x, password: x
	{"password", regexp.MustCompile(`(?i)((?:passw(?:or)?d|passphrase|secret[_-]?(?:access[_-]?)?key|api[_-]?key|client[_-]?secret|access[_-]?token|private[_-]?key)["']?\s*[:=]\s*["']?)[^\s"',;&}]{3,}`), "$1"},
}

// secretName is the name of a variable whose value is a credential.
var secretName = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|secret|token|credential|api_?key|private_?key|access_?key|dsn|connection_?string)`)

const removed = "[removed]"

// redact replaces what looks like a credential, and tells how often.
func redact(text []byte) ([]byte, int) {
	count := 0
	for _, s := range secrets {
		text = s.pattern.ReplaceAllFunc(text, func(match []byte) []byte {
			if strings.Contains(string(match), removed) {
				return match
			}
			count++
			kept := s.pattern.ReplaceAll(match, []byte(s.keep))
			return append(kept, []byte(strings.Replace(removed, "removed", "removed: "+s.name, 1))...)
		})
	}
	return text, count
}

// redactObject replaces values of variables that are named like credentials, and
// leaves out copies of the object and what nobody reads.
func redactObject(object map[string]any) int {
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		}
	}
	return redactValue(object)
}

func redactValue(value any) int {
	count := 0
	switch value := value.(type) {
	case map[string]any:
		name, named := value["name"].(string)
		if _, there := value["value"].(string); there && named && secretName.MatchString(name) {
			value["value"] = removed
			count++
		}
		for key, each := range value {
			// The data of a ConfigMap has names of its own.
			if _, text := each.(string); text && secretName.MatchString(key) && (key == strings.ToUpper(key) || strings.ContainsAny(key, "_-.")) && !strings.Contains(key, "/") {
				value[key] = removed
				count++
				continue
			}
			count += redactValue(each)
		}
	case []any:
		for _, each := range value {
			count += redactValue(each)
		}
	}
	return count
}
