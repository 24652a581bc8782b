package fakecloud

import (
	"encoding/json"
	"net/http"
	"strings"
)

// kmsLimit is how much Encrypt takes at once:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
const kmsLimit = 4096

type kmsRequest struct {
	KeyId             string //nolint // AWS's spelling
	Plaintext         []byte
	CiphertextBlob    []byte
	EncryptionContext map[string]string
}

// awsKMS plays Encrypt, Decrypt and DescribeKey.
func (c *Cloud) awsKMS(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	action := strings.TrimPrefix(target, "TrentService.")
	record := Request{Service: "kms", Action: action, Status: http.StatusOK}
	defer func() { c.note(record) }()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(e *apiError) {
		record.Status = e.status
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.code, "message": e.message})
	}
	if fault, failing := c.fault("kms", action); failing {
		record.Status = fault.Status
		fail(w, fault)
		return
	}
	session, body, refused := c.authenticate(r, "kms")
	if session != nil {
		record.Role, record.Instance = session.role, session.instance
	}
	var request kmsRequest
	switch {
	case refused != nil:
		refuse(refused)
		return
	case session == nil:
		refuse(refusal(http.StatusBadRequest, "MissingAuthenticationToken", "Missing Authentication Token"))
		return
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || json.Unmarshal(body, &request) != nil:
		refuse(refusal(http.StatusBadRequest, "SerializationException", "the request cannot be read"))
		return
	}
	record.Resource = request.KeyId
	answer, refused := c.kmsDo(session, action, request)
	if refused != nil {
		refuse(refused)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *Cloud) kmsDo(s *session, action string, request kmsRequest) (any, *apiError) {
	c.lock.Lock()
	id := request.KeyId
	if action == "Decrypt" && id == "" {
		var b blob
		_ = json.Unmarshal(request.CiphertextBlob, &b) // checked when it is opened
		id = b.Key
	}
	var found *key
	for _, each := range c.keys {
		if each.ID == id || c.keyName(each) == id {
			found = each
		}
	}
	c.lock.Unlock()
	if found == nil {
		return nil, refusal(http.StatusBadRequest, "NotFoundException", "Key '%s' does not exist", id)
	}
	context := map[string]string{}
	for name, value := range request.EncryptionContext {
		context["kms:EncryptionContext:"+name] = value
	}
	name := c.keyName(found)
	if !c.authorizeKey(access{session: s, action: "kms:" + action, resource: name, context: context}, found.statements) {
		return nil, refusal(http.StatusBadRequest, "AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s", c.roleARN(s.role), action, name)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if found.Disabled {
		return nil, refusal(http.StatusBadRequest, "DisabledException", "%s is disabled.", name)
	}
	bound, err := json.Marshal(request.EncryptionContext) // maps are written sorted
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "SerializationException", "%v", err)
	}
	switch action {
	case "Encrypt":
		if len(request.Plaintext) == 0 || len(request.Plaintext) > kmsLimit {
			return nil, refusal(http.StatusBadRequest, "ValidationException", "Member must have length between 1 and %d", kmsLimit)
		}
		data, _ := found.seal(request.Plaintext, bound)
		return map[string]any{"KeyId": name, "CiphertextBlob": data, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
	case "Decrypt":
		var b blob
		if json.Unmarshal(request.CiphertextBlob, &b) == nil && b.Key != found.ID {
			return nil, refusal(http.StatusBadRequest, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
		plain, err := found.open(request.CiphertextBlob, bound)
		if err != nil {
			return nil, refusal(http.StatusBadRequest, "InvalidCiphertextException", "")
		}
		return map[string]any{"KeyId": name, "Plaintext": plain, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
	case "DescribeKey":
		return map[string]any{"KeyMetadata": map[string]any{"Arn": name, "KeyId": found.ID, "Enabled": true, "KeyState": "Enabled"}}, nil
	}
	return nil, refusal(http.StatusBadRequest, "UnknownOperationException", "")
}
