package gcp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// selects tells whether a filter of Cloud Logging selects a record. It reads the
// part of the language that filters here are written in, and fails the test on
// anything else, as the service would refuse it.
// https://cloud.google.com/logging/docs/view/logging-query-language
func selects(t *testing.T, filter string, record map[string]any) bool {
	t.Helper()
	f := &filterReader{record: record}
	for _, m := range filterToken.FindAllStringSubmatchIndex(filter, -1) {
		if f.end < m[0] && strings.TrimSpace(filter[f.end:m[0]]) != "" {
			t.Fatalf("%q is not understood in %s", filter[f.end:m[0]], filter)
		}
		f.end = m[1]
		f.tokens = append(f.tokens, filter[m[0]:m[1]])
	}
	if strings.TrimSpace(filter[f.end:]) != "" {
		t.Fatalf("%q is not understood in %s", filter[f.end:], filter)
	}
	result, err := f.or()
	if err == nil && len(f.tokens) > 0 {
		err = fmt.Errorf("%q is left over", f.tokens)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, filter)
	}
	return result
}

var filterToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|=~|:\*|[=><()]|[A-Za-z_][A-Za-z0-9_.]*|[0-9]+`)

type filterReader struct {
	record map[string]any
	tokens []string
	end    int
}

func (f *filterReader) next() string {
	if len(f.tokens) == 0 {
		return ""
	}
	token := f.tokens[0]
	f.tokens = f.tokens[1:]
	return token
}

func (f *filterReader) peek(token string) bool { return len(f.tokens) > 0 && f.tokens[0] == token }

// or is the widest: NOT binds closest, then AND.
func (f *filterReader) or() (bool, error) {
	result, err := f.and()
	for err == nil && f.peek("OR") {
		f.next()
		var other bool
		other, err = f.and()
		result = result || other
	}
	return result, err
}

func (f *filterReader) and() (bool, error) {
	result, err := f.not()
	for err == nil && f.peek("AND") {
		f.next()
		var other bool
		other, err = f.not()
		result = result && other
	}
	return result, err
}

func (f *filterReader) not() (bool, error) {
	if f.peek("NOT") {
		f.next()
		result, err := f.not()
		return !result, err
	}
	if f.peek("(") {
		f.next()
		result, err := f.or()
		if err == nil && f.next() != ")" {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return result, err
	}
	return f.comparison()
}

// comparison has a field on its left. A record without the field meets none.
func (f *filterReader) comparison() (bool, error) {
	field := f.next()
	if field == "log_id" {
		if f.next() != "(" {
			return false, fmt.Errorf("log_id has no argument")
		}
		id, err := strconv.Unquote(f.next())
		if err == nil && f.next() != ")" {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		name, _ := f.record["logName"].(string)
		return strings.HasSuffix(name, "/logs/"+strings.ReplaceAll(id, "/", "%2F")), err
	}
	values := lookUp(f.record, strings.Split(field, "."))
	switch operator := f.next(); operator {
	case ":*":
		return len(values) > 0, nil
	case "=", "=~", ">":
		wanted := []string{f.next()}
		if wanted[0] == "(" {
			wanted = nil
			for {
				wanted = append(wanted, f.next())
				if end := f.next(); end == ")" {
					break
				} else if end != "OR" {
					return false, fmt.Errorf("%q stands between values", end)
				}
			}
		}
		return meets(values, operator, wanted)
	default:
		return false, fmt.Errorf("%q is no operator after %q", operator, field)
	}
}

func meets(values []string, operator string, wanted []string) (bool, error) {
	for _, want := range wanted {
		if operator == ">" {
			limit, err := strconv.Atoi(want)
			if err != nil {
				return false, err
			}
			for _, value := range values {
				if n, err := strconv.Atoi(value); err == nil && n > limit {
					return true, nil
				}
			}
			continue
		}
		// The service reads strings as it reads regular expressions: of the escapes
		// only those of quotes and backslashes.
		text := strings.ReplaceAll(strings.Trim(want, `"`), `\"`, `"`)
		if !strings.HasPrefix(want, `"`) {
			return false, fmt.Errorf("%s is no string", want)
		}
		for _, value := range values {
			if operator == "=" && strings.EqualFold(value, text) {
				return true, nil
			}
			if operator == "=~" {
				re, err := regexp.Compile(text)
				if err != nil || re.MatchString(value) {
					return err == nil, err
				}
			}
		}
	}
	return false, nil
}

// lookUp gives what stands at a path; of a list, what stands there in each
// element, and of an object, that it is there.
func lookUp(value any, path []string) []string {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, each := range v {
			out = append(out, lookUp(each, path)...)
		}
		return out
	case map[string]any:
		if len(path) == 0 {
			return []string{"{}"}
		}
		return lookUp(v[path[0]], path[1:])
	}
	if len(path) > 0 {
		return nil
	}
	return []string{fmt.Sprint(value)}
}
