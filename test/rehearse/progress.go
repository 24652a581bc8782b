package rehearse

import (
	"bytes"
	"io"
	"regexp"
)

// progressWriter passes the engine's progress on, without what it says of problems: these are said once, by the
// driver, in a form that names the remedy. What failed is still seen where it failed.
type progressWriter struct {
	to      io.Writer
	partial []byte
	skip    bool
}

var (
	escapes  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	failing  = regexp.MustCompile(`(\*\*[a-z ]*failed\*\*).*`)
	reason   = regexp.MustCompile(` (error|warning): `)
	advice   = regexp.MustCompile(`^(The resources in the stack have been deleted|If you want to remove the stack completely|\^C received|Note that terminating)`)
	chapters = regexp.MustCompile(`^(Resources|Outputs|Duration|Policies|View (Live|in Browser).*):?`)
)

func (p *progressWriter) Write(data []byte) (int, error) {
	p.partial = append(p.partial, data...)
	for {
		end := bytes.IndexByte(p.partial, '\n')
		if end < 0 {
			return len(data), nil
		}
		line := p.partial[:end+1]
		plain := bytes.TrimRight(escapes.ReplaceAll(line, nil), "\r\n")
		switch {
		case bytes.Equal(plain, []byte("Diagnostics:")):
			p.skip = true
		case p.skip && chapters.Match(plain):
			p.skip = false
		}
		switch {
		case p.skip:
			line = nil
		case failing.Match(line):
			end := "\n"
			if bytes.IndexByte(line, 0x1b) >= 0 {
				end = "\x1b[0m\n" // the colour ended in what is cut off
			}
			line = append(failing.ReplaceAll(bytes.TrimRight(line, "\r\n"), []byte("$1")), end...)
		case reason.Match(plain), advice.Match(plain): // the driver says the one and does the other
			line = nil
		}
		if _, err := p.to.Write(line); err != nil {
			return 0, err
		}
		p.partial = p.partial[end+1:]
	}
}

// flush passes an unfinished line on.
func (p *progressWriter) flush() {
	if len(p.partial) > 0 && !p.skip {
		_, _ = p.to.Write(append(p.partial, '\n'))
	}
	p.partial = nil
}
