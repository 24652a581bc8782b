package boot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// machineRequest gives curl's arguments for a request about an object.
type machineRequest func(ctx context.Context, bucket, key string) ([]string, error)

// machineRequests are what an intruder on a machine tries with its role.
type machineRequests struct{ list, read, replace, remove machineRequest }

// asMachine takes a machine's credentials from its metadata server, as whoever is
// root there does.
func (r *Rehearsal) asMachine(ctx context.Context, machine string, config nodeconfig.Config) (machineRequests, error) {
	ask := func(arguments ...string) (string, error) {
		return r.Run(ctx, machine, append([]string{"curl", "--silent", "--show-error", "--fail", "--max-time", "10"}, arguments...)...)
	}
	if config.Cloud.Platform == hostconfig.PlatformGCP {
		return withToken(ask)
	}
	return withSignature(ask, config.Cloud.Region)
}

func withToken(ask func(...string) (string, error)) (machineRequests, error) {
	answer, err := ask("--header", "Metadata-Flavor: Google", "http://"+metadataAddress+"/computeMetadata/v1/instance/service-accounts/default/token")
	if err != nil {
		return machineRequests{}, err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil {
		return machineRequests{}, err
	}
	of := func(arguments func(objects, key string) []string) machineRequest {
		return func(_ context.Context, bucket, key string) ([]string, error) {
			objects := "storage.googleapis.com/storage/v1/b/" + bucket + "/o"
			return append([]string{"--header", "Authorization: Bearer " + token.Token}, arguments(objects, url.QueryEscape(key))...), nil
		}
	}
	return machineRequests{
		list: of(func(objects, key string) []string { return []string{"https://" + objects + "?prefix=" + key} }),
		read: of(func(objects, key string) []string { return []string{"https://" + objects + "/" + key + "?alt=media"} }),
		remove: of(func(objects, key string) []string {
			return []string{"--request", "DELETE", "https://" + objects + "/" + key}
		}),
		replace: of(func(objects, key string) []string {
			return []string{"--data-binary", "nothing happened", strings.Replace("https://"+objects, ".com/", ".com/upload/", 1) + "?uploadType=media&name=" + key}
		}),
	}, nil
}

func withSignature(ask func(...string) (string, error), region string) (machineRequests, error) {
	const base = "http://" + metadataAddress + "/latest/"
	token, err := ask("--request", "PUT", "--header", "X-aws-ec2-metadata-token-ttl-seconds: 60", base+"api/token")
	if err != nil {
		return machineRequests{}, err
	}
	header, role := "X-aws-ec2-metadata-token: "+token, ""
	if role, err = ask("--header", header, base+"meta-data/iam/security-credentials/"); err != nil {
		return machineRequests{}, err
	}
	text, err := ask("--header", header, base+"meta-data/iam/security-credentials/"+strings.TrimSpace(role))
	if err != nil {
		return machineRequests{}, err
	}
	var answer struct{ AccessKeyID, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return machineRequests{}, err
	}
	credentials := aws.Credentials{AccessKeyID: answer.AccessKeyID, SecretAccessKey: answer.SecretAccessKey, SessionToken: answer.Token}
	of := func(method, body string, path func(key string) string) machineRequest {
		return func(ctx context.Context, bucket, key string) ([]string, error) {
			return signed(ctx, credentials, region, method, "https://"+bucket+".s3."+region+".amazonaws.com/"+path(key), body)
		}
	}
	itself := func(key string) string { return key }
	return machineRequests{
		list:    of(http.MethodGet, "", func(key string) string { return "?list-type=2&prefix=" + url.QueryEscape(key) }),
		read:    of(http.MethodGet, "", itself),
		replace: of(http.MethodPut, "nothing happened", itself),
		remove:  of(http.MethodDelete, "", itself),
	}, nil
}

// signed gives curl's arguments for a request with AWS's signature.
func signed(ctx context.Context, credentials aws.Credentials, region, method, address, body string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(body))
	sum := hex.EncodeToString(hash[:])
	request.Header.Set("X-Amz-Content-Sha256", sum)
	if body != "" { // or a bucket with locks refuses it for that
		request.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(hash[:]))
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, credentials, request, sum, "s3", region, time.Now()); err != nil {
		return nil, err
	}
	arguments := []string{"--request", method}
	for name, values := range request.Header {
		arguments = append(arguments, "--header", name+": "+values[0])
	}
	if body != "" {
		arguments = append(arguments, "--data-binary", body, "--header", "Content-Type:")
	}
	return append(arguments, address), nil
}
