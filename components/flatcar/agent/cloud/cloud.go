// Package cloud is what redoubt-node asks of AWS and GCP: objects, instances and
// keys, with the role of the instance it runs on and no other credential. It
// speaks the clouds' HTTP interfaces itself: of the clouds' libraries a host needs
// five calls, and every byte of the program is downloaded by every machine.
// Credentials of AWS and signatures are the business of AWS's own library.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Errors that callers tell apart.
var (
	// ErrNotFound: there is no such object, or the role may not know.
	ErrNotFound = errors.New("not found")
	// ErrChanged: the object is not as the condition of a write says.
	ErrChanged = errors.New("changed in between")
	// ErrDenied: the role may not do this.
	ErrDenied = errors.New("denied")
)

// Objects are the objects of buckets.
type Objects interface {
	// Get reads an object and gives the tag of its version for a later Put.
	Get(ctx context.Context, bucket, key string) (body io.ReadCloser, tag string, err error)
	// Put writes an object if its version has the tag: [Absent] for an object that
	// must not exist, [Any] for whatever there is.
	Put(ctx context.Context, bucket, key string, body io.ReadSeeker, tag string) error
	// List gives the keys with a prefix, sorted.
	List(ctx context.Context, bucket, prefix string) ([]string, error)
}

// Tags with a meaning of their own; see [Objects].
const (
	Any    = ""
	Absent = "absent"
)

// Instance is a virtual machine of the cluster.
type Instance struct {
	ID string
	// Node is the name that its node has if it is a worker.
	Node string
	// Addresses are its private IPv4 addresses.
	Addresses []string
	// Role and Group are as in [nodeconfig.Pool]; the cloud itself notes them.
	Role, Group string
	Launched    time.Time
	// Zone is where it is; on GCP only.
	Zone string
	// Leaving tells that it is about to be terminated.
	Leaving bool
	// Ending tells that it is being terminated, and waits for nobody any more; it is
	// Leaving, too. Only a list of all instances has those.
	Ending bool
	// Spared tells that an operator holds it: it is on standby, or protected from
	// deletion.
	Spared bool
}

// Instances are the cluster's virtual machines that are starting, running or
// about to end.
type Instances interface {
	// Running gives those with the address, or all when it is empty; then also those
	// that are being terminated.
	Running(ctx context.Context, address string) ([]Instance, error)
	// Named gives those whose worker's node has the name.
	Named(ctx context.Context, node string) ([]Instance, error)
	// Release lets the group terminate a leaving instance at once.
	Release(ctx context.Context, instance Instance) error
	// Replace has the group make another instance in this one's place: once, however
	// often it is asked for the same instance.
	Replace(ctx context.Context, instance Instance) error
}

// Keys are keys of the key service. A context is bound into the ciphertext and
// must be given again.
type Keys interface {
	// Encrypt gives the ciphertext and the name of the key's version that made it.
	Encrypt(ctx context.Context, key string, plain []byte, bound map[string]string) (cipher []byte, version string, err error)
	Decrypt(ctx context.Context, key string, cipher []byte, bound map[string]string) ([]byte, error)
}

// Cloud is AWS or GCP.
type Cloud struct {
	Objects
	Instances
	Keys
}

// Options are for tests; the zero value is the real cloud.
type Options struct {
	// Metadata is the URL of the metadata server.
	Metadata string
	// Client reaches the cloud's interfaces.
	Client *http.Client
}

// requestTimeout bounds a request without its body.
const requestTimeout = 30 * time.Second

// Open gives the cloud of a configuration.
func Open(config nodeconfig.Config, options Options) (Cloud, error) {
	if options.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = requestTimeout
		transport.Proxy = nil // endpoints are private; a proxy of the environment is none of theirs
		options.Client = &http.Client{Transport: transport}
	}
	// A redirect would carry credentials to another host.
	client := *options.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	switch config.Cloud.Platform {
	case hostconfig.PlatformAWS:
		if options.Metadata == "" {
			options.Metadata = os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")
		}
		return openAWS(config, &client, options.Metadata), nil
	case hostconfig.PlatformGCP:
		if options.Metadata == "" {
			if host := os.Getenv("GCE_METADATA_HOST"); host != "" {
				options.Metadata = "http://" + host
			}
		}
		return openGCP(config, &client, options.Metadata), nil
	}
	return Cloud{}, fmt.Errorf("cloud.platform: %q is no cloud that redoubt-node knows", config.Cloud.Platform)
}

const (
	attempts   = 4
	firstPause = 200 * time.Millisecond
)

// send makes a request until it is answered other than by a failure that may pass
// by itself: no connection, too many requests, a fault of the server.
func send(ctx context.Context, client *http.Client, build func() (*http.Request, error)) (*http.Response, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		request, err := build()
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request.WithContext(ctx))
		passing := err != nil || response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500
		if !passing || attempt == attempts || ctx.Err() != nil {
			return response, err
		}
		if err == nil {
			drain(response.Body)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// answerLimit bounds what is read of an answer that is not an object.
const answerLimit = 32 << 20

func readAll(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, answerLimit+1))
	if err == nil && len(data) > answerLimit {
		err = errors.New("the answer is longer than 32 MiB")
	}
	return data, err
}

func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 1<<20)) // keeps the connection
	_ = body.Close()
}

// failure makes an error of an answer that is not a success.
func failure(what string, status int, text string) error {
	const most = 500
	if len(text) > most {
		text = text[:most] + " ..."
	}
	err := fmt.Errorf("%s: status %d: %s", what, status, text)
	switch status {
	case http.StatusNotFound:
		return errors.Join(ErrNotFound, err)
	case http.StatusPreconditionFailed, http.StatusConflict:
		return errors.Join(ErrChanged, err)
	case http.StatusForbidden, http.StatusUnauthorized:
		return errors.Join(ErrDenied, err)
	}
	return err
}
