package claims

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// An appReader decodes the members of one payload into an App. It is compiled
// once for each T, because encoding/json matches names without regard to case
// ("SUB" fills sub), and reads the whole text a second time.
type appReader struct {
	object structReader
	loose  bool     // App is a map[string]any
	taken  []string // members that are not App's
}

// innerBounds are those of an object that stands in a payload. The whole payload was
// held against its bounds before, so that only the depth still counts.
var innerBounds = strict.Bounds{Depth: jws.Bounds.Depth, Members: maxMembers, InnerDuplicates: true}

// valueReader decodes a value that strict.Object has passed into v.
type valueReader func(raw []byte, v reflect.Value) error

// newAppReader compiles t. taken are the members that App must not have.
func newAppReader(t reflect.Type, taken []string) (*appReader, error) {
	if t == reflect.TypeFor[map[string]any]() {
		return &appReader{loose: true, taken: taken}, nil
	}
	if t.Kind() != reflect.Struct || isUnmarshaler(t) {
		return nil, fmt.Errorf("%w: %v is neither a struct without UnmarshalJSON nor map[string]any", errApp, t)
	}
	c := compiler{structs: make(map[reflect.Type]*structReader)}
	s, err := c.structOf(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errApp, err)
	}
	// Without regard to case: a field "SUB" would be exact here, and be filled from
	// sub by every reader that uses encoding/json.
	for _, f := range s.fields {
		if containsFold(taken, f.name) {
			return nil, fmt.Errorf("%w: %v: member %q is a field of Claims in this dialect", errApp, t, f.name)
		}
	}
	return &appReader{object: *s, taken: taken}, nil
}

// read fills app, the addressable App of a Claims.
func (r *appReader) read(members []strict.Member, app reflect.Value) error {
	if r.loose {
		return r.readLoose(members, app)
	}
	return r.object.fill(members, app)
}

func (r *appReader) readLoose(members []strict.Member, app reflect.Value) error {
	all := make(map[string]any)
	for _, m := range members {
		// A registered name in another case is dropped as well: a handler that looks
		// for it without case must not find a stranger's "Sub".
		if containsFold(r.taken, string(m.Name)) {
			continue
		}
		v, err := anyOf(m.Value)
		if err != nil {
			return refuse(errMemberType, quoted(string(m.Name)), words("a value that can be held"), kindOf(m.Value), "Claims.App")
		}
		all[string(m.Name)] = v
	}
	app.Set(reflect.ValueOf(all))
	return nil
}

// structReader decodes an object by exact names. Fields are few, so that
// comparing is faster than hashing.
type structReader struct {
	fields []appField
}

type appField struct {
	name  string
	index []int
	read  valueReader
}

func (s *structReader) has(name string) bool {
	return slices.ContainsFunc(s.fields, func(f appField) bool { return f.name == name })
}

// fill reads members into the fields of v that have their names. Other members
// are not an error: issuers add some.
func (s *structReader) fill(members []strict.Member, v reflect.Value) error {
	for i := range s.fields {
		f := &s.fields[i]
		for _, m := range members {
			// null leaves a field as it is, as encoding/json does.
			if string(m.Name) != f.name || isNull(m.Value) {
				continue
			}
			// The cause is left out: a type that reads itself may quote a stranger's text.
			if err := f.read(m.Value, v.FieldByIndex(f.index)); err != nil {
				return refuse(errMemberType, f.name, words("what its field in App takes"), kindOf(m.Value), "Claims.App")
			}
		}
	}
	return nil
}

func (s *structReader) read(raw []byte, v reflect.Value) error {
	var few [16]strict.Member
	members, err := strict.Object(raw, innerBounds, few[:0])
	if err != nil {
		return errMemberType
	}
	return s.fill(members, v)
}

