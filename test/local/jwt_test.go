package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignToken verifies signatures with the library's verifier: a forger that
// cannot sign would make every refusal meaningless.
func TestSignToken(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	token, err := signToken(key, map[string]any{"sub": "a"})
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	require.True(t, ecdsa.Verify(&key.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])))

	claims, err := tokenClaims(token)
	require.NoError(t, err)
	require.Equal(t, "a", claims["sub"])

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	token, err = signToken(rsaKey, nil)
	require.NoError(t, err)
	require.NotEmpty(t, strings.Split(token, ".")[2])

	token, err = signToken(nil, nil)
	require.NoError(t, err)
	require.Empty(t, strings.Split(token, ".")[2], "an unsigned token has no signature")
}
