// Package seal encrypts secrets before they are stored.
//
//	plain ──▶ Seal(context) ──▶ [1 | nonce | AES-256-GCM ciphertext] ──▶ database
//	plain ◀── Open(context) ◀──────────────────────────────────────────────┘
//
// The context says what the secret belongs to. It is authenticated, so a sealed secret that is moved to another place in
// the database cannot be opened there.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// KeySize is the size of the key, in bytes.
const KeySize = 32

const version = 1 // of the format; the first byte of each sealed value

// Sealer seals and opens with one key. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// New makes a Sealer of a key of KeySize bytes.
func New(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the secret key has %d bytes: it must have %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

// Seal encrypts plain for a context.
func (s *Sealer) Seal(context string, plain []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize(), 1+s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process instead
	out := append([]byte{version}, nonce...)
	return s.aead.Seal(out, nonce, plain, []byte(context))
}

// ErrOpen means that a sealed value was made with another key, for another context, or is damaged.
var ErrOpen = errors.New("the sealed value cannot be opened: it was sealed with another secret key, or is damaged")

// Open decrypts what Seal made for the same context.
func (s *Sealer) Open(context string, sealed []byte) ([]byte, error) {
	n := 1 + s.aead.NonceSize()
	if len(sealed) < n || sealed[0] != version {
		return nil, ErrOpen
	}
	plain, err := s.aead.Open(nil, sealed[1:n], sealed[n:], []byte(context))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
