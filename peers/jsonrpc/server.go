package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"os"

	gorilla "github.com/gorilla/rpc/v2"
	"github.com/gorilla/rpc/v2/json2"
	powerman "github.com/powerman/rpc-codec/jsonrpc2"
	sourcegraph "github.com/sourcegraph/jsonrpc2"
)

func runServer(args []string) int {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	lib := flags.String("lib", "powerman", "powerman, powerman-http, sourcegraph or gorilla")
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on")
	untilStdin := flags.Bool("until-stdin-closes", false, "exit when stdin is closed")
	_ = flags.Parse(args)

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fail(err)
	}
	fmt.Println("listening on", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- serve(listener, *lib) }()
	stdinClosed := make(chan struct{})
	if *untilStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(stdinClosed)
		}()
	}
	select {
	case err := <-served:
		return fail(err)
	case <-stdinClosed:
		return 0
	}
}

func serve(listener net.Listener, lib string) error {
	for name, service := range map[string]any{
		"Arith": new(Arith), "HelloService": new(HelloService), "Echo": new(Echo),
	} {
		if err := rpc.RegisterName(name, service); err != nil {
			return err
		}
	}
	switch lib {
	case "powerman":
		return accept(listener, powerman.ServeConn)
	case "powerman-http":
		return http.Serve(listener, powerman.HTTPHandler(nil))
	case "sourcegraph":
		return accept(listener, serveSourcegraph)
	case "gorilla":
		server := gorilla.NewServer()
		server.RegisterCodec(json2.NewCodec(), "application/json")
		for name, service := range map[string]any{
			"Arith": new(GorillaArith), "HelloService": new(GorillaHello), "Echo": new(GorillaEcho),
		} {
			if err := server.RegisterService(service, name); err != nil {
				return err
			}
		}
		http.Handle("/jsonrpc", server)
		return http.Serve(listener, nil)
	}
	return fmt.Errorf("unknown library %q", lib)
}

func accept(listener net.Listener, serveConn func(io.ReadWriteCloser)) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go serveConn(conn)
	}
}

// serveSourcegraph: values follow each other on the connection, calls run at once.
func serveSourcegraph(conn io.ReadWriteCloser) {
	stream := sourcegraph.NewPlainObjectStream(conn)
	handler := sourcegraph.AsyncHandler(sourcegraph.HandlerWithError(handle))
	quiet := sourcegraph.SetLogger(log.New(io.Discard, "", 0))
	<-sourcegraph.NewConn(context.Background(), stream, handler, quiet).DisconnectNotify()
}

func handle(_ context.Context, _ *sourcegraph.Conn, r *sourcegraph.Request) (any, error) {
	switch r.Method {
	case "Arith.Mul":
		a, err := params[Args](r.Params)
		return Reply{a.A * a.B}, invalid(err)
	case "Arith.Multiply":
		a, err := params[Args](r.Params)
		return a.A * a.B, invalid(err)
	case "Arith.Divide":
		a, err := params[Args](r.Params)
		if err != nil {
			return nil, invalid(err)
		}
		return divide(a)
	case "HelloService.SayHello":
		name, err := params[string](r.Params)
		return "Hello World:" + name, invalid(err)
	case "Echo.Kinds", "Echo.Echo":
		a, err := params[map[string]any](r.Params)
		return a, invalid(err)
	case "Echo.Bytes":
		a, err := params[[]byte](r.Params)
		return a, invalid(err)
	case "Echo.Sleep":
		a, err := params[SleepArgs](r.Params)
		sleep(a)
		return Empty{}, invalid(err)
	case "Echo.Fail":
		a, err := params[FailArgs](r.Params)
		if err != nil {
			return nil, invalid(err)
		}
		return nil, &sourcegraph.Error{Code: a.Code, Message: a.Message}
	}
	return nil, &sourcegraph.Error{Code: sourcegraph.CodeMethodNotFound, Message: "no method " + r.Method}
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return &sourcegraph.Error{Code: sourcegraph.CodeInvalidParams, Message: err.Error()}
}
