package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"time"
)

// maxTimeouts in a row end the run: the server does not answer at all, and the
// cases that are left would only take their time limits.
const maxTimeouts = 5

// target is the server under test.
type target struct {
	addr  string
	codec string // gob or json
	http  bool   // gob behind an HTTP CONNECT
	// strictGo leaves out what farcall serves and Go's library does not.
	strictGo bool
}

// testCase is one line of the report. Every case opens its own connection.
type testCase struct {
	name string
	run  func(ctx context.Context, t target) error
}

// allCases are those that apply to the target.
func allCases(t target) []testCase {
	var cases []testCase
	cases = append(cases, callCases(t)...)
	cases = append(cases, bodyCases(t)...)
	cases = append(cases, compatCases(t)...)
	cases = append(cases, errorCases(t)...)
	cases = append(cases, connectionCases(t)...)
	if t.codec == "gob" {
		cases = append(cases, rawGobCases()...)
	} else {
		cases = append(cases, rawJSONCases()...)
		if !t.strictGo {
			cases = append(cases, jsonrpc2Cases()...)
		}
	}
	if t.http {
		cases = append(cases, httpCases(t)...)
	}
	return cases
}

func runClient(args []string) int {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	addr := flags.String("addr", "", "HOST:PORT of the server under test")
	codec := flags.String("codec", "gob", "gob or json (net/rpc/jsonrpc)")
	overHTTP := flags.Bool("http", false, "gob over HTTP CONNECT")
	strictGo := flags.Bool("strict-go", false, "leave out the cases that Go's own server cannot pass: JSON-RPC 2.0, bytes sent along with CONNECT")
	only := flags.String("case", "all", "one case, or all below a name (mul runs mul/...)")
	limit := flags.Duration("timeout", 10*time.Second, "longest a case may take")
	list := flags.Bool("list", false, "print the names of the cases and exit")
	link.flags(flags)
	_ = flags.Parse(args)

	if err := checkCodec(*codec, *overHTTP); err != nil {
		return wrongUsage(err.Error())
	}
	t := target{addr: *addr, codec: *codec, http: *overHTTP, strictGo: *strictGo}
	var cases []testCase
	for _, c := range allCases(t) {
		if *only == "all" || c.name == *only || strings.HasPrefix(c.name, *only+"/") {
			cases = append(cases, c)
		}
	}
	if *list {
		for _, c := range cases {
			fmt.Println(c.name)
		}
		return 0
	}
	if *addr == "" || len(cases) == 0 {
		return wrongUsage("client needs -addr and, with -case, a name from -list")
	}

	passed, failed, timeouts := 0, 0, 0
	for _, c := range cases {
		var err error
		if timeouts < maxTimeouts {
			begin := time.Now()
			err = runCase(c, t, *limit)
			if time.Since(begin) >= *limit {
				timeouts++
			} else {
				timeouts = 0
			}
		} else {
			err = fmt.Errorf("not run, the %d cases before it ran out of time", maxTimeouts)
		}
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %s\n", c.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			passed++
			fmt.Printf("PASS %s\n", c.name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return 1
	}
	return 0
}

// runCase gives up on a case that ignores its context: net/rpc knows none.
func runCase(c testCase, t target, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				result <- fmt.Errorf("panic in the client: %v", r)
			}
		}()
		result <- c.run(ctx, t)
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(limit + 500*time.Millisecond):
		return fmt.Errorf("no result within %v", limit)
	}
}

// dialTCP connects without a word to the server. The connection ends with the
// case's time.
func (t target) dialTCP(ctx context.Context) (stream, error) {
	conn, err := link.dial(ctx, t.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return conn, nil
}

// dialRaw connects up to the point where the RPC stream begins.
func (t target) dialRaw(ctx context.Context) (stream, error) {
	conn, err := t.dialTCP(ctx)
	if err != nil || !t.http {
		return conn, err
	}
	if err := connectHTTP(conn, httpConnect); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

const (
	httpConnect   = "CONNECT " + rpc.DefaultRPCPath + " HTTP/1.0\n\n"
	httpConnected = "HTTP/1.0 200 Connected to Go RPC\n\n"
)

// connectHTTP sends the request and reads exactly the answer that Go's server
// gives, so that nothing behind it is lost.
func connectHTTP(conn net.Conn, request string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	answer := make([]byte, len(httpConnected))
	if n, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("the answer to CONNECT is %q: %w", answer[:n], err)
	}
	if string(answer) != httpConnected {
		rest, _ := bufio.NewReader(conn).Peek(1)
		return fmt.Errorf("the answer to CONNECT begins with %q", append(answer, rest...))
	}
	return nil
}

// dial connects the real client of the standard library.
func (t target) dial(ctx context.Context) (*rpc.Client, error) {
	if t.http {
		c, err := rpc.DialHTTP("tcp", t.addr)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		return c, nil
	}
	conn, err := t.dialTCP(ctx)
	if err != nil {
		return nil, err
	}
	if t.codec == "json" {
		return jsonrpc.NewClient(conn), nil
	}
	return rpc.NewClient(conn), nil
}

// withClient runs use with a connected client.
func withClient(ctx context.Context, t target, use func(c *rpc.Client) error) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return use(c)
}

// call is Client.Call within the time of the case.
func call(ctx context.Context, c *rpc.Client, method string, args, reply any) error {
	return wait(ctx, c.Go(method, args, reply, make(chan *rpc.Call, 1)))
}

func wait(ctx context.Context, call *rpc.Call) error {
	select {
	case <-call.Done:
		return call.Error
	case <-ctx.Done():
		return fmt.Errorf("no reply to %s in time", call.ServiceMethod)
	}
}

// mul makes one Arith.Mul call and checks the product.
func mul(ctx context.Context, c *rpc.Client, a, b int64) error {
	var reply Reply
	if err := call(ctx, c, "Arith.Mul", &Args{A: a, B: b}, &reply); err != nil {
		return fmt.Errorf("Arith.Mul: %w", err)
	}
	if reply.C != a*b {
		return fmt.Errorf("Arith.Mul: %d * %d = %d", a, b, reply.C)
	}
	return nil
}

// stillServes checks that the connection outlived what went before.
func stillServes(ctx context.Context, c *rpc.Client) error {
	if err := mul(ctx, c, 6, 7); err != nil {
		return fmt.Errorf("the next call on the connection: %w", err)
	}
	return nil
}

// wantError checks that err came from the server with exactly this text.
func wantError(err error, text string) error {
	if err := wantSomeError(err); err != nil {
		return err
	}
	if err.Error() != text {
		return fmt.Errorf("error %q, want %q", err.Error(), text)
	}
	return nil
}

// wantSomeError checks that err came from the server, whatever its text.
func wantSomeError(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	if _, ok := err.(rpc.ServerError); !ok {
		return fmt.Errorf("not an error reply of the server: %w", err)
	}
	return nil
}
