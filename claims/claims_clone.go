package claims

import (
	"reflect"
	"slices"
	"sync"
)

// Clone returns a copy of c that shares nothing changeable with c. What one
// request writes into its claims, appends to them or sorts, another request does
// not see.
//
// Two kinds of parts of App are copied as an assignment copies them: fields that
// are never read from a token (json:"-"), and structs that read themselves
// (UnmarshalJSON, UnmarshalText), such as big.Int.
func (c *Claims[T]) Clone() Claims[T] {
	clone := *c
	clone.Audience, clone.Scope = slices.Clone(c.Audience), slices.Clone(c.Scope)
	// Most Apps are plain values, which the assignment above has copied: reflection
	// is for the others.
	if sharesParts(reflect.TypeFor[T]()) {
		app := c.App
		separate(reflect.ValueOf(&app).Elem())
		clone.App = app
	}
	return clone
}

// sharing remembers of each App whether an assignment shares parts of it.
var sharing sync.Map // reflect.Type -> bool

func sharesParts(t reflect.Type) bool {
	if known, ok := sharing.Load(t); ok {
		return known.(bool)
	}
	// Two goroutines may both come here first. They find the same.
	shares := hasReferences(t)
	sharing.Store(t, shares)
	return shares
}

// hasReferences reports whether an assignment of a t shares anything.
func hasReferences(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		// An interface too: a member that was read into an any is a map or a slice.
		return true
	case reflect.Array:
		return hasReferences(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); !ignored(f) && hasReferences(f.Type) {
				return true
			}
		}
	}
	return false
}

// separate gives v its own copy of whatever it refers to.
func separate(v reflect.Value) {
	t := v.Type()
	switch {
	case v.Kind() == reflect.Struct:
		// What reads itself may have any inner structure, such as a lock: copying that
		// field by field could break it.
		if isUnmarshaler(t) {
			return
		}
		for i := range v.NumField() {
			if !ignored(t.Field(i)) {
				separate(v.Field(i))
			}
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			separate(v.Index(i))
		}
	case !v.CanSet(): // a field that no token is read into
	case v.Kind() == reflect.Slice && !v.IsNil():
		// Without spare capacity, so that an append moves away and writes into nothing.
		own := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			separate(own.Index(i))
		}
		v.Set(own)
	case v.Kind() == reflect.Map && !v.IsNil():
		own := reflect.MakeMapWithSize(t, v.Len())
		for each := v.MapRange(); each.Next(); {
			own.SetMapIndex(each.Key(), separated(each.Value()))
		}
		v.Set(own)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		own := reflect.New(t.Elem())
		own.Elem().Set(separated(v.Elem()))
		v.Set(own)
	case v.Kind() == reflect.Interface && !v.IsNil():
		v.Set(separated(v.Elem()))
	}
}

// separated returns a copy of v that can be set, which elements of maps and
// interfaces can't.
func separated(v reflect.Value) reflect.Value {
	own := reflect.New(v.Type()).Elem()
	own.Set(v)
	separate(own)
	return own
}
