package gcp_test

import (
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

type edit = simtest.Edit

// edited gives the environment with other settings.
func (e environment) edited(t testing.TB, changes ...edit) environment {
	t.Helper()
	return environment{e.Edited(t, changes...)}
}
