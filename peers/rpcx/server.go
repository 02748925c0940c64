package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/share"
)

func runServer(args []string) int {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	untilStdin := flags.Bool("until-stdin-closes", false, "exit when stdin is closed")
	overHTTP := flags.Bool("http", false, "frames behind CONNECT "+share.DefaultRPCPath+", and nothing else")
	var own extras
	own.flags(flags)
	link.flags(flags)
	_ = flags.Parse(args)
	network := link.network()
	if *overHTTP {
		network = "http"
	}
	s := server.NewServer()
	if err := own.add(s); err != nil {
		return fail(err)
	}
	run := func(listener net.Listener) error { return s.ServeListener(network, listener) }
	if own.path != "" {
		run = func(listener net.Listener) error { return http.Serve(listener, own.mux(s)) }
	}
	return serve(*addr, *untilStdin, s, run)
}

func runBenchServer(args []string) int {
	flags := flag.NewFlagSet("bench-server", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	untilStdin := flags.Bool("until-stdin-closes", false, "exit when stdin is closed")
	asyncWrite := flags.Bool("async-write", false, "use rpcx's WithAsyncWrite")
	gateway := flags.Bool("gateway", true, "keep rpcx's HTTP gateway and JSON-RPC on the port")
	link.flags(flags)
	_ = flags.Parse(args)

	var options []server.OptionFn
	if *asyncWrite {
		options = append(options, server.WithAsyncWrite())
	}
	s := server.NewServer(options...)
	s.DisableHTTPGateway = !*gateway
	s.DisableJSONRPC = !*gateway
	run := func(listener net.Listener) error { return s.ServeListener("tcp", listener) }
	return serve(*addr, *untilStdin, s, run)
}

// serve runs until the process is killed or, when asked to, until stdin closes
// (so that the server does not outlive the test that started it).
func serve(addr string, untilStdin bool, s *server.Server, run func(net.Listener) error) int {
	if err := register(s); err != nil {
		return fail(err)
	}
	// The listener is ours because rpcx's Serve does not tell the chosen port
	// before it accepts.
	listener, err := link.listen(addr)
	if err != nil {
		return fail(err)
	}
	// os.Stdout is unbuffered: the line is out when Printf returns, and
	// connections are queued by the kernel from here on.
	fmt.Printf("listening on %s\n", listener.Addr())

	served := make(chan error, 1)
	go func() { served <- run(listener) }()
	stdinClosed := make(chan struct{})
	if untilStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(stdinClosed)
		}()
	}
	select {
	case err := <-served:
		return fail(err)
	case <-stdinClosed:
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			return fail(err)
		}
		return 0
	}
}
