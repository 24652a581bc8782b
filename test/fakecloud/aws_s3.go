package fakecloud

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// s3Target finds bucket and key, in either addressing style.
func (c *Cloud) s3Target(r *http.Request) (name, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	for _, host := range c.s3Hosts() {
		if r.Host == host {
			name, key, _ = strings.Cut(path, "/")
			return name, key
		}
		if bucket, found := strings.CutSuffix(r.Host, "."+host); found {
			return bucket, path
		}
	}
	return "", ""
}

// s3Action is the permission that a request needs.
func s3Action(r *http.Request, key string) string {
	query := r.URL.Query()
	query.Del("x-id") // the name of the operation, which AWS's library adds
	switch {
	case key == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return "s3:ListBucket"
	case key == "":
		return ""
	case r.Method == http.MethodPut && len(query) == 0:
		return "s3:PutObject"
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && query.Get("versionId") != "":
		return "s3:GetObjectVersion"
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return "s3:GetObject"
	case r.Method == http.MethodDelete && query.Get("versionId") != "":
		return "s3:DeleteObjectVersion"
	case r.Method == http.MethodDelete:
		return "s3:DeleteObject"
	}
	return ""
}

func (c *Cloud) s3(w http.ResponseWriter, r *http.Request) {
	name, key := c.s3Target(r)
	action := s3Action(r, key)
	record := Request{Service: "s3", Action: strings.TrimPrefix(action, "s3:"), Resource: name + "/" + key, Status: http.StatusOK}
	defer func() { c.note(record) }()
	refuse := func(e *apiError) {
		record.Status = e.status
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(e.status)
		if r.Method != http.MethodHead {
			_ = xml.NewEncoder(w).Encode(struct {
				XMLName                 xml.Name `xml:"Error"`
				Code, Message, Resource string
			}{Code: e.code, Message: e.message, Resource: r.URL.Path})
		}
	}
	if fault, failing := c.fault("s3", record.Action); failing && fault.Late {
		defer fail(w, Fault{})
	} else if failing {
		record.Status = fault.Status
		fail(w, fault)
		return
	}
	session, body, refused := c.authenticate(r, "s3")
	if session != nil {
		record.Role, record.Instance = session.role, session.instance
	}
	c.lock.Lock()
	b := c.buckets[name]
	c.lock.Unlock()
	if b != nil {
		w.Header().Set("X-Amz-Bucket-Region", c.region)
	}
	switch {
	case b != nil && refused != nil && r.Method == http.MethodHead:
		refuse(refusal(http.StatusForbidden, "AccessDenied", "Access Denied"))
		return
	case refused != nil:
		refuse(refused)
		return
	case b == nil:
		refuse(refusal(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"))
		return
	case action == "":
		refuse(refusal(http.StatusNotImplemented, "NotImplemented", "fakecloud does not know this request"))
		return
	}
	ask := c.s3Access(session, action, name, key, tlsVersion(r))
	ask.context["s3:prefix"] = r.URL.Query().Get("prefix")
	if match := r.Header.Get("If-None-Match"); match != "" {
		ask.context["s3:if-none-match"] = match
	}
	if refused := c.mayS3(ask, b, key); refused != nil {
		refuse(refused)
		return
	}
	if refused := c.s3Do(w, r, b, key, body, ask); refused != nil {
		refuse(refused)
	}
}

// s3Access is what a request wants to do, with an object or with the whole bucket.
func (c *Cloud) s3Access(who *session, action, bucket, key, tls string) access {
	resource := "arn:aws:s3:::" + bucket
	if key != "" {
		resource += "/" + key
	}
	return access{session: who, action: action, resource: resource, context: map[string]string{"s3:TlsVersion": tls}}
}

// tlsVersion is that of a request's connection as conditions have it.
func tlsVersion(r *http.Request) string {
	if r.TLS != nil && r.TLS.Version == tls.VersionTLS13 {
		return "1.3"
	}
	return "1.2" // the listener takes nothing older
}

// mayS3 judges a request by the policies of role, bucket and key.
func (c *Cloud) mayS3(ask access, b *bucket, key string) *apiError {
	if !c.authorize(ask, b.statements) {
		return refusal(http.StatusForbidden, "AccessDenied", "User is not authorized to perform: %s on resource: %q", ask.action, ask.resource)
	}
	return c.s3Key(b, ask.session, ask.action, key)
}

// s3Key wants the right to use the bucket's key, which S3 uses in the caller's name.
func (c *Cloud) s3Key(b *bucket, s *session, action, object string) *apiError {
	operation := map[string]string{"s3:PutObject": "kms:GenerateDataKey", "s3:GetObject": "kms:Decrypt", "s3:GetObjectVersion": "kms:Decrypt"}[action]
	if b.Key == "" || operation == "" {
		return nil
	}
	bound := "arn:aws:s3:::" + b.Name
	if !b.BucketKey {
		bound += "/" + object
	}
	c.lock.Lock()
	key := c.keys[b.Key]
	c.lock.Unlock()
	if !key.Disabled && c.authorizeKey(access{session: s, action: operation, resource: c.keyName(key), context: map[string]string{
		"kms:ViaService": "s3." + c.region + ".amazonaws.com", "kms:EncryptionContext:aws:s3:arn": bound, "kms:CallerAccount": c.account,
	}}, key.statements) {
		return nil
	}
	return refusal(http.StatusForbidden, "AccessDenied", "User is not authorized to perform: %s on resource: %q", operation, c.keyName(key))
}

func (c *Cloud) s3Do(w http.ResponseWriter, r *http.Request, b *bucket, key string, body []byte, ask access) *apiError {
	// Whoever may not list does not learn what there is.
	list := ask
	list.action, list.resource = "s3:ListBucket", "arn:aws:s3:::"+b.Name
	absent := refusal(http.StatusForbidden, "AccessDenied", "Access Denied")
	if c.authorize(list, b.statements) {
		absent = refusal(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	now := c.now()
	current, found := b.newest(key)
	switch ask.action {
	case "s3:ListBucket":
		c.s3List(w, r, b)
	case "s3:GetObject", "s3:GetObjectVersion":
		if id := r.URL.Query().Get("versionId"); id != "" {
			current, found = b.find(key, id)
		}
		if !found {
			return absent
		}
		w.Header().Set("Etag", current.etag())
		w.Header().Set("X-Amz-Version-Id", current.id)
		w.Header().Set("Content-Type", "binary/octet-stream")
		http.ServeContent(w, r, "", current.at, bytes.NewReader(current.data))
	case "s3:PutObject":
		if match := r.Header.Get("If-None-Match"); match == "*" && found {
			return refusal(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		}
		if match := r.Header.Get("If-Match"); match != "" && !found {
			return refusal(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		} else if match != "" && match != current.etag() {
			return refusal(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		}
		if refused := checksum(r, body, b.LockedFor > 0); refused != nil {
			return refused
		}
		v := b.put(key, body, now)
		w.Header().Set("Etag", v.etag())
		w.Header().Set("X-Amz-Version-Id", v.id)
	case "s3:DeleteObject":
		if b.Versioned {
			b.objects[key] = append(b.objects[key], version{id: "v" + strconv.FormatInt(b.next+1, 10), deleted: true, at: now})
			b.next++
		} else {
			delete(b.objects, key)
		}
		w.WriteHeader(http.StatusNoContent)
	case "s3:DeleteObjectVersion":
		if v, found := b.find(key, r.URL.Query().Get("versionId")); found && v.locked(now) {
			return refusal(http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock.")
		}
		b.drop(key, r.URL.Query().Get("versionId"))
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// checksum verifies what the client says of the body. A locked bucket wants one.
func checksum(r *http.Request, body []byte, needed bool) *apiError {
	text := r.Header.Get("X-Amz-Checksum-Sha256")
	if text == "" && needed && r.Header.Get("Content-Md5") == "" {
		return refusal(http.StatusBadRequest, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	sum := sha256.Sum256(body)
	if text != "" && text != base64.StdEncoding.EncodeToString(sum[:]) {
		return refusal(http.StatusBadRequest, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")
	}
	return nil
}

func (b *bucket) find(key, id string) (version, bool) {
	for _, v := range b.objects[key] {
		if v.id == id {
			return v, true
		}
	}
	return version{}, false
}

func (b *bucket) drop(key, id string) {
	var rest []version
	for _, v := range b.objects[key] {
		if v.id != id {
			rest = append(rest, v)
		}
	}
	b.objects[key] = rest
}

// pageSize is small, so that clients that read one page only are found out.
const pageSize = 3

func (c *Cloud) s3List(w http.ResponseWriter, r *http.Request, b *bucket) {
	type content struct {
		Key          string
		LastModified string
		Size         int
	}
	result := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}{Name: b.Name, Prefix: r.URL.Query().Get("prefix")}
	after := r.URL.Query().Get("continuation-token")
	for _, key := range b.list(result.Prefix) {
		if key <= after {
			continue
		}
		if len(result.Contents) == pageSize {
			result.IsTruncated, result.NextContinuationToken = true, result.Contents[pageSize-1].Key
			break
		}
		v, _ := b.newest(key)
		result.Contents = append(result.Contents, content{key, v.at.UTC().Format(time.RFC3339), len(v.data)})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}
