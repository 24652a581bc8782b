package aws

import (
	"encoding/json"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// documentText is a policy property as text: some take an object too.
func documentText(value any) string {
	switch v := value.(type) {
	case nil, simcloud.Unknown:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// planDocument judges at plan time that a policy is JSON: what the provider itself sees.
func planDocument(p *simcloud.Plan, path string, kind iampolicy.Kind) {
	if !p.Values.Known(path) || !p.Values.Has(path) {
		return
	}
	text := documentText(p.Values.Get(path))
	if !json.Valid([]byte(text)) {
		p.Add(path, `"`+path+`" contains an invalid JSON policy`)
	} else if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\n") {
		p.Add(path, `"`+path+`" contains an invalid JSON policy: leading space characters are not allowed`)
	} else if kind == iampolicy.Endpoint {
		// The API of endpoints takes a document as it is and answers with words of its own: judged here with the rest.
		if _, err := iampolicy.Parse(text, kind); err != nil {
			p.Add(path, "InvalidPolicyDocument: "+oneLine(err))
		}
	}
}

// document judges a policy as the API does.
func document(v simcloud.Values, path string, kind iampolicy.Kind, code string) (iampolicy.Document, error) {
	doc, err := iampolicy.Parse(documentText(v.Get(path)), kind)
	if err != nil {
		return doc, errorf(code, "%s", oneLine(err))
	}
	return doc, nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// principals judges that every role a resource policy names exists; services wait for one that was just made.
func principals(c *simcloud.Change, doc iampolicy.Document, refusal *simcloud.Error) error {
	for _, s := range doc.Statements {
		for _, p := range []*iampolicy.Principal{s.Principal, s.NotPrincipal} {
			if p == nil {
				continue
			}
			for _, who := range p.AWS {
				if problem := principal(c.Cloud, who); problem {
					return refusal.Within(seconds(120))
				}
			}
		}
	}
	return nil
}

// principal tells whether a principal of this account does not exist, or not yet. Other accounts cannot be looked into.
func principal(cloud *simcloud.Cloud, who string) (missing bool) {
	if !strings.HasPrefix(who, "arn:aws:iam::"+Account+":role/") || who == Caller {
		return false
	}
	found := cloud.By("", role, "arn", who)
	if found == nil {
		found = cloud.By("", serviceLinkedRole, "arn", who)
	}
	return found == nil || !cloud.Visible(found)
}
