package machine

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// A log takes at most logMegabytes*(1+logBackups): 80 MB for each service.
const (
	logMegabytes = 20
	logBackups   = 3
)

// rotated is a log file that never grows without bound.
func rotated(dir, name string) *lumberjack.Logger {
	return &lumberjack.Logger{Filename: filepath.Join(dir, name+".log"), MaxSize: logMegabytes, MaxBackups: logBackups}
}

// newLogger writes what a process of the machine itself does.
func newLogger(to io.Writer, who string) *log.Logger {
	return log.New(to, who+": ", log.LstdFlags|log.LUTC|log.Lmsgprefix)
}

// capture gives the writing end of a pipe whose contents go to a log until all
// its writers have ended. It keeps reading when the log cannot be written,
// because a full disk must not stop a service that only wants to speak.
func capture(to io.Writer) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer read.Close()
		buffer := make([]byte, 8<<10)
		for {
			n, err := read.Read(buffer)
			if n > 0 {
				_, _ = to.Write(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return write, nil
}

// tail gives the last lines of a log, indented, for an error message.
func tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("    (no log: %v)", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > 16<<10 {
		_, _ = file.Seek(-16<<10, io.SeekEnd)
	}
	data, _ := io.ReadAll(io.LimitReader(file, 16<<10))
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "    " + strings.Join(all, "\n    ")
}
