package aws_test

import (
	"encoding/json"
	"fmt"
	"strings"

	authentication "k8s.io/api/authentication/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	audit "k8s.io/apiserver/pkg/apis/audit/v1"
)

// in is a request to the API server, as it is recorded once it is answered.
func in(user, verb, resource string, code int32, changes ...func(*audit.Event)) string {
	resource, subresource, _ := strings.Cut(resource, "/")
	e := &audit.Event{TypeMeta: meta.TypeMeta{Kind: "Event", APIVersion: "audit.k8s.io/v1"}, Level: audit.LevelMetadata, AuditID: "1", Stage: audit.StageResponseComplete,
		RequestURI: "/api/v1/namespaces/shop/" + resource, Verb: verb, User: authentication.UserInfo{Username: user, Groups: []string{"system:authenticated"}},
		ObjectRef: &audit.ObjectReference{Resource: resource, Subresource: subresource, Namespace: "shop", Name: "x", APIVersion: "v1"}, ResponseStatus: &meta.Status{Code: code}}
	for _, change := range changes {
		change(e)
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func at(uri string) func(*audit.Event) {
	return func(e *audit.Event) { e.RequestURI, e.ObjectRef = uri, nil }
}

func stage(s audit.Stage) func(*audit.Event) {
	return func(e *audit.Event) {
		if e.Stage = s; s == audit.StageRequestReceived {
			e.ResponseStatus = nil
		}
	}
}

func extra(arn string) func(*audit.Event) {
	return func(e *audit.Event) { e.User.Extra = map[string]authentication.ExtraValue{"canonicalArn": {arn}} }
}

func as(user string) func(*audit.Event) {
	return func(e *audit.Event) { e.ImpersonatedUser = &authentication.UserInfo{Username: user} }
}

func bodies(request, response string) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Level = audit.LevelRequestResponse
		for into, text := range map[**runtime.Unknown]string{&e.RequestObject: request, &e.ResponseObject: response} {
			if text != "" {
				*into = &runtime.Unknown{Raw: []byte(text), ContentType: runtime.ContentTypeJSON}
			}
		}
	}
}

// did is a call of a service of AWS, as CloudTrail records it: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func did(service, name string, more ...string) string {
	fields := map[string]any{"eventVersion": "1.11", "eventSource": service + ".amazonaws.com", "eventName": name, "eventType": "AwsApiCall", "awsRegion": region,
		"sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli/2", "recipientAccountId": "111122223333", "managementEvent": true, "requestParameters": nil, "responseElements": nil,
		"userIdentity": map[string]any{"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/deployer/ci", "sessionContext": map[string]any{
			"attributes": map[string]any{"mfaAuthenticated": "false"}}}}
	for _, each := range more {
		if err := json.Unmarshal([]byte(each), &fields); err != nil {
			panic(fmt.Sprint(each, err))
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text)
}

const (
	jane       = "jane@example.com"
	controller = "system:serviceaccount:shop:controller"
	emergency  = "arn:aws:sts::111122223333:assumed-role/break-glass/jane"
	adminRole  = `{"kind":"ClusterRoleBinding","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}`
	viewRole   = `{"kind":"ClusterRoleBinding","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}`
	root       = `{"userIdentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root"}}`
	refusal    = `{"errorCode":"AccessDenied"}`
)

// signIn is a sign-in to the console: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
func signIn(who, mfa, result, message string) string {
	e := did("signin", "ConsoleLogin", fmt.Sprintf(`{"eventType":"AwsConsoleSignIn","userIdentity":{"type":%q},"additionalEventData":{"MFAUsed":%q},"responseElements":{"ConsoleLogin":%q}}`, who, mfa, result))
	if message != "" {
		e = strings.TrimSuffix(e, "}") + fmt.Sprintf(`,"errorMessage":%q}`, message)
	}
	return e
}
