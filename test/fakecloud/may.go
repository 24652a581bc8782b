package fakecloud

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Operation is what a machine may want of a cloud, in words of no cloud.
type Operation string

// Operations. WriteObject makes an object that does not exist. The target of the first two is BUCKET/KEY, of the third a bucket, of the
// next two the name of a key as the cloud has it (see [Cloud.KeyName]); SeeMachines has
// none; that of the last is the name of a group on AWS and ZONE/NAME of an instance on
// GCP.
const (
	ReadObject     Operation = "read"
	WriteObject    Operation = "write"
	ListObjects    Operation = "list"
	Encrypt        Operation = "encrypt"
	Decrypt        Operation = "decrypt"
	SeeMachines    Operation = "see machines"
	ReplaceMachine Operation = "replace a machine of"
)

// May tells why instances of a role may not do something, nil when they may. It
// asks the judges that the servers ask: policies of the role, of the bucket and of
// the keys.
func (c *Cloud) May(role string, operation Operation, on string) error {
	c.lock.Lock()
	known := c.roles[role] != nil
	c.lock.Unlock()
	if !known {
		return fmt.Errorf("there is no role %q", role)
	}
	who := &session{role: role}
	var refused *apiError
	switch {
	case c.provider == AWS:
		refused = c.mayAWS(who, operation, on)
	default:
		refused = c.mayGCP(who, operation, on)
	}
	if refused != nil {
		return fmt.Errorf("%s may not %s %s: %w", role, operation, on, refused)
	}
	return nil
}

func (c *Cloud) mayAWS(who *session, operation Operation, on string) *apiError {
	switch operation {
	case ReadObject, WriteObject:
		name, key, _ := strings.Cut(on, "/")
		b := c.bucketOf(name)
		if b == nil {
			return refusal(404, "NoSuchBucket", "The specified bucket does not exist")
		}
		action := map[Operation]string{ReadObject: "s3:GetObject", WriteObject: "s3:PutObject"}[operation]
		ask := c.s3Access(who, action, name, key, "1.3")
		if operation == WriteObject {
			ask.context["s3:if-none-match"] = "*" // it writes what is new
		}
		return c.mayS3(ask, b, key)
	case ListObjects:
		b := c.bucketOf(on)
		if b == nil {
			return refusal(404, "NoSuchBucket", "The specified bucket does not exist")
		}
		if !c.authorize(c.s3Access(who, "s3:ListBucket", on, "", "1.3"), b.statements) {
			return refusal(403, "AccessDenied", "s3:ListBucket")
		}
		return nil
	case Encrypt, Decrypt:
		action := map[Operation]string{Encrypt: "kms:Encrypt", Decrypt: "kms:Decrypt"}[operation]
		k := c.keyNamed(on)
		if k == nil {
			return refusal(400, "NotFoundException", "Key '%s' does not exist", on)
		}
		if !c.authorizeKey(access{session: who, action: action, resource: on}, k.statements) {
			return refusal(400, "AccessDeniedException", "%s on resource: %s", action, on)
		}
		return nil
	}
	if operation == ReplaceMachine {
		const action = "autoscaling:SetInstanceHealth"
		if !c.authorize(access{session: who, action: action, resource: c.groupARN(on)}, nil) {
			return refusal(403, "AccessDenied", "%s on resource: %s", action, c.groupARN(on))
		}
		return nil
	}
	for _, action := range []string{"ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances"} {
		if !c.authorize(access{session: who, action: action, resource: "*"}, nil) {
			return refusal(403, "UnauthorizedOperation", "%s", action)
		}
	}
	return nil
}

func (c *Cloud) mayGCP(who *session, operation Operation, on string) *apiError {
	forbidden := func(permission string) *apiError {
		return refusal(403, "forbidden", "%s does not have %s", c.email(who.role), permission)
	}
	switch operation {
	case ReadObject, WriteObject:
		name, key, _ := strings.Cut(on, "/")
		b := c.bucketOf(name)
		if b == nil {
			return refusal(404, "notFound", "The specified bucket does not exist.")
		}
		permission := map[Operation]string{ReadObject: "storage.objects.get", WriteObject: "storage.objects.create"}[operation]
		if !c.permitted(who, permission, objectTarget(name, key), b.grants) {
			return forbidden(permission)
		}
		return nil
	case ListObjects:
		b := c.bucketOf(on)
		if b == nil {
			return refusal(404, "notFound", "The specified bucket does not exist.")
		}
		const list = "storage.objects.list"
		if !c.permitted(who, list, target{"storage.googleapis.com", "storage.googleapis.com/Bucket", "projects/_/buckets/" + on}, b.grants) {
			return forbidden(list)
		}
		return nil
	case Encrypt, Decrypt:
		permission := map[Operation]string{Encrypt: "cloudkms.cryptoKeyVersions.useToEncrypt", Decrypt: "cloudkms.cryptoKeyVersions.useToDecrypt"}[operation]
		k := c.keyNamed(on)
		if k == nil || !c.permitted(who, permission, target{"cloudkms.googleapis.com", "cloudkms.googleapis.com/CryptoKey", on}, k.grants) {
			return forbidden(permission)
		}
		return nil
	}
	if operation == ReplaceMachine {
		zone, name, _ := strings.Cut(on, "/")
		for _, permission := range []string{"compute.instances.get", "compute.instances.delete"} {
			if !c.permitted(who, permission, c.instanceTarget(zone, name), nil) {
				return forbidden(permission)
			}
		}
		return nil
	}
	const list = "compute.instances.list"
	if !c.permitted(who, list, c.instanceTarget("", ""), nil) {
		return forbidden(list)
	}
	return nil
}

// objectTarget is an object of Cloud Storage as conditions see it.
func objectTarget(bucket, object string) target {
	return target{"storage.googleapis.com", "storage.googleapis.com/Object", "projects/_/buckets/" + bucket + "/objects/" + object}
}

// ErrNoBucket is what [Cloud.Fetch] says of a bucket that this cloud has not.
var ErrNoBucket = errors.New("there is no such bucket")

// Fetch gives what is at s3://BUCKET/KEY or gs://BUCKET/KEY, as Ignition gets it on
// an instance of a role.
func (c *Cloud) Fetch(role, source string) ([]byte, error) {
	at, err := url.Parse(source)
	if err != nil {
		return nil, err
	}
	if want := map[Provider]string{AWS: "s3", GCP: "gs"}[c.provider]; at.Scheme != want {
		return nil, fmt.Errorf("machines have no credentials for %s: write %s://BUCKET/KEY", source, want)
	}
	key := strings.TrimPrefix(at.Path, "/")
	if c.bucketOf(at.Host) == nil {
		return nil, fmt.Errorf("%s: %w", source, ErrNoBucket)
	}
	if err := c.May(role, ReadObject, at.Host+"/"+key); err != nil {
		return nil, err
	}
	data, found := c.Get(at.Host, key)
	if !found {
		return nil, fmt.Errorf("%s does not exist", source)
	}
	return data, nil
}

func (c *Cloud) bucketOf(name string) *bucket {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.buckets[name]
}

func (c *Cloud) keyNamed(name string) *key {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, each := range c.keys {
		if c.keyName(each) == name {
			return each
		}
	}
	return nil
}
