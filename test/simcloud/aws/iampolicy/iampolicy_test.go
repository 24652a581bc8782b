package iampolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// with wraps statements into a document.
func with(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

func TestDocumentsAreJudged(t *testing.T) {
	t.Parallel()
	const resource, root = `,"Resource":"*"`, `"Principal":{"AWS":"arn:aws:iam::111122223333:root"}`
	for name, test := range map[string]struct {
		kind iampolicy.Kind
		text string
		want string // "" for a document that is accepted
	}{
		"identity":            {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:Describe*"` + resource + `}`), ""},
		"one statement":       {iampolicy.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}}`, ""},
		"case of an action":   {iampolicy.Identity, with(`{"Effect":"Allow","Action":"EC2:describevpcs"` + resource + `}`), ""},
		"trust":               {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`), ""},
		"trust of a provider": {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/X"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"x:sub":"y"}}}`), ""},
		"key":                 {iampolicy.Key, with(`{"Sid":"with spaces","Effect":"Allow",` + root + `,"Action":"kms:*"` + resource + `}`), ""},
		"deny":                {iampolicy.Bucket, with(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":false}}}`), ""},

		"no JSON":               {iampolicy.Identity, `{"Version":`, "syntax errors in policy"},
		"trailing":              {iampolicy.Identity, with("") + "x", "syntax errors in policy"},
		"a key twice":           {iampolicy.Identity, with(`{"Effect":"Allow","Effect":"Deny","Action":"ec2:*"` + resource + `}`), `"Effect" occurs twice`},
		"no statement":          {iampolicy.Identity, with(""), "at least one Statement"},
		"old version":           {iampolicy.Identity, `{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`, "Version must be"},
		"unknown element":       {iampolicy.Identity, with(`{"Effect":"Allow","Actions":"ec2:*"` + resource + `}`), "unknown element Actions"},
		"effect":                {iampolicy.Identity, with(`{"Effect":"allow","Action":"ec2:*"` + resource + `}`), "Effect must be Allow or Deny"},
		"no action":             {iampolicy.Identity, with(`{"Effect":"Allow"` + resource + `}`), "must contain actions"},
		"both actions":          {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:*","NotAction":"iam:*"` + resource + `}`), "must contain actions"},
		"empty actions":         {iampolicy.Identity, with(`{"Effect":"Allow","Action":[]` + resource + `}`), "Action is empty"},
		"no resource":           {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:*"}`), "must contain resources"},
		"resource is no ARN":    {iampolicy.Identity, with(`{"Effect":"Allow","Action":"s3:*","Resource":"bucket/*"}`), `must be in ARN format or "*"`},
		"IAM with a region":     {iampolicy.Identity, with(`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam:eu-central-1:111122223333:role/x"}`), "cannot contain region"},
		"no vendor":             {iampolicy.Identity, with(`{"Effect":"Allow","Action":"DescribeVpcs"` + resource + `}`), "prefaced by a vendor"},
		"two colons":            {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:Describe:Vpcs"` + resource + `}`), "prefaced by a vendor"},
		"unknown vendor":        {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ecks:DescribeCluster"` + resource + `}`), "The vendor ecks is not valid"},
		"unknown action":        {iampolicy.Identity, with(`{"Effect":"Allow","Action":"eks:DescribeClusters"` + resource + `}`), "Invalid Action"},
		"pattern of nothing":    {iampolicy.Identity, with(`{"Effect":"Allow","Action":"eks:Frobnicate*"` + resource + `}`), "Invalid Action"},
		"identity and who":      {iampolicy.Identity, with(`{"Effect":"Allow","Principal":"*","Action":"ec2:*"` + resource + `}`), "should not specify a principal"},
		"sid":                   {iampolicy.Identity, with(`{"Sid":"a b","Effect":"Allow","Action":"ec2:*"` + resource + `}`), "may hold only"},
		"sid twice":             {iampolicy.Identity, with(`{"Sid":"a","Effect":"Allow","Action":"ec2:*"` + resource + `},{"Sid":"a","Effect":"Allow","Action":"iam:*"` + resource + `}`), "must be unique"},
		"condition":             {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:*"` + resource + `,"Condition":{"StringIs":{"aws:x":"y"}}}`), "Invalid Condition type: StringIs"},
		"condition key":         {iampolicy.Identity, with(`{"Effect":"Allow","Action":"ec2:*"` + resource + `,"Condition":{"StringEquals":{"x":"y"}}}`), "prefaced by a vendor"},
		"trust with a resource": {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"` + resource + `}`), "Has prohibited field Resource"},
		"trust of other things": {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"ec2:RunInstances"}`), "may only specify STS"},
		"trust of nobody":       {iampolicy.Trust, with(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "either Principal or NotPrincipal"},
		"trust of anyone":       {iampolicy.Trust, with(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`), "anyone may assume"},
		"principal":             {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:rolle/x"},"Action":"sts:AssumeRole"}`), "Invalid principal in policy"},
		"service":               {iampolicy.Trust, with(`{"Effect":"Allow","Principal":{"Service":"ec2"},"Action":"sts:AssumeRole"}`), "Invalid principal in policy"},
		"principal text":        {iampolicy.Trust, with(`{"Effect":"Allow","Principal":"ec2.amazonaws.com","Action":"sts:AssumeRole"}`), "a principal is"},
		"key of other things":   {iampolicy.Key, with(`{"Effect":"Allow",` + root + `,"Action":"s3:*"` + resource + `}`), "kms actions only"},
		"key resource":          {iampolicy.Key, with(`{"Effect":"Allow",` + root + `,"Action":"kms:*","Resource":"key/x"}`), `must be "*"`},
	} {
		_, err := iampolicy.Parse(test.text, test.kind)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: want %q, got %v", name, test.want, err)
		}
	}
}

func TestAllProblemsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := iampolicy.Parse(`{"Version":"x","Statement":[{"Effect":"maybe","Action":"nothing"}]}`, iampolicy.Identity)
	for _, want := range []string{"Version", "Effect", "vendor", "resources"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}

func TestSizesCountWithoutWhiteSpace(t *testing.T) {
	t.Parallel()
	document := func(n int, space string) string {
		var resources []string
		for i := range n {
			resources = append(resources, fmt.Sprintf(`"arn:aws:s3:::bucket-%04d/*"`, i))
		}
		return with(`{"Effect":"Allow","Action":"s3:GetObject","Resource":[` + strings.Join(resources, ","+space) + `]}`)
	}
	if _, err := iampolicy.Parse(document(200, strings.Repeat(" ", 40)), iampolicy.Identity); err != nil {
		t.Errorf("white space counts: %v", err)
	}
	if _, err := iampolicy.Parse(document(250, ""), iampolicy.Identity); err == nil || !strings.Contains(err.Error(), "at most 6144") {
		t.Errorf("too long and accepted: %v", err)
	}
}

func TestEvaluation(t *testing.T) {
	t.Parallel()
	const root, deployer = "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/deployer"
	delegate := with(`{"Effect":"Allow","Principal":{"AWS":"` + root + `"},"Action":"kms:*","Resource":"*"}`)
	logs := with(`{"Effect":"Allow","Principal":{"Service":"logs.eu-central-1.amazonaws.com"},"Action":["kms:Encrypt*","kms:Decrypt*"],"Resource":"*",
		"Condition":{"ArnLike":{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/*"}}}`)
	group := map[string]string{"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/main/cluster"}
	other := map[string]string{"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:111122223333:log-group:/other"}
	for name, test := range map[string]struct {
		text string
		ask  iampolicy.Request
		want bool
	}{
		"the account stands for its roles": {delegate, iampolicy.Request{Principal: deployer, Action: "kms:PutKeyPolicy"}, true},
		"another account does not":         {delegate, iampolicy.Request{Principal: "arn:aws:iam::444455556666:role/x", Action: "kms:PutKeyPolicy"}, false},
		"a deny wins": {with(`{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:Put*","Resource":"*"}`),
			iampolicy.Request{Principal: deployer, Action: "kms:PutKeyPolicy"}, false},
		"everything but":         {with(`{"Effect":"Allow","Principal":"*","NotAction":"kms:Put*","Resource":"*"}`), iampolicy.Request{Principal: deployer, Action: "kms:PutKeyPolicy"}, false},
		"in its context":         {logs, iampolicy.Request{Principal: "logs.eu-central-1.amazonaws.com", Action: "kms:Encrypt", Context: group}, true},
		"in another context":     {logs, iampolicy.Request{Principal: "logs.eu-central-1.amazonaws.com", Action: "kms:Encrypt", Context: other}, false},
		"without context":        {logs, iampolicy.Request{Principal: "logs.eu-central-1.amazonaws.com", Action: "kms:Encrypt"}, false},
		"of another region":      {logs, iampolicy.Request{Principal: "logs.eu-west-1.amazonaws.com", Action: "kms:Encrypt", Context: group}, false},
		"what is not named":      {logs, iampolicy.Request{Principal: "logs.eu-central-1.amazonaws.com", Action: "kms:CreateGrant", Context: group}, false},
		"a resource by pattern":  {with(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a?/*"}`), iampolicy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/a1/x"}, true},
		"a resource beside it":   {with(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a?/*"}`), iampolicy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/a/x"}, false},
		"a key that must be off": {with(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Null":{"aws:x":"true"}}}`), iampolicy.Request{Action: "s3:GetObject"}, true},
	} {
		doc, err := iampolicy.Parse(test.text, map[bool]iampolicy.Kind{true: iampolicy.Resource, false: iampolicy.Identity}[strings.Contains(test.text, "Principal")])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := doc.Allows(test.ask); got != test.want {
			t.Errorf("%s: allowed %v", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(with(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`))
	f.Add(`{"Statement":[[]]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		for _, kind := range []iampolicy.Kind{iampolicy.Identity, iampolicy.Trust, iampolicy.Key} {
			doc, _ := iampolicy.Parse(text, kind)
			doc.Allows(iampolicy.Request{Principal: "x", Action: "ec2:RunInstances"})
		}
	})
}
