package aws_test

import (
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	for _, name := range []string{"aws-prod", "aws-dev"} {
		e := prepare(t, name)
		at := time.Now()
		r, err := e.preview()
		t.Log("preview", time.Since(at), r.Changes, err)
		at = time.Now()
		r, err = e.up()
		t.Log("up", time.Since(at), r.Changes, err)
		at = time.Now()
		r, err = e.up()
		t.Log("again", time.Since(at), r.Changes, err)
		at = time.Now()
		r, err = e.preview()
		t.Log("preview", time.Since(at), r.Changes, err)
		at = time.Now()
		r, err = e.Refresh()
		t.Log("refresh", time.Since(at), r.Changes, err)
		err = e.Destroy()
		t.Log("destroy", time.Since(at), err)
	}
}
