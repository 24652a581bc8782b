package boot

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// TestStolenCredentials: what the proof of the audit log's bucket sends is understood
// and judged by the cloud, so that a refusal is one of the right and not of the form.
func TestStolenCredentials(t *testing.T) {
	for platform, s := range sites {
		t.Run(string(platform), func(t *testing.T) {
			f := &Fixture{PKI: map[string][]byte{}}
			f.specify(Artifacts{})
			s.specify(&f.Spec)
			var err error
			f.Cloud, err = fakecloud.New(s.options)
			require.NoError(t, err)
			require.NoError(t, s.rights(f))
			require.NoError(t, f.Cloud.AddRole(fakecloud.Role{Name: "stranger"}))
			t.Cleanup(f.Cloud.Close)
			listen := func() net.Listener {
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				return listener
			}
			api := listen()
			f.Cloud.ServeAPI(api)
			authority := filepath.Join(t.TempDir(), "cloud.crt")
			require.NoError(t, os.WriteFile(authority, f.Cloud.CA(), 0o600))
			as := func(number int, role string) machineRequests {
				instance := fakecloud.Instance{Name: role, Role: role, Addresses: []string{planeAddress(number)}}
				s.instance(number, &instance)
				require.NoError(t, f.Cloud.AddInstance(instance))
				metadata := listen()
				f.Cloud.ServeMetadataOf(instance.ID, metadata)
				ask := func(arguments ...string) (string, error) {
					output, err := exec.Command("curl", append([]string{"--silent", "--show-error", "--fail", "--connect-to", "::" + metadata.Addr().String()}, arguments...)...).Output()
					return string(output), err
				}
				if platform == hostconfig.PlatformGCP {
					requests, err := withToken(ask)
					require.NoError(t, err)
					return requests
				}
				requests, err := withSignature(ask, awsRegion)
				require.NoError(t, err)
				return requests
			}
			try := func(request machineRequest, bucket string) string {
				arguments, err := request(t.Context(), bucket, "audit/control-plane-1/one.log.gz")
				require.NoError(t, err)
				output, err := exec.Command("curl", append([]string{"--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert", authority,
					"--connect-to", "::" + api.Addr().String()}, arguments...)...).Output()
				require.NoError(t, err)
				return string(output)
			}
			f.Cloud.Put(fixtureAudit, "audit/control-plane-1/one.log.gz", []byte("one"))
			f.Cloud.Put(fixtureBackups, "audit/control-plane-1/one.log.gz", []byte("one"))
			plane, stranger := as(1, controlRole), as(2, "stranger")
			assert.Equal(t, "200", try(plane.list, fixtureAudit))
			assert.Equal(t, "403", try(plane.read, fixtureAudit))
			assert.Equal(t, "403", try(plane.replace, fixtureAudit))
			assert.Equal(t, "403", try(plane.remove, fixtureAudit))
			assert.Equal(t, "403", try(stranger.list, fixtureAudit))
			// Each form is one that the cloud grants where the right is there.
			assert.Equal(t, "200", try(plane.read, fixtureBackups))
			if platform == hostconfig.PlatformAWS {
				assert.Equal(t, "200", try(plane.replace, fixtureBackups), "a version above it")
			}
			text, _ := f.Cloud.Get(fixtureAudit, "audit/control-plane-1/one.log.gz")
			assert.Equal(t, "one", string(text))
		})
	}
}
