package hostconfig

import (
	"fmt"
	"regexp"
	"strings"
)

// tomlTable is a table of a TOML document; without a path it is the top level.
type tomlTable struct {
	path  []string
	lines []tomlLine
}

// tomlLine is a key with a string, boolean, integer, or list of strings or of
// lists of strings, and what a reader should know of it.
type tomlLine struct {
	key   string
	value any
	why   string
}

// renderTOML writes the tables in their order: hosts.toml gives it a meaning.
func renderTOML(tables []tomlTable) string {
	var b strings.Builder
	for i, table := range tables {
		indent := ""
		if len(table.path) > 0 {
			if i > 0 {
				b.WriteString("\n")
			}
			keys := make([]string, len(table.path))
			for i, key := range table.path {
				keys[i] = tomlKey(key)
			}
			fmt.Fprintf(&b, "[%s]\n", strings.Join(keys, "."))
			indent = "  "
		}
		for _, line := range table.lines {
			if line.why != "" {
				fmt.Fprintf(&b, "%s# %s\n", indent, line.why)
			}
			fmt.Fprintf(&b, "%s%s = %s\n", indent, tomlKey(line.key), tomlValue(line.value, indent))
		}
	}
	return b.String()
}

var tomlBareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(key string) string {
	if tomlBareKey.MatchString(key) {
		return key
	}
	return tomlString(key)
}

func tomlValue(value any, indent string) string {
	var items []string
	switch v := value.(type) {
	case string:
		return tomlString(v)
	case []string:
		for _, each := range v {
			items = append(items, tomlString(each))
		}
	case [][]string:
		for _, each := range v {
			items = append(items, tomlValue(each, indent))
		}
	default:
		return fmt.Sprint(v)
	}
	if len(items) > 4 {
		return "[\n" + indent + "  " + strings.Join(items, ",\n"+indent+"  ") + ",\n" + indent + "]"
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// tomlString writes a basic string, whose escapes are not those of Go.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
