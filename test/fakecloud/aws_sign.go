package fakecloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// clockSkew is how far the time of a signature may be off.
const clockSkew = 15 * time.Minute

// unsignedPayload says that a signature does not cover the body.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// apiError is a refusal as the clouds word it.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refusal(status int, code, format string, arguments ...any) *apiError {
	return &apiError{status, code, fmt.Sprintf(format, arguments...)}
}

// authenticate verifies the signature of a request (AWS Signature Version 4, in
// its header form) and gives the session whose credentials signed it, and the body.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (c *Cloud) authenticate(r *http.Request, service string) (*session, []byte, *apiError) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<30))
	if err != nil {
		return nil, nil, refusal(http.StatusBadRequest, "IncompleteBody", "%v", err)
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, body, nil
	}
	const algorithm = "AWS4-HMAC-SHA256"
	rest, found := strings.CutPrefix(header, algorithm+" ")
	if !found {
		return nil, nil, refusal(http.StatusBadRequest, "InvalidArgument", "Unsupported Authorization Type")
	}
	parts := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || len(scope) != 5 || scope[4] != "aws4_request" || scope[1] != when.Format("20060102") {
		return nil, nil, refusal(http.StatusForbidden, "AuthorizationHeaderMalformed", "the credential scope or the date is malformed")
	}
	if scope[2] != c.region || scope[3] != service {
		return nil, nil, refusal(http.StatusBadRequest, "AuthorizationHeaderMalformed", "the scope %s/%s is wrong; expecting %s/%s", scope[2], scope[3], c.region, service)
	}
	if off := c.now().Sub(when).Abs(); off > clockSkew {
		return nil, nil, refusal(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	c.lock.Lock()
	s := c.sessions[scope[0]]
	c.lock.Unlock()
	if s == nil {
		return nil, nil, refusal(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	}
	if subtle.ConstantTimeCompare([]byte(s.token), []byte(r.Header.Get("X-Amz-Security-Token"))) != 1 {
		return nil, nil, refusal(http.StatusForbidden, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	}
	if !c.now().Before(s.expires) {
		return nil, nil, refusal(http.StatusForbidden, "ExpiredToken", "The provided token has expired.")
	}
	signed := strings.Split(parts["SignedHeaders"], ";")
	for _, needed := range []string{"host", "x-amz-date", "x-amz-security-token"} {
		if !slices.Contains(signed, needed) {
			return nil, nil, refusal(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed: %s", needed)
		}
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	sum := sha256.Sum256(body)
	switch {
	case payload == "" && service == "s3":
		return nil, nil, refusal(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	case payload == "":
		payload = hex.EncodeToString(sum[:])
	case strings.HasPrefix(payload, "STREAMING-"):
		return nil, nil, refusal(http.StatusNotImplemented, "NotImplemented", "fakecloud plays no chunked uploads with trailers")
	case payload != unsignedPayload && payload != hex.EncodeToString(sum[:]):
		return nil, nil, refusal(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	canonical := canonicalRequest(r, signed, payload, service)
	hashed := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{algorithm, r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), hex.EncodeToString(hashed[:])}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range scope[1:] {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, text))
	if subtle.ConstantTimeCompare([]byte(want), []byte(parts["Signature"])) != 1 {
		return nil, nil, refusal(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	return s, body, nil
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func canonicalRequest(r *http.Request, signed []string, payload, service string) string {
	path := escapePath(r.URL.Path)
	if service != "s3" { // all others escape what is escaped already
		path = escapePath(path)
	}
	var query []string
	for name, values := range r.URL.Query() {
		for _, value := range values {
			query = append(query, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(query)
	var headers strings.Builder
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	return strings.Join([]string{r.Method, path, strings.Join(query, "&"), headers.String(), strings.Join(signed, ";"), payload}, "\n")
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	if path == "" {
		return "/"
	}
	return strings.Join(parts, "/")
}

// escape is RFC 3986: everything but unreserved characters.
func escape(text string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(text))
}
