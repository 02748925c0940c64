package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net/rpc"
	"reflect"
	"strings"
	"time"
)

func init() {
	// What interface fields may hold, here and in the values command.
	gob.Register(Inner{})
	gob.Register([]any{})
	gob.Register(map[string]any{})
}

// compatCases call with types that are not the server's own but fit by the rules
// of the codec: fields match by name, sizes of numbers and pointers do not matter.
func compatCases(t target) []testCase {
	var cases []testCase
	add := func(name string, args, reply, want any) {
		cases = append(cases, testCase{"compat/" + t.codec + "/" + name, func(ctx context.Context, t target) error {
			return withClient(ctx, t, func(c *rpc.Client) error {
				got := reflect.New(reflect.TypeOf(reply)).Interface()
				err := call(ctx, c, "Arith.Divide", args, got)
				if text, ok := want.(rpc.ServerError); ok {
					if err := wantError(err, string(text)); err != nil {
						return err
					}
				} else if err != nil {
					return err
				} else if !reflect.DeepEqual(reflect.ValueOf(got).Elem().Interface(), want) {
					return fmt.Errorf("came back as %+v", got)
				}
				return stillServes(ctx, c)
			})
		}})
	}
	a, b := int64(17), int64(5)
	third, second := int64(3), int64(2)
	pa := &a

	add("field-order", struct{ B, A int64 }{5, 17}, Quotient{}, Quotient{3, 2})
	add("narrow", struct {
		A int8
		B int16
	}{17, 5}, struct {
		Quo int8
		Rem int32
	}{}, struct {
		Quo int8
		Rem int32
	}{3, 2})
	add("pointers", &struct {
		A **int64
		B *int64
	}{&pa, &b}, struct{ Quo, Rem *int64 }{}, struct{ Quo, Rem *int64 }{&third, &second})
	// A field that the request does not have is zero.
	add("missing-field", struct{ A int64 }{17}, Quotient{}, rpc.ServerError("divide by zero"))
	// Fields that the server does not know, of every kind it must read past.
	add("extra-fields", struct {
		First string
		A     int64
		Many  []Kinds
		B     int64
		Map   map[string][]Inner
		At    time.Time
		Arr   [3][2]bool
		Last  *Inner
	}{
		First: "first", A: 17, B: 5, Many: []Kinds{{}, {Text: "text", Ptr: &Inner{}, At: time.Unix(1, 0).UTC()}},
		Map: map[string][]Inner{"a": {{1, "one"}, {}}, "b": nil}, At: time.Unix(2, 0).UTC(), Last: &Inner{X: 1},
	}, Quotient{}, Quotient{3, 2})
	add("interface-fields", struct {
		Number any
		A, B   int64
		Struct any
	}{1.5, 17, 5, Inner{1, "one"}}, Quotient{}, Quotient{3, 2})
	add("reply-subset", Args{17, 5}, struct{ Rem int64 }{}, struct{ Rem int64 }{2})
	add("reply-superset", Args{17, 5}, struct {
		Rem, Quo int64
		More     string
		Ptr      *Inner
	}{}, struct {
		Rem, Quo int64
		More     string
		Ptr      *Inner
	}{Rem: 2, Quo: 3})
	return cases
}

