package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// cloudKMS is Cloud KMS: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
type cloudKMS struct{ *gcpClient }

const kmsHost = "https://cloudkms.googleapis.com/v1/"

// additionalData writes a context as lines NAME=VALUE, sorted.
func additionalData(bound map[string]string) []byte {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		lines = append(lines, name+"="+bound[name])
	}
	return []byte(strings.Join(lines, "\n"))
}

// Encrypt verifies both ways that nothing was damaged in transit:
// https://cloud.google.com/kms/docs/data-integrity-guidelines
func (k cloudKMS) Encrypt(ctx context.Context, key string, plain []byte, bound map[string]string) ([]byte, string, error) {
	aad := additionalData(bound)
	var answer struct {
		Name             string `json:"name"`
		Ciphertext       []byte `json:"ciphertext"`
		CiphertextCrc32c string `json:"ciphertextCrc32c"`
		Verified         bool   `json:"verifiedPlaintextCrc32c"`
		VerifiedAAD      bool   `json:"verifiedAdditionalAuthenticatedDataCrc32c"`
	}
	err := k.call(ctx, "encrypting with "+key, http.MethodPost, kmsHost+key+":encrypt", map[string]any{
		"plaintext": plain, "plaintextCrc32c": crcNumber(plain),
		"additionalAuthenticatedData": aad, "additionalAuthenticatedDataCrc32c": crcNumber(aad),
	}, &answer)
	if err != nil {
		return nil, "", err
	}
	if !answer.Verified || !answer.VerifiedAAD || answer.CiphertextCrc32c != crcNumber(answer.Ciphertext) {
		return nil, "", fmt.Errorf("encrypting with %s: the data was damaged in transit", key)
	}
	if !strings.HasPrefix(answer.Name, key+"/cryptoKeyVersions/") {
		return nil, "", fmt.Errorf("encrypting with %s: the answer is of %q", key, answer.Name)
	}
	return answer.Ciphertext, answer.Name, nil
}

func (k cloudKMS) Decrypt(ctx context.Context, key string, cipher []byte, bound map[string]string) ([]byte, error) {
	aad := additionalData(bound)
	var answer struct {
		Plaintext       []byte `json:"plaintext"`
		PlaintextCrc32c string `json:"plaintextCrc32c"`
	}
	err := k.call(ctx, "decrypting with "+key, http.MethodPost, kmsHost+key+":decrypt", map[string]any{
		"ciphertext": cipher, "ciphertextCrc32c": crcNumber(cipher),
		"additionalAuthenticatedData": aad, "additionalAuthenticatedDataCrc32c": crcNumber(aad),
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.PlaintextCrc32c != crcNumber(answer.Plaintext) {
		return nil, errors.New("decrypting: the data was damaged in transit")
	}
	return answer.Plaintext, nil
}
