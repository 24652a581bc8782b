package gcp

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The document says what the table says.
func TestLimitsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/gcp.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range Limits() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", limit.Field, strings.Join(limit.Controls, ", "), limit.Consequence, limit.Compensation)
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/gcp.md lacks the row\n%s", row)
		}
	}
}