// kindOf says what a JSON value is.
func kindOf(raw []byte) words {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func isNull(raw []byte) bool   { return raw[0] == 'n' }
func isNumber(raw []byte) bool { return raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9' }

// compiler makes readers for types; structs remembers those under way, so that
// recursive types end.
type compiler struct {
	structs map[reflect.Type]*structReader
	depth   int // ends types such as type list []list
}

func (c *compiler) structOf(t reflect.Type) (*structReader, error) {
	if s, ok := c.structs[t]; ok {
		return s, nil
	}
	// Entered before its fields are known: a field of its own type then finds it.
	s := new(structReader)
	c.structs[t] = s
	return s, c.addFields(s, t, nil)
}

// addFields adds t's fields to s, those of embedded structs as if they stood in t.
//
// This is where "one reading" is decided for App: what encoding/json would settle
// by a rule that few know is an error of NewVerifier. The encoder, which does use
// encoding/json, then writes what is read here.
func (c *compiler) addFields(s *structReader, t reflect.Type, prefix []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, tagged := tagOf(f)
		index := append(append([]int(nil), prefix...), i)
		embedded := f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && !isUnmarshaler(f.Type)
		switch {
		case ignored(f):
			continue // json:"-" is the application's way to keep a field from tokens
		// What it points to would have to be made while reading, which encoding/json does
		// for some types and not for others.
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Pointer:
			return fmt.Errorf("%v.%s: an embedded pointer is not supported", t, f.Name)
		// Without a tag, its fields are members of the outer object. With a tag, or if
		// it reads itself, it is one member, and falls through to the end.
		case embedded:
			if err := c.addFields(s, f.Type, index); err != nil {
				return err
			}
			continue
		case !f.IsExported() && (isUnmarshaler(f.Type) || !f.Anonymous || f.Type.Kind() != reflect.Struct):
			continue // reflection can't set it; but an embedded struct's fields may be exported
		// "1" for 1 would be a second spelling of a number.
		case strings.Contains(options, "string"):
			return fmt.Errorf("%v.%s: the json option \"string\" is not supported", t, f.Name)
		}
		// Of two fields of one name encoding/json takes the less deeply embedded one, or
		// neither, without a word.
		if s.has(name) {
			return fmt.Errorf("%v.%s: a second field for member %q", t, f.Name, name)
		}
		read, err := c.reader(f.Type)
		if err != nil {
			return fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		s.fields = append(s.fields, appField{name, index, read})
	}
	return nil
}

// ignored reports whether a field is not for JSON.
func ignored(f reflect.StructField) bool { return f.Tag.Get("json") == "-" }

// tagOf returns the name of a field's member, and whether its tag gives it.
func tagOf(f reflect.StructField) (name, options string, tagged bool) {
	name, options, _ = strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		return f.Name, options, false
	}
	return name, options, true
}

func isUnmarshaler(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// anyOf decodes a value that strict.Object has passed into what encoding/json
// makes of it with UseNumber: a number stays as it is written, because a float64
// has no room for all the digits of an id above 2^53.
func anyOf(raw []byte) (any, error) {
	switch raw[0] {
	case '"':
		text, ok := strict.Text(raw)
		if !ok {
			return nil, errMemberType
		}
		return text, nil
	case 't', 'f':
		return raw[0] == 't', nil
	case 'n':
		return nil, nil
	case '[':
		list := []any{}
		_, err := strict.Elements(raw, func(element []byte) error {
			v, err := anyOf(element)
			list = append(list, v)
			return err
		})
		return list, err
	case '{':
		var few [16]strict.Member
		members, err := strict.Object(raw, innerBounds, few[:0])
		if err != nil {
			return nil, errMemberType
		}
		object := make(map[string]any, len(members))
		for _, m := range members {
			if object[string(m.Name)], err = anyOf(m.Value); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	// A number that no float64 comes near to is refused, as encoding/json does: its
	// digits could fill the memory of a handler that writes them out.
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
		return nil, errMemberType
	}
	return json.Number(raw), nil
}

func readAny(raw []byte, v reflect.Value) error {
	value, err := anyOf(raw)
	if err == nil && value != nil {
		v.Set(reflect.ValueOf(value))
	}
	return err
}

// reader returns how values of t are decoded. Types that decode themselves and
// []byte go to encoding/json, since it matches no names for them.
func (c *compiler) reader(t reflect.Type) (valueReader, error) {
	if c.depth++; c.depth > jws.Bounds.Depth {
		return nil, fmt.Errorf("type %v nests too deeply", t)
	}
	defer func() { c.depth-- }()
	// []byte is base64 to encoding/json, which also writes it so.
	isBytes := t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
	switch {
	case t == reflect.TypeFor[any]():
		return readAny, nil
	case isUnmarshaler(t), isBytes:
		return func(raw []byte, v reflect.Value) error { return json.Unmarshal(raw, v.Addr().Interface()) }, nil
	case t == reflect.TypeFor[json.Number]():
		return readNumber, nil
	}
	switch t.Kind() {
	case reflect.String:
		return readString, nil
	case reflect.Bool:
		return readBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return readInt, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return readUint, nil
	case reflect.Float32, reflect.Float64:
		return readFloat, nil
	case reflect.Struct:
		s, err := c.structOf(t)
		if err != nil {
			return nil, err
		}
		return s.read, nil
	case reflect.Pointer:
		return c.pointer(t)
	case reflect.Slice:
		return c.slice(t)
	case reflect.Map:
		return c.mapping(t)
	}
	return nil, fmt.Errorf("type %v can't be read from a token", t)
}

func readString(raw []byte, v reflect.Value) error {
	s, ok := strict.Text(raw)
	if !ok {
		return errMemberType
	}
	v.SetString(s)
	return nil
}

// readNumber keeps a number as it is written.
func readNumber(raw []byte, v reflect.Value) error {
	if !isNumber(raw) {
		return errMemberType
	}
	v.SetString(string(raw))
	return nil
}

func readBool(raw []byte, v reflect.Value) error {
	if raw[0] != 't' && raw[0] != 'f' {
		return errMemberType
	}
	v.SetBool(raw[0] == 't')
	return nil
}

// readInt reads one spelling of an integer: digits. 1.0 and 1e0 are refused, as
// encoding/json does.
func readInt(raw []byte, v reflect.Value) error {
	n, err := strconv.ParseInt(string(raw), 10, v.Type().Bits())
	v.SetInt(n)
	return err
}

func readUint(raw []byte, v reflect.Value) error {
	n, err := strconv.ParseUint(string(raw), 10, v.Type().Bits())
	v.SetUint(n)
	return err
}

func readFloat(raw []byte, v reflect.Value) error {
	if !isNumber(raw) {
		return errMemberType
	}
	f, err := strconv.ParseFloat(string(raw), v.Type().Bits())
	v.SetFloat(f)
	return err
}

func (c *compiler) pointer(t reflect.Type) (valueReader, error) {
	read, err := c.reader(t.Elem())
	return func(raw []byte, v reflect.Value) error {
		if isNull(raw) {
			return nil
		}
		v.Set(reflect.New(t.Elem()))
		return read(raw, v.Elem())
	}, err
}

func (c *compiler) slice(t reflect.Type) (valueReader, error) {
	read, err := c.reader(t.Elem())
	return func(raw []byte, v reflect.Value) error {
		v.Set(reflect.MakeSlice(t, 0, 4))
		// null stands for an element that stays empty, as in encoding/json: the ones
		// after it keep their places.
		isArray, err := strict.Elements(raw, func(element []byte) error {
			v.Set(reflect.Append(v, reflect.Zero(t.Elem())))
			if isNull(element) {
				return nil
			}
			return read(element, v.Index(v.Len()-1))
		})
		if !isArray {
			return errMemberType
		}
		return err
	}, err
}

func (c *compiler) mapping(t reflect.Type) (valueReader, error) {
	if t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("type %v can't be read from a token: its keys are not strings", t)
	}
	read, err := c.reader(t.Elem())
	return func(raw []byte, v reflect.Value) error {
		members, err := strict.Object(raw, innerBounds, nil)
		if err != nil {
			return errMemberType
		}
		v.Set(reflect.MakeMapWithSize(t, len(members)))
		for _, m := range members {
			value := reflect.New(t.Elem()).Elem()
			if !isNull(m.Value) {
				if err := read(m.Value, value); err != nil {
					return err
				}
			}
			v.SetMapIndex(reflect.ValueOf(string(m.Name)).Convert(t.Key()), value)
		}
		return nil
	}, err
}
