package cloud

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
)

// gcs is Cloud Storage: https://cloud.google.com/storage/docs/json_api/v1/objects
type gcs struct{ *gcpClient }

const storageHost = "https://storage.googleapis.com"

func (g gcs) Get(ctx context.Context, bucket, key string) (io.ReadCloser, string, error) {
	address := storageHost + "/storage/v1/b/" + url.PathEscape(bucket) + "/o/" + url.PathEscape(key) + "?alt=media"
	response, err := g.do(ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return nil, "", fmt.Errorf("reading gs://%s/%s: %w", bucket, key, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", g.refused("reading", bucket, key, response)
	}
	return response.Body, response.Header.Get("X-Goog-Generation"), nil
}

func (g gcs) Put(ctx context.Context, bucket, key string, body io.ReadSeeker, tag string) error {
	checksum := crc32.New(castagnoli)
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(checksum, body); err != nil {
		return err
	}
	query := url.Values{"uploadType": {"media"}, "name": {key}}
	switch tag {
	case Any:
	case Absent:
		query.Set("ifGenerationMatch", "0")
	default:
		query.Set("ifGenerationMatch", tag)
	}
	header := http.Header{}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("X-Goog-Hash", "crc32c="+base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, checksum.Sum32())))
	response, err := g.do(ctx, http.MethodPost, storageHost+"/upload/storage/v1/b/"+url.PathEscape(bucket)+"/o?"+query.Encode(), header, body)
	if err != nil {
		return fmt.Errorf("writing gs://%s/%s: %w", bucket, key, err)
	}
	if response.StatusCode != http.StatusOK {
		return g.refused("writing", bucket, key, response)
	}
	drain(response.Body)
	return nil
}

func (g gcs) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	query := url.Values{"prefix": {prefix}, "fields": {"items(name),nextPageToken"}}
	for {
		var page struct {
			Items []struct {
				Name string `json:"name"`
			} `json:"items"`
			Next string `json:"nextPageToken"`
		}
		address := storageHost + "/storage/v1/b/" + url.PathEscape(bucket) + "/o?" + query.Encode()
		if err := g.call(ctx, "listing gs://"+bucket+"/"+prefix, http.MethodGet, address, nil, &page); err != nil {
			return nil, err
		}
		for _, each := range page.Items {
			keys = append(keys, each.Name)
		}
		if page.Next == "" {
			return keys, nil
		}
		query.Set("pageToken", page.Next)
	}
}

func (g gcs) refused(doing, bucket, key string, response *http.Response) error {
	data, err := readAll(response.Body)
	if err != nil {
		return err
	}
	return failure(fmt.Sprintf("%s gs://%s/%s", doing, bucket, key), response.StatusCode, gcpMessage(data))
}
