package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Outbox is where mails go. Another process sends them, so that a request takes
// no longer when there is one to send. It is safe for concurrent use.
type Outbox interface {
	Put(to, text string) error
}

// printed writes mails to a terminal.
type printed struct{ out io.Writer }

func (p printed) Put(to, text string) error {
	_, err := fmt.Fprintf(p.out, "mail to %s: %s\n", to, text)
	return err
}

// spool writes each mail to a file of its own, named for the time.
type spool struct{ dir string }

func (s spool) Put(to, text string) error {
	file, err := os.CreateTemp(s.dir, ".mail-*") // a reader of the directory sees whole mails
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "To: %s\n\n%s\n", to, text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	name := time.Now().UTC().Format("20060102T150405.000000000") + filepath.Base(file.Name())[len(".mail"):] + ".txt"
	return os.Rename(file.Name(), filepath.Join(s.dir, name))
}
