package main

import (
	"context"
	"fmt"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// errorCases check the error texts, and that no error costs the connection.
func errorCases() []testCase {
	var cases []testCase
	for _, codec := range codecs {
		add := func(name string, run func(context.Context, *client.Client) error) {
			cases = append(cases, testCase{"error/" + name + "/" + codec.name, func(ctx context.Context, addr string) error {
				return withClient(addr, option(codec.id, protocol.None), func(c *client.Client) error {
					if err := run(ctx, c); err != nil {
						return err
					}
					return stillServes(ctx, c)
				})
			}})
		}
		add("divide-by-zero", func(ctx context.Context, c *client.Client) error {
			err := c.Call(ctx, "Arith", "Divide", &Args{A: 1}, &Quotient{})
			return wantError(err, "divide by zero")
		})
		add("unknown-service", func(ctx context.Context, c *client.Client) error {
			err := c.Call(ctx, "NoSuchService", "Mul", &Args{}, &Reply{})
			return wantError(err, "rpcx: can't find service NoSuchService")
		})
		add("unknown-method", func(ctx context.Context, c *client.Client) error {
			err := c.Call(ctx, "Arith", "NoSuchMethod", &Args{}, &Reply{})
			return wantError(err, "rpcx: can't find method NoSuchMethod")
		})
		add("fail-text", func(ctx context.Context, c *client.Client) error {
			text := "größer – 许多往事 🚀, line two:\n\"quoted\""
			err := c.Call(ctx, "Echo", "Fail", &FailArgs{Code: 5, Message: text}, &Empty{})
			return wantError(err, text)
		})
		// What a server tells about a panic is its own affair (rpcx-go tells the
		// arguments and the stack); that it is an error is not.
		add("panic", func(ctx context.Context, c *client.Client) error {
			err := c.Call(ctx, "Echo", "Panic", &Empty{}, &Empty{})
			if err == nil {
				return fmt.Errorf("a handler that panics answers without error")
			}
			if _, ok := err.(client.ServiceError); !ok {
				return fmt.Errorf("not an error reply of the server: %w", err)
			}
			return nil
		})
		// Response metadata and the error share a block.
		add("fail-with-meta", func(ctx context.Context, c *client.Client) error {
			ctx, _ = withMetadata(ctx, testMetadata())
			err := c.Call(ctx, "Echo", "Fail", &FailArgs{Code: 13, Message: "with metadata"}, &Empty{})
			return wantError(err, "with metadata")
		})
	}
	return cases
}
