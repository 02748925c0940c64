package main

import (
	"errors"
	"net/rpc"
	"time"
)

// register adds the example services to net/rpc's default server.
func register() error {
	for name, service := range map[string]any{
		"Arith":        new(Arith),
		"HelloService": new(HelloService),
		"Echo":         new(Echo),
	} {
		if err := rpc.RegisterName(name, service); err != nil {
			return err
		}
	}
	return nil
}

// Arith is the calculator of the rpcx and net/rpc documents.
type Arith struct{}

func (*Arith) Mul(args *Args, reply *Reply) error {
	reply.C = args.A * args.B
	return nil
}

// Multiply answers with a bare number.
func (*Arith) Multiply(args *Args, reply *int) error {
	*reply = int(args.A * args.B)
	return nil
}

func (*Arith) Divide(args *Args, reply *Quotient) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.Quo = args.A / args.B
	reply.Rem = args.A % args.B
	return nil
}

// HelloService is the service of the net/rpc documents.
type HelloService struct{}

func (*HelloService) SayHello(request string, reply *string) error {
	*reply = "Hello World:" + request
	return nil
}

// Echo is for benches and fault tests. It has no Panic: a panic in a method ends
// a net/rpc server.
type Echo struct{}

func (*Echo) Echo(args *BenchmarkMessage, reply *BenchmarkMessage) error {
	*reply = *args
	return nil
}

func (*Echo) Bytes(args []byte, reply *[]byte) error {
	// A nil slice would be null in JSON, which the client takes for a broken
	// response. net/rpc presets the reply to an empty slice for this reason.
	if len(args) > 0 {
		*reply = args
	}
	return nil
}

func (*Echo) Kinds(args *Kinds, reply *Kinds) error {
	*reply = *args
	return nil
}

func (*Echo) Sleep(args *SleepArgs, _ *Empty) error {
	time.Sleep(time.Duration(args.Ms) * time.Millisecond)
	return nil
}

// Fail ignores the code: net/rpc errors are texts.
func (*Echo) Fail(args *FailArgs, _ *Empty) error {
	return errors.New(args.Message)
}
