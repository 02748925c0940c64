package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// runRoll calls through a pool of rpcx's own, with its usual retries, until stdin
// closes: servers come and go meanwhile. No call may fail, and none may bring
// another's answer.
func runRoll(args []string) int {
	flags := flag.NewFlagSet("roll", flag.ExitOnError)
	addr := flags.String("addr", "", "HOST:PORT of the servers")
	callers := flags.Int("callers", 16, "callers at once")
	flags.StringVar(&tunnel, "connect", "", "go through CONNECT to this path")
	link.flags(flags)
	_ = flags.Parse(args)
	discovery, err := client.NewPeer2PeerDiscovery(network()+"@"+*addr, "")
	if err != nil {
		return fail(err)
	}
	o := option(protocol.MsgPack, protocol.None)
	pool := client.NewXClientPool(4, "Arith", client.Failover, client.RandomSelect, discovery, o)
	defer pool.Close()
	slow := client.NewXClientPool(2, "Echo", client.Failover, client.RandomSelect, discovery, o)
	defer slow.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()

	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	var calls, failed atomic.Int64
	var once sync.Once
	var first error
	var group sync.WaitGroup
	call := func(n int64) error {
		if n%8 == 0 {
			return slow.Get().Call(ctx, "Sleep", &SleepArgs{Ms: n % 40}, &Empty{})
		}
		var reply Reply
		if err := pool.Get().Call(ctx, "Mul", &Args{A: n, B: 3}, &reply); err != nil {
			return err
		}
		if reply.C != 3*n {
			return fmt.Errorf("%d * 3 = %d", n, reply.C)
		}
		return nil
	}
	for caller := range *callers {
		group.Go(func() {
			for n := int64(caller); !stop.Load() && ctx.Err() == nil; n += int64(*callers) {
				if err := call(n); err != nil {
					failed.Add(1)
					once.Do(func() { first = err })
				}
				if calls.Add(1) == 100 {
					fmt.Println("calling")
				}
			}
		})
	}
	group.Wait()
	fmt.Printf("%d calls, %d failed\n", calls.Load(), failed.Load())
	if failed.Load() > 0 {
		return fail(first)
	}
	return 0
}
