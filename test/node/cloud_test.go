package node

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// Names of the played cloud.
const (
	store, snapshots = "prod-store", "prod-snapshots"
	auditLog         = "prod-audit"
	secretsKey       = "11111111-2222-3333-4444-555555555555"
	otherKey         = "99999999-2222-3333-4444-555555555555"
	storeKey         = "aaaaaaaa-2222-3333-4444-555555555555"
	roleControlPlane = "prod-control-plane"
	roleGeneral      = "prod-general"
	roleIsolated     = "prod-isolated"
	cluster          = "prod"
)

// site is a cloud with the machines of a cluster, and what they need to reach it.
type site struct {
	*fakecloud.Cloud
	provider fakecloud.Provider
	address  string // of the cloud's interfaces
	client   *http.Client
	config   nodeconfig.Config // of the first control plane
	pki      string
}

const awsAccount, gcpProject = "123456789012", "acme-prod"

// statement writes one statement of a policy.
func statement(effect string, actions, resources []string, condition map[string]any) map[string]any {
	s := map[string]any{"Effect": effect, "Action": actions, "Resource": resources}
	if condition != nil {
		s["Condition"] = condition
	}
	return s
}

func policy(t *testing.T, statements ...map[string]any) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	require.NoError(t, err)
	return string(data)
}

func arn(bucket, key string) string { return "arn:aws:s3:::" + bucket + key }

// awsPolicies are the rights of the three roles: what docs/flatcar.md lists.
func awsPolicies(t *testing.T, region string) map[string]string {
	key := func(id string) string { return "arn:aws:kms:" + region + ":" + awsAccount + ":key/" + id }
	useStore := statement("Allow", []string{"kms:Decrypt", "kms:GenerateDataKey"}, []string{key(storeKey)}, nil)
	worker := func(pool string) string {
		return policy(t, statement("Allow", []string{"s3:GetObject"}, []string{arn(store, "/workers/"+pool+"/*"), arn(store, "/bin/*")}, nil),
			statement("Allow", []string{"kms:Decrypt"}, []string{key(storeKey)}, nil))
	}
	return map[string]string{
		roleControlPlane: policy(t,
			statement("Allow", []string{"s3:GetObject"}, []string{arn(store, "/*")}, nil),
			statement("Allow", []string{"s3:ListBucket"}, []string{arn(store, ""), arn(snapshots, ""), arn(auditLog, "")}, nil),
			statement("Allow", []string{"s3:PutObject"}, []string{arn(auditLog, "/audit/*")}, nil),
			statement("Allow", []string{"s3:PutObject"}, []string{arn(store, "/workers/*/join.conf"), arn(store, "/control-plane/initialized")}, nil),
			statement("Allow", []string{"s3:GetObject", "s3:PutObject"}, []string{arn(snapshots, "/etcd/*")}, nil),
			useStore,
			statement("Allow", []string{"kms:Encrypt", "kms:Decrypt"}, []string{key(secretsKey)},
				map[string]any{"StringEquals": map[string]string{"kms:EncryptionContext:redoubt.dev/cluster": cluster}}),
			statement("Allow", []string{"ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances"}, []string{"*"}, nil),
			statement("Allow", []string{"autoscaling:CompleteLifecycleAction"}, []string{"arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/prod-*"}, nil),
			statement("Allow", []string{"autoscaling:SetInstanceHealth"}, []string{"arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/prod-general", "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/prod-isolated"}, nil)),
		roleGeneral: worker("general"), roleIsolated: worker("isolated"),
	}
}

// keyPolicy leaves a key to the account's roles.
func keyPolicy(t *testing.T) string {
	s := statement("Allow", []string{"kms:*"}, []string{"*"}, nil)
	s["Principal"] = map[string]string{"AWS": "arn:aws:iam::" + awsAccount + ":root"}
	return policy(t, s)
}

func newAWS(t *testing.T) *site {
	t.Helper()
	const region = "eu-central-1"
	made, err := fakecloud.New(fakecloud.Options{Provider: fakecloud.AWS, Region: region, Account: awsAccount})
	require.NoError(t, err)
	s := &site{Cloud: made, provider: fakecloud.AWS}
	for role, document := range awsPolicies(t, region) {
		require.NoError(t, made.AddRole(fakecloud.Role{Name: role, Policies: []string{document}}))
	}
	for _, id := range []string{secretsKey, storeKey, otherKey} {
		require.NoError(t, made.AddKey(fakecloud.Key{ID: id, Policy: keyPolicy(t)}))
	}
	profile := func(role string) string { return "arn:aws:iam::" + awsAccount + ":instance-profile/" + role }
	s.config = nodeconfig.Config{
		Cloud:            nodeconfig.Cloud{Platform: hostconfig.PlatformAWS, Region: region, Account: awsAccount},
		ControlPlaneRole: profile(roleControlPlane), KMS: &nodeconfig.KMS{Keys: []string{made.KeyName(secretsKey)}},
		Pools: []nodeconfig.Pool{{Name: "general", Role: profile(roleGeneral), Group: "prod-general"}, {Name: "isolated", Role: profile(roleIsolated), Group: "prod-isolated"}},
	}
	s.finish(t)
	return s
}

