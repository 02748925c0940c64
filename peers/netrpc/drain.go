package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/rpc"
	"time"
)

// runDrain is a client of a server that is being stopped. It starts slow calls,
// says so, and tells what became of them and of the first call after the end.
func runDrain(args []string) int {
	flags := flag.NewFlagSet("drain", flag.ExitOnError)
	addr := flags.String("addr", "", "HOST:PORT of the server under test")
	codec := flags.String("codec", "gob", "gob or json (net/rpc/jsonrpc)")
	overHTTP := flags.Bool("http", false, "gob over HTTP CONNECT")
	calls := flags.Int("calls", 50, "slow calls at once")
	millis := flags.Int64("ms", 500, "how long each takes")
	_ = flags.Parse(args)
	if err := checkCodec(*codec, *overHTTP); err != nil {
		return wrongUsage(err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := drain(ctx, target{addr: *addr, codec: *codec, http: *overHTTP}, *calls, *millis); err != nil {
		return fail(err)
	}
	return 0
}

func drain(ctx context.Context, t target, calls int, millis int64) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	done := make(chan *rpc.Call, calls)
	for range calls {
		c.Go("Echo.Sleep", &SleepArgs{Ms: millis}, &Empty{}, done)
	}
	// Requests are read in turn, so those before this one have begun.
	if err := mul(ctx, c, 6, 7); err != nil {
		return err
	}
	fmt.Println("called")
	for range calls {
		select {
		case call := <-done:
			if call.Error != nil {
				return fmt.Errorf("a call that had begun: %w", call.Error)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// The server has nothing left to answer: it closes.
	for {
		err := mul(ctx, c, 6, 7)
		switch {
		case errors.Is(err, rpc.ErrShutdown):
			fmt.Printf("answered %d, then: %v\n", calls, err)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		time.Sleep(time.Millisecond)
	}
}
