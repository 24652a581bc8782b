package local

import (
	"path"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// auditDirectory is the protected storage of the audit log: on the host it is
// <state>/log/control-plane/kubernetes, readable by root alone (M17).
func auditDirectory(paths hostconfig.Paths) pulumi.Map {
	return directory(path.Dir(paths.AuditLog()), 0o700, "root")
}
