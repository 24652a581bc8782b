package rehearse

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// passphrase is what the state's secrets are encrypted with: PULUMI_CONFIG_PASSPHRASE, the file named by
// PULUMI_CONFIG_PASSPHRASE_FILE, or else 256 random bits kept in <state>/passphrase, made once and shared by the
// environments of a repository.
func (d *Driver) passphrase() (string, error) {
	if value, set := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE"); set {
		return value, nil
	}
	if file := os.Getenv("PULUMI_CONFIG_PASSPHRASE_FILE"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("PULUMI_CONFIG_PASSPHRASE_FILE: %w", err)
		}
		return strings.TrimSpace(string(data)), nil
	}
	path := filepath.Join(d.options.StateDirectory, "passphrase")
	if data, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(data))) > 0 {
		return strings.TrimSpace(string(data)), nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	value := base64.RawURLEncoding.EncodeToString(random)
	// Linked into place complete and only if absent: of two environments that start at once, both use one passphrase.
	file, err := os.CreateTemp(d.options.StateDirectory, "passphrase-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(value + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}
