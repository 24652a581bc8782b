package hostconfig

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// quantityPattern has no exponents: the parser of Kubernetes takes minutes for
// 1e-999999999, and so would the kubelet.
var quantityPattern = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$`)

const (
	quantityBound   = "a quantity such as 100m, 128Mi or 1000"
	thresholdsBound = "quantities above nothing, or shares of more than 0% and less than 100%"
)

func (p *problems) quantity(field, value string) {
	if !quantityPattern.MatchString(value) {
		p.add(field, quote(value)+" is not a quantity", "write a number such as 100m, 128Mi or 1000")
	}
}

// isShare tells whether a text is a percentage at which the kubelet acts: at
// nothing it never does, at everything always.
func isShare(value string) bool {
	number, found := strings.CutSuffix(value, "%")
	share, err := strconv.ParseFloat(number, 64)
	return found && err == nil && share > 0 && share < 100
}

// isThreshold tells whether a text is a threshold that can be reached.
func isThreshold(value string) bool {
	return isShare(value) || quantityPattern.MatchString(value) && strings.ContainsAny(value, "123456789")
}

// isReclaim tells whether a text says how much an eviction frees, at least nothing.
func isReclaim(value string) bool {
	return value == "0%" || isShare(value) || quantityPattern.MatchString(value)
}

func isGracePeriod(value string) bool {
	d, err := time.ParseDuration(value)
	return err == nil && d >= 0
}

// jsonTexts accepts an object of texts.
func jsonTexts(accepts func(string) bool) func(string) bool {
	return func(value string) bool {
		var texts map[string]string
		if json.Unmarshal([]byte(value), &texts) != nil {
			return false
		}
		for _, text := range texts {
			if !accepts(text) {
				return false
			}
		}
		return true
	}
}

var (
	numeric = regexp.MustCompile(`^\s*[+-]?[0-9.]+([eE][+-]?([0-9]+))?[A-Za-z]*\s*$`)
	// mostDigits is more than any quantity of a machine has.
	mostDigits = 40
)

// endlessNumber finds a number, or a text that would be read as one, with which
// the parser of quantities does not end: an exponent of three digits or more, or
// very many digits. It wants a document in JSON.
func endlessNumber(document []byte) (string, bool) {
	decoder := json.NewDecoder(strings.NewReader(string(document)))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false
		}
		text, isText := token.(string)
		if number, isNumber := token.(json.Number); isNumber {
			text, isText = number.String(), true
		}
		if !isText {
			continue
		}
		if parts := numeric.FindStringSubmatch(text); parts != nil && (len(text) > mostDigits || len(parts[2]) > 2) {
			return text[:min(len(text), mostDigits)], true
		}
	}
}
