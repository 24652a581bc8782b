package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// s3 is Amazon S3: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
type s3 struct{ *awsClient }

// at gives the address of an object. A bucket with a dot in its name is below the
// host, since the certificate of the service covers one label.
func (s s3) at(bucket, key string, query url.Values) url.URL {
	host := "s3." + s.region + ".amazonaws.com"
	path := "/" + key
	if strings.Contains(bucket, ".") {
		path = "/" + bucket + path
	} else {
		host = bucket + "." + host
	}
	return url.URL{Scheme: "https", Host: host, Path: path, RawPath: escapePath(path), RawQuery: query.Encode()}
}

func (s s3) Get(ctx context.Context, bucket, key string) (io.ReadCloser, string, error) {
	response, err := s.do(ctx, awsRequest{method: http.MethodGet, service: "s3", url: s.at(bucket, key, nil)})
	if err != nil {
		return nil, "", fmt.Errorf("reading s3://%s/%s: %w", bucket, key, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", s.refused("reading", bucket, key, response)
	}
	return response.Body, response.Header.Get("Etag"), nil
}

func (s s3) Put(ctx context.Context, bucket, key string, body io.ReadSeeker, tag string) error {
	hash := sha256.New()
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(hash, body); err != nil {
		return err
	}
	header := http.Header{}
	// A bucket with locked retention wants a checksum beside the signature's.
	header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(hash.Sum(nil)))
	switch tag {
	case Any:
	case Absent:
		header.Set("If-None-Match", "*")
	default:
		header.Set("If-Match", tag)
	}
	response, err := s.do(ctx, awsRequest{method: http.MethodPut, service: "s3", url: s.at(bucket, key, nil), header: header, body: body})
	if err != nil {
		return fmt.Errorf("writing s3://%s/%s: %w", bucket, key, err)
	}
	if response.StatusCode != http.StatusOK {
		return s.refused("writing", bucket, key, response)
	}
	drain(response.Body)
	return nil
}

func (s s3) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	for {
		response, err := s.do(ctx, awsRequest{method: http.MethodGet, service: "s3", url: s.at(bucket, "", query)})
		if err != nil {
			return nil, fmt.Errorf("listing s3://%s/%s: %w", bucket, prefix, err)
		}
		if response.StatusCode != http.StatusOK {
			return nil, s.refused("listing", bucket, prefix, response)
		}
		data, err := readAll(response.Body)
		if err != nil {
			return nil, err
		}
		var page struct {
			IsTruncated           bool
			NextContinuationToken string
			Contents              []struct{ Key string }
		}
		if err := xml.Unmarshal(data, &page); err != nil {
			return nil, fmt.Errorf("listing s3://%s/%s: %w", bucket, prefix, err)
		}
		for _, each := range page.Contents {
			keys = append(keys, each.Key)
		}
		if !page.IsTruncated || page.NextContinuationToken == "" {
			return keys, nil
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}

func (s s3) refused(doing, bucket, key string, response *http.Response) error {
	data, err := readAll(response.Body)
	if err != nil {
		return err
	}
	var fault struct{ Code, Message string }
	text := string(data)
	if xml.Unmarshal(data, &fault) == nil && fault.Code != "" {
		text = fault.Code + ": " + fault.Message
	}
	return failure(fmt.Sprintf("%s s3://%s/%s", doing, bucket, key), response.StatusCode, text)
}

// escapePath escapes as RFC 3986 wants it, which is how paths are signed.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(part))
	}
	return strings.Join(parts, "/")
}
