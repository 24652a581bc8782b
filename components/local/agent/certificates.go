package agent

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// longestInterval is the most time between two looks at the certificates: it bounds
// how long a deleted file, a changed authority or a clock that jumped goes unnoticed.
const longestInterval = time.Minute

// issuer keeps the leaf certificates of a configuration as they should be.
type issuer struct {
	log *slog.Logger
	now func() time.Time // the wall clock
	// capped remembers the certificates that end with their authority and were
	// reported already.
	capped map[string]bool
}

func newIssuer(log *slog.Logger) *issuer {
	return &issuer{log: log, now: time.Now, capped: map[string]bool{}}
}

// pass looks at every certificate once, and issues what is missing, does not match,
// or expires. One failure does not keep the others from being issued. All
// decisions use the wall clock of this moment; nothing is scheduled for a
// certificate's end, so a jump of the clock is corrected by the next pass.
func (i *issuer) pass(config hostconfig.AgentConfig) error {
	authorities := map[string]*pki.Authority{}
	var faults []error
	for _, leaf := range config.Certificates {
		authority, known := authorities[leaf.CA]
		if !known {
			var err error
			if authority, err = pki.ReadAuthority(leaf.CA); err != nil {
				faults = append(faults, err)
			}
			authorities[leaf.CA] = authority
		}
		if authority == nil {
			continue // reported when it was read
		}
		if err := i.ensure(leaf, authority); err != nil {
			faults = append(faults, fmt.Errorf("certificate %s: %w", leaf.Name, err))
		}
	}
	return errors.Join(faults...)
}

// ensure issues one certificate if it needs to be.
func (i *issuer) ensure(leaf hostconfig.LeafCertificate, authority *pki.Authority) error {
	owner, err := filepair.LookupOwner(leaf.Owner)
	if err != nil {
		return err
	}
	now := i.now()
	flaw := inspect(leaf, authority, now)
	if flaw == nil {
		return owner.Enforce(leaf.CertFile, leaf.KeyFile)
	}
	if i.endsWithAuthority(leaf, authority, now) {
		return owner.Enforce(leaf.CertFile, leaf.KeyFile)
	}
	certPEM, keyPEM, err := pki.IssueAt(authority, LeafRequest(leaf), now)
	if err != nil {
		return err
	}
	if err := filepair.WritePair(leaf.CertFile, leaf.KeyFile, certPEM, keyPEM, owner); err != nil {
		return err
	}
	certificate, err := pki.ParseCertificate(certPEM)
	if err != nil {
		return err
	}
	i.log.Info("certificate issued", "name", leaf.Name, "file", leaf.CertFile, "because", flaw.Error(),
		"serial", certificate.SerialNumber.Text(16), "notAfter", certificate.NotAfter.Format(time.RFC3339))
	return nil
}

// inspect returns nil when the files hold a matching, valid pair, and otherwise why
// they do not.
func inspect(leaf hostconfig.LeafCertificate, authority *pki.Authority, now time.Time) error {
	certificate, err := readPair(leaf)
	if err != nil {
		return err
	}
	if err := pki.Matches(LeafRequest(leaf), authority.Certificate, certificate); err != nil {
		return err
	}
	return pki.CheckValidity(certificate, now, leaf.RenewBefore.Duration)
}

func readPair(leaf hostconfig.LeafCertificate) (*x509.Certificate, error) {
	certPEM, err := os.ReadFile(leaf.CertFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("it is missing")
	} else if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(leaf.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("its key is missing")
	} else if err != nil {
		return nil, err
	}
	certificate, err := pki.ParseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	key, err := pki.ParsePrivateKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if !pki.KeyMatches(certificate, key) {
		return nil, errors.New("its key belongs to another certificate")
	}
	return certificate, nil
}

// endsWithAuthority tells whether the only flaw of a certificate is that it ends
// when its authority does. Issuing it again would give it the same end, at every
// pass; replacing the authority is the remedy, and not the agent's to do.
func (i *issuer) endsWithAuthority(leaf hostconfig.LeafCertificate, authority *pki.Authority, now time.Time) bool {
	certificate, err := readPair(leaf)
	if err != nil || pki.Matches(LeafRequest(leaf), authority.Certificate, certificate) != nil ||
		pki.CheckValidity(certificate, now, 0) != nil || !certificate.NotAfter.Equal(authority.Certificate.NotAfter) {
		return false
	}
	if !i.capped[leaf.Name] {
		i.capped[leaf.Name] = true
		i.log.Warn("certificate ends together with its authority: replace the authority",
			"name", leaf.Name, "authority", leaf.CA, "notAfter", certificate.NotAfter.Format(time.RFC3339))
	}
	return true
}

// interval is how long to wait before the next pass: a tenth of the shortest
// renewal period, so that most of the period is left for retries, and never more
// than longestInterval.
func interval(config hostconfig.AgentConfig) time.Duration {
	shortest := longestInterval
	for _, leaf := range config.Certificates {
		shortest = min(shortest, leaf.RenewBefore.Duration/10)
	}
	return shortest
}
