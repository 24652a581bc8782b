package boot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const shipUnit = "redoubt-audit-ship.service"

// proveAuditLog reads a Secret through the API, and finds within minutes in the
// bucket who did it, in a chain of objects that has no hole. Then it takes a control
// plane's own credentials, as an intruder there would, and tries to delete and to
// replace what is stored.
func proveAuditLog(ctx context.Context, r *Rehearsal) error {
	name := "watched-" + randomHex()
	if _, err := r.Kubectl(ctx, "create", "secret", "generic", name, "--from-literal=value=x"); err != nil {
		return err
	}
	if _, err := r.Kubectl(ctx, "get", "secret", name); err != nil {
		return err
	}
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	if err := within(ctx, 4*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error { return r.recorded(config, "get", "secrets", name) })
	}); err != nil {
		for _, each := range r.Planes() {
			err = fmt.Errorf("%w\n%s: %s", err, each, r.Journal(each, shipUnit, 5))
		}
		return err
	}
	return r.unalterable(ctx, plane, config)
}

// stored gives the objects of one control plane's audit log.
func (r *Rehearsal) stored(config nodeconfig.Config, node string) map[string][]byte {
	objects := map[string][]byte{}
	for _, key := range r.Cloud.Server.Keys(config.AuditLog.Bucket) {
		if strings.HasPrefix(key, config.AuditLog.Prefix+node+"/") {
			objects[key], _ = r.Cloud.Server.Get(config.AuditLog.Bucket, key)
		}
	}
	return objects
}

// recorded tells that every control plane's log in the bucket is whole, and that one
// of them has what somebody did to an object.
func (r *Rehearsal) recorded(config nodeconfig.Config, verb, resource, name string) error {
	found := false
	for _, plane := range config.ControlPlanes {
		log, err := auditlog.Verify(r.stored(config, plane.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", plane.Name, err)
		}
		if len(log) == 0 {
			return fmt.Errorf("%s has stored nothing yet", plane.Name)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(log), []byte("\n")) {
			var event struct {
				Kind, Verb string
				User       struct{ Username string }
				ObjectRef  struct{ Resource, Name string }
			}
			if err := json.Unmarshal(line, &event); err != nil || event.Kind != "Event" {
				return fmt.Errorf("%s: a line is no audit event: %q: %w", plane.Name, line, err)
			}
			found = found || event.Verb == verb && event.ObjectRef.Resource == resource && event.ObjectRef.Name == name && event.User.Username != ""
		}
	}
	if !found {
		return fmt.Errorf("nobody recorded who did %s %s %s", verb, resource, name)
	}
	return nil
}

// unalterable attacks an object with the role of a machine, from the machine.
func (r *Rehearsal) unalterable(ctx context.Context, machine string, config nodeconfig.Config) error {
	bucket := config.AuditLog.Bucket
	keys := slices.Sorted(maps.Keys(r.stored(config, config.Node)))
	if len(keys) == 0 {
		return errors.New("there is nothing to attack")
	}
	target := keys[0]
	before, _ := r.Cloud.Server.Get(bucket, target)
	attacks := map[string]func() ([]string, error){}
	if config.Cloud.Platform == hostconfig.PlatformAWS {
		credentials, err := r.stolen(ctx, machine)
		if err != nil {
			return err
		}
		url := "https://" + bucket + ".s3." + config.Cloud.Region + ".amazonaws.com/" + target
		attacks["delete"] = func() ([]string, error) {
			return signed(ctx, credentials, config.Cloud.Region, http.MethodDelete, url, "")
		}
		attacks["replace"] = func() ([]string, error) {
			return signed(ctx, credentials, config.Cloud.Region, http.MethodPut, url, "nothing happened")
		}
		attacks["read"] = func() ([]string, error) {
			return signed(ctx, credentials, config.Cloud.Region, http.MethodGet, url, "")
		}
	} else {
		answer, err := r.Run(ctx, machine, "curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--header", "Metadata-Flavor: Google",
			"http://"+metadataAddress+"/computeMetadata/v1/instance/service-accounts/default/token")
		if err != nil {
			return err
		}
		var token struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(answer), &token); err != nil {
			return err
		}
		const host = "https://storage.googleapis.com"
		escaped := strings.ReplaceAll(target, "/", "%2F")
		with := func(arguments ...string) func() ([]string, error) {
			return func() ([]string, error) {
				return append([]string{"--header", "Authorization: Bearer " + token.Token}, arguments...), nil
			}
		}
		attacks["delete"] = with("--request", "DELETE", host+"/storage/v1/b/"+bucket+"/o/"+escaped)
		attacks["replace"] = with("--request", "POST", "--data-binary", "nothing happened", host+"/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name="+escaped)
		attacks["read"] = with(host + "/storage/v1/b/" + bucket + "/o/" + escaped + "?alt=media")
	}
	for attack, with := range attacks {
		arguments, err := with()
		if err != nil {
			return err
		}
		status, err := r.Run(ctx, machine, append([]string{"curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}"}, arguments...)...)
		if err != nil {
			return fmt.Errorf("%s: %w", attack, err)
		}
		if status != "403" {
			return fmt.Errorf("a control plane that wants to %s %s is answered %s", attack, target, status)
		}
	}
	if after, found := r.Cloud.Server.Get(bucket, target); !found || !bytes.Equal(before, after) || r.Cloud.Server.Versions(bucket, target) != 1 {
		return fmt.Errorf("%s is not what it was", target)
	}
	return nil
}

