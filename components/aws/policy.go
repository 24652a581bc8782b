package aws

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// document is a policy of IAM. The same document always has the same text, so
// that a run without changes shows none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string     `json:",omitempty"`
	Effect    string     // allow or deny
	Principal *principal `json:",omitempty"` // of resource policies only
	Action    []string
	Resource  []string   `json:",omitempty"` // of all but trust policies
	Condition conditions `json:",omitempty"`
}

const (
	allow = "Allow"
	deny  = "Deny"
)

// conditions are values by operator and key. All of them must hold; of the
// values of a key, one.
type conditions map[string]map[string][]string

// principal is whom a statement is about.
type principal struct {
	Anyone  bool
	AWS     []string
	Service []string
}

// MarshalJSON writes everybody as "*".
func (p principal) MarshalJSON() ([]byte, error) {
	if p.Anyone {
		return []byte(`"*"`), nil
	}
	return json.Marshal(struct {
		AWS     []string `json:",omitempty"`
		Service []string `json:",omitempty"`
	}{p.AWS, p.Service})
}

func anyone() *principal                 { return &principal{Anyone: true} }
func service(names ...string) *principal { return &principal{Service: names} }
func identities(arns ...string) *principal {
	arns = slices.Clone(arns)
	slices.Sort(arns)
	return &principal{AWS: slices.Compact(arns)}
}

func policy(statements ...statement) document {
	return document{Version: "2012-10-17", Statement: statements}
}

// String is the document as JSON.
func (d document) String() string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		panic(err) // strings, lists and maps of strings always encode
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// policyFor makes a document from principals that may not be known yet. Without
// any it is known at once.
func policyFor(given pulumi.StringArrayInput, make func(arns []string) document) pulumi.StringInput {
	if given == nil {
		return pulumi.String(make(nil).String())
	}
	return given.ToStringArrayOutput().ApplyT(func(arns []string) (string, error) {
		for _, arn := range arns {
			if err := principalProblem(arn); err != nil {
				return "", err
			}
		}
		return make(arns).String(), nil
	}).(pulumi.StringOutput)
}

// trust lets a service of AWS assume a role, for resources of this account only:
// a service acts for every customer (the confused deputy).
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func trust(name string, account Account, sourceARN string) document {
	return policy(statement{Effect: allow, Principal: service(name), Action: []string{"sts:AssumeRole"}, Condition: ours(account, sourceARN)})
}

// ours holds where a service acts for resources of this account.
func ours(account Account, sourceARN string) conditions {
	return conditions{
		"StringEquals": {"aws:SourceAccount": {account.ID}},
		"ArnLike":      {"aws:SourceArn": {sourceARN}},
	}
}