func newGCP(t *testing.T) *site {
	t.Helper()
	const region = "europe-west3"
	made, err := fakecloud.New(fakecloud.Options{Provider: fakecloud.GCP, Region: region, Account: gcpProject})
	require.NoError(t, err)
	s := &site{Cloud: made, provider: fakecloud.GCP}
	below := func(prefixes ...string) string {
		var terms []string
		for _, prefix := range prefixes {
			terms = append(terms, `resource.name.startsWith("projects/_/buckets/`+store+`/objects/`+prefix+`")`)
		}
		return strings.Join(terms, " || ")
	}
	require.NoError(t, made.AddRole(fakecloud.Role{Name: roleControlPlane, Grants: []fakecloud.Grant{{Permissions: []string{"compute.instances.get", "compute.instances.list"}},
		{Permissions: []string{"compute.instances.delete"}, Condition: `resource.name.extract("/instances/{name}").startsWith("prod-general-") || resource.name.extract("/instances/{name}").startsWith("prod-isolated-")`}}}))
	require.NoError(t, made.AddRole(fakecloud.Role{Name: roleGeneral}))
	require.NoError(t, made.AddRole(fakecloud.Role{Name: roleIsolated}))
	require.NoError(t, made.AddKey(fakecloud.Key{ID: "prod/secrets", Grants: []fakecloud.Grant{{Role: "roles/cloudkms.cryptoKeyEncrypterDecrypter", Members: []string{roleControlPlane}}}}))
	require.NoError(t, made.AddKey(fakecloud.Key{ID: "prod/other"}))
	email := func(role string) string { return role + "@" + gcpProject + ".iam.gserviceaccount.com" }
	s.config = nodeconfig.Config{
		Cloud:            nodeconfig.Cloud{Platform: hostconfig.PlatformGCP, Region: region, Project: gcpProject, Zones: []string{region + "-a", region + "-b"}},
		ControlPlaneRole: email(roleControlPlane), KMS: &nodeconfig.KMS{Keys: []string{made.KeyName("prod/secrets")}},
		Pools: []nodeconfig.Pool{{Name: "general", Role: email(roleGeneral), Group: "prod-general"}, {Name: "isolated", Role: email(roleIsolated), Group: "prod-isolated"}},
	}
	worker := func(role, pool string) fakecloud.Grant {
		return fakecloud.Grant{Permissions: []string{"storage.objects.get"}, Members: []string{role}, Condition: below("workers/"+pool+"/", "bin/")}
	}
	require.NoError(t, made.AddBucket(fakecloud.Bucket{Name: store, Versioned: true, Grants: []fakecloud.Grant{
		{Role: "roles/storage.objectViewer", Members: []string{roleControlPlane}, Condition: below("")},
		// The bucket itself: what is not there is told, and not refused.
		{Role: "roles/storage.objectViewer", Members: []string{roleControlPlane}, Condition: `resource.name == "projects/_/buckets/` + store + `"`},
		{Permissions: []string{"storage.objects.create", "storage.objects.delete"}, Members: []string{roleControlPlane}, Condition: below("workers/", "control-plane/initialized")},
		worker(roleGeneral, "general"), worker(roleIsolated, "isolated"),
	}}))
	require.NoError(t, made.AddBucket(fakecloud.Bucket{Name: snapshots, LockedFor: 24 * time.Hour, Grants: []fakecloud.Grant{
		{Role: "roles/storage.objectViewer", Members: []string{roleControlPlane}}, {Role: "roles/storage.objectCreator", Members: []string{roleControlPlane}}}}))
	require.NoError(t, made.AddBucket(fakecloud.Bucket{Name: auditLog, LockedFor: 24 * time.Hour, Grants: []fakecloud.Grant{
		{Role: "roles/storage.objectViewer", Members: []string{roleControlPlane}, Condition: `resource.name == "projects/_/buckets/` + auditLog + `"`},
		{Role: "roles/storage.objectCreator", Members: []string{roleControlPlane}, Condition: `resource.name.startsWith("projects/_/buckets/` + auditLog + `/objects/audit/")`}}}))
	s.finish(t)
	return s
}

