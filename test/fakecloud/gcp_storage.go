package fakecloud

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func gcpRefuse(w http.ResponseWriter, e *apiError) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": e.status, "message": e.message, "status": e.code,
		"errors": []map[string]string{{"message": e.message, "domain": "global", "reason": e.code}}}})
}

// storageCall is a request to Cloud Storage, in its JSON form or as a plain
// download of an object.
type storageCall struct{ bucket, object, action string }

func parseStorage(r *http.Request) (call storageCall, ok bool) {
	path := r.URL.EscapedPath()
	unescape := func(text string) string {
		plain, err := url.PathUnescape(text)
		ok = ok && err == nil
		return plain
	}
	ok = true
	upload := strings.HasPrefix(path, "/upload/storage/v1/b/")
	rest, isJSON := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "/upload"), "/download"), "/storage/v1/b/")
	if !isJSON { // the XML form: /BUCKET/OBJECT
		name, object, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		call = storageCall{unescape(name), unescape(object), "get"}
		return call, ok && found && object != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	}
	parts := strings.Split(rest, "/")
	call.bucket = unescape(parts[0])
	switch {
	case len(parts) < 2 || parts[1] != "o" || len(parts) > 3:
		return call, false
	case upload && r.Method == http.MethodPost && len(parts) == 2:
		call.object, call.action = r.URL.Query().Get("name"), "create"
	case len(parts) == 2 && r.Method == http.MethodGet:
		call.action = "list"
	case len(parts) == 3 && r.Method == http.MethodGet:
		call.object, call.action = unescape(parts[2]), "get"
	case len(parts) == 3 && r.Method == http.MethodDelete:
		call.object, call.action = unescape(parts[2]), "delete"
	default:
		return call, false
	}
	return call, ok
}

