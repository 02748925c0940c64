package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	powerman "github.com/powerman/rpc-codec/jsonrpc2"
	sourcegraph "github.com/sourcegraph/jsonrpc2"
)

// caller is what the cases need of a library.
type caller interface {
	call(method string, args, reply any) error
	notify(method string, args any) error
	// code is that of an error reply; 0 for other errors.
	code(err error) (int64, string)
	close()
}

type testCase struct {
	name string
	run  func(c caller) error
}

func runClient(args []string) int {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	lib := flags.String("lib", "powerman", "powerman, powerman-http, sourcegraph or net/http (plain JSON)")
	addr := flags.String("addr", "", "HOST:PORT of the server under test")
	path := flags.String("path", "/jsonrpc", "where it is, over HTTP")
	_ = flags.Parse(args)

	all := cases()
	switch *lib {
	case "sourcegraph":
		all = append(all, sourcegraphCases()...)
	case "net/http":
		all = plainCases()
	}
	passed, failed := 0, 0
	for _, c := range all {
		if err := runCase(c, *lib, *addr, *path); err != nil {
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

func runCase(c testCase, lib, addr, path string) error {
	const limit = 60 * time.Second
	result := make(chan error, 1)
	go func() {
		client, err := dial(lib, addr, path)
		if err != nil {
			result <- err
			return
		}
		defer client.close()
		if err := c.run(client); err != nil {
			result <- err
			return
		}
		var reply Reply
		err = client.call("Arith.Mul", Args{6, 7}, &reply)
		if err != nil || reply.C != 42 {
			err = fmt.Errorf("the call after it: %v, %v", reply, err)
		}
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(limit):
		return fmt.Errorf("no result within %v", limit)
	}
}

func dial(lib, addr, path string) (caller, error) {
	switch lib {
	case "powerman":
		c, err := powerman.Dial("tcp", addr)
		return powermanCaller{c}, err
	case "powerman-http":
		return powermanCaller{powerman.NewHTTPClient("http://" + addr + path)}, nil
	case "net/http":
		return dialPlain(addr), nil
	case "sourcegraph":
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		stream := sourcegraph.NewPlainObjectStream(conn)
		nobody := sourcegraph.HandlerWithError(func(context.Context, *sourcegraph.Conn, *sourcegraph.Request) (any, error) {
			return nil, fmt.Errorf("nobody is called here")
		})
		return sourcegraphCaller{sourcegraph.NewConn(context.Background(), stream, nobody)}, nil
	}
	return nil, fmt.Errorf("unknown library %q", lib)
}

type powermanCaller struct{ c *powerman.Client }

func (p powermanCaller) call(method string, args, reply any) error {
	return p.c.Call(method, args, reply)
}

func (p powermanCaller) notify(method string, args any) error { return p.c.Notify(method, args) }

func (p powermanCaller) close() { _ = p.c.Close() }

func (p powermanCaller) code(err error) (int64, string) {
	if !strings.Contains(err.Error(), "{") {
		return 0, err.Error()
	}
	e := powerman.ServerError(err)
	return int64(e.Code), e.Message
}

type sourcegraphCaller struct{ c *sourcegraph.Conn }

func (s sourcegraphCaller) call(method string, args, reply any) error {
	return s.c.Call(context.Background(), method, args, reply)
}

func (s sourcegraphCaller) notify(method string, args any) error {
	return s.c.Notify(context.Background(), method, args)
}

func (s sourcegraphCaller) close() { _ = s.c.Close() }

func (s sourcegraphCaller) code(err error) (int64, string) {
	e, ok := err.(*sourcegraph.Error)
	if !ok {
		return 0, err.Error()
	}
	return e.Code, e.Message
}

func cases() []testCase {
	return []testCase{
		{"mul", func(c caller) error {
			for _, args := range []Args{{6, 7}, {0, 0}, {-3, 5}, {1 << 53, 3}, {1, -1 << 63}, {1<<63 - 1, 1}} {
				var reply Reply
				if err := c.call("Arith.Mul", args, &reply); err != nil || reply.C != args.A*args.B {
					return fmt.Errorf("%v gives %v, %v", args, reply, err)
				}
			}
			return nil
		}},
		{"multiply", func(c caller) error {
			var reply int64
			if err := c.call("Arith.Multiply", Args{6, -7}, &reply); err != nil || reply != -42 {
				return fmt.Errorf("%v, %v", reply, err)
			}
			return nil
		}},
		{"by-position", func(c caller) error {
			var reply int64
			if err := c.call("Arith.Multiply", []int64{6, 7}, &reply); err != nil || reply != 42 {
				return fmt.Errorf("fields by position: %v, %v", reply, err)
			}
			if err := c.call("Arith.Multiply", []Args{{2, 3}}, &reply); err != nil || reply != 6 {
				return fmt.Errorf("an object by position: %v, %v", reply, err)
			}
			return nil
		}},
		{"divide", func(c caller) error {
			var reply Quotient
			if err := c.call("Arith.Divide", Args{17, -5}, &reply); err != nil || reply != (Quotient{-3, 2}) {
				return fmt.Errorf("%v, %v", reply, err)
			}
			return nil
		}},
		{"hello", func(c caller) error {
			for _, name := range []string{"", "Gö <&> \u2028\"\\", strings.Repeat("x", 70000)} {
				var reply string
				if err := c.call("HelloService.SayHello", []string{name}, &reply); err != nil || reply != "Hello World:"+name {
					return fmt.Errorf("%.40q gives %.60q, %v", name, reply, err)
				}
			}
			return nil
		}},
		{"bytes", func(c caller) error {
			for _, size := range []int{0, 1, 1000, 1 << 20} {
				sent := make([]byte, size)
				for i := range sent {
					sent[i] = byte(i * 7)
				}
				var reply []byte
				if err := c.call("Echo.Bytes", [][]byte{sent}, &reply); err != nil || string(reply) != string(sent) {
					return fmt.Errorf("%d bytes come back as %d, %v", size, len(reply), err)
				}
			}
			return nil
		}},
		{"unit", func(c caller) error {
			var reply any
			return c.call("Echo.Sleep", SleepArgs{1}, &reply)
		}},
		{"error/application", func(c caller) error {
			err := c.call("Arith.Divide", Args{1, 0}, new(Quotient))
			return wantError(c, err, 0, "divide by zero")
		}},
		{"error/code", func(c caller) error {
			err := c.call("Echo.Fail", FailArgs{5, "kein Döner"}, new(any))
			return wantError(c, err, 0, "kein Döner")
		}},
		{"error/no-method", func(c caller) error {
			for _, method := range []string{"Arith.Nothing", "Nobody.Home", "Nobody"} {
				if err := wantError(c, c.call(method, Args{}, new(any)), -32601, ""); err != nil {
					return err
				}
			}
			return nil
		}},
		{"error/params", func(c caller) error {
			for _, params := range []any{map[string]any{"A": "six"}, map[string]any{"A": 1.5}, []any{true}, []any{1, 2, 3}} {
				if err := wantError(c, c.call("Arith.Mul", params, new(Reply)), -32602, ""); err != nil {
					return fmt.Errorf("%v: %w", params, err)
				}
			}
			return nil
		}},
		{"notify", func(c caller) error {
			for range 20 {
				if err := c.notify("Arith.Mul", Args{1, 2}); err != nil {
					return err
				}
				// Not even an error is answered.
				if err := c.notify("Arith.Divide", Args{1, 0}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"out-of-order", func(c caller) error {
			return together(20, func(i int) error {
				return c.call("Echo.Sleep", SleepArgs{int64(40 - 2*i)}, new(any))
			})
		}},
		{"concurrent", func(c caller) error {
			return together(16, func(i int) error {
				for round := range 50 {
					args := Args{int64(i), int64(round)}
					var reply Reply
					if err := c.call("Arith.Mul", args, &reply); err != nil || reply.C != args.A*args.B {
						return fmt.Errorf("%v gives %v, %v", args, reply, err)
					}
				}
				return nil
			})
		}},
	}
}

// sourcegraphCases need what that library alone can say.
func sourcegraphCases() []testCase {
	conn := func(c caller) *sourcegraph.Conn { return c.(sourcegraphCaller).c }
	ctx := context.Background()
	return []testCase{
		{"ids", func(c caller) error {
			for _, option := range []sourcegraph.CallOption{
				sourcegraph.StringID(),
				sourcegraph.PickID(sourcegraph.ID{Num: 1<<63 - 1}),
				sourcegraph.PickID(sourcegraph.ID{Str: "ключ \"\\ <&>\u2028", IsString: true}),
				sourcegraph.PickID(sourcegraph.ID{Str: "", IsString: true}),
			} {
				var reply Reply
				if err := conn(c).Call(ctx, "Arith.Mul", Args{2, 3}, &reply, option); err != nil || reply.C != 6 {
					return fmt.Errorf("%v, %v", reply, err)
				}
			}
			return nil
		}},
		{"extra-members", func(c caller) error {
			var reply Reply
			err := conn(c).Call(ctx, "Arith.Mul", Args{2, 3}, &reply,
				sourcegraph.Meta(map[string]any{"method": "x", "id": []int{1}}), sourcegraph.ExtraField("sessionId", "s"))
			if err != nil || reply.C != 6 {
				return fmt.Errorf("%v, %v", reply, err)
			}
			return nil
		}},
		{"raw-params", func(c caller) error {
			for _, text := range []string{`{"B":7,"A":6}`, `[6,7]`, `[{"A":6,"B":7}]`, ` { "a" : 6 , "b" : 7 } `} {
				raw := json.RawMessage(text)
				var reply Reply
				if err := conn(c).Call(ctx, "Arith.Mul", &raw, &reply); err != nil || reply.C != 42 {
					return fmt.Errorf("%s: %v, %v", text, reply, err)
				}
			}
			return nil
		}},
		{"dispatched-and-awaited", func(c caller) error {
			var waiters []sourcegraph.Waiter
			for i := range 50 {
				w, err := conn(c).DispatchCall(ctx, "Arith.Mul", Args{int64(i), 2})
				if err != nil {
					return err
				}
				waiters = append(waiters, w)
			}
			for i, w := range waiters {
				var reply Reply
				if err := w.Wait(ctx, &reply); err != nil || reply.C != int64(2*i) {
					return fmt.Errorf("%d: %v, %v", i, reply, err)
				}
			}
			return nil
		}},
	}
}

func together(n int, run func(i int) error) error {
	var group sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		group.Go(func() { errs <- run(i) })
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wantError takes any code for 0 and any text for "".
func wantError(c caller, err error, code int64, text string) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	gotCode, gotText := c.code(err)
	if gotCode == 0 || code != 0 && gotCode != code || text != "" && gotText != text {
		return fmt.Errorf("error %d %q, want %d %q", gotCode, gotText, code, text)
	}
	return nil
}