// stolen are the credentials of an instance's role, as whoever is root there gets them.
func (r *Rehearsal) stolen(ctx context.Context, machine string) (aws.Credentials, error) {
	var c aws.Credentials
	ask := func(arguments ...string) (string, error) {
		return r.Run(ctx, machine, append([]string{"curl", "--silent", "--show-error", "--fail", "--max-time", "10"}, arguments...)...)
	}
	const base = "http://" + metadataAddress + "/latest/"
	token, err := ask("--request", "PUT", "--header", "X-aws-ec2-metadata-token-ttl-seconds: 60", base+"api/token")
	if err != nil {
		return c, err
	}
	header := "X-aws-ec2-metadata-token: " + token
	role, err := ask("--header", header, base+"meta-data/iam/security-credentials/")
	if err != nil {
		return c, err
	}
	text, err := ask("--header", header, base+"meta-data/iam/security-credentials/"+strings.TrimSpace(role))
	if err != nil {
		return c, err
	}
	var answer struct{ AccessKeyID, SecretAccessKey, Token string }
	err = json.Unmarshal([]byte(text), &answer)
	return aws.Credentials{AccessKeyID: answer.AccessKeyID, SecretAccessKey: answer.SecretAccessKey, SessionToken: answer.Token}, err
}

// signed gives curl's arguments for a request that is signed with stolen credentials.
func signed(ctx context.Context, credentials aws.Credentials, region, method, url, body string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(body))
	sum := hex.EncodeToString(hash[:])
	request.Header.Set("X-Amz-Content-Sha256", sum)
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
	return append(arguments, url), nil
}

// shippedToTheEnd compares the audit log on the disk of a machine that has stopped
// with what the bucket has: the last line that its API server wrote is there.
func (r *Rehearsal) shippedToTheEnd(machine string) error {
	config, err := r.NodeConfig(machine)
	if err != nil {
		return err
	}
	active := r.File(machine, config.AuditLog.File)
	names, err := filepath.Glob(strings.TrimSuffix(active, filepath.Ext(active)) + "-*" + filepath.Ext(active))
	if err != nil {
		return err
	}
	var disk []byte
	for _, name := range append(names, active) {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		disk = append(disk, data...)
	}
	log, err := auditlog.Verify(r.stored(config, config.Node))
	if err == nil && !bytes.HasSuffix(log, disk) { // earlier disks of this node come before
		err = fmt.Errorf("the disk has %d bytes of the audit log, and the bucket with its %d bytes does not end with them", len(disk), len(log))
	}
	if err != nil {
		return fmt.Errorf("%s has stopped: %w\n%s", machine, err, r.Journal(machine, shipUnit, 10))
	}
	return nil
}
