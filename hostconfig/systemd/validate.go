package systemd

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/fault"
)

var (
	// unitPattern is systemd.unit(5)'s set of characters, with the suffixes of
	// units that services refer to.
	unitPattern = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?\.(service|socket|target|timer|path|mount|device|slice)$`)
	// variablePattern is the name of a variable.
	variablePattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	conditionPattern  = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	capabilityPattern = regexp.MustCompile(`^CAP_[A-Z_]+$`)
	familyPattern     = regexp.MustCompile(`^AF_[A-Z0-9]+$`)
	groupPattern      = regexp.MustCompile(`^@?[a-z0-9_-]+$`)
	devicePattern     = regexp.MustCompile(`^(/dev/[A-Za-z0-9_/-]+|(char|block)-[a-z*]+) r?w?m?$`)
)

// Service types and restart policies that are accepted.
var (
	serviceTypes = []string{"", TypeOneshot, TypeExec, TypeNotify}
	restarts     = []string{"", "no", "always", "on-failure", "on-abnormal"}
	killModes    = []string{"", "control-group", "mixed", "process"}
)

// ValidUnitName tells whether systemd takes the name for a unit.
func ValidUnitName(name string) bool { return len(name) < 256 && unitPattern.MatchString(name) }

// Validate reports everything that is wrong, as joined FieldError values of package hostconfig.
func (s Service) Validate() error {
	var found []error
	add := func(field, problem, remedy string) {
		found = append(found, &fault.Error{Field: field, Problem: problem, Remedy: remedy})
	}
	if !ValidUnitName(s.Name) || !strings.HasSuffix(s.Name, ".service") {
		add("name", fmt.Sprintf("%q is not the name of a service", s.Name), "write a name such as kubelet.service")
	}
	if strings.TrimSpace(s.Description) == "" || !plainLine(s.Description) {
		add("description", "is empty or not one line", "say in one line what the service does")
	}
	for field, units := range map[string][]string{
		"after": s.After, "before": s.Before, "wants": s.Wants, "requires": s.Requires, "bindsTo": s.BindsTo,
		"conflicts": s.Conflicts, "wantedBy": s.WantedBy, "requiredBy": s.RequiredBy,
	} {
		for i, unit := range units {
			if !ValidUnitName(unit) {
				add(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not the name of a unit", unit), "write a name with its suffix")
			}
		}
	}
	if !slices.Contains(serviceTypes, s.Type) {
		add("type", fmt.Sprintf("%q is not supported", s.Type), "write oneshot, exec or notify")
	}
	if len(s.Start) == 0 || s.Type != TypeOneshot && len(s.Start) != 1 {
		add("start", fmt.Sprintf("holds %d commands", len(s.Start)), "write one command; only a oneshot can have several")
	}
	if !slices.Contains(restarts, s.Restart) {
		add("restart", fmt.Sprintf("%q is not supported", s.Restart), "write always, on-failure, on-abnormal or nothing")
	}
	if s.Restart != "" && s.Restart != "no" && s.RestartDelay <= 0 {
		add("restartDelay", "is not set", "write a delay, so that a failing service does not spin")
	}
	if s.Type == TypeOneshot && s.Restart == "always" {
		add("restart", "a oneshot cannot restart always", "write on-failure")
	}
	if !slices.Contains(killModes, s.KillMode) {
		add("killMode", fmt.Sprintf("%q is not supported", s.KillMode), "write control-group, mixed or process")
	}
	if s.OOMScoreAdjust < -1000 || s.OOMScoreAdjust > 1000 {
		add("oomScoreAdjust", "is out of range", "write -1000 to 1000")
	}
	s.validateText(add)
	s.validateCommands(add)
	s.Sandbox.validate(add)
	slices.SortStableFunc(found, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(found...)
}

// report takes one problem.
type report func(field, problem, remedy string)

func (s Service) validateText(add report) {
	for i, value := range s.Documentation {
		if strings.ContainsAny(value, " \t%") || !plainLine(value) || !strings.Contains(value, ":") {
			add(fmt.Sprintf("documentation[%d]", i), "is not a URL", "write https:, file: or man:")
		}
	}
	for i, c := range s.Conditions {
		if !conditionPattern.MatchString(c.Kind) || c.Value == "" || !plainLine(c.Value) {
			add(fmt.Sprintf("conditions[%d]", i), "is not a condition", `write a kind such as PathExists and a value such as "!/etc/file"`)
		}
	}
	for i, value := range s.RequiresMountsFor {
		if !cleanPath(value) {
			add(fmt.Sprintf("requiresMountsFor[%d]", i), fmt.Sprintf("%q is not a clean absolute path", value), "write an absolute path")
		}
	}
	if s.EnvironmentFile != "" && !cleanPath(s.EnvironmentFile) {
		add("environmentFile", "is not a clean absolute path", "write an absolute path that always exists")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if !variablePattern.MatchString(name) || !oneLine(s.Environment[name]) {
			add(fmt.Sprintf("environment[%q]", name), "is not a variable", "write a name of letters, digits and _, and a value of one line")
		}
	}
}

func (s Service) validateCommands(add report) {
	for field, commands := range map[string][]Command{
		"startPre": s.StartPre, "start": s.Start, "startPost": s.StartPost, "reload": s.Reload, "stop": s.Stop,
	} {
		for i, command := range commands {
			at := fmt.Sprintf("%s[%d]", field, i)
			if len(command) == 0 || !cleanPath(command[0]) {
				add(at, "has no program with an absolute path", "write the program's absolute path first")
				continue
			}
			for j, word := range command {
				parts := strings.Split(word, variableMark)
				good := len(parts)%2 == 1
				for k, part := range parts {
					good = good && oneLine(part) && (k%2 == 0 || variablePattern.MatchString(part))
				}
				// systemd itself reads "-", "@", ":", "+", "!" before a program and ";"
				// alone as its own signs; a path starts with "/" and ";" is quoted.
				if !good {
					add(fmt.Sprintf("%s[%d]", at, j), "is not one line of text", "write printable text; variables through Variable")
				}
			}
		}
	}
}

func (s Sandbox) validate(add report) {
	match := func(field string, values []string, pattern *regexp.Regexp, remedy string) {
		for i, value := range values {
			if !pattern.MatchString(value) {
				add(fmt.Sprintf("sandbox.%s[%d]", field, i), fmt.Sprintf("%q is not one", value), remedy)
			}
		}
	}
	match("capabilities", s.Capabilities, capabilityPattern, "write a name such as CAP_NET_ADMIN")
	match("network", s.Network, familyPattern, "write a family such as AF_INET")
	match("systemCalls", s.SystemCalls, groupPattern, "write a group such as @mount")
	match("devices", s.Devices, devicePattern, "write a node and its rights, such as /dev/tpmrm0 rw")
	for i, value := range s.Writable {
		if !cleanPath(strings.TrimPrefix(value, "-")) {
			add(fmt.Sprintf("sandbox.writable[%d]", i), fmt.Sprintf("%q is not a clean absolute path", value), "write an absolute path")
		}
	}
}

// cleanPath wants an absolute path that systemd reads as it is.
func cleanPath(value string) bool {
	return path.IsAbs(value) && path.Clean(value) == value && oneLine(value) && !strings.ContainsAny(value, " \t\"'\\%$;*")
}

// oneLine refuses control characters: a line break would begin another directive.
func oneLine(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f || r == '\uFFFD' }) < 0
}

// plainLine refuses a backslash too: at the end of a line it joins the next one.
func plainLine(text string) bool { return oneLine(text) && !strings.Contains(text, `\`) }
