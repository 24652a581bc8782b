package rehearse

import (
	"bytes"
	"io"
	"regexp"
)

// progressWriter passes the engine's progress on, without its last chapter: problems and warnings are said once, by
// the driver, in a form that names the remedy.
type progressWriter struct {
	to      io.Writer
	partial []byte
	skip    bool
}

var (
	escapes  = regexp.MustCompile("\x1b\\[[0-9;]*m")
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
		if !p.skip {
			if _, err := p.to.Write(line); err != nil {
				return 0, err
			}
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
