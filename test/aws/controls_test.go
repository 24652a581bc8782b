package aws_test

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/aws/controls"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// benchmark are the ids of CIS EKS that provisioning with the API of AWS can uphold; those of section 4 that are not
// among them are upheld inside the cluster.
var benchmark = strings.Fields(`2.1.1 2.1.2 3.1.1 3.1.2 3.1.3 3.1.4 3.2.1 3.2.2 3.2.3 3.2.4 3.2.5 3.2.6 3.2.7 3.2.8 3.2.9 4.1.7 4.3.1
	5.1.1 5.1.3 5.2.1 5.3.1 5.4.1 5.4.2 5.4.3 5.4.4 5.5.1`)

// rows are those of the mission that show in the account.
var rows = strings.Fields(`M03 M05 M06 M08 M09 M10 M16 M17 M18 M19 M20 M24 M33 M35 M38`)

// aws-prod upholds every control by what it makes, and each check tells when it does not: with each of its mutants, and
// because of nothing else.
func TestControlsOfProduction(t *testing.T) {
	t.Parallel()
	e := prepare(t, "aws-prod")
	e.mustUp()
	account := controls.Account(e.Cloud.Objects())
	covered := map[string]bool{}
	for _, check := range controls.Checks() {
		for _, id := range check.IDs {
			covered[id] = true
		}
		t.Run(strings.Join(check.IDs, " ")+" "+check.About, func(t *testing.T) {
			for _, wrong := range check.Wrong(account) {
				t.Error(wrong)
			}
			if len(mutants[check.About]) == 0 {
				t.Error("write a mutant that this check must find")
			}
			for i, m := range mutants[check.About] {
				changed := m.apply(t, account)
				if reflect.DeepEqual(changed, account) {
					t.Errorf("mutant %d changes nothing", i)
				}
				if len(check.Wrong(changed)) == 0 {
					t.Errorf("mutant %d of %s %s %v lives", i, m.of, m.path, m.to)
				}
			}
		})
	}
	for _, id := range benchmark {
		if !covered["CIS-EKS-"+id] {
			t.Errorf("nothing checks CIS EKS %s", id)
		}
	}
	for _, row := range rows {
		if !covered[row] {
			t.Errorf("nothing checks %s", row)
		}
	}
	for about := range mutants {
		if !slices.ContainsFunc(controls.Checks(), func(c controls.Check) bool { return c.About == about }) {
			t.Errorf("mutants of no check: %s", about)
		}
	}
}

// mutant is an account in which a control is absent.
type mutant struct {
	// of is the end of the type of what changes, named by a part of its id, "" for all.
	of, named string
	// path is the property that becomes to; without a path the objects go. In user data, to is a pair of texts: what
	// stands there, and what stands there then.
	path string
	to   any
	// more is something that exists beside the rest.
	more *simcloud.Object
}

func (m mutant) apply(t *testing.T, account controls.Account) controls.Account {
	t.Helper()
	var out controls.Account
	for _, o := range account {
		if m.more != nil || !strings.HasSuffix(o.Type, ":"+m.of) || !strings.Contains(o.ID, m.named) {
			out = append(out, o)
			continue
		}
		if m.path == "" {
			continue
		}
		to := m.to
		switch given := to.(type) {
		case [2]string:
			to = replaced(t, o.State.String(m.path), given)
		case ofVolumes:
			to = volumesKey(account)
		}
		o.State = o.State.With(m.path, to)
		out = append(out, o)
	}
	if m.more != nil {
		out = append(out, *m.more)
	}
	return out
}

// ofVolumes stands for the key of volumes, which is known when it exists.
type ofVolumes struct{}

func volumesKey(account controls.Account) string {
	i := slices.IndexFunc(account, func(o simcloud.Object) bool {
		return o.Type == keyToken && strings.HasPrefix(o.State.String("description"), "volumes of")
	})
	return account[i].State.String("arn")
}

// replaced changes a text, which may be base64.
func replaced(t *testing.T, text string, pair [2]string) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if !strings.Contains(text, pair[0]) {
			t.Errorf("%q is not in %s", pair[0], text)
		}
		return strings.ReplaceAll(text, pair[0], pair[1])
	}
	if !strings.Contains(string(data), pair[0]) {
		t.Errorf("%q is not in %s", pair[0], data)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(string(data), pair[0], pair[1])))
}

// added is something that exists beside the rest.
func added(token string, state simcloud.Values) mutant {
	return mutant{of: token, more: &simcloud.Object{Type: token, ID: fmt.Sprint("another ", token), State: state}}
}

// told changes what Bottlerocket is told.
func told(was, is string) mutant {
	return mutant{of: "LaunchTemplate", path: "userData", to: [2]string{was, is}}
}
