package ratelimit

import (
	"errors"
	"strings"
)

// Email is the canonical form of an e-mail address, for the key of a limit or lockout
// and for the look-up of the account. Use its result for both: then no spelling of an
// address reaches the account but another counter. It proves nothing about whether the
// address exists.
//
// Spaces, tabs and line ends around the address are removed, and ASCII letters become
// lower case, in front of the @ as well. Plus tags and dots in the local part are kept:
// victim+a@ and victim@ are two addresses. If your accounts fold them, fold them first.
//
// What could be read in two ways is an error: anything but printable ASCII (so
// full-width and Kelvin letters, combining and zero-width characters), per cent signs,
// quoted local parts, comments, literal addresses, empty labels and the final dot of a
// domain. Internationalised domains are given in their xn-- form.
//
// Errors match [ErrBadRequest], so that a [KeyFunc] may return them. Email is
// idempotent.
func Email(address string) (string, error) {
	address = strings.Trim(address, " \t\r\n")
	if len(address) > 254 { // RFC 5321 section 4.5.3.1.3, less the brackets
		return "", emailError("e-mail address is longer than 254 characters")
	}
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return "", emailError("e-mail address has no @")
	}
	if err := checkLabels(local, 64, localChar); err != nil {
		return "", emailError("local part of e-mail address " + err.Error())
	}
	if err := checkLabels(domain, 253, domainChar); err != nil {
		return "", emailError("domain of e-mail address " + err.Error())
	}
	return strings.ToLower(address), nil
}

// emailError never repeats the address, which is nobody's business in a log.
type emailError string

func (e emailError) Error() string { return "ratelimit: " + string(e) }

func (e emailError) Is(target error) bool { return target == ErrBadRequest }

// checkLabels wants non-empty labels between dots.
func checkLabels(s string, most int, char func(byte) bool) error {
	if len(s) > most {
		return errors.New("is too long")
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return errors.New("has an empty part")
		}
		for i := range len(label) {
			if !char(label[i]) {
				return errors.New("has a character that is not allowed")
			}
		}
	}
	return nil
}

// localChar is atext of RFC 5322 section 3.2.3 without the per cent sign.
func localChar(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$&'*+-/=?^_`{|}~", c) >= 0
}

func domainChar(c byte) bool { return isAlnum(c) || c == '-' }
