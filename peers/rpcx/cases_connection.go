package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// connectionCases are about what happens around the calls on one connection.
func connectionCases() []testCase {
	var cases []testCase
	for _, codec := range codecs {
		o := option(codec.id, protocol.None)
		cases = append(cases,
			testCase{"oneway/" + codec.name, func(ctx context.Context, addr string) error {
				return withClient(addr, o, func(c *client.Client) error { return checkOneway(ctx, c) })
			}},
			testCase{"concurrent/" + codec.name, func(ctx context.Context, addr string) error {
				return checkConcurrent(ctx, addr, o)
			}},
		)
	}
	return append(cases,
		testCase{"heartbeat", checkHeartbeat},
		testCase{"many-connections", checkManyConnections},
	)
}

// checkOneway mixes one-way calls of every outcome with normal calls. What the
// server must not send is checked by raw/oneway-silent.
func checkOneway(ctx context.Context, c *client.Client) error {
	for i := range int64(20) {
		for _, call := range []struct {
			service, method string
			args            any
		}{
			{"Arith", "Mul", &Args{A: 1, B: 2}},
			{"Arith", "Divide", &Args{A: 1}},
			{"Arith", "NoSuchMethod", &Args{}},
			{"NoSuchService", "Mul", &Args{}},
			{"Echo", "Panic", &Empty{}},
		} {
			// A nil reply is what makes the call one-way.
			if err := c.Call(ctx, call.service, call.method, call.args, nil); err != nil {
				return fmt.Errorf("one-way %s.%s: %w", call.service, call.method, err)
			}
		}
		if err := mul(ctx, c, i, 3); err != nil {
			return err
		}
	}
	return stillServes(ctx, c)
}

// observer sees every frame the client receives.
type observer struct {
	mu         sync.Mutex
	last       uint64
	overtakes  int
	heartbeats int
}

func (o *observer) ClientAfterDecode(m *protocol.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.IsHeartbeat() {
		if m.MessageType() == protocol.Response {
			o.heartbeats++
		}
		return nil
	}
	if m.Seq() < o.last {
		o.overtakes++
	}
	o.last = m.Seq()
	return nil
}

// answered is how many heartbeats were.
func (o *observer) answered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heartbeats
}

func connectObserved(addr string, o client.Option) (*client.Client, *observer, error) {
	seen := new(observer)
	c := client.NewClient(o)
	c.Plugins = client.NewPluginContainer()
	c.Plugins.Add(seen)
	if err := connect(c, addr); err != nil {
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	return c, seen, nil
}

// checkConcurrent keeps 64 callers busy on one connection. A server that works
// off a connection one request at a time needs over 30 s for this.
func checkConcurrent(ctx context.Context, addr string, o client.Option) error {
	const callers, calls = 64, 50
	c, seen, err := connectObserved(addr, o)
	if err != nil {
		return err
	}
	defer c.Close()

	results := make(chan error, callers)
	for caller := range int64(callers) {
		go func() {
			random := rand.New(rand.NewSource(caller))
			for call := range int64(calls) {
				args := &SleepArgs{Ms: random.Int63n(21)}
				if err := c.Call(ctx, "Echo", "Sleep", args, &Empty{}); err != nil {
					results <- fmt.Errorf("Echo.Sleep: %w", err)
					return
				}
				// A product of its own for every call shows a mixed-up reply.
				if err := mul(ctx, c, caller*calls+call+1, 1_000_003); err != nil {
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
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if seen.overtakes == 0 {
		return errors.New("no reply overtook another: the server answers in order")
	}
	return nil
}

// checkHeartbeat calls until a dozen heartbeats of the client were answered. A
// client that misses one closes its connection after MaxWaitForHeartbeat.
func checkHeartbeat(ctx context.Context, addr string) error {
	o := option(protocol.MsgPack, protocol.None)
	o.Heartbeat = true
	o.HeartbeatInterval = 50 * time.Millisecond
	o.MaxWaitForHeartbeat = 20 * time.Second
	c, seen, err := connectObserved(addr, o)
	if err != nil {
		return err
	}
	defer c.Close()

	for i := int64(0); seen.answered() < 12; i++ {
		if err := mul(ctx, c, i, 5); err != nil {
			return err
		}
		if err := c.Call(ctx, "Echo", "Sleep", &SleepArgs{Ms: 5}, &Empty{}); err != nil {
			return err
		}
	}
	return stillServes(ctx, c)
}

func checkManyConnections(ctx context.Context, addr string) error {
	const connections = 50
	results := make(chan error, connections)
	for i := range int64(connections) {
		go func() {
			o := option(codecs[i%int64(len(codecs))].id, protocol.None)
			results <- withClient(addr, o, func(c *client.Client) error {
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
