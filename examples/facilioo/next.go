package main

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// WriteNext writes the private key that signs from a time on into dir, which is
// made if it isn't there. Before, it writes the public halves of all keys in dir
// into the file public, unless that is "". This is the whole of a rotation: a
// server that follows dir finds the key by itself, and servers that verify by
// the file find its public half.
//
// The key is written as signing.LoadSchedule reads it: named for the second from
// which it signs, readable by nobody else, and there only when it is whole. The
// public halves come first: nobody may see a token before its key.
func WriteNext(dir, public string, from time.Time) (path string, err error) {
	from = from.UTC().Truncate(time.Second)
	path = filepath.Join(dir, from.Format("20060102T150405Z")+".pem")
	if public != "" && filepath.Clean(filepath.Dir(public)) == filepath.Clean(dir) {
		return "", errors.New("public: must not lie in the directory of the private keys")
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	key, err := signing.NewKey("RS256", private, from)
	if err != nil {
		return "", err
	}
	keys, err := withNext(dir, key)
	var text []byte
	if err == nil {
		text, err = bundle(keys, false)
	}
	if err != nil {
		return "", fmt.Errorf("dir: %w", err)
	}
	if public != "" {
		if err := place(public, text, 0o644); err != nil {
			return "", fmt.Errorf("public: %w", err)
		}
	}
	return path, place(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// withNext returns the keys of a directory and one more, or why they don't fit
// together.
func withNext(dir string, next *signing.Key) ([]*signing.Key, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	there, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	keys := []*signing.Key{next}
	if len(there) > 0 {
		schedule, err := signing.LoadSchedule(dir, nil)
		if err != nil {
			return nil, err
		}
		keys = append(schedule.Keys(), next)
	}
	schedule, err := signing.NewSchedule(keys...) // sorts, and refuses two of one time
	if err != nil {
		return nil, err
	}
	return schedule.Keys(), nil
}

// place writes a file so that nobody sees half of it.
func place(path string, text []byte, mode os.FileMode) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".draft-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(text)
	err = cmp.Or(err, draft.Chmod(mode), draft.Sync())
	if err := cmp.Or(err, draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}
