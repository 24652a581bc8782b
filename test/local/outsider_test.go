package local

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreeAddress(t *testing.T) {
	for _, test := range []struct {
		cidr  string
		taken []string
		want  string
	}{
		{"10.83.0.0/29", nil, "10.83.0.6/29"},
		{"10.83.0.0/29", []string{"10.83.0.6"}, "10.83.0.5/29"},
		{"10.80.0.0/24", []string{"10.80.0.10"}, "10.80.0.254/24"},
	} {
		got, err := freeAddress(test.cidr, test.taken...)
		require.NoError(t, err)
		require.Equal(t, test.want, got.String())
	}
	_, err := freeAddress("10.0.0.0/30", "10.0.0.1", "10.0.0.2")
	require.ErrorContains(t, err, "no free address")
}

// TestClassify uses real sockets where it can: a wrong class would make a
// firewall look closed.
func TestClassify(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	got, err := probe(t.Context(), dialHost, address)
	require.NoError(t, err)
	require.Equal(t, open, got)
	require.NoError(t, listener.Close())
	got, err = probe(t.Context(), dialHost, address)
	require.NoError(t, err)
	require.Equal(t, refused, got)

	for want, cause := range map[answer]error{
		filtered:    &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		unreachable: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
	} {
		got, err := classify(cause)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err = classify(context.DeadlineExceeded)
	require.NoError(t, err)
	require.Equal(t, filtered, got)
	_, err = classify(errors.New("no such namespace"))
	require.Error(t, err, "an unknown error must not count as a closed port")
}

func TestStrongSuites(t *testing.T) {
	for name, want := range map[string]bool{
		"TLS_AES_128_GCM_SHA256": true, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": true,
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": true,
		"TLS_RSA_WITH_AES_128_GCM_SHA256":             false, // no forward secrecy
		"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256":     false,
		"TLS_ECDHE_RSA_WITH_RC4_128_SHA":              false,
	} {
		require.Equal(t, want, strongSuite(name), name)
	}
	require.NotEmpty(t, weakSuites())
	require.NotEmpty(t, aeadSuites())
}