func (c *Cloud) storage(w http.ResponseWriter, r *http.Request) {
	call, known := parseStorage(r)
	record := Request{Service: "storage", Action: call.action, Resource: call.bucket + "/" + call.object, Status: http.StatusOK}
	defer func() { c.note(record) }()
	refuse := func(e *apiError) {
		record.Status = e.status
		gcpRefuse(w, e)
	}
	if fault, failing := c.fault("storage", call.action); failing && fault.Late {
		defer fail(w, Fault{})
	} else if failing {
		record.Status = fault.Status
		fail(w, fault)
		return
	}
	session, refused := c.bearer(r)
	if session != nil {
		record.Role, record.Instance = session.role, session.instance
	}
	body, err := io.ReadAll(r.Body)
	c.lock.Lock()
	b := c.buckets[call.bucket]
	c.lock.Unlock()
	switch {
	case refused != nil:
		refuse(refused)
		return
	case !known || err != nil:
		refuse(refusal(http.StatusBadRequest, "invalid", "fakecloud does not know this request"))
		return
	case b == nil:
		refuse(refusal(http.StatusNotFound, "notFound", "The specified bucket does not exist."))
		return
	}
	permitted := func(permission string) bool {
		on := objectTarget(call.bucket, call.object)
		if permission == "storage.objects.list" {
			on.kind, on.name = "storage.googleapis.com/Bucket", "projects/_/buckets/"+call.bucket
		}
		return c.permitted(session, permission, on, b.grants)
	}
	denied := func(permission string) *apiError {
		who := "Anonymous caller"
		if session != nil {
			who = c.email(session.role)
		}
		status := http.StatusForbidden
		if session == nil {
			status = http.StatusUnauthorized
		}
		return refusal(status, "forbidden", "%s does not have %s access to the Google Cloud Storage object. Permission '%s' denied on resource (or it may not exist).", who, permission, permission)
	}
	if permission := "storage.objects." + call.action; !permitted(permission) {
		refuse(denied(permission))
		return
	}
	mayList, mayDelete := permitted("storage.objects.list"), permitted("storage.objects.delete")
	c.lock.Lock()
	defer c.lock.Unlock()
	current, found := b.newest(call.object)
	now := c.now()
	if match := r.URL.Query().Get("ifGenerationMatch"); match != "" {
		have := "0"
		if found {
			have = strconv.FormatInt(current.number, 10)
		}
		if match != have {
			refuse(refusal(http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."))
			return
		}
	}
	switch call.action {
	case "list":
		c.storageList(w, r, b)
	case "get":
		if !found {
			if !mayList {
				refuse(denied("storage.objects.list"))
				return
			}
			refuse(refusal(http.StatusNotFound, "notFound", "No such object: %s/%s", call.bucket, call.object))
			return
		}
		w.Header().Set("X-Goog-Generation", strconv.FormatInt(current.number, 10))
		w.Header().Set("X-Goog-Hash", "crc32c="+crcText(current.data))
		w.Header().Add("X-Goog-Hash", "md5="+md5Text(current.data))
		if strings.HasPrefix(r.URL.Path, "/storage/") && r.URL.Query().Get("alt") != "media" {
			c.writeJSON(w, b.described(call.object, current))
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", current.at, bytes.NewReader(current.data))
	case "create":
		if found && !mayDelete {
			refuse(denied("storage.objects.delete")) // replacing an object deletes it
			return
		}
		if found && current.locked(now) {
			refuse(refusal(http.StatusForbidden, "retentionPolicyNotMet", "Object '%s/%s' is subject to bucket's retention policy and cannot be deleted or overwritten until %s", call.bucket, call.object, current.retained.Format(time.RFC3339)))
			return
		}
		for _, hash := range strings.Split(r.Header.Get("X-Goog-Hash"), ",") {
			if text, isCRC := strings.CutPrefix(hash, "crc32c="); isCRC && text != crcText(body) {
				refuse(refusal(http.StatusBadRequest, "invalid", "Provided CRC32C \"%s\" doesn't match calculated CRC32C \"%s\".", text, crcText(body)))
				return
			}
		}
		c.writeJSON(w, b.described(call.object, b.put(call.object, body, now)))
	case "delete":
		if !found {
			refuse(refusal(http.StatusNotFound, "notFound", "No such object: %s/%s", call.bucket, call.object))
			return
		}
		if current.locked(now) {
			refuse(refusal(http.StatusForbidden, "retentionPolicyNotMet", "Object '%s/%s' is subject to bucket's retention policy and cannot be deleted or overwritten until %s", call.bucket, call.object, current.retained.Format(time.RFC3339)))
			return
		}
		if b.Versioned {
			b.objects[call.object] = append(b.objects[call.object], version{deleted: true, at: now})
		} else {
			delete(b.objects, call.object)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Cloud) writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(value)
}

func (b *bucket) described(name string, v version) map[string]any {
	return map[string]any{"kind": "storage#object", "name": name, "bucket": b.Name, "generation": strconv.FormatInt(v.number, 10),
		"size": strconv.Itoa(len(v.data)), "crc32c": crcText(v.data), "md5Hash": md5Text(v.data), "updated": v.at.UTC().Format(time.RFC3339)}
}

func (c *Cloud) storageList(w http.ResponseWriter, r *http.Request, b *bucket) {
	var items []map[string]any
	next, after := "", r.URL.Query().Get("pageToken")
	for _, key := range b.list(r.URL.Query().Get("prefix")) {
		if key <= after {
			continue
		}
		if len(items) == pageSize {
			next = items[pageSize-1]["name"].(string)
			break
		}
		v, _ := b.newest(key)
		items = append(items, b.described(key, v))
	}
	answer := map[string]any{"kind": "storage#objects", "items": items}
	if next != "" {
		answer["nextPageToken"] = next
	}
	c.writeJSON(w, answer)
}

func crcOf(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

func crcText(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crcOf(data)))
}

func md5Text(data []byte) string {
	sum := md5.Sum(data) // Cloud Storage's own form
	return base64.StdEncoding.EncodeToString(sum[:])
}
