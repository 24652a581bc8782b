package fakecloud_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

const (
	region  = "eu-central-1"
	account = "123456789012"
	all     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	ofRoot  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}`
)

// awsCloud has an all-powerful role, one that may read one folder, and nobody's.
type awsCloud struct {
	*fakecloud.Cloud
	client *http.Client
	clock  time.Time
}

func newAWS(t *testing.T) *awsCloud {
	t.Helper()
	c := &awsCloud{clock: time.Now()}
	var err error
	c.Cloud, err = fakecloud.New(fakecloud.Options{Provider: fakecloud.AWS, Region: region, Account: account, Now: func() time.Time { return c.clock }})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, c.AddRole(fakecloud.Role{Name: "admin", Policies: []string{all}}))
	require.NoError(t, c.AddRole(fakecloud.Role{Name: "reader", Policies: []string{`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::store/pool/*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::store/pool/secret"},
		{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:cluster":"prod"}}}]}`}}))
	require.NoError(t, c.AddKey(fakecloud.Key{ID: "k1", Policy: ofRoot}))
	require.NoError(t, c.AddBucket(fakecloud.Bucket{Name: "store", Versioned: true}))
	require.NoError(t, c.AddBucket(fakecloud.Bucket{Name: "locked", Versioned: true, LockedFor: 24 * time.Hour}))
	for i, role := range []string{"admin", "reader"} {
		require.NoError(t, c.AddInstance(fakecloud.Instance{ID: fmt.Sprintf("i-%d", i), Role: role, Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)}, UserData: []byte("hello")}))
	}
	c.client = c.Client(listen(t, c.ServeAPI))
	return c
}

func listen(t *testing.T, serve func(net.Listener)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serve(listener)
	return listener.Addr().String()
}

func (c *awsCloud) metadata(t *testing.T, id string) string {
	return "http://" + listen(t, func(l net.Listener) { c.ServeMetadataOf(id, l) })
}

// config is AWS's own library on an instance.
func (c *awsCloud) config(t *testing.T, id string) aws.Config {
	server := imds.New(imds.Options{Endpoint: c.metadata(t, id), EnableFallback: aws.FalseTernary})
	return aws.Config{Region: region, HTTPClient: c.client, RetryMaxAttempts: 1, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		Credentials: aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = server }))}
}

func code(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return fmt.Sprint(err)
}

// TestAWSLibrarySpeaksToIt: AWS's own clients understand every answer.
func TestAWSLibrarySpeaksToIt(t *testing.T) {
	c, ctx := newAWS(t), context.Background()
	admin, reader := c.config(t, "i-0"), c.config(t, "i-1")
	for name, style := range map[string]func(*s3.Options){
		"by host": func(*s3.Options) {}, "by path": func(o *s3.Options) { o.UsePathStyle = true },
		"dual stack": func(o *s3.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled },
	} {
		store := s3.NewFromConfig(admin, style)
		_, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("store"), Key: aws.String("pool/a +ä"), Body: strings.NewReader("hello")})
		require.NoError(t, err, name)
		got, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("store"), Key: aws.String("pool/a +ä"), Range: aws.String("bytes=1-3")})
		require.NoError(t, err, name)
		data, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		assert.Equal(t, "ell", string(data), name)
	}
	store := s3.NewFromConfig(admin)
	for i := range 7 {
		_, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("store"), Key: aws.String(fmt.Sprintf("many/%d", i)), Body: strings.NewReader("x")})
		require.NoError(t, err)
	}
	pages, count := s3.NewListObjectsV2Paginator(store, &s3.ListObjectsV2Input{Bucket: aws.String("store"), Prefix: aws.String("many/")}), 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		count += len(page.Contents)
	}
	assert.Equal(t, 7, count)

	keys := kms.NewFromConfig(admin)
	bound := map[string]string{"cluster": "prod"}
	sealed, err := keys.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(c.KeyName("k1")), Plaintext: []byte("seed"), EncryptionContext: bound})
	require.NoError(t, err)
	opened, err := kms.NewFromConfig(reader).Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: bound})
	require.NoError(t, err)
	assert.Equal(t, "seed", string(opened.Plaintext))
	_, err = kms.NewFromConfig(reader).Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(c.KeyName("k1")), Plaintext: []byte("x"), EncryptionContext: bound})
	assert.Equal(t, "AccessDeniedException", code(err))
	_, err = kms.NewFromConfig(reader).Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	assert.Equal(t, "AccessDeniedException", code(err), "the role's condition")
	_, err = keys.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"cluster": "test"}})
	assert.Equal(t, "InvalidCiphertextException", code(err))
	c.DisableKey("k1", true)
	_, err = keys.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: bound})
	assert.Equal(t, "DisabledException", code(err))

	document, err := imds.New(imds.Options{Endpoint: c.metadata(t, "i-1")}).GetInstanceIdentityDocument(ctx, nil)
	require.NoError(t, err)
	assert.Equal(t, "i-1", document.InstanceID)
	found, err := s3.NewFromConfig(aws.Config{Region: region, HTTPClient: c.client, Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1}).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("store")})
	assert.Error(t, err, "a stranger learns the region from the refusal, and nothing else: %v", found)
}

// TestStoreRefuses: roles, denials, conditions, locked versions.
func TestStoreRefuses(t *testing.T) {
	c, ctx := newAWS(t), context.Background()
	admin, reader := s3.NewFromConfig(c.config(t, "i-0")), s3.NewFromConfig(c.config(t, "i-1"))
	for _, key := range []string{"pool/a", "pool/secret", "other/a"} {
		c.Put("store", key, []byte("x"))
	}
	get := func(s *s3.Client, key string) string {
		_, err := s.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("store"), Key: aws.String(key)})
		if err == nil {
			return ""
		}
		return code(err)
	}
	assert.Equal(t, []string{"", "AccessDenied", "AccessDenied", "AccessDenied", "NoSuchKey"},
		[]string{get(reader, "pool/a"), get(reader, "pool/secret"), get(reader, "other/a"), get(reader, "pool/absent"), get(admin, "absent")})
	_, err := reader.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("store"), Key: aws.String("pool/a"), Body: strings.NewReader("y")})
	assert.Equal(t, "AccessDenied", code(err))

	_, err = admin.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("s"), Body: strings.NewReader("x")})
	assert.Equal(t, "InvalidRequest", code(err), "a locked bucket wants a checksum")
	_, err = admin.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("s"), Body: strings.NewReader("y"),
		ChecksumSHA256: aws.String("LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=")})
	assert.Equal(t, "BadDigest", code(err))
	made, err := admin.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("s"), Body: strings.NewReader("x"),
		ChecksumSHA256: aws.String("LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=")})
	require.NoError(t, err)
	remove := func() string {
		_, err := admin.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("locked"), Key: aws.String("s"), VersionId: made.VersionId})
		if err == nil {
			return ""
		}
		return code(err)
	}
	assert.Equal(t, "AccessDenied", remove(), "the retention binds even who may do everything")
	_, err = admin.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("locked"), Key: aws.String("s")})
	require.NoError(t, err, "a delete marker hides the version")
	assert.Equal(t, 2, c.Versions("locked", "s"))
	c.clock = c.clock.Add(10 * time.Minute) // the library's own clock is the real one
	assert.Equal(t, "AccessDenied", remove())
}

// TestSignatures sends requests that AWS would not let pass.
func TestSignatures(t *testing.T) {
	c := newAWS(t)
	c.Put("store", "pool/a", []byte("x"))
	genuine, err := c.config(t, "i-1").Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	get := func(region string, provider aws.CredentialsProvider, change func(*http.Request)) string {
		client := *c.client
		client.Transport = changing{client.Transport, change}
		_, err := s3.NewFromConfig(aws.Config{Region: region, HTTPClient: &client, Credentials: provider, RetryMaxAttempts: 1}, func(o *s3.Options) {
			o.BaseEndpoint = aws.String("https://s3." + "eu-central-1" + ".amazonaws.com")
		}).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("store"), Key: aws.String("pool/a")})
		if err == nil {
			return ""
		}
		return code(err)
	}
	static := func(id, secret, token string) aws.CredentialsProvider {
		return credentials.NewStaticCredentialsProvider(id, secret, token)
	}
	same := static(genuine.AccessKeyID, genuine.SecretAccessKey, genuine.SessionToken)
	nothing := func(*http.Request) {}
	assert.Empty(t, get(region, same, nothing))
	assert.Equal(t, "SignatureDoesNotMatch", get(region, static(genuine.AccessKeyID, "guessed", genuine.SessionToken), nothing))
	assert.Equal(t, "InvalidAccessKeyId", get(region, static("ASIANOBODY", genuine.SecretAccessKey, genuine.SessionToken), nothing))
	assert.Equal(t, "InvalidToken", get(region, static(genuine.AccessKeyID, genuine.SecretAccessKey, "guessed"), nothing))
	assert.Equal(t, "InvalidToken", get(region, static(genuine.AccessKeyID, genuine.SecretAccessKey, ""), nothing))
	assert.Equal(t, "AuthorizationHeaderMalformed", get("us-east-1", same, nothing))
	assert.Equal(t, "SignatureDoesNotMatch", get(region, same, func(r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, "pool/a", "pool/b", 1)
		r.URL.RawPath = ""
	}))
	assert.Equal(t, "SignatureDoesNotMatch", get(region, same, func(r *http.Request) { r.URL.RawQuery += "&versionId=1" }))
	assert.Equal(t, "SignatureDoesNotMatch", get(region, same, func(r *http.Request) { r.Method = http.MethodDelete }))
	c.clock = c.clock.Add(20 * time.Minute)
	assert.Equal(t, "RequestTimeTooSkewed", get(region, same, nothing))
	c.clock = c.clock.Add(-20 * time.Minute)
	assert.Empty(t, get(region, same, nothing))
}

// changing edits requests after they were signed.
type changing struct {
	http.RoundTripper
	change func(*http.Request)
}

func (c changing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	c.change(r)
	return c.RoundTripper.RoundTrip(r)
}

// TestIMDS asks as a forged request would.
func TestIMDS(t *testing.T) {
	c := newAWS(t)
	one, other := c.metadata(t, "i-0"), c.metadata(t, "i-1")
	ask := func(method, address string, header ...string) (int, string) {
		request, err := http.NewRequest(method, address, nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(bytes.TrimSpace(data))
	}
	const ttl, token = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
	status := func(status int, _ string) int { return status }
	assert.Equal(t, 401, status(ask("GET", one+"/latest/user-data")), "version 1")
	assert.Equal(t, 400, status(ask("PUT", one+"/latest/api/token")))
	assert.Equal(t, 400, status(ask("PUT", one+"/latest/api/token", ttl, "86400")))
	assert.Equal(t, 403, status(ask("PUT", one+"/latest/api/token", ttl, "60", "X-Forwarded-For", "1.2.3.4")))
	_, good := ask("PUT", one+"/latest/api/token", ttl, "60")
	_, text := ask("GET", one+"/latest/user-data", token, good)
	assert.Equal(t, "hello", text)
	assert.Equal(t, 401, status(ask("GET", other+"/latest/user-data", token, good)), "a token of another instance")
	assert.Equal(t, 404, status(ask("GET", one+"/latest/meta-data/iam/security-credentials/reader", token, good)), "another's role")
	c.clock = c.clock.Add(61 * time.Second)
	assert.Equal(t, 401, status(ask("GET", one+"/latest/user-data", token, good)), "it has expired")
	everybody := "http://" + listen(t, c.ServeMetadata)
	assert.Equal(t, 403, status(ask("PUT", everybody+"/latest/api/token", ttl, "60")), "127.0.0.1 is no instance's address")
	require.NoError(t, c.AddInstance(fakecloud.Instance{ID: "i-2", Role: "reader", Addresses: []string{"127.0.0.1"}}))
	assert.Equal(t, 200, status(ask("PUT", everybody+"/latest/api/token", ttl, "60")))
}

// TestPoliciesThatCannotBeJudged are errors, and never permissions.
func TestPoliciesThatCannotBeJudged(t *testing.T) {
	c := newAWS(t)
	for name, document := range map[string]string{
		"an operator": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"x"}}}]}`,
		"an element":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","When":"now"}]}`,
		"an effect":   `{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`,
		"a version":   `{"Version":"2008-10-17","Statement":[]}`,
		"a principal": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}`,
		"no resource": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}`,
	} {
		assert.Error(t, c.AddRole(fakecloud.Role{Name: "x", Policies: []string{document}}), name)
	}
	assert.Error(t, c.AddInstance(fakecloud.Instance{ID: "i-9", Role: "nobody", Addresses: []string{"10.0.0.9"}}))
	assert.Error(t, c.AddInstance(fakecloud.Instance{ID: "i-9", Role: "admin", Addresses: []string{"10.0.0.1"}}), "an address of another")
}
