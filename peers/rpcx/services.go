package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/share"

	"farcall.test/rpcxpeer/gg"
)

// register adds the example services to a server.
func register(s *server.Server) error {
	for name, service := range map[string]any{
		"Arith":        new(Arith),
		"HelloService": new(HelloService),
		"Echo":         &Echo{server: s},
	} {
		if err := s.RegisterName(name, service, ""); err != nil {
			return err
		}
	}
	return nil
}

// Arith is the calculator of the rpcx and net/rpc documents.
type Arith struct{}

func (*Arith) Mul(_ context.Context, args *Args, reply *Reply) error {
	reply.C = args.A * args.B
	return nil
}

// Multiply answers with a bare number, which JSON and msgpack have and
// protobuf has not.
func (*Arith) Multiply(_ context.Context, args *Args, reply *int) error {
	*reply = int(args.A * args.B)
	return nil
}

func (*Arith) Divide(_ context.Context, args *Args, reply *Quotient) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.Quo = args.A / args.B
	reply.Rem = args.A % args.B
	return nil
}

// HelloService is the service of the net/rpc documents.
type HelloService struct{}

func (*HelloService) SayHello(_ context.Context, request *string, reply *string) error {
	*reply = "Hello World:" + *request
	return nil
}

// Echo is for benches and fault tests.
type Echo struct{ server *server.Server }

func (*Echo) Echo(_ context.Context, args *gg.BenchmarkMessage, reply *gg.BenchmarkMessage) error {
	*reply = *args
	return nil
}

func (*Echo) Bytes(_ context.Context, args *[]byte, reply *[]byte) error {
	*reply = *args
	return nil
}

func (*Echo) Kinds(_ context.Context, args *Kinds, reply *Kinds) error {
	*reply = *args
	return nil
}

// Sleep watches its context because rpcx enforces a deadline received from the
// client in no other way.
func (*Echo) Sleep(ctx context.Context, args *SleepArgs, _ *Empty) error {
	timer := time.NewTimer(time.Duration(args.Ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fail ignores the code: rpcx errors are texts.
func (*Echo) Fail(_ context.Context, args *FailArgs, _ *Empty) error {
	return errors.New(args.Message)
}

func (*Echo) Panic(context.Context, *Empty, *Empty) error {
	panic("asked to panic")
}

// Meta returns all request metadata, the reserved keys too, as response
// metadata.
func (*Echo) Meta(ctx context.Context, _ *Empty, _ *Empty) error {
	request, _ := ctx.Value(share.ReqMetaDataKey).(map[string]string)
	response, ok := ctx.Value(share.ResMetaDataKey).(map[string]string)
	if !ok {
		return errors.New("no response metadata map in the context")
	}
	for k, v := range request {
		response[k] = v
	}
	return nil
}

// Push sends N messages to the client that calls, before the reply.
func (e *Echo) Push(ctx context.Context, args *PushArgs, _ *Empty) error {
	conn, ok := ctx.Value(server.RemoteConnContextKey).(net.Conn)
	if !ok {
		return errors.New("no connection in the context")
	}
	for i := range args.N {
		meta := map[string]string{"number": strconv.FormatInt(i, 10)}
		body := []byte(fmt.Sprintf("message %d", i))
		if err := e.server.SendMessage(conn, "Echo", "Pushed", meta, body); err != nil {
			return err
		}
	}
	return nil
}
