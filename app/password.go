package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/postroom/postroom"
)

// The cost of a password's hash, as OWASP recommends for argon2id: 19 MiB, two passes, one lane. Hashes carry the cost they were made
// with, so that it can be raised.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashLanes   = 1
	hashSalt    = 16 // bytes
	hashLength  = 32
	maxHashing  = 2   // passwords that are hashed at once: they take memory
	minPassword = 10  // characters
	maxPassword = 512 // bytes
)

// passwords hashes passwords and checks them, a few at a time.
type passwords struct {
	slots chan struct{}
	dummy string // a hash that no password has
}

func newPasswords() passwords {
	p := passwords{slots: make(chan struct{}, maxHashing)}
	salt, sum := make([]byte, hashSalt), make([]byte, hashLength)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process instead
	_, _ = rand.Read(sum)
	p.dummy = phc(salt, sum)
	return p
}

func phc(salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

func (p passwords) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hash hashes a password.
func (p passwords) hash(ctx context.Context, password string) (string, error) {
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer func() { <-p.slots }()
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process instead
	return phc(salt, argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashLength)), nil
}

// matches tells whether a password is the one of a hash. An empty hash, which is nobody's, takes as long to say no.
func (p passwords) matches(ctx context.Context, hash, password string) (bool, error) {
	known := hash != "" && len(password) <= maxPassword
	if !known {
		hash, password = p.dummy, "-"
	}
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-p.slots }()
	same, err := verifyPHC(hash, password)
	return same && known, err
}

func verifyPHC(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	bad := fmt.Errorf("a stored password hash cannot be read")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, bad
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || memory == 0 || passes == 0 || lanes == 0 {
		return false, bad
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(sum) == 0 {
		return false, bad
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1, nil
}

// checkPassword refuses a new password that is too easy to guess.
func checkPassword(p *postroom.Problems, pointer, password, email string) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		p.Add(pointer, "a password has at least %d characters", minPassword)
	case len(password) > maxPassword:
		p.Add(pointer, "a password has at most %d bytes", maxPassword)
	case strings.EqualFold(password, email):
		p.Add(pointer, "this is the email address")
	case strings.Count(password, password[:1]) == len(password):
		p.Add(pointer, "this is one character again and again")
	}
}
