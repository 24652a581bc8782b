package selfmanaged

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// Later is what a specification is told by resources.
type Later struct {
	PKI *PKI
	// Devices are the devices of etcd's volumes, in the order of the control planes.
	Devices pulumi.StringArrayInput
	// CloudKeys are the keys with which the cloud encrypts secrets; nil without.
	CloudKeys pulumi.StringArrayInput
	// LocalKeyNames and LocalKeys are those of [NewEncryptionKeys]; empty without.
	LocalKeyNames []string
	LocalKeys     pulumi.StringArrayInput
	// Program is the file of redoubt-node.
	Program string
}

// Object is one object of a cluster's store that Pulumi writes.
type Object struct {
	// Key is its name in the store, such as control-plane/control-plane-1.ign.
	Key string
	// Content is a text: a secret of the stack where the control plane alone reads
	// it. File is one on the machine that runs Pulumi, instead.
	Content pulumi.StringOutput
	File    string
}

// Rendered is what machines start from, as far as it is known.
type Rendered struct {
	// Objects are sorted by key.
	Objects []Object
	// UserData is what the cloud hands to each machine, by the name of the control
	// plane or the pool: it names an object, and says what its hash is.
	UserData map[string]pulumi.StringOutput
	// Needs are the keys of the objects that a machine fetches in its first boot, by
	// the same names.
	Needs map[string][]string
}

// Render renders a specification as soon as everything that it is told by
// resources is known. Names, addresses and grants must be in it from the
// beginning; whoever calls it has validated it, see [Check].
func Render(spec selfmanaged.Spec, later Later) Rendered {
	contents := later.contents(spec.Encryption.Resources)
	hashes := pulumi.StringMap{}
	for _, name := range selfmanaged.PKIFiles() {
		if content, there := contents[name]; there {
			// The hash of a key of 256 random bits tells nobody the key.
			hashes[name] = pulumi.Unsecret(content.ApplyT(func(text string) string { return selfmanaged.Hash([]byte(text)) }).(pulumi.StringOutput)).(pulumi.StringOutput)
		}
	}
	keys := later.CloudKeys
	if keys == nil {
		keys = pulumi.StringArray{}
	}
	texts := pulumi.All(later.PKI.CACertificate, hashes, later.Devices, keys).ApplyT(func(of []any) (map[string]string, error) {
		known := spec
		known.Cluster.CACertificate, known.PKI, known.Encryption.Keys = of[0].(string), of[1].(map[string]string), of[3].([]string)
		known.ControlPlanes = slices.Clone(spec.ControlPlanes)
		for i, device := range of[2].([]string) {
			known.ControlPlanes[i].Device = device
		}
		return render(known)
	}).(pulumi.StringMapOutput)
	return collect(spec, later, contents, texts)
}

// Prefixes of what render gives, by the name of a machine or the key of an object.
const (
	ofUserData = "user-data "
	ofObject   = "object "
)

func render(spec selfmanaged.Spec) (map[string]string, error) {
	rendered, err := spec.Render(time.Now())
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, machine := range slices.Concat(rendered.ControlPlanes, rendered.Pools) {
		out[ofUserData+machine.Name] = string(machine.UserData)
		out[ofObject+machine.Key] = string(machine.Ignition)
	}
	return out, nil
}

func collect(spec selfmanaged.Spec, later Later, contents map[string]pulumi.StringOutput, texts pulumi.StringMapOutput) Rendered {
	spec = spec.WithDefaults()
	r := Rendered{UserData: map[string]pulumi.StringOutput{}, Needs: map[string][]string{}}
	text := func(key string) pulumi.StringOutput { return texts.MapIndex(pulumi.String(key)) }
	for _, grant := range spec.Grants() {
		if !slices.Contains(grant.Writers, selfmanaged.Provisioner) {
			continue
		}
		o := Object{Key: grant.Key}
		name, ofPKI := strings.CutPrefix(grant.Key, selfmanaged.PKIPrefix)
		switch {
		case ofPKI:
			o.Content = contents[name]
		case grant.Key == spec.ProgramKey():
			o.File = later.Program
		default:
			o.Content = text(ofObject + grant.Key)
		}
		if o.File == "" && grant.Secret {
			o.Content = pulumi.ToSecret(o.Content).(pulumi.StringOutput)
		}
		r.Objects = append(r.Objects, o)
		for _, plane := range spec.ControlPlanes {
			if slices.Contains(grant.Readers, selfmanaged.ControlPlanes) && (ofPKI || o.File != "" || grant.Key == plane.IgnitionKey()) {
				r.Needs[plane.Name] = append(r.Needs[plane.Name], grant.Key)
			}
		}
		for _, pool := range spec.Pools {
			if slices.Contains(grant.Readers, selfmanaged.PoolPrincipal(pool.Name)) {
				r.Needs[pool.Name] = append(r.Needs[pool.Name], grant.Key)
			}
		}
	}
	for _, plane := range spec.ControlPlanes {
		r.UserData[plane.Name] = text(ofUserData + plane.Name)
	}
	for _, pool := range spec.Pools {
		r.UserData[pool.Name] = text(ofUserData + pool.Name)
	}
	return r
}

// contents are the files that only control planes read.
func (l Later) contents(encrypted []string) map[string]pulumi.StringOutput {
	contents := map[string]pulumi.StringOutput{}
	for name, content := range l.PKI.Files {
		if name != clusterCA {
			contents[name] = content
		}
	}
	if len(l.LocalKeyNames) > 0 {
		contents[selfmanaged.EncryptionFile] = l.LocalKeys.ToStringArrayOutput().ApplyT(func(secrets []string) (string, error) {
			return hostconfig.Encryption{Keys: EncryptionKeys(l.LocalKeyNames, secrets), Resources: encrypted}.Configuration()
		}).(pulumi.StringOutput)
	}
	return contents
}

// Check judges a specification before anything of [Later] is known: with others
// in their place, which no machine ever gets. Local says that keys are local.
func Check(spec selfmanaged.Spec, device, cloudKey string, local bool, now time.Time) error {
	spec.Cluster.CACertificate = exampleAuthority
	spec.PKI = map[string]string{}
	for _, name := range selfmanaged.PKIFiles() {
		if name != selfmanaged.EncryptionFile || local {
			spec.PKI[name] = selfmanaged.Hash([]byte(name))
		}
	}
	spec.ControlPlanes = slices.Clone(spec.ControlPlanes)
	for i := range spec.ControlPlanes {
		spec.ControlPlanes[i].Device = fmt.Sprint(device, i+1)
	}
	if !local {
		spec.Encryption.Keys = []string{cloudKey}
	}
	return spec.Validate(now)
}

// exampleAuthority is a certificate whose key is nobody's.
const exampleAuthority = `-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUD8bpQtUXotr43sbRsH+n4E+BzFcwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjEyMTA5MTRaGA8yMTI2MTAy
ODIxMDkxNFowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABM6n0WMPDNDf4zH5B0w4CltLQcmSFZhYimd4IrbjJGgF+ioqTeoO
2K5ERiux8l7AE7YmYo4E+/niM4g8smDLY6ajUzBRMB0GA1UdDgQWBBRUaC5gpgzu
xStDp3llT7jeAXZFNDAfBgNVHSMEGDAWgBRUaC5gpgzuxStDp3llT7jeAXZFNDAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIHEXDa7mBxP+9WLVimM5
5kjvACSBdbHKZs+jbrnYMVU2AiBhHCARjQXiWJL3BrYB1n2IUxo1qDbnBcvxaj9l
ywjiKA==
-----END CERTIFICATE-----
`
