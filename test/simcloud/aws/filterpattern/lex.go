package filterpattern

import (
	"fmt"
	"strings"
)

// kind is what a token is.
type kind int

const (
	end      kind = iota
	symbol        // { } ( ) && || = != > >= < <=
	selector      // $.name
	text          // "quoted"
	word          // anything else: IS, NOT, EXISTS, numbers, values without quotes
)

type token struct {
	kind  kind
	value string
	at    int
}

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return fmt.Sprintf("%q", t.value)
}

// symbols are tried in this order.
var symbols = []string{"&&", "||", "!=", ">=", "<=", "{", "}", "(", ")", "=", ">", "<"}

// wordBytes are what a value without quotes is made of: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
// quotes whatever has other characters.
const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.*-+"

func lex(pattern string) ([]token, error) {
	var out []token
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		t := token{at: i}
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			i++
			continue
		case rest[0] == '"':
			value, n, err := quoted(rest)
			if err != nil {
				return nil, fmt.Errorf("at %d: %w", i, err)
			}
			t.kind, t.value = text, value
			i += n
		case rest[0] == '$':
			n := 1
			for n < len(rest) && (strings.IndexByte(wordBytes, rest[n]) >= 0 || rest[n] == '[' || rest[n] == ']') {
				n++
			}
			t.kind, t.value = selector, rest[:n]
			i += n
		case strings.IndexByte(wordBytes, rest[0]) >= 0:
			n := len(rest) - len(strings.TrimLeft(rest, wordBytes))
			t.kind, t.value = word, rest[:n]
			i += n
		default:
			for _, s := range symbols {
				if strings.HasPrefix(rest, s) {
					t.kind, t.value = symbol, s
					break
				}
			}
			if t.value == "" {
				return nil, fmt.Errorf("at %d: %q means nothing outside of quotes", i, rest[:1])
			}
			i += len(t.value)
		}
		out = append(out, t)
	}
	return append(out, token{kind: end, at: len(pattern)}), nil
}

// quoted reads a text in quotes, in which \ keeps the next character as it is, and tells how long it was.
func quoted(rest string) (value string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '"':
			return b.String(), i + 1, nil
		case rest[i] == '\\' && i+1 < len(rest):
			i++
		}
		b.WriteByte(rest[i])
	}
	return "", 0, fmt.Errorf("a quote is not closed")
}
