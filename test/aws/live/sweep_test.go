package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// sweep deletes the log groups that services make again, and names everything else that bears the tag of a cluster.
func (a account) sweep(ctx context.Context, name string) error {
	var problems []error
	var groups []string
	for _, prefix := range []string{"/aws/eks/" + name + "/", "/aws/vpc/" + name + "/", "/aws/route53resolver/" + name + "/"} {
		var found []string
		if err := a.call(ctx, &found, "logs", "describe-log-groups", "--log-group-name-prefix", prefix, "--query", "logGroups[].logGroupName"); err != nil {
			problems = append(problems, err)
		}
		groups = append(groups, found...)
	}
	for _, group := range groups {
		if err := a.call(ctx, nil, "logs", "delete-log-group", "--log-group-name", group); err != nil {
			problems = append(problems, err)
		}
	}
	var left []string
	if err := a.call(ctx, &left, "resourcegroupstaggingapi", "get-resources", "--tag-filters", "Key=redoubt.dev/cluster,Values="+name, "--query", "ResourceTagMappingList[].ResourceARN"); err != nil {
		problems = append(problems, err)
	}
	// Keys wait for their deletion. The index of tags runs behind: instances and interfaces that are gone stand in it for an hour.
	left = slices.DeleteFunc(left, func(arn string) bool {
		return strings.Contains(arn, ":kms:") && a.deleted(ctx, arn) || strings.Contains(arn, ":instance/") || strings.Contains(arn, ":network-interface/") ||
			strings.Contains(arn, ":volume/") || slices.ContainsFunc(groups, func(group string) bool { return strings.HasSuffix(arn, ":"+group) })
	})
	if len(left) > 0 {
		problems = append(problems, fmt.Errorf("left:\n  %s", strings.Join(left, "\n  ")))
	}
	return errors.Join(problems...)
}

// deleted tells whether a key waits for its deletion.
func (a account) deleted(ctx context.Context, arn string) bool {
	var state string
	err := a.call(ctx, &state, "kms", "describe-key", "--key-id", arn, "--query", "KeyMetadata.KeyState")
	return err == nil && state == "PendingDeletion"
}

// call is ask where the test may have ended.
func (a account) call(ctx context.Context, into any, arguments ...string) error {
	command := exec.CommandContext(ctx, "aws", append(arguments, "--region", a.region, "--output", "json")...)
	text, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("aws %s: %s", strings.Join(arguments, " "), exit.Stderr)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(text, into)
}
