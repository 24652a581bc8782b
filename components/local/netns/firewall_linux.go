package netns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// table is the only table that is Redoubt's. Its base chains drop what they do
// not allow, so another table may forbid more and cannot allow more.
const table = "redoubt"

// ApplyFirewall puts rules into a namespace. nft applies all of them in one
// transaction or none, so there is no moment without rules.
func ApplyFirewall(ctx context.Context, namespace, ruleset string) error {
	return inside(namespace, func() error {
		if _, err := run(ctx, ruleset, "nft", "-f", "-"); err != nil {
			return fmt.Errorf("the firewall of %s: %w", namespace, err)
		}
		return nil
	})
}

// FirewallFingerprint stands for the rules that the kernel now has in table
// inet redoubt of a namespace: any change by anybody changes it. It is "" when
// there is no such table, or no such namespace. The kernel's listing is not
// the text that was applied, so compare it with a fingerprint taken after
// ApplyFirewall.
func FirewallFingerprint(ctx context.Context, namespace string) (string, error) {
	if !exists(namespace) {
		return "", nil
	}
	var listing []byte
	err := inside(namespace, func() (err error) {
		// The tables are listed first, because the absence of one is told by
		// words of a message that differ from version to version.
		tables, err := run(ctx, "", "nft", "list", "tables", "inet")
		if err != nil || !hasLine(string(tables), "table inet "+table) {
			return err
		}
		// Without counters, which change by themselves, and with numbers, which
		// do not depend on /etc/services.
		listing, err = run(ctx, "", "nft", "--stateless", "--numeric", "list", "table", "inet", table)
		return err
	})
	if err != nil || listing == nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(normalised(string(listing))))
	return hex.EncodeToString(sum[:]), nil
}

func hasLine(text, line string) bool {
	for _, each := range strings.Split(text, "\n") {
		if strings.TrimSpace(each) == line {
			return true
		}
	}
	return false
}

// normalised takes the layout out of a listing.
func normalised(listing string) string {
	var lines []string
	for _, line := range strings.Split(listing, "\n") {
		if fields := strings.Fields(line); len(fields) > 0 {
			lines = append(lines, strings.Join(fields, " "))
		}
	}
	return strings.Join(lines, "\n")
}
