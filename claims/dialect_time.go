package claims

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// TimeFormat is how a dialect writes dates.
type TimeFormat int

const (
	// Seconds is NumericDate, RFC 7519 §2: a number of seconds since 1970, with
	// or without a fraction.
	Seconds TimeFormat = iota
	// Milliseconds is a number of milliseconds since 1970.
	Milliseconds
	// RFC3339 is a string such as "2014-10-02T07:53:25.361Z", always in UTC.
	RFC3339
)

// lastSecond is the end of the year 9999, the last that RFC 3339 can write. A
// date in milliseconds that is taken for seconds lies far beyond it.
const lastSecond = 253402300799

// form says what f reads.
func (f TimeFormat) form() words {
	switch f {
	case RFC3339:
		return "an RFC 3339 string in UTC"
	case Milliseconds:
		return "a number of milliseconds since 1970"
	default:
		return "a number of seconds since 1970"
	}
}

// read is parse for a member of a token.
func (f TimeFormat) read(member string, raw []byte) (time.Time, error) {
	at, reason := f.parse(raw)
	if reason == nil {
		return at, nil
	}
	no := refuse(reason, member, f.form(), raw, noneMalformed)
	for other := Seconds; other <= RFC3339; other++ {
		if t, err := other.parse(raw); err == nil && t.Year() < 3000 {
			no.Field = "Dialect.Time"
		}
	}
	return time.Time{}, no
}

// parse reads a date as f writes it. A date outside of 1970 to 9999 is refused, so
// that no conversion and no comparison can wrap. Zero is a date like any other: the
// first moment of 1970, a NumericDate in the past (RFC 7519 §2). Keycloak before
// version 10 wrote nbf 0 into every token.
func (f TimeFormat) parse(raw []byte) (time.Time, error) {
	switch f {
	case RFC3339:
		return parseRFC3339(raw)
	case Milliseconds:
		return parseNumber(raw, 1000)
	default:
		return parseNumber(raw, 1)
	}
}

// parseNumber reads a JSON number that counts 1/perSecond seconds.
func parseNumber(raw []byte, perSecond int64) (time.Time, error) {
	if !isNumber(raw) {
		return time.Time{}, errMemberType
	}
	// Integers first: they are exact, where a float64 of milliseconds is not.
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		if n < 0 || n/perSecond > lastSecond {
			return time.Time{}, errDate
		}
		return time.Unix(n/perSecond, n%perSecond*int64(time.Second)/perSecond), nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	f /= float64(perSecond)
	// Negated, so that a NaN would fail too.
	if err != nil || !(f >= 0 && f < lastSecond+1) {
		return time.Time{}, errDate
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), nil
}

// parseRFC3339 accepts one spelling of each moment, in which only the number of
// fractional digits is free. time.Parse alone would also take commas and offsets.
func parseRFC3339(raw []byte) (time.Time, error) {
	text, ok := strict.Text(raw)
	if !ok {
		return time.Time{}, errMemberType
	}
	// The shape is checked here, the calendar by time.Parse: it knows which months have
	// 30 days.
	const shape = "0000-00-00T00:00:00"
	fraction, ok := "", len(text) > len(shape) && text[len(text)-1] == 'Z'
	if ok {
		fraction = text[len(shape) : len(text)-1]
		ok = fits(text[:len(shape)], shape) &&
			(fraction == "" || len(fraction) <= 10 && fits(fraction, ".000000000"[:len(fraction)]) && len(fraction) > 1)
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if !ok || err != nil || t.Unix() < 0 {
		return time.Time{}, errDate
	}
	return t, nil
}

// fits reports whether text has a digit wherever shape has a 0, and shape's
// character elsewhere.
func fits(text, shape string) bool {
	for i := range len(shape) {
		if c := text[i]; shape[i] == '0' && (c < '0' || c > '9') || shape[i] != '0' && c != shape[i] {
			return false
		}
	}
	return true
}

// append writes t as f does. Fractions that f can't hold are cut off, so that
// what is written never lies after t.
func (f TimeFormat) append(b []byte, t time.Time) ([]byte, error) {
	if s := t.Unix(); s < 0 || s > lastSecond {
		return nil, fmt.Errorf("%w: date %d is before 1970 or after 9999", errUnencodable, s)
	}
	switch f {
	case RFC3339:
		return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`), nil
	case Milliseconds:
		return strconv.AppendInt(b, t.UnixMilli(), 10), nil
	default:
		return strconv.AppendInt(b, t.Unix(), 10), nil
	}
}
