package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/postroom/postroom/internal/seal"
)

func sealer(t *testing.T, fill byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(bytes.Repeat([]byte{fill}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpensWhatItSealed(t *testing.T) {
	s := sealer(t, 1)
	for _, plain := range [][]byte{nil, []byte("x"), []byte("a secret of some length"), bytes.Repeat([]byte("secret"), 1000)} {
		sealed := s.Seal("webhook 1", plain)
		if len(plain) > 8 && bytes.Contains(sealed, plain) { // a few bytes may stand there by chance
			t.Error("the sealed value shows the secret")
		}
		got, err := s.Open("webhook 1", sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %q, %v; want %q", got, err, plain)
		}
	}
}

func TestSealsDifferentlyEachTime(t *testing.T) {
	s := sealer(t, 1)
	if bytes.Equal(s.Seal("c", []byte("a")), s.Seal("c", []byte("a"))) {
		t.Error("the same secret was sealed to the same bytes twice")
	}
}

func TestRefuses(t *testing.T) {
	s := sealer(t, 1)
	sealed := s.Seal("webhook 1", []byte("secret"))
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return sealer(t, 2).Open("webhook 1", sealed) },
		"another context": func() ([]byte, error) { return s.Open("webhook 2", sealed) },
		"a damaged value": func() ([]byte, error) { return s.Open("webhook 1", damaged) },
		"too short":       func() ([]byte, error) { return s.Open("webhook 1", sealed[:5]) },
		"nothing":         func() ([]byte, error) { return s.Open("webhook 1", nil) },
	} {
		if plain, err := open(); !errors.Is(err, seal.ErrOpen) || plain != nil {
			t.Errorf("%s: got %q, %v", name, plain, err)
		}
	}
	if _, err := seal.New([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}
