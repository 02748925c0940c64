package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// maxTimeouts in a row end the run: the server does not answer at all, and the
// cases that are left would only take their time limits.
const maxTimeouts = 5

// testCase is one line of the report. Every case opens its own connection.
type testCase struct {
	name string
	run  func(ctx context.Context, addr string) error
}

func allCases() []testCase {
	var cases []testCase
	cases = append(cases, callCases()...)
	cases = append(cases, bodyCases()...)
	cases = append(cases, errorCases()...)
	cases = append(cases, connectionCases()...)
	cases = append(cases, deadlineCases()...)
	cases = append(cases, rawCases()...)
	cases = append(cases, pushCases()...)
	cases = append(cases, httpCases()...)
	return cases
}

func runClient(args []string) int {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	addr := flags.String("addr", "", "HOST:PORT of the server under test")
	only := flags.String("case", "all", "one case, or all below a name (mul runs mul/...); several with commas")
	limit := flags.Duration("timeout", 10*time.Second, "longest a case may take")
	flags.StringVar(&tunnel, "connect", "", "go through CONNECT to this path")
	list := flags.Bool("list", false, "print the names of the cases and exit")
	link.flags(flags)
	_ = flags.Parse(args)

	cases := allCases()
	if *only != "all" {
		cases = append(cases, extraCases()...)
	}
	var chosen []testCase
	for _, c := range cases {
		if wanted(c.name, *only) {
			chosen = append(chosen, c)
		}
	}
	cases = chosen
	if *list {
		for _, c := range cases {
			fmt.Println(c.name)
		}
		return 0
	}
	if *addr == "" || len(cases) == 0 {
		fmt.Fprintln(os.Stderr, "rpcx-peer: client needs -addr and, with -case, a name from -list")
		return 2
	}

	passed, failed, timeouts := 0, 0, 0
	for _, c := range cases {
		var err error
		if timeouts < maxTimeouts {
			begin := time.Now()
			err = runCase(c, *addr, *limit)
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
			// A panic text from a server has many lines; a report line is one.
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

// wanted tells whether a case is one of those asked for.
func wanted(name, only string) bool {
	for _, group := range strings.Split(only, ",") {
		if group == "all" || name == group || strings.HasPrefix(name, group+"/") {
			return true
		}
	}
	return false
}

// runCase gives up on a case that ignores its context: not everything in the
// rpcx client watches one.
func runCase(c testCase, addr string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				result <- fmt.Errorf("panic in the client: %v", r)
			}
		}()
		result <- c.run(ctx, addr)
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(limit + 500*time.Millisecond):
		return fmt.Errorf("no result within %v", limit)
	}
}

// codecs are the codecs that carry structs, by the name they have in cases.
var codecs = []struct {
	name string
	id   protocol.SerializeType
}{
	{"json", protocol.JSON},
	{"protobuf", protocol.ProtoBuffer},
	{"msgpack", protocol.MsgPack},
}

// compressions are those rpcx has registered. Its client compresses only
// arguments above 1024 bytes, so small calls with gzip go out plain.
//
// No case makes concurrent gzip calls: rpcx v1.9.4 returns the compressed bytes
// in a buffer that it has already given back to a pool (util.Zip), so concurrent
// callers in one process now and then send each other's bytes.
var compressions = []struct {
	name string
	id   protocol.CompressType
}{
	{"none", protocol.None},
	{"gzip", protocol.Gzip},
}

// tunnel is the path of the CONNECT that a client goes through, if it does.
var tunnel string

// network is the transport of this run, in rpcx's words.
func network() string {
	if tunnel != "" {
		return "http"
	}
	return link.network()
}

// connect goes over the transport of this run.
func connect(c *client.Client, addr string) error {
	return c.Connect(network(), addr)
}

func option(codec protocol.SerializeType, compress protocol.CompressType) client.Option {
	o := client.DefaultOption
	o.SerializeType = codec
	o.CompressType = compress
	o.ConnectTimeout = 20 * time.Second
	config, err := link.config(false)
	if err != nil {
		panic(err)
	}
	o.TLSConfig = config
	if tunnel != "" {
		o.RPCPath = tunnel
	}
	return o
}

// withClient runs use with a connected low-level client.
func withClient(addr string, o client.Option, use func(c *client.Client) error) error {
	c := client.NewClient(o)
	if err := connect(c, addr); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	return use(c)
}

// withMetadata returns a context that sends request metadata, and the map that
// receives the response's.
func withMetadata(ctx context.Context, request map[string]string) (context.Context, map[string]string) {
	response := make(map[string]string)
	ctx = context.WithValue(ctx, share.ReqMetaDataKey, request)
	return context.WithValue(ctx, share.ResMetaDataKey, response), response
}

// mul makes one Arith.Mul call and checks the product.
func mul(ctx context.Context, c *client.Client, a, b int64) error {
	var reply Reply
	if err := c.Call(ctx, "Arith", "Mul", &Args{A: a, B: b}, &reply); err != nil {
		return fmt.Errorf("Arith.Mul: %w", err)
	}
	if reply.C != a*b {
		return fmt.Errorf("Arith.Mul: %d * %d = %d", a, b, reply.C)
	}
	return nil
}

// stillServes checks that the connection outlived what went before.
func stillServes(ctx context.Context, c *client.Client) error {
	if err := mul(ctx, c, 6, 7); err != nil {
		return fmt.Errorf("the next call on the connection: %w", err)
	}
	if c.IsShutdown() || c.IsClosing() {
		return fmt.Errorf("the connection was closed")
	}
	return nil
}

// wantError checks that err came from the server with exactly this text.
func wantError(err error, text string) error {
	if err == nil {
		return fmt.Errorf("no error, want %q", text)
	}
	if _, ok := err.(client.ServiceError); !ok {
		return fmt.Errorf("not an error reply of the server: %w", err)
	}
	if err.Error() != text {
		return fmt.Errorf("error %q, want %q", err.Error(), text)
	}
	return nil
}
