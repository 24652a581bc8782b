package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
)

// runAuditLog verifies what somebody fetched from the bucket of a self-managed
// cluster's audit log, node by node, and unpacks it.
func runAuditLog(_ context.Context, arguments []string, out io.Writer) error {
	var from, to string
	set := flag.NewFlagSet("audit-log", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&from, "from", "", "")
	set.StringVar(&to, "out", "", "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	if from == "" {
		return errors.New("--from is missing: write the directory into which the bucket was copied")
	}
	nodes := map[string][]string{}
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && (strings.HasSuffix(path, auditlog.SuffixLog) || strings.HasSuffix(path, auditlog.SuffixGap)) {
			nodes[filepath.Dir(path)] = append(nodes[filepath.Dir(path)], path)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return fmt.Errorf("%s has no object of an audit log: copy the folder audit of the bucket into it", from)
	}
	var wrong []error
	for folder, names := range nodes {
		node := filepath.Base(folder)
		wrong = append(wrong, unpack(node, names, to))
		fmt.Fprintf(out, "%s: %d objects\n", node, len(names))
	}
	return errors.Join(wrong...)
}

// unpack verifies one node's objects, and writes its log where that is wanted.
func unpack(node string, names []string, to string) (err error) {
	log := io.Discard
	if to != "" {
		file, failed := os.OpenFile(filepath.Join(to, node+".log"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		log = file
	}
	return auditlog.Unpack(names, os.ReadFile, log)
}
