package filterpattern_test

import (
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws/filterpattern"
)

func TestPatternsAreRefused(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`{ ($.verb = "get" }`:           `")" is expected`,
		`{ verb = "get" }`:              "a selector such as $.name is expected",
		`{ $.verb = "get" `:             `"}" is expected`,
		`{ $.verb = "get" } x`:          "follows the pattern",
		`{ $.verb = "get }`:             "a quote is not closed",
		`{ $.verb == "get" }`:           "a value is expected",
		`{ $.verb = get/it }`:           "means nothing outside of quotes",
		`{ $.verb = 'get' }`:            "means nothing outside of quotes",
		`{ $.verb && $.user }`:          "an operator is expected",
		`{ $.verb EXISTS }`:             "an operator is expected",
		`{ $.verb IS NOT NULL }`:        "NULL, TRUE or FALSE follows IS",
		`{ $.code > "400" }`:            "compares numbers",
		`{ $.verb = "g*t" }`:            "a * stands at the beginning or at the end",
		`{ $ = "x" }`:                   "is not a selector",
		`{ $.annotations.a/b = "x" }`:   "means nothing outside of quotes",
		`{ $.a[x] = "x" }`:              "is not a selector",
		`{ $.a[*].b[*] = "x" }`:         "more than one wildcard",
		`{ $.verb = %get% }`:            "regular expressions",
		`[ip, user`:                     "is expected",
		`[ip, ...]`:                     "the name of a column is expected",
		`[ip, user = jane || name = x]`: "the name of a column is expected",
		`[ip, user jane]`:               "an operator is expected",
		`[ip, bytes > "many"]`:          "compares numbers",
		`[ip,, user]`:                   "the name of a column is expected",
		`[ip, user = jane x]`:           "follows the column",
		`{ }`:                           "a selector",
		`{ $.a = 1 && }`:                "a selector",
		`user-agent`:                    "needs quotes",
		`"open`:                         "not closed",
		`{ $.a = "` + strings.Repeat("x", 1024) + `"}`:             "at most 1024",
		`{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }`: "4 selectors have a wildcard",
	} {
		if _, err := filterpattern.Parse(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

const event = `{"verb":"get","code":403,"ratio":0.5,"ok":true,"bad":false,"none":null,"user":{"name":"jane","tags":["a","b"]},"list":[{"id":1},{"id":2}],"a_b-c":"x"}`

func TestPatternsMatch(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		``:                                                 true,
		`{ $.verb = "get" }`:                               true,
		`{ $.verb = get }`:                                 true,
		`{$.verb="get"}`:                                   true,
		`{ $.verb = "Get" }`:                               false,
		`{ $.verb = "g*" }`:                                true,
		`{ $.verb = "*t" }`:                                true,
		`{ $.verb = "*e*" }`:                               true,
		`{ $.verb = "*" }`:                                 true,
		`{ $.verb = "e*" }`:                                false,
		`{ $.verb != "list" }`:                             true,
		`{ $.verb != "g*" }`:                               false,
		`{ $.code = 403 }`:                                 true,
		`{ $.code = "403" }`:                               false,
		`{ $.code >= 403 && $.code < 404 }`:                true,
		`{ $.code > 403 }`:                                 false,
		`{ $.code <= 402.5 }`:                              false,
		`{ $.code != 403 }`:                                false,
		`{ $.ratio = 5e-1 }`:                               true,
		`{ $.ok IS TRUE }`:                                 true,
		`{ $.bad IS TRUE }`:                                false,
		`{ $.bad IS FALSE }`:                               true,
		`{ $.none IS NULL }`:                               true,
		`{ $.verb IS NULL }`:                               false,
		`{ $.nothing IS NULL }`:                            false,
		`{ $.nothing NOT EXISTS }`:                         true,
		`{ $.none NOT EXISTS }`:                            false,
		`{ $.nothing = "x" }`:                              false,
		`{ $.nothing < 1 }`:                                false,
		`{ $.user.name = "jane" }`:                         true,
		`{ $.user.tags[1] = "b" }`:                         true,
		`{ $.user.tags[2] = "b" }`:                         false,
		`{ $.user.tags[*] = "b" }`:                         true,
		`{ $.user.* = "jane" }`:                            true,
		`{ $.list[*].id = 2 }`:                             true,
		`{ $.list[0].id = 2 }`:                             false,
		`{ $.a_b-c = "x" }`:                                true,
		`{ $.verb = "x" && $.code = 1 || $.ok IS TRUE }`:   true,  // && first
		`{ $.verb = "x" && ($.code = 1 || $.ok IS TRUE) }`: false, // unless there are parentheses
		`{ ($.verb = "get") && (($.code = 1) || ($.code = 403)) }`: true,
		`jane`:           true,
		`"\"code\":403"`: true,
		`jane nobody`:    false,
	} {
		p, err := filterpattern.Parse(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got, said := p.Match(event); got != want || !said {
			t.Errorf("%s: %v %v", pattern, got, said)
		}
	}
}

func TestColumnsMatch(t *testing.T) {
	t.Parallel()
	const line = "2 10.0.0.1 22 ACCEPT"
	for pattern, want := range map[string]bool{
		`[version, source, port, action]`:                           true,
		`[version, source, port, action = "ACCEPT"]`:                true,
		`[version, source, port, action = ACCEPT]`:                  true,
		`[version, source, port, action != ACCEPT]`:                 false,
		`[version, source, port = 22 || port = 3389, action]`:       true,
		`[version, source, port = 23 || port = 3389, action]`:       false,
		`[version = 2, source = "10.*", port <= 22, action = ACC*]`: true,
		`[version, source, port > 22, action]`:                      false,
		`[version, source, port]`:                                   false, // another number of values
		`[version, source, port, action, more]`:                     false,
	} {
		p, err := filterpattern.Parse(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got, said := p.Match(line); got != want || !said {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}

// A pattern of JSON does not match the plain lines that other components write to the same group.
func TestOtherLinesDoNotMatch(t *testing.T) {
	t.Parallel()
	p, err := filterpattern.Parse(`{ $.verb NOT EXISTS }`)
	if err != nil {
		t.Fatal(err)
	}
	if matches, said := p.Match(`time="2026-01-01T00:00:00Z" level=info msg="access granted"`); matches || !said {
		t.Error("a line that is no JSON matches")
	}
}

// What the documentation does not say is not guessed.
func TestUnsaidIsSaid(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		`{ $.nothing != "x" }`:                    false,
		`{ $.nothing != "x" && $.verb = "list" }`: true, // no either way
		`{ $.nothing != "x" || $.verb = "get" }`:  true, // yes either way
		`{ $.nothing != "x" && $.verb = "get" }`:  false,
	} {
		p, err := filterpattern.Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if _, said := p.Match(event); said != want {
			t.Errorf("%s: said is %v", pattern, said)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{ ($.a = "x*") && ($.b > 1) || $.c NOT EXISTS }`)
	f.Add(`a "b c"`)
	f.Add(`[a, b = 1 || b = "x*"]`)
	f.Fuzz(func(t *testing.T, pattern string) {
		p, err := filterpattern.Parse(pattern)
		if (p == nil) == (err == nil) {
			t.Fatalf("%q: %v %v", pattern, p, err)
		}
		if err == nil {
			p.Match(event)
		}
	})
}
