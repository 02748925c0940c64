package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"

	"farcall.test/rpcxpeer/gg"
)

// benchResult is the one line a load run prints.
type benchResult struct {
	Calls       int      `json:"calls"`
	Seconds     float64  `json:"seconds"`
	P50us       float64  `json:"p50_us"`
	P99us       float64  `json:"p99_us"`
	ClientCPUus float64  `json:"client_cpu_us_per_call"`
	ServerCPUus *float64 `json:"server_cpu_us_per_call"` // null without -pid
}

func runBenchClient(args []string) int {
	flags := flag.NewFlagSet("bench-client", flag.ExitOnError)
	addr := flags.String("addr", "", "HOST:PORT of the server")
	conns := flags.Int("conns", 1, "connections")
	callers := flags.Int("callers", 64, "callers, spread over the connections in turn")
	calls := flags.Int("calls", 100000, "measured calls in total")
	payload := flags.String("payload", "581", "tiny (Arith.Mul), 581 (Echo.Echo), raw581, 64k or 1m (Echo.Bytes)")
	codecName := flags.String("codec", "pb", "pb or msgpack")
	pid := flags.Int("pid", 0, "process whose CPU time is reported as the server's")
	link.flags(flags)
	_ = flags.Parse(args)

	config, err := link.config(false)
	if err != nil {
		return fail(err)
	}
	option := client.DefaultOption
	option.TLSConfig = config
	switch *codecName {
	case "pb":
		option.SerializeType = protocol.ProtoBuffer
	case "msgpack":
		option.SerializeType = protocol.MsgPack
	default:
		return fail(fmt.Errorf("unknown codec %q", *codecName))
	}
	var newCall func(c *client.Client) func() error
	switch *payload {
	case "tiny":
		newCall = tinyCall
	case "581":
		newCall = bigCall
	case "raw581":
		option.SerializeType = protocol.SerializeNone
		newCall = rawCall(581)
	case "64k":
		option.SerializeType = protocol.SerializeNone
		newCall = rawCall(64 * 1024)
	case "1m":
		option.SerializeType = protocol.SerializeNone
		newCall = rawCall(1024 * 1024)
	default:
		return fail(fmt.Errorf("unknown payload %q", *payload))
	}
	if *addr == "" || *conns < 1 || *callers < 1 || *calls < *callers {
		return fail(fmt.Errorf("need -addr, and -conns >= 1, -callers >= 1, -calls >= -callers"))
	}

	clients := make([]*client.Client, *conns)
	for i := range clients {
		clients[i] = client.NewClient(option)
		if err := clients[i].Connect("tcp", *addr); err != nil {
			return fail(err)
		}
		defer clients[i].Close()
	}
	workers := make([]func() error, *callers)
	for i := range workers {
		workers[i] = newCall(clients[i%*conns])
	}

	result, err := closedLoop(workers, *calls / *callers, *pid)
	if err != nil {
		return fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return fail(err)
	}
	return 0
}

func tinyCall(c *client.Client) func() error {
	return func() error {
		var reply Reply
		if err := c.Call(context.Background(), "Arith", "Mul", &Args{A: 7, B: 8}, &reply); err != nil {
			return err
		}
		if reply.C != 56 {
			return fmt.Errorf("7 * 8 = %d", reply.C)
		}
		return nil
	}
}

func bigCall(c *client.Client) func() error {
	message := benchMessage()
	return func() error {
		var reply gg.BenchmarkMessage
		if err := c.Call(context.Background(), "Echo", "Echo", message, &reply); err != nil {
			return err
		}
		// The first and the last field tell a real reply from an empty one;
		// comparing all of it would measure the comparison.
		if reply.Field1 != message.Field1 || reply.Field280 != message.Field280 {
			return fmt.Errorf("the message came back changed")
		}
		return nil
	}
}

// rawCall sends so many bytes as they are.
func rawCall(length int) func(c *client.Client) func() error {
	bytes := slices.Repeat([]byte{7}, length)
	return func(c *client.Client) func() error {
		return func() error {
			var reply []byte
			if err := c.Call(context.Background(), "Echo", "Bytes", bytes, &reply); err != nil {
				return err
			}
			if len(reply) != length || reply[length-1] != 7 {
				return fmt.Errorf("the bytes came back changed")
			}
			return nil
		}
	}
}

// closedLoop lets every worker do its calls one after the other, after a warm-up
// of a tenth of them, and measures from the moment all workers are warm.
func closedLoop(workers []func() error, perWorker, pid int) (*benchResult, error) {
	var (
		warm, done sync.WaitGroup
		start      = make(chan struct{})
		failed     atomic.Pointer[error]
		latencies  = make([][]time.Duration, len(workers))
	)
	for i, call := range workers {
		latencies[i] = make([]time.Duration, 0, perWorker)
		warm.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			for range max(perWorker/10, 1) {
				if err := call(); err != nil {
					failed.Store(&err)
					break
				}
			}
			warm.Done()
			<-start
			before := time.Now()
			for range perWorker {
				if failed.Load() != nil {
					return
				}
				if err := call(); err != nil {
					failed.Store(&err)
					return
				}
				now := time.Now()
				latencies[i] = append(latencies[i], now.Sub(before))
				before = now
			}
		}()
	}

	warm.Wait()
	serverBefore, serverErr := serverCPU(pid)
	clientBefore := ownCPU()
	begin := time.Now()
	close(start)
	done.Wait()
	elapsed := time.Since(begin)
	clientAfter := ownCPU()
	serverAfter, err := serverCPU(pid)
	if serverErr == nil {
		serverErr = err
	}
	if failure := failed.Load(); failure != nil {
		return nil, *failure
	}

	all := slices.Concat(latencies...)
	slices.Sort(all)
	result := &benchResult{
		Calls:       len(all),
		Seconds:     round(elapsed.Seconds(), 6),
		P50us:       micros(all[(len(all)-1)*50/100]),
		P99us:       micros(all[(len(all)-1)*99/100]),
		ClientCPUus: perCall(clientAfter-clientBefore, len(all)),
	}
	if pid != 0 {
		if serverErr != nil {
			return nil, serverErr
		}
		cpu := perCall(serverAfter-serverBefore, len(all))
		result.ServerCPUus = &cpu
	}
	return result, nil
}

func micros(d time.Duration) float64 { return round(float64(d)/1e3, 3) }

func perCall(d time.Duration, calls int) float64 {
	return round(float64(d)/1e3/float64(calls), 3)
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
