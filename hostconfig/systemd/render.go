package systemd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// directive is one "Key=value" line.
type directive struct{ key, value string }

// Render gives the text of the unit file. What does not validate is not
// rendered. The order of lines is fixed.
func (s Service) Render() (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	section(&b, "Unit", s.unitSection())
	section(&b, "Service", s.serviceSection())
	var install []directive
	install = appendList(install, "WantedBy", s.WantedBy)
	install = appendList(install, "RequiredBy", s.RequiredBy)
	section(&b, "Install", install)
	return b.String(), nil
}

func section(b *strings.Builder, name string, lines []directive) {
	if len(lines) == 0 {
		return
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "[%s]\n", name)
	for _, each := range lines {
		fmt.Fprintf(b, "%s=%s\n", each.key, each.value)
	}
}

func appendList(lines []directive, key string, values []string) []directive {
	if len(values) == 0 {
		return lines
	}
	return append(lines, directive{key, strings.Join(values, " ")})
}

func (s Service) unitSection() []directive {
	lines := []directive{{"Description", escapeSpecifiers(s.Description)}}
	lines = appendList(lines, "Documentation", s.Documentation)
	before, conflicts := s.Before, s.Conflicts
	if s.Early {
		lines = append(lines, directive{"DefaultDependencies", "no"})
		before = append(slices.Clone(before), "shutdown.target")
		conflicts = append(slices.Clone(conflicts), "shutdown.target")
	}
	for _, each := range []struct {
		key    string
		values []string
	}{
		{"Requires", s.Requires}, {"BindsTo", s.BindsTo}, {"Wants", s.Wants}, {"Conflicts", conflicts},
		{"After", s.After}, {"Before", before}, {"RequiresMountsFor", s.RequiresMountsFor},
	} {
		lines = appendList(lines, each.key, each.values)
	}
	for _, each := range s.Conditions {
		lines = append(lines, directive{"Condition" + each.Kind, each.Value})
	}
	return lines
}

func (s Service) serviceSection() []directive {
	kind := s.Type
	if kind == "" {
		kind = TypeExec
	}
	lines := []directive{{"Type", kind}}
	add := func(when bool, key, value string) {
		if when {
			lines = append(lines, directive{key, value})
		}
	}
	add(s.RemainAfterExit, "RemainAfterExit", "yes")
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		lines = append(lines, directive{"Environment", quoteWord(name + "=" + escapeSpecifiers(s.Environment[name]))})
	}
	add(s.EnvironmentFile != "", "EnvironmentFile", s.EnvironmentFile)
	for _, each := range []struct {
		key      string
		commands []Command
	}{
		{"ExecStartPre", s.StartPre}, {"ExecStart", s.Start}, {"ExecStartPost", s.StartPost},
		{"ExecReload", s.Reload}, {"ExecStop", s.Stop},
	} {
		for _, command := range each.commands {
			lines = append(lines, directive{each.key, command.String()})
		}
	}
	add(s.Restart != "", "Restart", s.Restart)
	add(s.RestartDelay > 0, "RestartSec", seconds(s.RestartDelay))
	add(s.StartTimeout > 0, "TimeoutStartSec", seconds(s.StartTimeout))
	add(s.StopTimeout > 0, "TimeoutStopSec", seconds(s.StopTimeout))
	add(s.KillMode != "", "KillMode", s.KillMode)
	add(s.Delegate, "Delegate", "yes")
	add(s.OOMScoreAdjust != 0, "OOMScoreAdjust", fmt.Sprint(s.OOMScoreAdjust))
	return append(lines, s.Sandbox.directives()...)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

// String gives the command as an Exec line has it.
func (c Command) String() string {
	words := make([]string, len(c))
	for i, word := range c {
		words[i] = escapeArgument(word)
	}
	return strings.Join(words, " ")
}

// escapeArgument keeps systemd from reading anything in an argument: "%" starts
// a specifier, "$" a variable, and quotes and backslashes shape words.
func escapeArgument(word string) string {
	parts := strings.Split(word, variableMark)
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString("${" + part + "}")
			continue
		}
		b.WriteString(strings.ReplaceAll(escapeSpecifiers(part), "$", "$$"))
	}
	return quoteWord(b.String())
}

func escapeSpecifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// quoteWord puts quotes around a word when it needs them.
func quoteWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