// finish adds what both clouds have in common.
func (s *site) finish(t *testing.T) {
	t.Helper()
	if s.provider == fakecloud.AWS {
		require.NoError(t, s.AddBucket(fakecloud.Bucket{Name: store, Versioned: true, Key: storeKey}))
		require.NoError(t, s.AddBucket(fakecloud.Bucket{Name: snapshots, Versioned: true, LockedFor: 24 * time.Hour, Key: storeKey}))
		once := statement("Deny", []string{"s3:PutObject"}, []string{arn(auditLog, "/*")}, map[string]any{"Null": map[string]string{"s3:if-none-match": "true"}})
		once["Principal"] = "*"
		require.NoError(t, s.AddBucket(fakecloud.Bucket{Name: auditLog, Versioned: true, LockedFor: 24 * time.Hour, Key: storeKey, Policy: policy(t, once)}))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	s.ServeAPI(listener)
	t.Cleanup(s.Close)
	s.client = s.Client(s.address)

	s.pki = t.TempDir()
	for _, authority := range []string{"ca", "etcd/ca", "front-proxy-ca"} {
		certificate, key, err := pki.NewAuthority("test "+authority, 24*time.Hour)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(s.pki, authority)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(s.pki, authority+".crt"), certificate, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(s.pki, authority+".key"), key, 0o600))
	}
	certificate, err := os.ReadFile(filepath.Join(s.pki, "ca.crt"))
	require.NoError(t, err)
	s.config.Cluster, s.config.Store, s.config.CACertificate, s.config.PKI = cluster, store, string(certificate), s.pki
	s.config.Endpoint, s.config.Node = "https://api.prod.internal:6443", "control-plane-1"
	s.config.ControlPlanes = []nodeconfig.ControlPlane{{Name: "control-plane-1", Address: "127.77.0.1"}}
	s.config.Snapshots = &nodeconfig.Snapshots{Bucket: snapshots}
	s.config.AuditLog = &nodeconfig.AuditLog{Bucket: auditLog, File: filepath.Join(t.TempDir(), "kubernetes", "audit.log")}
	// A socket's path has 107 bytes at most, which a test's directory may exceed.
	short, err := os.MkdirTemp("", "kms")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	s.config.KMS.Socket = filepath.Join(short, "s")
}

// instance adds a machine that belongs to the cluster.
func (s *site) instance(t *testing.T, i fakecloud.Instance) {
	t.Helper()
	if i.Tags == nil {
		i.Tags = map[string]string{nodeconfig.TagCluster: cluster, nodeconfig.LabelCluster: cluster}
	}
	if i.Zone == "" {
		i.Zone = s.config.Cloud.Region + "a"
		if s.provider == fakecloud.GCP {
			i.Zone = s.config.Cloud.Region + "-a"
		}
	}
	require.NoError(t, s.AddInstance(i))
}

// metadata serves the metadata of one instance and gives its URL.
func (s *site) metadata(t *testing.T, instance string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.ServeMetadataOf(instance, listener)
	return "http://" + listener.Addr().String()
}

// on gives the agent of an instance with a configuration.
func (s *site) on(t *testing.T, instance string, config nodeconfig.Config, log io.Writer) *agent.Agent {
	t.Helper()
	return s.at(t, instance, config, log, nil)
}

func (s *site) at(t *testing.T, instance string, config nodeconfig.Config, log io.Writer, now func() time.Time) *agent.Agent {
	t.Helper()
	if log == nil {
		log = io.Discard
	}
	a, err := agent.New(writeConfig(t, config), agent.Options{Cloud: cloud.Options{Metadata: s.metadata(t, instance), Client: s.client}, Retry: 100 * time.Millisecond, Now: now},
		slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	return a
}

// writeConfig gives the file of a configuration.
func writeConfig(t *testing.T, config nodeconfig.Config) string {
	t.Helper()
	data, err := json.Marshal(config)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "node.json")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	return file
}

// worker is the configuration of a worker of a pool.
func (s *site) worker(pool string) nodeconfig.Config {
	return nodeconfig.Config{Cluster: cluster, Cloud: s.config.Cloud, Store: store, Endpoint: s.config.Endpoint, CACertificate: s.config.CACertificate, Pool: pool}
}

// open gives the cloud as an instance sees it.
func (s *site) open(t *testing.T, instance string) cloud.Cloud {
	t.Helper()
	opened, err := cloud.Open(s.config, cloud.Options{Metadata: s.metadata(t, instance), Client: s.client})
	require.NoError(t, err)
	return opened
}

// Ids of machines, by platform: EC2's have letters, Compute Engine's are numbers.
func (s *site) id(number string) string {
	if s.provider == fakecloud.GCP {
		return "70000000000000000" + number
	}
	return "i-0000000000000000" + number
}
