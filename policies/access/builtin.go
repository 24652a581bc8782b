package access

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// builtinText has a line for each cluster role with a wildcard that Kubernetes makes
// itself: the minor, the name and the digest. A test takes it from real API servers.
//
//go:embed builtin.txt
var builtinText string

// Builtin are the digests of the cluster roles with wildcards that a minor of
// Kubernetes, such as 1.35, makes itself; nil for one that is not known.
func Builtin(minor string) map[string]string {
	var out map[string]string
	for lines := bufio.NewScanner(strings.NewReader(builtinText)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == minor {
			if out == nil {
				out = map[string]string{}
			}
			out[fields[1]] = fields[2]
		}
	}
	return out
}

// Digest is that of a cluster role's rules, as the API server gives them.
func Digest(r rbacv1.ClusterRole) string {
	text, err := json.Marshal(r.Rules)
	if err != nil {
		panic(err) // plain data
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Wildcards are the names and digests of the cluster roles with wildcards.
func Wildcards(c Cluster) map[string]string {
	out := map[string]string{}
	for _, r := range c.ClusterRoles {
		if hasWildcard(r.Rules) {
			out[r.Name] = Digest(r)
		}
	}
	return out
}
