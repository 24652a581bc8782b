package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// awsClient signs requests with the instance's role.
type awsClient struct {
	http        *http.Client
	region      string
	cluster     string
	credentials aws.CredentialsProvider
	signer      *v4.Signer
}

func openAWS(config nodeconfig.Config, client *http.Client, metadata string) Cloud {
	server := imds.New(imds.Options{
		Endpoint: metadata,
		// Version 1 of the metadata service answers anybody's forged request.
		EnableFallback: aws.FalseTernary,
	})
	c := &awsClient{http: client, region: config.Cloud.Region, cluster: config.Cluster,
		credentials: aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = server })),
		// The paths of S3 are signed as they are sent; no other service has a path.
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}
	return Cloud{s3{c}, ec2{c}, awsKMS{c}}
}

// awsRequest is a request before it is signed.
type awsRequest struct {
	method, service string
	url             url.URL
	header          http.Header
	body            io.ReadSeeker // nil for none
}

// do signs and sends.
func (c *awsClient) do(ctx context.Context, r awsRequest) (*http.Response, error) {
	if r.body == nil {
		r.body = bytes.NewReader(nil)
	}
	hash := sha256.New()
	if _, err := r.body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	length, err := io.Copy(hash, r.body)
	if err != nil {
		return nil, err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	return send(ctx, c.http, func() (*http.Request, error) {
		if _, err := r.body.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		request, err := http.NewRequest(r.method, r.url.String(), io.NopCloser(r.body))
		if err != nil {
			return nil, err
		}
		request.ContentLength = length
		if length == 0 {
			request.Body = http.NoBody
		}
		for name, values := range r.header {
			request.Header[name] = values
		}
		request.Header.Set("X-Amz-Content-Sha256", sum)
		credentials, err := c.credentials.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		return request, c.signer.SignHTTP(ctx, credentials, request, sum, r.service, c.region, time.Now())
	})
}

func (c *awsClient) host(service string) url.URL {
	return url.URL{Scheme: "https", Host: service + "." + c.region + ".amazonaws.com", Path: "/"}
}
