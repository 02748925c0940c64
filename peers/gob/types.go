package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"reflect"
	"strconv"
)

// basicTypes are the names that Go declares itself, but for complex numbers.
var basicTypes = map[string]reflect.Type{
	"bool": reflect.TypeFor[bool](), "string": reflect.TypeFor[string](), "any": reflect.TypeFor[any](),
	"int": reflect.TypeFor[int](), "int8": reflect.TypeFor[int8](), "int16": reflect.TypeFor[int16](),
	"int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](),
	"uint": reflect.TypeFor[uint](), "uint8": reflect.TypeFor[uint8](), "byte": reflect.TypeFor[byte](),
	"uint16": reflect.TypeFor[uint16](), "uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](),
	"uintptr": reflect.TypeFor[uintptr](), "float32": reflect.TypeFor[float32](), "float64": reflect.TypeFor[float64](),
	"complex64": reflect.TypeFor[complex64](), "complex128": reflect.TypeFor[complex128](),
	"time.Time": timeType, "time.Duration": durationType,
}

// parseType reads Go's notation: struct{A int; B []map[string]*Point}.
func parseType(text string) (reflect.Type, error) {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", text, err)
	}
	return buildType(expr)
}

func buildType(expr ast.Expr) (reflect.Type, error) {
	switch e := expr.(type) {
	case *ast.Ident:
		return namedType(e.Name)
	case *ast.SelectorExpr:
		return namedType(fmt.Sprintf("%v.%s", e.X, e.Sel.Name))
	case *ast.InterfaceType:
		return basicTypes["any"], nil
	case *ast.ParenExpr:
		return buildType(e.X)
	case *ast.StarExpr:
		to, err := buildType(e.X)
		if err != nil {
			return nil, err
		}
		return reflect.PointerTo(to), nil
	case *ast.ArrayType:
		elem, err := buildType(e.Elt)
		if err != nil || e.Len == nil {
			if err != nil {
				return nil, err
			}
			return reflect.SliceOf(elem), nil
		}
		literal, ok := e.Len.(*ast.BasicLit)
		if !ok {
			return nil, fmt.Errorf("the length of an array is no number")
		}
		n, err := strconv.Atoi(literal.Value)
		if err != nil {
			return nil, err
		}
		return reflect.ArrayOf(n, elem), nil
	case *ast.MapType:
		key, err := buildType(e.Key)
		if err != nil {
			return nil, err
		}
		value, err := buildType(e.Value)
		if err != nil {
			return nil, err
		}
		return reflect.MapOf(key, value), nil
	case *ast.StructType:
		var fields []reflect.StructField
		for _, field := range e.Fields.List {
			t, err := buildType(field.Type)
			if err != nil {
				return nil, err
			}
			for _, name := range field.Names {
				fields = append(fields, reflect.StructField{Name: name.Name, Type: t})
			}
		}
		return reflect.StructOf(fields), nil
	}
	return nil, fmt.Errorf("no type: %T", expr)
}

func namedType(name string) (reflect.Type, error) {
	if t, ok := basicTypes[name]; ok {
		return t, nil
	}
	if t, ok := vectorTypes[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

// describe says what gob sees of a type: {"k": kind, …}. Inside itself, a type is
// {"k": "ref", "to": n}, the n-th of those that are open, the outermost first.
func describe(t reflect.Type, open []reflect.Type) map[string]any {
	of := func(t reflect.Type) any { return describe(t, open) }
	switch {
	case t == timeType:
		return map[string]any{"k": "time"}
	case t == durationType:
		return map[string]any{"k": "span"}
	case t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && marshalerKind(t) != "":
		return map[string]any{"k": "opaque", "by": marshalerKind(t)}
	}
	for i, outer := range open {
		if outer == t {
			return map[string]any{"k": "ref", "to": i}
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"k": "ptr", "of": of(t.Elem())}
	case reflect.Interface:
		return map[string]any{"k": "any"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"k": "bytes"}
		}
		open = append(open, t)
		return map[string]any{"k": "list", "of": describe(t.Elem(), open)}
	case reflect.Array:
		open = append(open, t)
		return map[string]any{"k": "array", "of": describe(t.Elem(), open), "len": t.Len()}
	case reflect.Map:
		open = append(open, t)
		return map[string]any{"k": "map", "key": describe(t.Key(), open), "of": describe(t.Elem(), open)}
	case reflect.Struct:
		open = append(open, t)
		fields := []any{}
		for _, field := range exported(t) {
			fields = append(fields, []any{field.Name, describe(field.Type, open)})
		}
		return map[string]any{"k": "struct", "name": t.Name(), "fields": fields}
	}
	return map[string]any{"k": t.Kind().String()}
}
