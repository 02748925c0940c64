package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/rpc/v2/json2"
	powerman "github.com/powerman/rpc-codec/jsonrpc2"
)

// The example services. What they do is below in plain functions; the libraries
// want them in three shapes.

type Args struct{ A, B int64 }

type Reply struct{ C int64 }

type Quotient struct{ Quo, Rem int64 }

type SleepArgs struct{ Ms int64 }

type FailArgs struct {
	Code    int64
	Message string
}

type Empty struct{}

func divide(a Args) (Quotient, error) {
	if a.B == 0 {
		return Quotient{}, errors.New("divide by zero")
	}
	return Quotient{a.A / a.B, a.A % a.B}, nil
}

func sleep(a SleepArgs) { time.Sleep(time.Duration(a.Ms) * time.Millisecond) }

// Arith as net/rpc has it, which powerman's codecs serve.
type Arith struct{}

func (*Arith) Mul(a *Args, r *Reply) error { r.C = a.A * a.B; return nil }

func (*Arith) Multiply(a *Args, r *int64) error { *r = a.A * a.B; return nil }

func (*Arith) Divide(a *Args, r *Quotient) (err error) { *r, err = divide(*a); return err }

type HelloService struct{}

// SayHello takes its parameter by position: the library wants a list for that.
func (*HelloService) SayHello(request []string, reply *string) error {
	if len(request) != 1 {
		return powerman.NewError(-32602, "one name, please")
	}
	*reply = "Hello World:" + request[0]
	return nil
}

type Echo struct{}

// Echo gives an object back, whatever is in it.
func (*Echo) Echo(a map[string]any, r *map[string]any) error { *r = a; return nil }

func (*Echo) Kinds(a map[string]any, r *map[string]any) error { *r = a; return nil }

func (*Echo) Bytes(a [][]byte, r *[]byte) error {
	if len(a) != 1 {
		return powerman.NewError(-32602, "one text, please")
	}
	*r = a[0]
	return nil
}

func (*Echo) Sleep(a *SleepArgs, _ *Empty) error { sleep(*a); return nil }

func (*Echo) Fail(a *FailArgs, _ *Empty) error {
	return powerman.NewError(int(a.Code), a.Message)
}

// GorillaArith and the next are the same as gorilla has it: with the request.
type GorillaArith struct{}

func (*GorillaArith) Mul(_ *http.Request, a *Args, r *Reply) error { r.C = a.A * a.B; return nil }

func (*GorillaArith) Multiply(_ *http.Request, a *Args, r *int64) error { *r = a.A * a.B; return nil }

func (*GorillaArith) Divide(_ *http.Request, a *Args, r *Quotient) (err error) {
	*r, err = divide(*a)
	return err
}

type GorillaHello struct{}

func (*GorillaHello) SayHello(_ *http.Request, request *string, reply *string) error {
	*reply = "Hello World:" + *request
	return nil
}

type GorillaEcho struct{}

func (*GorillaEcho) Kinds(_ *http.Request, a *map[string]any, r *map[string]any) error {
	*r = *a
	return nil
}

func (*GorillaEcho) Echo(_ *http.Request, a *map[string]any, r *map[string]any) error {
	*r = *a
	return nil
}

func (*GorillaEcho) Bytes(_ *http.Request, a *[]byte, r *[]byte) error {
	*r = *a
	return nil
}

func (*GorillaEcho) Fail(_ *http.Request, a *FailArgs, _ *Empty) error {
	return &json2.Error{Code: json2.ErrorCode(a.Code), Message: a.Message}
}

func (*GorillaEcho) Sleep(_ *http.Request, a *SleepArgs, _ *Empty) error { sleep(*a); return nil }

// params reads them by name, or the only one by position.
func params[T any](raw *json.RawMessage) (value T, err error) {
	if raw == nil {
		return value, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(*raw, &list) == nil {
		if len(list) != 1 {
			return value, errors.New("one parameter, please")
		}
		raw = &list[0]
	}
	return value, json.Unmarshal(*raw, &value)
}
