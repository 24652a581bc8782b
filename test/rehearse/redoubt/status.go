package redoubt

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// Status prints what the machines of an environment do, and whether all of them do it: directory is the environment's.
func Status(w io.Writer, directory string) (healthy bool, err error) {
	found, err := filepath.Glob(filepath.Join(directory, "machines", "*"))
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		return false, fmt.Errorf("no machines in %s: `make up` makes them", directory)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MACHINE\tSERVICE\tSTATE\tPID\tRESTARTS\tSINCE\tREMARK")
	healthy = true
	for _, dir := range found {
		name := filepath.Base(dir)
		if _, err := os.Stat(dir); err != nil {
			return false, err
		}
		status, err := machine.Inspect(dir)
		switch {
		case err != nil:
			return false, fmt.Errorf("%s: %w", name, err)
		case !status.Running:
			healthy = false
			fmt.Fprintf(table, "%s\t-\tdown\t\t\t\t%s\n", name, status.Failure)
			continue
		case !status.Guarded:
			healthy = false
			fmt.Fprintf(table, "%s\t-\tunguarded\t\t\t\tnothing restarts it; `make up` does\n", name)
		}
		for _, s := range status.Services {
			healthy = healthy && s.Ready
			remark := s.Detail
			if remark == "" && s.Restarts > 0 {
				remark = "before: " + s.LastExit
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", name, s.Name, s.State, s.PID, s.Restarts, age(s.Since), remark)
		}
	}
	return healthy, table.Flush()
}

func age(since time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return time.Since(since).Round(time.Second).String()
}
