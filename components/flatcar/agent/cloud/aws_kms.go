package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// awsKMS is AWS KMS: https://docs.aws.amazon.com/kms/latest/APIReference/
type awsKMS struct{ *awsClient }

type awsKMSMessage struct {
	KeyId             string            `json:",omitempty"` //nolint // AWS's spelling
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
}

func (k awsKMS) call(ctx context.Context, action string, message awsKMSMessage) (answer awsKMSMessage, err error) {
	body, err := json.Marshal(message)
	if err != nil {
		return answer, err
	}
	header := http.Header{}
	header.Set("Content-Type", "application/x-amz-json-1.1")
	header.Set("X-Amz-Target", "TrentService."+action)
	response, err := k.do(ctx, awsRequest{method: http.MethodPost, service: "kms", url: k.host("kms"), header: header, body: bytes.NewReader(body)})
	if err != nil {
		return answer, fmt.Errorf("%s with %s: %w", action, message.KeyId, err)
	}
	data, err := readAll(response.Body)
	if err != nil {
		return answer, err
	}
	if response.StatusCode != http.StatusOK {
		var fault struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &fault) // a text of another form is told as it is
		status, text := response.StatusCode, string(data)
		if fault.Type != "" {
			text = fault.Type + ": " + fault.Message
		}
		if strings.HasSuffix(fault.Type, "AccessDeniedException") {
			status = http.StatusForbidden
		}
		return answer, failure(action+" with "+message.KeyId, status, text)
	}
	return answer, json.Unmarshal(data, &answer)
}

// Encrypt names the key as the version: AWS rotates a key's material by itself and
// does not tell which one it used.
func (k awsKMS) Encrypt(ctx context.Context, key string, plain []byte, bound map[string]string) ([]byte, string, error) {
	answer, err := k.call(ctx, "Encrypt", awsKMSMessage{KeyId: key, Plaintext: plain, EncryptionContext: bound})
	if err != nil {
		return nil, "", err
	}
	if answer.KeyId != key || len(answer.CiphertextBlob) == 0 {
		return nil, "", fmt.Errorf("Encrypt with %s: the answer is of key %q", key, answer.KeyId)
	}
	return answer.CiphertextBlob, answer.KeyId, nil
}

// Decrypt names the key: without it the service would use whatever key the
// ciphertext says.
func (k awsKMS) Decrypt(ctx context.Context, key string, cipher []byte, bound map[string]string) ([]byte, error) {
	answer, err := k.call(ctx, "Decrypt", awsKMSMessage{KeyId: key, CiphertextBlob: cipher, EncryptionContext: bound})
	if err != nil {
		return nil, err
	}
	if answer.KeyId != key {
		return nil, errors.New("Decrypt: the answer is of key " + answer.KeyId)
	}
	return answer.Plaintext, nil
}
