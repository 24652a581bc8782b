package fakecloud

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
)

// Grant is an IAM binding of GCP: of a role on the project when it belongs to a
// [Role], and on one bucket or key when it belongs to that.
type Grant struct {
	// Role is a predefined role that this package knows; empty for a custom role,
	// whose Permissions are given.
	Role        string
	Permissions []string
	// Members are names of roles, for bindings of buckets and keys.
	Members []string
	// Condition is CEL over resource.name, resource.type and resource.service;
	// empty for none.
	Condition string
}

type grant struct {
	Grant
	permissions []string
	condition   cel.Program
}

// predefined are roles with those of their permissions that are played:
// https://cloud.google.com/iam/docs/roles-permissions
var predefined = map[string][]string{
	"roles/storage.objectViewer":                     {"storage.objects.get", "storage.objects.list"},
	"roles/storage.objectCreator":                    {"storage.objects.create"},
	"roles/storage.objectUser":                       {"storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"},
	"roles/storage.objectAdmin":                      {"storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"},
	"roles/cloudkms.cryptoKeyEncrypter":              {"cloudkms.cryptoKeyVersions.useToEncrypt"},
	"roles/cloudkms.cryptoKeyDecrypter":              {"cloudkms.cryptoKeyVersions.useToDecrypt"},
	"roles/cloudkms.cryptoKeyEncrypterDecrypter":     {"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt"},
	"roles/compute.viewer":                           {"compute.instances.list", "compute.instances.get"},
	"roles/logging.logWriter":                        {"logging.logEntries.create"},
	"roles/monitoring.metricWriter":                  {"monitoring.timeSeries.create"},
	"roles/stackdriver.resourceMetadata.writer":      {},
	"roles/artifactregistry.reader":                  {"artifactregistry.repositories.downloadArtifacts"},
	"roles/cloudkms.publicKeyViewer":                 {"cloudkms.cryptoKeyVersions.viewPublicKey"},
	"roles/compute.instanceGroupManagerServiceAgent": {},
}

func compileGrant(g Grant) (grant, error) {
	made := grant{Grant: g, permissions: g.Permissions}
	if g.Role != "" {
		permissions, known := predefined[g.Role]
		if !known {
			return made, fmt.Errorf("fakecloud does not know %s: it knows %q", g.Role, slices.Sorted(maps.Keys(predefined)))
		}
		made.permissions = append(slices.Clone(permissions), g.Permissions...)
	}
	if g.Condition == "" {
		return made, nil
	}
	env, err := cel.NewEnv(cel.Variable("resource", cel.MapType(cel.StringType, cel.StringType)), ConditionFunctions())
	if err != nil {
		return made, err
	}
	tree, issues := env.Compile(g.Condition)
	if issues.Err() != nil {
		return made, fmt.Errorf("condition %q: %w", g.Condition, issues.Err())
	}
	made.condition, err = env.Program(tree)
	return made, err
}

// target is a resource of GCP as conditions see it.
type target struct{ service, kind, name string }

func (t target) values() map[string]any {
	return map[string]any{"resource": map[string]string{"service": t.service, "type": t.kind, "name": t.name}}
}

// email is the name of a service account.
func (c *Cloud) email(role string) string {
	return role + "@" + c.account + ".iam.gserviceaccount.com"
}

// permitted tells whether somebody has a permission on a target, by the project's
// bindings or by those of the resource.
func (c *Cloud) permitted(s *session, permission string, on target, own []grant) bool {
	if s == nil {
		return false
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	holds := func(g grant) bool {
		if !slices.Contains(g.permissions, permission) {
			return false
		}
		if g.condition == nil {
			return true
		}
		result, _, err := g.condition.Eval(on.values())
		return err == nil && result.Value() == true
	}
	if r := c.roles[s.role]; r != nil && slices.ContainsFunc(r.grants, holds) {
		return true
	}
	return slices.ContainsFunc(own, func(g grant) bool {
		return (slices.Contains(g.Members, s.role) || slices.Contains(g.Members, c.email(s.role))) && holds(g)
	})
}

// bearer finds who holds the access token of a request; nil for nobody.
func (c *Cloud) bearer(r *http.Request) (*session, *apiError) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	token, found := strings.CutPrefix(header, "Bearer ")
	c.lock.Lock()
	defer c.lock.Unlock()
	s := c.sessions[token]
	if !found || s == nil || !c.now().Before(s.expires) {
		return nil, refusal(http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
	}
	return s, nil
}
