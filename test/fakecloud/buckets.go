package fakecloud

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Bucket is one of the store.
type Bucket struct {
	Name      string
	Versioned bool
	// LockedFor is the time for which an object version cannot be deleted by
	// anybody (S3 Object Lock in compliance mode; a locked retention policy of
	// Cloud Storage).
	LockedFor time.Duration
	// Key encrypts the objects: the id of a [Key], or nothing for the provider's.
	Key string
	// BucketKey is AWS's: the encryption context is then the bucket's ARN, and
	// otherwise each object's.
	BucketKey bool
	// Policy is AWS's bucket policy.
	Policy string
	// Grants are GCP's bindings on the bucket, in which Members name roles.
	Grants []Grant
}

type bucket struct {
	Bucket
	statements []statement
	grants     []grant
	objects    map[string][]version // the newest last
	next       int64
}

// version is one of an object.
type version struct {
	id       string // AWS: the version id
	number   int64  // GCP: the generation
	data     []byte
	deleted  bool // a delete marker
	at       time.Time
	retained time.Time
	tag      string
}

// etag is the version's entity tag. Large objects are read in many parts, each of
// which has it, so that it is made once.
func (v version) etag() string { return v.tag }

func etagOf(data []byte) string {
	sum := md5.Sum(data) // S3's own form
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// AddBucket adds a bucket.
func (c *Cloud) AddBucket(b Bucket) error {
	made := &bucket{Bucket: b, objects: map[string][]version{}}
	if b.Policy != "" {
		statements, err := parsePolicy(b.Policy, true)
		if err != nil {
			return fmt.Errorf("bucket %s: %w", b.Name, err)
		}
		made.statements = statements
	}
	for _, each := range b.Grants {
		compiled, err := compileGrant(each)
		if err != nil {
			return fmt.Errorf("bucket %s: %w", b.Name, err)
		}
		made.grants = append(made.grants, compiled)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if b.Key != "" && c.keys[b.Key] == nil {
		return fmt.Errorf("bucket %s: there is no key %q", b.Name, b.Key)
	}
	if b.LockedFor > 0 && !b.Versioned && c.provider == AWS {
		return fmt.Errorf("bucket %s: InvalidBucketState: Object Lock needs versioning", b.Name)
	}
	if c.buckets[b.Name] != nil {
		return fmt.Errorf("bucket %s: BucketAlreadyOwnedByYou", b.Name)
	}
	c.buckets[b.Name] = made
	return nil
}

// Put writes an object as the provisioning tool does, and Get reads the newest
// version; Versions counts what is kept, delete markers included; Keys lists.
func (c *Cloud) Put(bucket, key string, data []byte) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.buckets[bucket].put(key, bytes.Clone(data), c.now())
}

// Get reads the newest version of an object.
func (c *Cloud) Get(bucket, key string) ([]byte, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	v, found := c.buckets[bucket].newest(key)
	return bytes.Clone(v.data), found
}

// Versions counts the versions of an object that are kept, delete markers included.
func (c *Cloud) Versions(bucket, key string) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return len(c.buckets[bucket].objects[key])
}

// Keys lists the objects of a bucket that are not deleted, sorted.
func (c *Cloud) Keys(bucket string) []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.buckets[bucket].list("")
}

func (b *bucket) list(prefix string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if _, found := b.newest(key); found && len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			keys = append(keys, key)
		}
	}
	return keys
}

func (b *bucket) newest(key string) (version, bool) {
	versions := b.objects[key]
	if len(versions) == 0 || versions[len(versions)-1].deleted {
		return version{}, false
	}
	return versions[len(versions)-1], true
}

func (b *bucket) put(key string, data []byte, now time.Time) version {
	b.next++
	v := version{id: "v" + strconv.FormatInt(b.next, 10), number: now.UnixMicro() + b.next, data: data, at: now, tag: etagOf(data)}
	if b.LockedFor > 0 {
		v.retained = now.Add(b.LockedFor)
	}
	if !b.Versioned {
		b.objects[key] = nil
	}
	b.objects[key] = append(b.objects[key], v)
	return v
}

// locked tells whether the retention of a version is not over.
func (v version) locked(now time.Time) bool { return now.Before(v.retained) }

// HasBucket tells whether there is a bucket of that name.
func (c *Cloud) HasBucket(name string) bool { return c.bucketOf(name) != nil }
