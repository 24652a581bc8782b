package local

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// step is a command of a runbook.
type step struct {
	// section is the heading above it, block the number of its block there.
	section string
	block   int
	command string
	// prints are lines that stand below it: each is in what it prints.
	prints []string
}

// readRunbook gives the commands of a document, in their order: the lines of blocks
// of the language console that begin with "$ ".
func readRunbook(path string) ([]step, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var steps []step
	section, block, inside := "", 0, false
	for _, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, "## ") && !inside:
			section, block = strings.TrimPrefix(line, "## "), 0
		case line == "```console":
			inside, block = true, block+1
		case strings.HasPrefix(line, "```"):
			inside = false
		case !inside || line == "":
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{section: section, block: block, command: strings.TrimPrefix(line, "$ ")})
		case len(steps) == 0 || steps[len(steps)-1].section != section:
			return nil, fmt.Errorf("%s: %q stands below no command", path, line)
		default:
			last := &steps[len(steps)-1]
			last.prints = append(last.prints, strings.TrimSpace(line))
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%s has no command", path)
	}
	return steps, nil
}

// shell is one shell that runs commands one after the other, as a person would.
type shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// marker ends the output of a command; the status follows.
const marker = "=== redoubt-drill"

func newShell(directory string, environment []string) (*shell, error) {
	s := &shell{cmd: exec.Command("/bin/bash", "--noprofile", "--norc")}
	// A make that runs this test must not show in the one that a command runs.
	outer := slices.DeleteFunc(os.Environ(), func(each string) bool {
		name, _, _ := strings.Cut(each, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}, name)
	})
	s.cmd.Dir, s.cmd.Env = directory, append(outer, environment...)
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr, s.out = s.cmd.Stdout, bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	_, err = io.WriteString(s.in, "set -o pipefail\n")
	return s, err
}

// run runs a command and gives what it printed. What it reads is empty.
func (s *shell) run(command string) (string, error) {
	if _, err := fmt.Fprintf(s.in, "{ %s\n} </dev/null\nprintf '\\n%s %%d\\n' $?\n", command, marker); err != nil {
		return "", err
	}
	var text strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if status, ends := strings.CutPrefix(line, marker+" "); ends {
			if strings.TrimSpace(status) != "0" {
				return text.String(), fmt.Errorf("ended with status %s", strings.TrimSpace(status))
			}
			return text.String(), nil
		}
		text.WriteString(line)
		if err != nil {
			return text.String(), fmt.Errorf("the shell ended: %w", err)
		}
	}
}

// close ends the shell.
func (s *shell) close() error {
	s.in.Close()
	return s.cmd.Wait()
}
