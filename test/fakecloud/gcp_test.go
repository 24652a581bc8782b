package fakecloud_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// gcpCloud has a role that may do everything in both buckets and one that may read
// a folder of the first.
func newGCP(t *testing.T) (c *fakecloud.Cloud, do func(method, url, token, body string) (int, string), token func(id string, header ...string) (int, string)) {
	t.Helper()
	c, err := fakecloud.New(fakecloud.Options{Provider: fakecloud.GCP, Region: "europe-west3", Account: "acme-prod"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for i, role := range []string{"admin", "reader"} {
		require.NoError(t, c.AddRole(fakecloud.Role{Name: role}))
		require.NoError(t, c.AddInstance(fakecloud.Instance{ID: role, Name: role, Role: role, Addresses: []string{"10.0.0." + string(rune('1'+i))}, Zone: "europe-west3-a"}))
	}
	admin := fakecloud.Grant{Role: "roles/storage.objectAdmin", Members: []string{"admin"}}
	require.NoError(t, c.AddBucket(fakecloud.Bucket{Name: "store", Grants: []fakecloud.Grant{admin,
		{Role: "roles/storage.objectViewer", Members: []string{"reader"}, Condition: `resource.name.startsWith("projects/_/buckets/store/objects/pool/")`}}}))
	require.NoError(t, c.AddBucket(fakecloud.Bucket{Name: "locked", LockedFor: time.Hour, Grants: []fakecloud.Grant{admin,
		{Role: "roles/storage.objectCreator", Members: []string{"reader"}}}}))
	client := c.Client(listen(t, c.ServeAPI))
	send := func(client *http.Client, request *http.Request) (int, string) {
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(data)
	}
	do = func(method, url, token, body string) (int, string) {
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		require.NoError(t, err)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		return send(client, request)
	}
	token = func(id string, header ...string) (int, string) {
		address := "http://" + listen(t, func(l net.Listener) { c.ServeMetadataOf(id, l) })
		request, err := http.NewRequest(http.MethodGet, address+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		status, text := send(http.DefaultClient, request)
		var answer struct {
			Token string `json:"access_token"`
		}
		_ = json.Unmarshal([]byte(text), &answer)
		return status, answer.Token
	}
	return c, do, token
}

// TestGCPRefuses: forged requests for metadata, strangers, roles, conditions and
// locked retention.
func TestGCPRefuses(t *testing.T) {
	c, do, token := newGCP(t)
	status := func(status int, _ string) int { return status }
	assert.Equal(t, 403, status(token("admin")), "without Metadata-Flavor")
	assert.Equal(t, 403, status(token("admin", "Metadata-Flavor", "Google", "X-Forwarded-For", "1.2.3.4")))
	_, admin := token("admin", "Metadata-Flavor", "Google")
	_, reader := token("reader", "Metadata-Flavor", "Google")
	const objects, upload = "https://storage.googleapis.com/storage/v1/b/", "https://storage.googleapis.com/upload/storage/v1/b/"
	assert.Equal(t, 200, status(do("POST", upload+"store/o?uploadType=media&name=pool/a", admin, "hello")))
	c.Put("store", "other/a", []byte("x"))

	assert.Equal(t, 401, status(do("GET", objects+"store/o/pool%2Fa?alt=media", "", "")), "nobody")
	assert.Equal(t, 401, status(do("GET", objects+"store/o/pool%2Fa?alt=media", "ya29.guessed", "")))
	code, text := do("GET", objects+"store/o/pool%2Fa?alt=media", reader, "")
	assert.Equal(t, 200, code)
	assert.Equal(t, "hello", text)
	code, text = do("GET", "https://storage.googleapis.com/store/pool/a", reader, "") // as Google's own client reads
	assert.Equal(t, 200, code)
	assert.Equal(t, "hello", text)
	assert.Equal(t, 403, status(do("GET", objects+"store/o/other%2Fa?alt=media", reader, "")), "the condition")
	assert.Equal(t, 403, status(do("GET", objects+"store/o/pool%2Fabsent?alt=media", reader, "")), "who may not list does not learn what there is")
	assert.Equal(t, 404, status(do("GET", objects+"store/o/absent?alt=media", admin, "")))
	assert.Equal(t, 403, status(do("POST", upload+"store/o?uploadType=media&name=pool/a", reader, "x")))

	assert.Equal(t, 200, status(do("POST", upload+"locked/o?uploadType=media&name=s", reader, "x")))
	assert.Equal(t, 403, status(do("POST", upload+"locked/o?uploadType=media&name=s", reader, "y")), "replacing deletes")
	code, text = do("POST", upload+"locked/o?uploadType=media&name=s", admin, "y")
	assert.Equal(t, 403, code)
	assert.Contains(t, text, "retentionPolicyNotMet")
	code, text = do("DELETE", objects+"locked/o/s", admin, "")
	assert.Equal(t, 403, code)
	assert.Contains(t, text, "retentionPolicyNotMet")

	assert.Equal(t, 403, status(do("GET", "https://compute.googleapis.com/compute/v1/projects/acme-prod/zones/europe-west3-a/instances", admin, "")))
	assert.Equal(t, 403, status(do("POST", "https://cloudkms.googleapis.com/v1/projects/acme-prod/locations/europe-west3/keyRings/r/cryptoKeys/k:encrypt", admin, "{}")))
	assert.Error(t, c.AddRole(fakecloud.Role{Name: "x", Grants: []fakecloud.Grant{{Role: "roles/owner"}}}), "a role whose rights nobody listed")
	assert.Error(t, c.AddRole(fakecloud.Role{Name: "x", Grants: []fakecloud.Grant{{Permissions: []string{"a"}, Condition: "resource.name.begins("}}}))
	_, err := c.Client("127.0.0.1:1").Get("https://storage.googleapis.com/")
	assert.Error(t, err)
}

// TestExtract: as https://cloud.google.com/iam/docs/conditions-attribute-reference#extract has it.
func TestExtract(t *testing.T) {
	const name = "projects/p/zones/europe-west3-a/instances/prod-general-x1y2"
	for template, want := range map[string]string{
		"/instances/{name}": "prod-general-x1y2", "zones/{zone}/": "europe-west3-a", "{head}/zones/": "projects/p", "/instances/{cluster}-control-plane-": "",
		"/disks/{name}": "", "/instances/{pool}-x1y2": "prod-general", "/instances/{all}-": "prod",
	} {
		if found, wrong := fakecloud.Extract(name, template); found != want || wrong {
			t.Errorf("%s: %q, %t", template, found, wrong)
		}
	}
	for _, template := range []string{"", "instances", "{a}{b}", "instances/{name"} {
		if _, wrong := fakecloud.Extract(name, template); !wrong {
			t.Errorf("%q was taken", template)
		}
	}
}
