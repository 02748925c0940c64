package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
)

func runServer(args []string) int {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	untilStdin := flags.Bool("until-stdin-closes", false, "exit when stdin is closed")
	codec := flags.String("codec", "gob", "gob or json (net/rpc/jsonrpc)")
	overHTTP := flags.Bool("http", false, "gob over HTTP CONNECT, with the page at "+rpc.DefaultDebugPath)
	link.flags(flags)
	_ = flags.Parse(args)
	return serve(*addr, *untilStdin, *codec, *overHTTP)
}

func runBenchServer(args []string) int {
	flags := flag.NewFlagSet("bench-server", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	untilStdin := flags.Bool("until-stdin-closes", false, "exit when stdin is closed")
	codec := flags.String("codec", "gob", "gob or json (net/rpc/jsonrpc)")
	_ = flags.Parse(args)
	return serve(*addr, *untilStdin, *codec, false)
}

// checkCodec says what is wrong with the flags that choose a protocol.
func checkCodec(codec string, overHTTP bool) error {
	if codec != "gob" && codec != "json" {
		return fmt.Errorf("unknown codec %q", codec)
	}
	if overHTTP && codec != "gob" {
		return fmt.Errorf("the standard library has no JSON-RPC over HTTP")
	}
	return nil
}

// serve runs until the process is killed or, when asked to, until stdin closes
// (so that the server does not outlive the test that started it).
func serve(addr string, untilStdin bool, codec string, overHTTP bool) int {
	if err := checkCodec(codec, overHTTP); err != nil {
		return wrongUsage(err.Error())
	}
	if err := register(); err != nil {
		return fail(err)
	}
	listener, err := link.listen(addr)
	if err != nil {
		return fail(err)
	}
	// os.Stdout is unbuffered: the line is out when Printf returns, and
	// connections are queued by the kernel from here on.
	fmt.Printf("listening on %s\n", listener.Addr())

	served := make(chan error, 1)
	go func() {
		switch {
		case overHTTP:
			rpc.HandleHTTP()
			served <- http.Serve(listener, nil)
		case codec == "json":
			served <- accept(listener, func(conn net.Conn) { jsonrpc.ServeConn(conn) })
		default:
			served <- accept(listener, func(conn net.Conn) { rpc.ServeConn(conn) })
		}
	}()
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
		return 0
	}
}

func accept(listener net.Listener, serveConn func(net.Conn)) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go serveConn(conn)
	}
}
