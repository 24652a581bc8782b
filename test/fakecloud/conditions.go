package fakecloud

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// ConditionFunctions is what conditions of GCP's IAM have beyond CEL's own functions:
// extract, with which they look into the middle of a name.
// https://cloud.google.com/iam/docs/conditions-attribute-reference#extract
func ConditionFunctions() cel.EnvOption {
	return cel.Function("extract", cel.MemberOverload("string_extract_string", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType,
		cel.BinaryBinding(func(text, template ref.Val) ref.Val {
			found, err := Extract(string(text.(types.String)), string(template.(types.String)))
			if err {
				return types.NewErr("extract: the template %v has not one identifier in braces", template)
			}
			return types.String(found)
		})))
}

// Extract gives what stands in a text between the two ends of a template
// BEGIN{identifier}END: from behind the first BEGIN to before the next END, to the
// text's end when END is empty; nothing when there is no such place. A template of
// another form is wrong.
func Extract(text, template string) (found string, wrong bool) {
	begin, rest, opened := strings.Cut(template, "{")
	_, end, closed := strings.Cut(rest, "}")
	if !opened || !closed || strings.ContainsAny(end, "{}") {
		return "", true
	}
	_, after, there := strings.Cut(text, begin)
	if !there {
		return "", false
	}
	if end == "" {
		return after, false
	}
	between, _, there := strings.Cut(after, end)
	if !there {
		return "", false
	}
	return between, false
}
