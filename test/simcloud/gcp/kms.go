package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	keyName      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,63}$`)
	keyID        = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$`)
	ringID       = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/keyRings/[^/]+$`)
	secondsText  = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,9})?s$`)
	keyPlaces    = []string{"global", "europe", "us", "asia", "eur3", "eur4", "eur5", "eur6", "nam3", "nam4"} // besides the regions
	encrypterKey = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
)

// kmsTypes are key rings and keys, which are never deleted: https://cloud.google.com/kms/docs/faq#cannot_delete
func kmsTypes() []*simcloud.ResourceType {
	ring := named(kind(keyRing, "projects/{project}/locations/{location}/keyRings/{name}", kms.KeyRingArgs{}, kms.KeyRing{}), 63)
	ring.Check = func(p *simcloud.Plan) {
		matching(p, "name", keyName, "only letters, digits, underscores and hyphens, at most 63")
	}
	judged(ring, func(c *simcloud.Change) error {
		if at := c.New.String("location"); regions[at] == "" && !slices.Contains(keyPlaces, at) {
			return badRequest("The request concerns location '%s' but was sent to a location that does not exist.", at)
		}
		return kept(c, "KeyRing")
	}, nil)
	ring.Delete = keep

	k := named(kind(key, "{keyRing}/cryptoKeys/{name}", kms.CryptoKeyArgs{}, kms.CryptoKey{}), 63)
	k.Defaults = simcloud.Values{"purpose": "ENCRYPT_DECRYPT", "destroyScheduledDuration": "2592000s"}
	k.Replace = append(k.Replace, "purpose", "importOnly", "destroyScheduledDuration", "skipInitialVersionCreation", "cryptoKeyBackend", "versionTemplate.protectionLevel")
	k.References = []simcloud.Reference{to("keyRing", keyRing, "{name}")}
	k.Check = checkKey
	judged(k, func(c *simcloud.Change) error {
		if err := kept(c, "CryptoKey"); err != nil {
			return err
		}
		if !c.New.Bool("skipInitialVersionCreation") {
			c.Out["primaries"] = []any{simcloud.Values{"name": c.ID + "/cryptoKeyVersions/1", "state": "ENABLED"}}
		}
		if !c.New.Has("versionTemplate") {
			c.Out["versionTemplate"] = simcloud.Values{"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "SOFTWARE"}
		}
		return nil
	}, nil)
	k.Delete = keep
	return []*simcloud.ResourceType{ring, k}
}

func checkKey(p *simcloud.Plan) {
	v := p.Values
	matching(p, "name", keyName, "only letters, digits, underscores and hyphens, at most 63")
	matching(p, "keyRing", ringID, "a key ring is named projects/P/locations/L/keyRings/R")
	labelsAt(p, "labels")
	p.OneOf("purpose", "ENCRYPT_DECRYPT", "ASYMMETRIC_SIGN", "ASYMMETRIC_DECRYPT", "MAC", "RAW_ENCRYPT_DECRYPT")
	p.OneOf("versionTemplate.protectionLevel", "SOFTWARE", "HSM", "EXTERNAL", "EXTERNAL_VPC")
	if text := v.String("rotationPeriod"); text != "" {
		switch days := secondsOf(text) / 86400; {
		case days < 0:
			p.Add("rotationPeriod", "must be in the form of a duration in seconds, such as 7776000s, got "+text)
		case secondsOf(text) <= 86400:
			p.Add("rotationPeriod", "Rotation period must be greater than one day")
		case days > 36500:
			p.Add("rotationPeriod", "Rotation period must be at most 100 years")
		case v.String("purpose") != "ENCRYPT_DECRYPT":
			p.Add("rotationPeriod", "rotation is for keys with purpose ENCRYPT_DECRYPT")
		}
	}
	if text := v.String("destroyScheduledDuration"); text != "" && (secondsOf(text) < 86400 || secondsOf(text) > 120*86400) {
		p.Add("destroyScheduledDuration", "must be between 24 hours (86400s) and 120 days (10368000s), got "+text)
	}
	symmetric := v.String("versionTemplate.algorithm") == "GOOGLE_SYMMETRIC_ENCRYPTION"
	if v.Has("versionTemplate.algorithm") && v.Known("versionTemplate.algorithm") && v.Known("purpose") && symmetric != (v.String("purpose") == "ENCRYPT_DECRYPT") {
		p.Add("versionTemplate.algorithm", fmt.Sprintf("%s is not an algorithm for the purpose %s", v.String("versionTemplate.algorithm"), v.String("purpose")))
	}
}

// secondsOf reads "86400s", -1 when it is none.
func secondsOf(text string) float64 {
	if !secondsText.MatchString(text) {
		return -1
	}
	n, _ := strconv.ParseFloat(strings.TrimSuffix(text, "s"), 64)
	return n
}

// kept refuses a name that was ever taken.
func kept(c *simcloud.Change, kind string) error {
	if c.Cloud.Reached("kept "+c.ID) > 0 {
		return coded(409, "alreadyExists", "%s %s already exists.", kind, c.ID)
	}
	return nil
}

// keep remembers a name for ever.
func keep(c *simcloud.Change) error {
	c.Cloud.Next("kept " + c.Object.ID)
	return nil
}

// keyFor judges that a service may encrypt with a key: it exists, is where the data is, and the service's agent has it.
// Where tells the location that the key must have, "" for any.
func keyFor(c *simcloud.Change, given, agent, where string) error {
	id, _, _ := strings.Cut(normal(c.Scope, c.New, "{name}", given), "/cryptoKeyVersions/")
	k := c.Cloud.Get("", key, id)
	denied := func() error {
		return forbidden("Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '%s' (or it may not exist); grant %s to serviceAccount:%s", given, encrypterKey, agent)
	}
	switch {
	case !keyID.MatchString(id):
		return badRequest("Invalid resource field value in the request: %q is not the name of a key: projects/P/locations/L/keyRings/R/cryptoKeys/K", given)
	case k == nil:
		return denied()
	case k.State.String("purpose") != "ENCRYPT_DECRYPT":
		return badRequest("The purpose of the key %s must be ENCRYPT_DECRYPT", id)
	}
	if at := part(id, "locations"); where != "" && at != where {
		return badRequest("The key %s is in location %s; it must be in %s, where the data is", id, at, where)
	}
	if !mayEncrypt(c.Cloud, id, agent) {
		return denied()
	}
	return nil
}

// mayEncrypt tells whether a service account may encrypt with a key: it is let to by the key, its ring or its project.
func mayEncrypt(cloud *simcloud.Cloud, id, email string) bool {
	who := "serviceAccount:" + email
	ring, _, _ := strings.Cut(id, "/cryptoKeys/")
	return granted(cloud, keyMember, "cryptoKeyId", id, who, encrypterKey) || granted(cloud, keyRingMember, "keyRingId", ring, who, encrypterKey) ||
		granted(cloud, projectMember, "project", part(id, "projects"), who, encrypterKey)
}
