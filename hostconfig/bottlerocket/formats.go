package bottlerocket

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// format is the rule of a value's form. The operating system refuses the whole
// document when one value breaks its rule, and then the node never joins. The
// rules are those of bottlerocket-settings-sdk, modeled-types.
type format struct {
	want    string
	accepts func(string) bool
}

func pattern(want, expression string) format {
	return format{want, regexp.MustCompile(expression).MatchString}
}

func integers(low, high int64) format {
	return format{fmt.Sprintf("a number from %d to %d", low, high), func(value string) bool {
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && n >= low && n <= high
	}}
}

func words(values ...string) format {
	return format{"one of " + strings.Join(values, ", "), func(value string) bool {
		for _, each := range values {
			if each == value {
				return true
			}
		}
		return false
	}}
}

const (
	maxInt32 = 1<<31 - 1
	maxInt64 = 1<<63 - 1
)

var (
	identifier  = pattern("letters, digits and dashes, at most 76", `^[A-Za-z0-9-]{1,76}$`)
	clusterName = pattern("a letter or digit, then letters, digits, dashes and underscores, at most 100", `^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)
	moduleName  = pattern("letters, digits, dashes and underscores, at most 56", `^[A-Za-z0-9_-]{1,56}$`)
	duration    = format{"a duration such as 1h30m, in the order h, m, s, ms", func(value string) bool {
		return value != "" && durationPattern.MatchString(value)
	}}
	durationPattern = regexp.MustCompile(`^(([0-9]+\.)?[0-9]+h)?(([0-9]+\.)?[0-9]+m)?(([0-9]+\.)?[0-9]+s)?(([0-9]+\.)?[0-9]+ms)?$`)
	// Narrower than the operating system's pattern, which takes "1.2.3" too.
	quantity  = pattern("a quantity such as 100m, 512Mi or 1Gi", `^[0-9]+(\.[0-9]+)?(e[0-9]{1,2}|[EPTGMK]i?|[numk])?$`)
	threshold = format{"a quantity such as 100Mi, or a percentage below 100 such as 10%", func(value string) bool {
		if number, found := strings.CutSuffix(value, "%"); found {
			percent, err := strconv.ParseFloat(number, 32)
			return err == nil && percent >= 0 && percent < 100 && percentPattern.MatchString(number)
		}
		return quantity.accepts(value)
	}}
	percentPattern = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	encoded        = format{"standard base64 with padding", func(value string) bool {
		_, err := base64.StdEncoding.Strict().DecodeString(value)
		return err == nil && value != "" && !strings.ContainsAny(value, "\r\n")
	}}
	address   = format{"an IP address", func(value string) bool { a, err := netip.ParseAddr(value); return err == nil && a.Zone() == "" }}
	secureURL = format{"an https URL without user, query and fragment", func(value string) bool {
		u, err := url.Parse(value)
		return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	}}
	hostName     = pattern("a host name of at most 253 letters, digits, dots and dashes", `^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	dnsName      = pattern("a DNS name of lower-case labels", `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	timeServer   = format{"an IP address or a host name", func(v string) bool { return address.accepts(v) || hostName.accepts(v) }}
	image        = pattern("an image reference", `^[a-z0-9][A-Za-z0-9._:/@-]{0,511}$`)
	bytesSize    = pattern("a size such as 1024, 8mib or 1gb, or unlimited", `^([0-9]+([kmg]i?b)?|unlimited)$`)
	version      = pattern("latest, or a version such as v1.54.0", `^(latest|v[0-9]+\.[0-9]+\.[0-9]+)$`)
	bootKey      = pattern("letters, digits, dashes, underscores and dots", `^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	evictionKey  = words("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree", "pid.available")
	reservedKey  = words("cpu", "memory", "ephemeral-storage", "pid")
	bootMode     = words("off", "once", "always")
	taintValue   = pattern("[value]:NoSchedule, PreferNoSchedule or NoExecute", `^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?:(NoSchedule|PreferNoSchedule|NoExecute)$`)
	imagePattern = pattern("a registry such as *.dkr.ecr.eu-west-1.amazonaws.com, with an optional path", `^[A-Za-z0-9*][A-Za-z0-9*.:-]*(/[A-Za-z0-9*._/-]*)?$`)
	sysctlName   = format{"letters, digits, dots, slashes, dashes and underscores, at most 128, without two separators beside each other and none at an end", func(value string) bool {
		return len(value) <= 128 && sysctlPattern.MatchString(value)
	}}
	// Narrower than the operating system's pattern: a separator beside another one
	// would be a second name of the same file below /proc/sys.
	sysctlPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]+([./][a-zA-Z0-9_-]+)*$`)
	proxy         = format{"host:port, or an http or https URL, without user and password", func(value string) bool {
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		u, err := url.Parse(value)
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && strings.Trim(u.Path, "/") == ""
	}}
	mirrorRegistry = pattern("a registry's host with an optional port, or *", `^(\*|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?)$`)
	positive       = integers(1, maxInt32)
	notNegative    = integers(0, maxInt32)
	unbounded      = format{"-1 for no bound, or a positive number", func(value string) bool { return value == "-1" || positive.accepts(value) }}
	noSpace        = pattern("one word without spaces", `^[^\s]+$`)
	limit          = integers(-1, maxInt64)
)

// checkFormat says why the operating system, or what reads the setting, would
// refuse a leaf, or nothing.
func checkFormat(l leaf) *hostconfig.FieldError {
	for i, key := range l.path {
		if l.pattern[i] != "*" {
			continue
		}
		if want := keyFormat(l.pattern[:i]); !clean(key) || !want.accepts(key) {
			return malformed("the key "+strconv.Quote(key), want)
		}
	}
	name := strings.Join(l.pattern, ".")
	switch name {
	case "network.hosts":
		return checkHosts(l.value)
	case "container-registry.mirrors":
		return checkMirrors(l.value)
	}
	want := formatOf(name)
	value := reflect.Indirect(l.value)
	if value.Kind() != reflect.Slice {
		if !clean(l.text()) && name != "motd" || !utf8.ValidString(l.text()) || !want.accepts(l.text()) {
			return malformed(strconv.Quote(l.text()), want)
		}
		return nil
	}
	return checkItems(value, want)
}

func checkItems(list reflect.Value, want format) *hostconfig.FieldError {
	for i := range list.Len() {
		item := list.Index(i)
		switch item.Kind() {
		case reflect.Slice:
			if problem := checkItems(item, want); problem != nil {
				return problem
			}
		case reflect.String:
			if text := item.String(); !clean(text) || !want.accepts(text) {
				return malformed(strconv.Quote(text), want)
			}
		}
	}
	return nil
}

func malformed(what string, want format) *hostconfig.FieldError {
	return &hostconfig.FieldError{Problem: what + " has the wrong form: the operating system would refuse the document", Remedy: "write " + want.want}
}

// clean tells whether a text is UTF-8 without control characters: a line break
// would continue in a configuration file that is rendered on the node.
func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

// checkHosts wants lines of the form ["10.0.0.1", ["name", ...]].
func checkHosts(lines reflect.Value) *hostconfig.FieldError {
	want := format{want: `lines such as ["10.0.0.1", ["registry.internal"]]`}
	for i := range lines.Len() {
		line, _ := lines.Index(i).Interface().([]any)
		if len(line) != 2 {
			return malformed(fmt.Sprint(line), want)
		}
		host, isText := line[0].(string)
		names, isList := line[1].([]any)
		if !isText || !address.accepts(host) || !isList || len(names) == 0 {
			return malformed(fmt.Sprint(line), want)
		}
		for _, each := range names {
			if name, _ := each.(string); !hostName.accepts(name) {
				return malformed(fmt.Sprint(each), want)
			}
		}
	}
	return nil
}

func checkMirrors(list reflect.Value) *hostconfig.FieldError {
	for i := range list.Len() {
		mirror := list.Index(i).Interface().(RegistryMirror)
		if !mirrorRegistry.accepts(mirror.Registry) {
			return malformed(strconv.Quote(mirror.Registry), mirrorRegistry)
		}
		if len(mirror.Endpoint) == 0 {
			return malformed("a mirror without endpoints", secureURL)
		}
		for _, endpoint := range mirror.Endpoint {
			if !clean(endpoint) || !secureURL.accepts(endpoint) {
				return malformed(strconv.Quote(endpoint), secureURL)
			}
		}
	}
	return nil
}

// document tells whether a base64 text holds a JSON object.
func document(value string) bool {
	decoded, err := base64.StdEncoding.DecodeString(value)
	var object map[string]any
	return err == nil && json.Unmarshal(decoded, &object) == nil
}

// multiple tells whether a number in text is a multiple of n.
func multiple(value string, n int64) bool {
	number, err := strconv.ParseInt(value, 10, 64)
	return err == nil && number%n == 0
}
