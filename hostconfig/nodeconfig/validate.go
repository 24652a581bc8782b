package nodeconfig

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Forms of names that the clouds give.
var (
	region          = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-?[0-9]+$`)
	account         = regexp.MustCompile(`^[0-9]{12}$`)
	project         = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	zone            = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)
	bucket          = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)
	instanceProfile = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:instance-profile/[\w+=,.@/-]+$`)
	serviceAccount  = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+\.gserviceaccount\.com$`)
	awsKey          = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)
	gcpKey          = regexp.MustCompile(`^projects/[^/ ]+/locations/[^/ ]+/keyRings/[^/ ]+/cryptoKeys/[^/ ]+$`)
)

const (
	longestToken  = 24 * time.Hour // M34: credentials of machines are rotated daily at least
	shortestToken = 10 * time.Minute
)

// Parse reads a [Config], fills what is not given and refuses unknown fields,
// anything after the document and every setting that could not work, all at once,
// as joined [hostconfig.FieldError] values.
func Parse(data []byte) (Config, error) {
	var config Config
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return config, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return config, errors.New("something follows the JSON document: keep exactly one")
	}
	config = config.WithDefaults()
	return config, config.Validate()
}

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

func (p *problems) match(form *regexp.Regexp, field, value, remedy string) {
	if !form.MatchString(value) {
		p.add(field, fmt.Sprintf("%q has another form", value), remedy)
	}
}

func (p *problems) label(field, value string) {
	if len(validation.IsDNS1123Label(value)) > 0 {
		p.add(field, fmt.Sprintf("%q is not a DNS label", value), "write lower-case letters, digits and dashes, at most 63")
	}
}

func (p *problems) server(field, value string) {
	if server, err := url.Parse(value); err != nil || server.Scheme != "https" || server.Host == "" || server.Path != "" {
		p.add(field, fmt.Sprintf("%q is not the URL of a server", value), "write for example https://api.prod.internal:6443")
	}
}

// Validate reports everything that is wrong with a configuration that has its
// defaults, as joined [hostconfig.FieldError] values.
func (c Config) Validate() error {
	var p problems
	p.label("cluster", c.Cluster)
	c.Cloud.validate(&p)
	p.match(bucket, "store", c.Store, "write the name of the cluster's bucket")
	p.server("endpoint", c.Endpoint)
	if !certificates(c.CACertificate) {
		p.add("caCertificate", "is not one certificate in PEM, or two in a rotation", "write the cluster's authority")
	}
	switch {
	case c.Node != "" && c.Pool != "":
		p.add("pool", "a control plane is in no pool", "write either node or pool")
	case c.Node != "":
		c.controlPlane(&p)
	default:
		p.label("pool", c.Pool)
	}
	return errors.Join(p...)
}

func (c Cloud) validate(p *problems) {
	p.match(region, "cloud.region", c.Region, "write for example eu-central-1 or europe-west3")
	switch c.Platform {
	case hostconfig.PlatformAWS:
		p.match(account, "cloud.account", c.Account, "write the 12 digits of the account")
	case hostconfig.PlatformGCP:
		p.match(project, "cloud.project", c.Project, "write the project's id")
		if len(c.Zones) == 0 {
			p.add("cloud.zones", "is empty", "write the zones that have machines")
		}
		for i, each := range c.Zones {
			p.match(zone, fmt.Sprintf("cloud.zones[%d]", i), each, "write for example europe-west3-a")
		}
	default:
		p.add("cloud.platform", fmt.Sprintf("%q is no cloud that redoubt-node knows", c.Platform), "write aws or gcp")
	}
}

// certificates tells whether a text is the authority's certificate, or those of the
// two authorities of a rotation, and nothing else.
func certificates(text string) bool {
	found := 0
	for rest := []byte(text); strings.TrimSpace(string(rest)) != ""; found++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return false
		}
	}
	return found == 1 || found == 2
}

// role is the form of a role on the platform.
func (c Cloud) role(p *problems, field, value string) {
	if c.Platform == hostconfig.PlatformGCP {
		p.match(serviceAccount, field, value, "write the service account's e-mail name")
		return
	}
	p.match(instanceProfile, field, value, "write the instance profile's ARN")
}

// controlPlane checks what only control planes have. Two pools with one role
// could each obtain the other's certificates; so could a pool and the control plane.
func (c Config) controlPlane(p *problems) {
	names, addresses, roles, groups := map[string]bool{}, map[string]bool{}, map[string]bool{c.ControlPlaneRole: true}, map[string]bool{}
	for i, each := range c.ControlPlanes {
		at := fmt.Sprintf("controlPlanes[%d]", i)
		p.label(at+".name", each.Name)
		if address, err := netip.ParseAddr(each.Address); err != nil || !address.Is4() {
			p.add(at+".address", fmt.Sprintf("%q is not an IPv4 address", each.Address), "write the machine's fixed private address")
		}
		if names[each.Name] || addresses[each.Address] {
			p.add(at, "has the name or the address of an earlier one", "give each control plane its own")
		}
		names[each.Name], addresses[each.Address] = true, true
	}
	if !names[c.Node] {
		p.add("node", fmt.Sprintf("%q is not among controlPlanes", c.Node), "write this machine's name as it stands there")
	}
	p.server("apiServer", c.APIServer)
	c.Cloud.role(p, "controlPlaneRole", c.ControlPlaneRole)
	pools := map[string]bool{}
	for i, each := range c.Pools {
		at := fmt.Sprintf("pools[%d]", i)
		p.label(at+".name", each.Name)
		c.Cloud.role(p, at+".role", each.Role)
		if each.Group == "" {
			p.add(at+".group", "is empty", "write the name of the group that makes the pool's instances")
		}
		if pools[each.Name] || roles[each.Role] || groups[each.Group] {
			p.add(at, "shares its name, role or group with another pool or the control plane", "give each pool its own")
		}
		pools[each.Name], roles[each.Role], groups[each.Group] = true, true, true
	}
	c.lifetimes(p)
	if c.KMS != nil {
		c.kms(p)
	}
	if c.Snapshots != nil {
		p.match(bucket, "snapshots.bucket", c.Snapshots.Bucket, "write the name of the snapshots' bucket")
		if c.Snapshots.Bucket == c.Store {
			p.add("snapshots.bucket", "is the store", "write a bucket of its own, whose retention is locked (M38)")
		}
		p.folder("snapshots.prefix", c.Snapshots.Prefix, "write for example etcd/")
	}
	if c.AuditLog != nil {
		c.auditLog(p)
	}
	if c.NetworkAgent != nil && (c.NetworkAgent.Namespace == "" || len(c.NetworkAgent.Labels) == 0) {
		p.add("networkAgent", "selects pods that anybody may make", "write the agent's namespace and its labels")
	}
	if !path.IsAbs(c.Encryption) {
		p.add("encryption", fmt.Sprintf("%q is not absolute", c.Encryption), "write "+hostconfig.Paths{}.Encryption())
	}
	if !path.IsAbs(c.PKI) {
		p.add("pki", fmt.Sprintf("%q is not absolute", c.PKI), "write "+PKIDirectory)
	}
}

func (p *problems) folder(field, prefix, remedy string) {
	if !strings.HasSuffix(prefix, "/") || strings.HasPrefix(prefix, "/") {
		p.add(field, fmt.Sprintf("%q is not a folder", prefix), remedy)
	}
}

func (c Config) auditLog(p *problems) {
	p.match(bucket, "auditLog.bucket", c.AuditLog.Bucket, "write the name of the audit log's bucket")
	if c.AuditLog.Bucket == c.Store || c.Snapshots != nil && c.AuditLog.Bucket == c.Snapshots.Bucket {
		p.add("auditLog.bucket", "is another use's, too", "write a bucket of its own, whose retention is locked (M38)")
	}
	p.folder("auditLog.prefix", c.AuditLog.Prefix, "write for example audit/")
	if !path.IsAbs(c.AuditLog.File) {
		p.add("auditLog.file", fmt.Sprintf("%q is not absolute", c.AuditLog.File), "write "+hostconfig.Paths{}.AuditLog())
	}
}

func (c Config) lifetimes(p *problems) {
	if v := c.Tokens.Validity.Duration; v < shortestToken || v > longestToken {
		p.add("tokens.validity", fmt.Sprintf("%v is outside %v to %v (M34)", v, shortestToken, longestToken), "write 12h")
	}
	if r := c.Tokens.RotateAfter.Duration; r < shortestToken/2 || r > c.Tokens.Validity.Duration/2 {
		p.add("tokens.rotateAfter", fmt.Sprintf("%v is not between %v and half of the validity", r, shortestToken/2), "write 6h")
	}
	if problem := WrongRepairAfter(c.RepairAfter.Duration); problem != "" {
		p.add("repairAfter", problem, "write 10m")
	}
}

// WrongRepairAfter says what is wrong with a [Config.RepairAfter], "" when nothing is.
func WrongRepairAfter(after time.Duration) string {
	if after < ShortestRepairAfter || after > LongestRepairAfter {
		return fmt.Sprintf("%v is not between %v and %v", after, ShortestRepairAfter, LongestRepairAfter)
	}
	return ""
}

func (c Config) kms(p *problems) {
	seen := map[string]bool{}
	for i, key := range c.KMS.Keys {
		at := fmt.Sprintf("kms.keys[%d]", i)
		switch c.Cloud.Platform {
		case hostconfig.PlatformGCP:
			p.match(gcpKey, at, key, "write projects/P/locations/L/keyRings/R/cryptoKeys/K")
		default:
			if found := awsKey.FindStringSubmatch(key); found == nil || found[1] != c.Cloud.Region {
				p.add(at, fmt.Sprintf("%q is not the ARN of a key in %s", key, c.Cloud.Region), "write arn:aws:kms:REGION:ACCOUNT:key/ID, not an alias: an alias can be pointed elsewhere")
			}
		}
		if seen[key] {
			p.add(at, "is an earlier key", "list each key once")
		}
		seen[key] = true
	}
	if len(c.KMS.Keys) == 0 {
		p.add("kms.keys", "is empty", "write the key that encrypts")
	}
	// 108 bytes with the final zero is what the kernel takes (unix(7)).
	if !path.IsAbs(c.KMS.Socket) || len(c.KMS.Socket) > 107 {
		p.add("kms.socket", fmt.Sprintf("%q is not an absolute path of at most 107 bytes", c.KMS.Socket), "write "+KMSSocket)
	}
}
