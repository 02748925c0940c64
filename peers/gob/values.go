package main

import (
	"encoding"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The judge tells values in JSON that loses nothing:
//
//	integers        numbers
//	floats          the sixteen hexadecimal digits of the float64's bits
//	complex         [real, imaginary]
//	string          text; {"$hex": digits} if it is not UTF-8
//	[]byte          hexadecimal digits
//	slice, array    list; a nil slice is an empty one, as on the wire
//	map             list of [key, value], sorted; nil as above
//	struct          object, every exported field
//	pointer         null or the value
//	interface       null or {"of": its type, "value": the value}
//	time.Time       [seconds since 1970, nanoseconds]
//	marshalers      {"$marshaled": digits of what they marshal to}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	gobEncoder   = reflect.TypeFor[gob.GobEncoder]()
	marshaler    = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// marshalerKind is "gob" or "binary" for types that gob asks for their bytes.
func marshalerKind(t reflect.Type) string {
	for _, t := range []reflect.Type{t, reflect.PointerTo(t)} {
		if t.Implements(gobEncoder) {
			return "gob"
		}
		if t.Implements(marshaler) {
			return "binary"
		}
	}
	return ""
}

func toJSON(v reflect.Value) any {
	t := v.Type()
	if t == timeType {
		at := v.Interface().(time.Time)
		return []any{at.Unix(), at.Nanosecond()}
	}
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && marshalerKind(t) != "" {
		return map[string]any{"$marshaled": hex.EncodeToString(marshaled(v))}
	}
	switch t.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return bits(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return []any{bits(real(v.Complex())), bits(imag(v.Complex()))}
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return map[string]any{"$hex": hex.EncodeToString([]byte(v.String()))}
		}
		return v.String()
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return hex.EncodeToString(v.Bytes())
		}
		return items(v)
	case reflect.Array:
		return items(v)
	case reflect.Map:
		return entries(v)
	case reflect.Struct:
		fields := map[string]any{}
		for _, field := range exported(t) {
			fields[field.Name] = toJSON(v.FieldByIndex(field.Index))
		}
		return fields
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return toJSON(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return map[string]any{"of": describe(v.Elem().Type(), nil), "value": toJSON(v.Elem())}
	}
	panic("no JSON for " + t.String())
}

func bits(f float64) string {
	return fmt.Sprintf("%016x", math.Float64bits(f))
}

func items(v reflect.Value) any {
	list := []any{}
	for i := range v.Len() {
		list = append(list, toJSON(v.Index(i)))
	}
	return list
}

func entries(v reflect.Value) any {
	type entry struct {
		key  string
		pair []any
	}
	var all []entry
	for _, key := range v.MapKeys() {
		pair := []any{toJSON(key), toJSON(v.MapIndex(key))}
		text, _ := json.Marshal(pair[0])
		all = append(all, entry{string(text), pair})
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	list := []any{}
	for _, e := range all {
		list = append(list, e.pair)
	}
	return list
}

// exported are the fields that gob sends.
func exported(t reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for i := range t.NumField() {
		field := t.Field(i)
		under := field.Type
		for under.Kind() == reflect.Pointer {
			under = under.Elem()
		}
		if field.IsExported() && under.Kind() != reflect.Chan && under.Kind() != reflect.Func {
			fields = append(fields, field)
		}
	}
	return fields
}

func marshaled(v reflect.Value) []byte {
	addressable := reflect.New(v.Type())
	addressable.Elem().Set(v)
	var data []byte
	var err error
	switch m := addressable.Interface().(type) {
	case gob.GobEncoder:
		data, err = m.GobEncode()
	case encoding.BinaryMarshaler:
		data, err = m.MarshalBinary()
	}
	if err != nil {
		panic(err)
	}
	return data
}

// fromJSON is for what tests make up: no marshalers.
func fromJSON(v reflect.Value, from any) error {
	t := v.Type()
	mismatch := func() error { return fmt.Errorf("%v is no %v", from, t) }
	if t == timeType {
		parts, ok := from.([]any)
		if !ok || len(parts) != 2 {
			return mismatch()
		}
		seconds, err := parts[0].(json.Number).Int64()
		nanos, err2 := parts[1].(json.Number).Int64()
		if err != nil || err2 != nil {
			return mismatch()
		}
		v.Set(reflect.ValueOf(time.Unix(seconds, nanos).UTC()))
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		if from == nil {
			return nil
		}
		v.Set(reflect.New(t.Elem()))
		return fromJSON(v.Elem(), from)
	case reflect.Interface:
		return interfaceFromJSON(v, from)
	}
	switch from := from.(type) {
	case bool:
		if t.Kind() != reflect.Bool {
			return mismatch()
		}
		v.SetBool(from)
		return nil
	case json.Number:
		if v.CanInt() {
			n, err := from.Int64()
			v.SetInt(n)
			return err
		}
		if !v.CanUint() {
			return mismatch()
		}
		n, err := strconv.ParseUint(from.String(), 10, 64)
		v.SetUint(n)
		return err
	case string:
		return textFromJSON(v, from)
	case []any:
		if v.CanComplex() {
			return complexFromJSON(v, from)
		}
		return listFromJSON(v, from)
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return mismatch()
		}
		for name, value := range from {
			field := v.FieldByName(name)
			if !field.IsValid() {
				return fmt.Errorf("%v has no field %s", t, name)
			}
			if err := fromJSON(field, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	return mismatch()
}

func textFromJSON(v reflect.Value, from string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(from)
		return nil
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseUint(from, 16, 64)
		v.SetFloat(math.Float64frombits(n))
		return err
	case reflect.Slice:
		data, err := hex.DecodeString(from)
		v.SetBytes(data)
		return err
	}
	return fmt.Errorf("%q is no %v", from, v.Type())
}

func complexFromJSON(v reflect.Value, from []any) error {
	var parts [2]float64
	if len(from) != len(parts) {
		return fmt.Errorf("%d parts for %v", len(from), v.Type())
	}
	for i, part := range from {
		if err := fromJSON(reflect.ValueOf(&parts[i]).Elem(), part); err != nil {
			return err
		}
	}
	v.SetComplex(complex(parts[0], parts[1]))
	return nil
}

func listFromJSON(v reflect.Value, from []any) error {
	switch v.Kind() {
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(from), len(from)))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, entry := range from {
			pair, ok := entry.([]any)
			if !ok || len(pair) != 2 {
				return fmt.Errorf("%v is no entry", entry)
			}
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if err := fromJSON(key, pair[0]); err != nil {
				return err
			}
			if err := fromJSON(value, pair[1]); err != nil {
				return err
			}
			v.SetMapIndex(key, value)
		}
		return nil
	case reflect.Array:
		if len(from) != v.Len() {
			return fmt.Errorf("%d items for %v", len(from), v.Type())
		}
	default:
		return fmt.Errorf("a list is no %v", v.Type())
	}
	for i, item := range from {
		if err := fromJSON(v.Index(i), item); err != nil {
			return err
		}
	}
	return nil
}

// interfaceFromJSON takes {"of": TYPE, "value": …}, TYPE in Go's notation.
func interfaceFromJSON(v reflect.Value, from any) error {
	if from == nil {
		return nil
	}
	object, _ := from.(map[string]any)
	name, _ := object["of"].(string)
	t, err := parseType(name)
	if err != nil {
		return err
	}
	value := reflect.New(t).Elem()
	if err := fromJSON(value, object["value"]); err != nil {
		return err
	}
	v.Set(value)
	return nil
}
