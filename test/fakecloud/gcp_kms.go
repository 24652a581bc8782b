package fakecloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// cloudKMSLimit is the size of a plaintext and of the additional data:
// https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
const cloudKMSLimit = 64 << 10

type cloudKMSRequest struct {
	Plaintext                         []byte `json:"plaintext"`
	Ciphertext                        []byte `json:"ciphertext"`
	AdditionalAuthenticatedData       []byte `json:"additionalAuthenticatedData"`
	PlaintextCrc32c                   string `json:"plaintextCrc32c"`
	CiphertextCrc32c                  string `json:"ciphertextCrc32c"`
	AdditionalAuthenticatedDataCrc32c string `json:"additionalAuthenticatedDataCrc32c"`
}

func (c *Cloud) cloudKMS(w http.ResponseWriter, r *http.Request) {
	name, action, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	record := Request{Service: "kms", Action: action, Resource: name, Status: http.StatusOK}
	defer func() { c.note(record) }()
	refuse := func(e *apiError) {
		record.Status = e.status
		gcpRefuse(w, e)
	}
	if fault, failing := c.fault("kms", action); failing {
		record.Status = fault.Status
		fail(w, fault)
		return
	}
	session, refused := c.bearer(r)
	if session != nil {
		record.Role, record.Instance = session.role, session.instance
	}
	permission := map[string]string{"encrypt": "cloudkms.cryptoKeyVersions.useToEncrypt", "decrypt": "cloudkms.cryptoKeyVersions.useToDecrypt"}[action]
	var request cloudKMSRequest
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var found *key
	c.lock.Lock()
	for _, each := range c.keys {
		if c.keyName(each) == name {
			found = each
		}
	}
	c.lock.Unlock()
	switch {
	case refused != nil:
		refuse(refused)
		return
	case permission == "" || r.Method != http.MethodPost:
		refuse(refusal(http.StatusNotFound, "NOT_FOUND", "fakecloud does not know this request"))
		return
	case found == nil || !c.permitted(session, permission, target{"cloudkms.googleapis.com", "cloudkms.googleapis.com/CryptoKey", name}, found.grants):
		refuse(refusal(http.StatusForbidden, "PERMISSION_DENIED", "Permission '%s' denied on resource '%s' (or it may not exist).", permission, name))
		return
	case decoder.Decode(&request) != nil:
		refuse(refusal(http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received."))
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	answer, refused := c.cloudKMSDo(found, action, request)
	if refused != nil {
		refuse(refused)
		return
	}
	c.writeJSON(w, answer)
}

func (c *Cloud) cloudKMSDo(k *key, action string, request cloudKMSRequest) (map[string]any, *apiError) {
	if k.Disabled {
		return nil, refusal(http.StatusBadRequest, "FAILED_PRECONDITION", "%s is not enabled, current state is: DISABLED.", c.keyName(k))
	}
	wrong := refusal(http.StatusBadRequest, "INVALID_ARGUMENT", "The checksum in the field does not match the data")
	for data, said := range map[*[]byte]string{&request.Plaintext: request.PlaintextCrc32c, &request.Ciphertext: request.CiphertextCrc32c, &request.AdditionalAuthenticatedData: request.AdditionalAuthenticatedDataCrc32c} {
		if said != "" && said != number(*data) {
			return nil, wrong
		}
	}
	if len(request.Plaintext) > cloudKMSLimit || len(request.AdditionalAuthenticatedData) > cloudKMSLimit {
		return nil, refusal(http.StatusBadRequest, "INVALID_ARGUMENT", "the data is longer than 64 KiB")
	}
	if action == "encrypt" {
		data, version := k.seal(request.Plaintext, request.AdditionalAuthenticatedData)
		return map[string]any{"name": fmt.Sprintf("%s/cryptoKeyVersions/%d", c.keyName(k), version+1), "ciphertext": data, "ciphertextCrc32c": number(data),
			"verifiedPlaintextCrc32c": request.PlaintextCrc32c != "", "verifiedAdditionalAuthenticatedDataCrc32c": request.AdditionalAuthenticatedDataCrc32c != ""}, nil
	}
	plain, err := k.open(request.Ciphertext, request.AdditionalAuthenticatedData)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "INVALID_ARGUMENT", "Decryption failed: verify that 'name' refers to the correct CryptoKey.")
	}
	return map[string]any{"plaintext": plain, "plaintextCrc32c": number(plain), "usedPrimary": true}, nil
}

// number is a CRC32C as 64-bit numbers are written in JSON.
func number(data []byte) string { return strconv.FormatUint(uint64(crcOf(data)), 10) }
