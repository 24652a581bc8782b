package systemd

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/fault"
)

// Mount is one mount unit. Its name is that of its directory, see [Mount.Name].
type Mount struct {
	// Description is one line. Required.
	Description string
	// What is a device and Where a directory, both absolute, clean and of plain
	// characters. Required.
	What, Where string
	// Type is the kind of file system. Required.
	Type string
	// Options are mount options, for example "nodev".
	Options []string
	// Requires, After and Before are units.
	Requires, After, Before []string
}

var (
	mountPath   = regexp.MustCompile(`^(/[A-Za-z0-9_.:@+-]+)+$`)
	mountOption = regexp.MustCompile(`^[a-z0-9_.-]+(=[A-Za-z0-9_./:+-]+)?$`)
)

// Name gives the unit's file name, which systemd ties to the directory:
// "/var/lib/etcd" is var-lib-etcd.mount.
func (m Mount) Name() string { return EscapePath(m.Where) + ".mount" }

// EscapePath gives a path as systemd's unit names have it, see systemd-escape(1).
func EscapePath(name string) string {
	name = strings.Trim(path.Clean(name), "/")
	var b strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c == '/':
			b.WriteByte('-')
		case c == '_' || c == ':' || c == '.' && i > 0 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// Validate reports everything that is wrong, as joined FieldError values of package hostconfig.
func (m Mount) Validate() error {
	var found []error
	add := func(field, problem, remedy string) {
		found = append(found, &fault.Error{Field: field, Problem: problem, Remedy: remedy})
	}
	if strings.TrimSpace(m.Description) == "" || !plainLine(m.Description) {
		add("description", "is empty or not one line", "say in one line what is mounted")
	}
	for _, each := range []struct{ field, value string }{{"what", m.What}, {"where", m.Where}} {
		if !mountPath.MatchString(each.value) || path.Clean(each.value) != each.value {
			add(each.field, fmt.Sprintf("%q is not a clean absolute path", each.value), "write letters, digits, and one of _.:@+- between slashes")
		}
	}
	if !mountOption.MatchString(m.Type) {
		add("type", fmt.Sprintf("%q is not a file system", m.Type), "write a name such as ext4")
	}
	for i, option := range m.Options {
		if !mountOption.MatchString(option) {
			add(fmt.Sprintf("options[%d]", i), fmt.Sprintf("%q is not a mount option", option), "write name or name=value")
		}
	}
	for field, units := range map[string][]string{"requires": m.Requires, "after": m.After, "before": m.Before} {
		for i, unit := range units {
			if !ValidUnitName(unit) {
				add(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not the name of a unit", unit), "write a name with its suffix")
			}
		}
	}
	return errors.Join(found...)
}

// Render gives the text of the unit file. What does not validate is not rendered.
func (m Mount) Render() (string, error) {
	if err := m.Validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	lines := []directive{{"Description", escapeSpecifiers(m.Description)}}
	lines = appendList(lines, "Requires", m.Requires)
	lines = appendList(lines, "After", m.After)
	lines = appendList(lines, "Before", m.Before)
	section(&b, "Unit", lines)
	lines = []directive{{"What", escapeSpecifiers(m.What)}, {"Where", escapeSpecifiers(m.Where)}, {"Type", m.Type}}
	if len(m.Options) > 0 {
		lines = append(lines, directive{"Options", strings.Join(m.Options, ",")})
	}
	section(&b, "Mount", lines)
	return b.String(), nil
}
