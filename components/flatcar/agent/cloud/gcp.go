package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// gcpClient sends requests with access tokens of the instance's service account.
type gcpClient struct {
	http             *http.Client
	metadata         string
	project, cluster string
	zones            []string

	lock    sync.Mutex
	token   string
	expires time.Time
}

// tokenReserve is how long before its end a token is replaced.
const tokenReserve = 2 * time.Minute

func openGCP(config nodeconfig.Config, client *http.Client, metadata string) Cloud {
	if metadata == "" {
		metadata = "http://169.254.169.254"
	}
	c := &gcpClient{http: client, metadata: metadata, project: config.Cloud.Project, cluster: config.Cluster, zones: config.Cloud.Zones}
	return Cloud{gcs{c}, compute{c}, cloudKMS{c}}
}

// accessToken asks the metadata server:
// https://cloud.google.com/compute/docs/access/authenticate-workloads
func (c *gcpClient) accessToken(ctx context.Context) (string, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if time.Now().Before(c.expires.Add(-tokenReserve)) {
		return c.token, nil
	}
	response, err := send(ctx, &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}, func() (*http.Request, error) {
		request, err := http.NewRequest(http.MethodGet, c.metadata+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
		if err == nil {
			request.Header.Set("Metadata-Flavor", "Google")
		}
		return request, err
	})
	if err != nil {
		return "", fmt.Errorf("asking for an access token: %w", err)
	}
	data, err := readAll(response.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Metadata-Flavor") != "Google" {
		return "", failure("asking for an access token", response.StatusCode, string(data))
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Token == "" {
		return "", errors.Join(errors.New("asking for an access token: the answer has none"), err)
	}
	c.token, c.expires = answer.Token, time.Now().Add(time.Duration(answer.Seconds)*time.Second)
	return c.token, nil
}

// do sends a request; the body may be nil.
func (c *gcpClient) do(ctx context.Context, method, address string, header http.Header, body io.ReadSeeker) (*http.Response, error) {
	return send(ctx, c.http, func() (*http.Request, error) {
		var reader io.Reader
		var length int64
		if body != nil {
			end, err := body.Seek(0, io.SeekEnd)
			if err != nil {
				return nil, err
			}
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return nil, err
			}
			reader, length = io.NopCloser(body), end
		}
		request, err := http.NewRequest(method, address, reader)
		if err != nil {
			return nil, err
		}
		request.ContentLength = length
		if length == 0 {
			request.Body = http.NoBody
		}
		for name, values := range header {
			request.Header[name] = values
		}
		token, err := c.accessToken(ctx)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		return request, nil
	})
}

// call sends and receives JSON.
func (c *gcpClient) call(ctx context.Context, what, method, address string, message, answer any) error {
	var body io.ReadSeeker
	header := http.Header{}
	if message != nil {
		data, err := json.Marshal(message)
		if err != nil {
			return err
		}
		body = strings.NewReader(string(data))
		header.Set("Content-Type", "application/json")
	}
	response, err := c.do(ctx, method, address, header, body)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	data, err := readAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return failure(what, response.StatusCode, gcpMessage(data))
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// gcpMessage is what an error says, or all of it when it has another form.
func gcpMessage(data []byte) string {
	var fault struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(data, &fault) == nil && fault.Error.Message != "" {
		return fault.Error.Message
	}
	return string(data)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcNumber is a checksum as Cloud KMS writes it.
func crcNumber(data []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(data, castagnoli)), 10)
}
