package lockout_test

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

func ExampleLockout_Attempt() {
	guesses, err := lockout.New(lockout.Config{Name: "recovery"}) // 5 tries, 24 hours
	if err != nil {
		fmt.Println(err)
		return
	}
	lookUp := func(context.Context) (string, error) { return "KTR4-X9PW", nil } // in your database
	redeem := func(code string) {
		outcome, err := guesses.Attempt(context.Background(), "ann@example.com", func(ctx context.Context) (bool, error) {
			want, err := lookUp(ctx)
			if err != nil { // nothing was compared: the guess is given back
				return false, fmt.Errorf("%w: %w", lockout.ErrUndecided, err)
			}
			return subtle.ConstantTimeCompare([]byte(code), []byte(want)) == 1, nil
		})
		var blocked *lockout.BlockedError
		switch {
		case errors.As(err, &blocked):
			fmt.Println("blocked for", blocked.RetryAfter.Round(time.Hour))
		case err != nil:
			fmt.Println("unavailable:", err) // 503: nothing is known
		default:
			fmt.Println(outcome.Right, outcome.Left)
		}
	}
	for range 5 {
		redeem("a guess")
	}
	redeem("KTR4-X9PW")
	guesses.Unblock(context.Background(), "ann@example.com")
	redeem("KTR4-X9PW")
	// Output:
	// false 4
	// false 3
	// false 2
	// false 1
	// false 0
	// blocked for 24h0m0s
	// true 5
}

// Calling every error undecided, also the error by which a comparison says that the
// guess is wrong: then every guess is refunded, and they never end. Return the error of
// bcrypt.CompareHashAndPassword as it is, or not at all; then the guess counts.
func ExampleLockout_Attempt_incorrect() {
	guesses, err := lockout.New(lockout.Config{Name: "login"})
	if err != nil {
		fmt.Println(err)
		return
	}
	compare := func(password string) error { // as bcrypt does
		if password != "correct horse" {
			return errors.New("hashedPassword is not the hash of the given password")
		}
		return nil
	}
	looks := 0
	guess := func(undecided bool) {
		guesses.Attempt(context.Background(), "ann@example.com", func(context.Context) (bool, error) {
			looks++
			err := compare("a guess")
			if err != nil && undecided {
				err = fmt.Errorf("%w: %w", lockout.ErrUndecided, err)
			}
			return err == nil, err
		})
	}
	for range 100 {
		guess(true)
	}
	fmt.Println(looks, "of 100 looked at")
	looks = 0
	for range 100 {
		guess(false)
	}
	fmt.Println(looks, "of 100 looked at")
	// Output:
	// 100 of 100 looked at
	// 5 of 100 looked at
}

// Looking before counting: however strict the count, parallel guesses are all
// looked at before the first is counted. Attempt pays first.
func ExampleLockout_incorrect() {
	guesses, err := lockout.New(lockout.Config{Name: "recovery"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	wrong := func(context.Context) (bool, error) { return false, nil }
	var everybodyAsked, done sync.WaitGroup
	var mu sync.Mutex
	looks := 0
	everybodyAsked.Add(100)
	for range 100 {
		done.Go(func() {
			left, _, _ := guesses.Status(ctx, "ann@example.com")
			everybodyAsked.Done()
			everybodyAsked.Wait() // or whatever else takes time
			if left > 0 {
				mu.Lock()
				looks++ // compares the code
				mu.Unlock()
				guesses.Attempt(ctx, "ann@example.com", wrong) // counts it
			}
		})
	}
	done.Wait()
	fmt.Println(looks, "of 100 guesses looked at")
	// Output: 100 of 100 guesses looked at
}

// Each block is told once, however many guess: to the attempt that brought it about.
// That is where the owner is warned.
func ExampleOutcome() {
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Tries: 3, Block: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	wrong := func(context.Context) (bool, error) { return false, nil }
	for range 5 {
		outcome, err := guesses.Attempt(context.Background(), "ann@example.com", wrong)
		switch {
		case errors.Is(err, lockout.ErrBlocked):
			fmt.Println("not looked at")
		case err != nil:
			fmt.Println("unavailable:", err)
		case outcome.Blocked > 0:
			fmt.Println("wrong; mail to ann: blocked for", outcome.Blocked)
		default:
			fmt.Println("wrong;", outcome.Left, "left")
		}
	}
	// Output:
	// wrong; 2 left
	// wrong; 1 left
	// wrong; mail to ann: blocked for 1h0m0s
	// not looked at
	// not looked at
}

// swapped keeps lockouts in anything that can swap a value for another if it is still
// there: a row with a version, a file under a lock. Here it is a map.
type swapped struct {
	mu      sync.Mutex
	records map[[2]string][]byte
}

func (s *swapped) Apply(_ context.Context, e lockout.Entry) (int, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := [2]string{e.Name, e.Key}
	next, err := e.Next(s.records[id], time.Now())
	if err == nil && next.Changed {
		s.records[id] = next.Record // and removed at next.Until, or later
	}
	return next.Charges, next.Wait, err
}

func ExampleEntry_Next() {
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: &swapped{records: map[[2]string][]byte{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome, err := guesses.Attempt(context.Background(), "ann@example.com", func(context.Context) (bool, error) { return false, nil })
	fmt.Println(outcome.Left, err)
	// Output: 4 <nil>
}
