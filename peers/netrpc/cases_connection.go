package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net/rpc"
	"time"
)

// connectionCases are about what happens around the calls on one connection.
func connectionCases(t target) []testCase {
	return []testCase{
		{"concurrent/" + t.codec, checkConcurrent},
		{"out-of-order/" + t.codec, checkOutOfOrder},
		{"async/" + t.codec, checkAsync},
		{"close-with-pending/" + t.codec, checkCloseWithPending},
		{"many-connections/" + t.codec, checkManyConnections},
	}
}

// checkConcurrent keeps 64 callers busy on one connection. A server that works
// off a connection one request at a time needs over 30 s for this.
func checkConcurrent(ctx context.Context, t target) error {
	const callers, calls = 64, 50
	return withClient(ctx, t, func(c *rpc.Client) error {
		results := make(chan error, callers)
		for caller := range int64(callers) {
			go func() {
				random := rand.New(rand.NewSource(caller))
				for i := range int64(calls) {
					if err := call(ctx, c, "Echo.Sleep", &SleepArgs{Ms: random.Int63n(21)}, &Empty{}); err != nil {
						results <- fmt.Errorf("Echo.Sleep: %w", err)
						return
					}
					// A product of its own for every call shows a mixed-up reply.
					if err := mul(ctx, c, caller*calls+i+1, 1_000_003); err != nil {
						results <- err
						return
					}
				}
				results <- nil
			}()
		}
		for range callers {
			if err := <-results; err != nil {
				return err
			}
		}
		return nil
	})
}

// checkOutOfOrder: replies come as the calls are done, not as they were made.
func checkOutOfOrder(ctx context.Context, t target) error {
	return withClient(ctx, t, func(c *rpc.Client) error {
		const calls = 6
		done := make(chan *rpc.Call, calls)
		for i := range int64(calls) {
			// Far enough apart for a busy machine.
			c.Go("Echo.Sleep", &SleepArgs{Ms: (calls - 1 - i) * 100}, &Empty{}, done)
		}
		last := int64(-1)
		for range calls {
			select {
			case finished := <-done:
				if finished.Error != nil {
					return finished.Error
				}
				ms := finished.Args.(*SleepArgs).Ms
				if ms < last {
					return fmt.Errorf("the call of %d ms was answered after the one of %d ms", ms, last)
				}
				last = ms
			case <-ctx.Done():
				return errors.New("no reply in time")
			}
		}
		return stillServes(ctx, c)
	})
}

// checkAsync starts calls of all outcomes with Go and collects the handles.
func checkAsync(ctx context.Context, t target) error {
	return withClient(ctx, t, func(c *rpc.Client) error {
		const calls = 100
		var handles []*rpc.Call
		for i := range int64(calls) {
			handles = append(handles, c.Go("Arith.Divide", &Args{A: 1000 * i, B: i % 3}, &Quotient{}, nil))
		}
		for i, handle := range handles {
			i := int64(i)
			err := wait(ctx, handle)
			if i%3 == 0 {
				if err := wantError(err, "divide by zero"); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			if reply := *handle.Reply.(*Quotient); reply.Quo != 1000*i/(i%3) {
				return fmt.Errorf("call %d came back as %v", i, reply)
			}
		}
		return stillServes(ctx, c)
	})
}

// checkCloseWithPending: the client's own promises, and a server that goes on
// when the callers are gone.
func checkCloseWithPending(ctx context.Context, t target) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := stillServes(ctx, c); err != nil {
		return err
	}
	var handles []*rpc.Call
	for range 10 {
		handles = append(handles, c.Go("Echo.Sleep", &SleepArgs{Ms: 1500}, &Empty{}, nil))
	}
	begin := time.Now()
	if err := c.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	for _, handle := range handles {
		if err := wait(ctx, handle); err == nil {
			return errors.New("a call succeeded after Close")
		}
	}
	if err := c.Close(); err != rpc.ErrShutdown {
		return fmt.Errorf("the second Close gives %v", err)
	}
	if err := mul(ctx, c, 7, 8); !errors.Is(err, rpc.ErrShutdown) {
		return fmt.Errorf("a call after Close gives %v", err)
	}
	time.Sleep(time.Until(begin.Add(1700 * time.Millisecond))) // the server has replies to nobody
	return withClient(ctx, t, func(c *rpc.Client) error { return stillServes(ctx, c) })
}

func checkManyConnections(ctx context.Context, t target) error {
	const connections = 50
	results := make(chan error, connections)
	for i := range int64(connections) {
		go func() {
			results <- withClient(ctx, t, func(c *rpc.Client) error {
				for j := range int64(20) {
					if err := mul(ctx, c, i+1, j); err != nil {
						return err
					}
				}
				return nil
			})
		}()
	}
	for range connections {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}