// errorCases check the error texts, and that no error costs the connection.
func errorCases(t target) []testCase {
	var cases []testCase
	add := func(name string, run func(context.Context, *rpc.Client) error) {
		cases = append(cases, testCase{"error/" + t.codec + "/" + name, func(ctx context.Context, t target) error {
			return withClient(ctx, t, func(c *rpc.Client) error {
				if err := run(ctx, c); err != nil {
					return err
				}
				return stillServes(ctx, c)
			})
		}})
	}
	names := func(name string, texts map[string]string) {
		add(name, func(ctx context.Context, c *rpc.Client) error {
			for method, text := range texts {
				if err := wantError(call(ctx, c, method, &Args{A: 7, B: 8}, &Reply{}), text); err != nil {
					return fmt.Errorf("%q: %w", method, err)
				}
			}
			return nil
		})
	}
	const (
		noService = "rpc: can't find service "
		noMethod  = "rpc: can't find method "
		illFormed = "rpc: service/method request ill-formed: "
	)
	names("unknown-service", map[string]string{"NoSuchService.Mul": noService + "NoSuchService.Mul"})
	names("unknown-method", map[string]string{"Arith.NoSuchMethod": noMethod + "Arith.NoSuchMethod"})
	names("ill-formed-name", map[string]string{"Arith": illFormed + "Arith", "": illFormed, "Arith/Mul": illFormed + "Arith/Mul"})
	// The last dot ends the name of the service; names have a case.
	names("odd-names", map[string]string{
		"Arith.Mul.": noService + "Arith.Mul.",
		"a.b.Mul":    noService + "a.b.Mul",
		".Mul":       noService + ".Mul",
		".":          noService + ".",
		"Arith.":     noMethod + "Arith.",
		"arith.Mul":  noService + "arith.Mul",
		"Arith.mul":  noMethod + "Arith.mul",
	})
	add("divide-by-zero", func(ctx context.Context, c *rpc.Client) error {
		return wantError(call(ctx, c, "Arith.Divide", &Args{A: 1}, &Quotient{}), "divide by zero")
	})
	add("fail-text", func(ctx context.Context, c *rpc.Client) error {
		text := "größer – 许多往事 🚀, line two:\n\"quoted\" <&>"
		return wantError(call(ctx, c, "Echo.Fail", &FailArgs{Code: 5, Message: text}, &Empty{}), text)
	})
	// The body of a refused request is read past, types and all.
	add("skipped-body", func(ctx context.Context, c *rpc.Client) error {
		for _, sample := range kindsSamples() {
			err := call(ctx, c, "Echo.NoSuchMethod", &sample.value, &Kinds{})
			if err := wantError(err, noMethod+"Echo.NoSuchMethod"); err != nil {
				return fmt.Errorf("%s: %w", sample.name, err)
			}
			if err := checkKinds(ctx, c, sample.value); err != nil {
				return fmt.Errorf("%s: %w", sample.name, err)
			}
		}
		return nil
	})
	wrong := func(name, method string, args any) {
		add(name, func(ctx context.Context, c *rpc.Client) error {
			for range 2 {
				if err := wantSomeError(call(ctx, c, method, args, new(any))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if !t.strictGo {
		// A panic ends a Go server; here it is one call's error.
		wrong("panic", "Echo.Panic", Empty{})
		// Neither protocol has a place for what nobody asked for, and so it is said.
		add("push", func(ctx context.Context, c *rpc.Client) error {
			err := call(ctx, c, "Echo.Push", &struct{ N int64 }{1}, &Empty{})
			if err == nil || !strings.Contains(err.Error(), "nothing can be pushed") {
				return fmt.Errorf("a push: %v", err)
			}
			return nil
		})
	}
	wrong("string-for-struct", "Arith.Mul", "seven")
	wrong("list-for-struct", "Arith.Mul", []int64{7, 8})
	wrong("struct-for-string", "HelloService.SayHello", Args{7, 8})
	wrong("number-for-string", "HelloService.SayHello", 7)
	wrong("string-for-int", "Arith.Mul", struct {
		A string
		B int64
	}{"7", 8})
	wrong("float-for-int", "Arith.Mul", struct{ A, B float64 }{7.5, 8})
	wrong("out-of-range", "Echo.Kinds", struct{ I8 int64 }{128})
	if t.codec == "gob" {
		wrong("uint-for-int", "Arith.Mul", struct{ A, B uint64 }{7, 8})
		wrong("no-common-field", "Arith.Mul", struct{ X, Y int64 }{7, 8})
		wrong("slice-for-array", "Echo.Kinds", struct{ Arr []byte }{[]byte{1, 2, 3, 4}})
		cases = append(cases, testCase{"error/gob/orphan-header", checkOrphanHeader})
	} else {
		wrong("too-large-for-int", "Arith.Mul", struct{ A, B uint64 }{1 << 63, 8})
	}
	return cases
}

// checkOrphanHeader: an argument that cannot be encoded leaves its header in the
// client's buffer. It goes out with the next call, whose header then stands where
// the argument should be. Nothing can be made of that, but it must not hang.
func checkOrphanHeader(ctx context.Context, t target) error {
	err := withClient(ctx, t, func(c *rpc.Client) error {
		if err := call(ctx, c, "Arith.Mul", make(chan int), &Reply{}); err == nil {
			return errors.New("a channel was sent")
		}
		err := call(ctx, c, "Arith.Mul", &Args{A: 7, B: 8}, &Reply{})
		if err == nil {
			return errors.New("a call after an orphaned header succeeded")
		}
		if ctx.Err() != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return withClient(ctx, t, func(c *rpc.Client) error { return stillServes(ctx, c) })
}
