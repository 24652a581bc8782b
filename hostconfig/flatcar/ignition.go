package flatcar

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	base "github.com/coreos/butane/base/v0_5"
	"github.com/coreos/butane/config/common"
	flatcar10 "github.com/coreos/butane/config/flatcar/v1_0"
	flatcar11 "github.com/coreos/butane/config/flatcar/v1_1"
	"github.com/coreos/vcontext/report"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// EC2Limit is the size of EC2's user data in bytes, before base64:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
const EC2Limit = 16 << 10

// GCPLimit is the size of one value of GCP's metadata in bytes:
// https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations
const GCPLimit = 256 << 10

// Ignition renders the configuration that the machine reads in its first boot.
// It holds secrets as far as the files of the specification do.
func (s Spec) Ignition(now time.Time) ([]byte, error) {
	document, err := s.Butane(now)
	if err != nil {
		return nil, err
	}
	return Translate(document)
}

// Translate turns a Butane document of this package's two versions into
// Ignition, in strict mode: whatever Butane reports is an error, for example a
// key that it does not know, about which it only warns. Contents are not
// compressed, so that they can be read where they end up.
func Translate(document []byte) ([]byte, error) {
	options := common.TranslateBytesOptions{Pretty: true, TranslateOptions: common.TranslateOptions{NoResourceAutoCompression: true}}
	translate := flatcar11.ToIgn3_4Bytes
	if versionPattern.Match(document) {
		translate = flatcar10.ToIgn3_3Bytes
	}
	ignition, found, err := translate(document, options)
	return ignition, strict(found, err)
}

// versionPattern finds the older version at the start of a line of its own.
var versionPattern = regexp.MustCompile(`(?m)^version: ["']?1\.0\.0["']?\s*$`)

func strict(found report.Report, err error) error {
	var entries []error
	for _, entry := range found.Entries {
		entries = append(entries, fmt.Errorf("butane: %s", entry.String()))
	}
	if err != nil {
		entries = append(entries, fmt.Errorf("butane: %w", err))
	}
	return errors.Join(entries...)
}

// UserData is what the platform hands to the machine.
type UserData struct {
	// Contents is the user data itself.
	Contents []byte
	// Object, if not empty, must be stored at Source before the machine starts,
	// unchanged and readable by the machine's own role. It is the whole
	// configuration; Contents then only names it.
	Object []byte
	Source string
}

// UserData renders Ignition for the platform. A configuration above the
// platform's limit goes to an object store, s3:// or gs://, which Ignition reads
// with the instance's role, so that no secret lies in user data. Source names the
// object; it may be empty when the configuration is small enough. The pointer
// holds the SHA-512 of the object: another one does not boot.
func (s Spec) UserData(now time.Time, source string) (UserData, error) {
	ignition, err := s.Ignition(now)
	if err != nil {
		return UserData{}, err
	}
	limit := map[hostconfig.Platform]int{hostconfig.PlatformAWS: EC2Limit, hostconfig.PlatformGCP: GCPLimit}[s.Node.Platform]
	if source == "" {
		if limit > 0 && len(ignition) > limit {
			return UserData{}, &hostconfig.FieldError{Field: "source",
				Problem: fmt.Sprintf("the configuration has %d bytes, and %s takes %d", len(ignition), s.Node.Platform, limit),
				Remedy:  "name an object such as s3://bucket/key or gs://bucket/key"}
		}
		return UserData{Contents: ignition}, nil
	}
	contents, err := Pointer(s.WithDefaults().ButaneVersion, source, ignition)
	return UserData{Contents: contents, Object: ignition, Source: source}, err
}

// Pointer renders the small configuration that replaces itself by the object.
func Pointer(version ButaneVersion, source string, object []byte) ([]byte, error) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "s3" && u.Scheme != "gs" || u.Host == "" || len(u.Path) < 2 || u.User != nil || !oneLine(source) {
		return nil, &hostconfig.FieldError{Field: "source", Problem: fmt.Sprintf("%q is not an object", source),
			Remedy: "write s3://bucket/key or gs://bucket/key"}
	}
	sum := sha512.Sum512(object)
	document := base.Config{Variant: "flatcar", Version: string(version)}
	document.Ignition.Config.Replace = base.Resource{
		Source:       pointer(source),
		Verification: base.Verification{Hash: pointer("sha512-" + hex.EncodeToString(sum[:]))},
	}
	encoded, err := encode(document)
	if err != nil {
		return nil, err
	}
	return Translate(encoded)
}

// hashPattern is what Ignition verifies: https://coreos.github.io/ignition/configuration-v3_4/
var hashPattern = regexp.MustCompile(`^(sha512-[0-9a-f]{128}|sha256-[0-9a-f]{64})$`)

// imageSource wants an encrypted or signed way to a file of this name.
func imageSource(source, name string) bool {
	u, err := url.Parse(source)
	return err == nil && oneLine(source) && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "s3" || u.Scheme == "gs") && strings.HasSuffix(u.Path, "/"+name)
}
