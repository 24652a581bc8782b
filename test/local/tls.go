package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// tlsServer is one listener that speaks TLS, and from where it is reached.
type tlsServer struct {
	name, from, address string
	// certificate is presented when the listener demands one.
	certificate *tls.Certificate
}

// offer makes one handshake that offers exactly this version and these suites.
// It returns the negotiated suite, or an error. The server's certificate is not
// verified: only the negotiation is under test.
func (s tlsServer) offer(ctx context.Context, dial dialer, version uint16, suites ...uint16) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := dial(ctx, "tcp", s.address)
	if err != nil {
		return "", fmt.Errorf("connecting to %s: %w", s.address, err)
	}
	defer conn.Close()
	var agreed uint16
	config := &tls.Config{
		MinVersion: version, MaxVersion: version, CipherSuites: suites,
		InsecureSkipVerify: true,
		// Called once the server has chosen version and suite, which is all
		// that counts, whatever it does with the client's certificate later.
		VerifyConnection: func(state tls.ConnectionState) error { agreed = state.CipherSuite; return nil },
	}
	if s.certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.certificate, nil }
	}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if agreed != 0 {
		return tls.CipherSuiteName(agreed), nil
	}
	return "", err
}

// refusedByNegotiation tells whether a handshake failed because the server
// would not speak what was offered (RFC 5246 section 7.2.2: handshake_failure
// 40, protocol_version 70, insufficient_security 71), and for no other reason.
func refusedByNegotiation(err error) bool {
	var alert tls.AlertError
	if errors.As(err, &alert) {
		return alert == 40 || alert == 70 || alert == 71
	}
	// crypto/tls wraps a received alert in an unexported type whose text is fixed.
	return err != nil && (strings.HasSuffix(err.Error(), "remote error: tls: handshake failure") ||
		strings.HasSuffix(err.Error(), "remote error: tls: protocol version not supported") ||
		strings.HasSuffix(err.Error(), "remote error: tls: insufficient security level"))
}

// weakSuites are all suites of TLS 1.2 that crypto/tls can offer and that are
// no AEAD, or have no forward secrecy.
func weakSuites() []uint16 {
	var weak []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strongSuite(suite.Name) {
			weak = append(weak, suite.ID)
		}
	}
	return weak
}

// strongSuite tells whether a suite is an AEAD with forward secrecy (RFC 9325
// section 4.2).
func strongSuite(name string) bool {
	tls13 := !strings.Contains(name, "_WITH_")
	aead := strings.Contains(name, "_GCM_") || strings.Contains(name, "_POLY1305")
	return tls13 || aead && strings.HasPrefix(name, "TLS_ECDHE_")
}

// aeadSuites are the suites of TLS 1.2 that remain.
func aeadSuites() []uint16 {
	var strong []uint16
	for _, suite := range tls.CipherSuites() {
		if strongSuite(suite.Name) && strings.Contains(suite.Name, "_WITH_") {
			strong = append(strong, suite.ID)
		}
	}
	return strong
}

// servingCertificate fetches what a listener presents.
func (s tlsServer) servingCertificate(ctx context.Context, dial dialer) (*x509.Certificate, error) {
	conn, err := dial(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var certificate *x509.Certificate
	config := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		certificate = state.PeerCertificates[0]
		return nil
	}}
	if s.certificate != nil {
		config.Certificates = []tls.Certificate{*s.certificate}
	}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if certificate != nil {
		return certificate, nil
	}
	return nil, err
}
