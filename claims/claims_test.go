package claims_test

import (
	"crypto/ed25519"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// company is an App with a member of its own.
type company struct {
	Number int `json:"company"`
}

// thumbprint is of the length of a SHA-256.
const thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

// TestEveryField writes and reads the fields of Claims one after the other. It
// names a field that was added to Claims and forgotten elsewhere.
func TestEveryField(t *testing.T) {
	d := claims.Dialect{UseMember: "usefor", RefreshMark: "acjti", LifetimeMember: "exi"}
	comesBack := func(use claims.Use, c claims.Claims[company]) bool {
		v := must(claims.NewVerifier[company](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), Dialect: d, Use: use}))
		c.Use = use
		if use == claims.Refresh && c.AccessID == "" {
			c.AccessID = "required"
		}
		s := signed(t, encode(t, d, claims.Header{Algorithm: "EdDSA"}, c), pairs()["EdDSA"].private.(ed25519.PrivateKey))
		got, err := v.VerifyAt(t.Context(), s, moment)
		if err != nil {
			t.Fatal(err)
		}
		return reflect.DeepEqual(*got, c)
	}
	base := claims.Claims[company]{Issuer: "iss1", Subject: "alice", Audience: []string{"api"}, IssuedAt: moment, Expiry: moment.Add(time.Minute)}
	if !comesBack(claims.Access, base) || !comesBack(claims.Refresh, base) {
		t.Fatal("what every token has does not come back")
	}
	for i := range reflect.TypeFor[claims.Claims[company]]().NumField() {
		full := base
		field := reflect.ValueOf(&full).Elem().Field(i)
		name := reflect.TypeFor[claims.Claims[company]]().Field(i).Name
		if !field.IsZero() || name == "Use" { // the base has it
			continue
		}
		switch p := field.Addr().Interface().(type) {
		case *time.Time:
			*p = moment.Add(-time.Second)
		case *[]string:
			*p = []string{"one", "two"}
		case *company:
			p.Number = 7
		case *claims.Confirmation:
			p.Key, p.Certificate = thumbprint, thumbprint
		default:
			if field.Kind() != reflect.String {
				t.Fatalf("%s: teach this test a value of %v", name, field.Type())
			}
			field.SetString("a value of " + name)
		}
		if !comesBack(claims.Access, full) && !comesBack(claims.Refresh, full) {
			t.Errorf("%s is not written, or not read", name)
		}
	}
}

// ref has a reference of every kind somewhere; each type stands alone, so that
// one that is overlooked is not saved by its neighbours.
type (
	refSlice   struct{ X []string }
	refMap     struct{ X map[string]int }
	refPointer struct{ X *int }
	refAny     struct{ X any }
	refInner   struct{ In struct{ X any } }
)

// change writes into whatever v refers to.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			change(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			change(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			change(v.Elem())
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("changed")
		}
	case reflect.Int, reflect.Float64:
		if v.CanSet() {
			v.SetZero()
		}
	}
}

// ownsWhatItGets verifies a token three times and writes, between the second and
// the third, into everything that the first two brought.
func ownsWhatItGets[T any](t *testing.T, app string) {
	t.Run(fmt.Sprintf("%T", *new(T)), func(t *testing.T) {
		s := tokenOf("EdDSA", `{"iss":"iss1","sub":"alice","aud":["api","other"],"scope":"a b","exp":1700000100,`+app+`}`)
		v := must(claims.NewVerifier[T](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), InsecureAnyTime: true}))
		fresh := must(claims.NewVerifier[T](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), InsecureAnyTime: true}))
		for range 2 { // the second comes from memory
			c := must(v.Verify(t.Context(), s))
			c.Audience[0], c.Scope[0], c.Subject = "changed", "changed", "changed"
			_ = append(c.Scope[:1], "changed")
			change(reflect.ValueOf(&c.App))
		}
		got, want := must(v.Verify(t.Context(), s)), must(fresh.Verify(t.Context(), s))
		if !reflect.DeepEqual(got, want) || !slices.Equal(got.Audience, []string{"api", "other"}) {
			t.Errorf("after two callers wrote into theirs: %+v, want %+v", got, want)
		}
	})
}

// TestVerifyGivesEachCallerItsOwn is why Verify is not VerifyShared.
func TestVerifyGivesEachCallerItsOwn(t *testing.T) {
	ownsWhatItGets[struct{}](t, `"x":1`)
	ownsWhatItGets[refSlice](t, `"X":["one","two"]`)
	ownsWhatItGets[refMap](t, `"X":{"one":1}`)
	ownsWhatItGets[refPointer](t, `"X":1`)
	ownsWhatItGets[refAny](t, `"X":["one",{"two":2}]`)
	ownsWhatItGets[refInner](t, `"In":{"X":{"one":["two"]}}`)
	ownsWhatItGets[map[string]any](t, `"X":{"one":["two"]}`)
}
