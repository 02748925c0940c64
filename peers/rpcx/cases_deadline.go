package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// deadlineCases: only the XClient tells the server its deadline, in milliseconds
// under the metadata key __ServerTimeout.
func deadlineCases() []testCase {
	return []testCase{
		{"timeout/caller-gives-up", checkCallerGivesUp},
		{"deadline/xclient", checkXClient},
		{"deadline/xclient-expires", checkXClientExpires},
		{"deadline/xclient-key-arrives", checkKeyArrives},
		{"deadline/server-stops", checkServerStops},
		{"deadline/junk-is-ignored", checkJunkTimeout},
	}
}

// checkCallerGivesUp lets calls time out in the client only. Their replies
// arrive later, while the connection goes on serving, and belong to nobody.
func checkCallerGivesUp(ctx context.Context, addr string) error {
	return withClient(addr, option(protocol.MsgPack, protocol.None), func(c *client.Client) error {
		begin := time.Now()
		for range 3 {
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			err := c.Call(short, "Echo", "Sleep", &SleepArgs{Ms: 1000}, &Empty{})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("error %v, want a timeout", err)
			}
		}
		for i := int64(0); time.Since(begin) < 1500*time.Millisecond; i++ {
			if err := mul(ctx, c, i, 11); err != nil {
				return err
			}
			time.Sleep(5 * time.Millisecond)
		}
		return stillServes(ctx, c)
	})
}

func withXClient(addr, service string, use func(x client.XClient) error) error {
	discovery, err := client.NewPeer2PeerDiscovery(network()+"@"+addr, "")
	if err != nil {
		return err
	}
	x := client.NewXClient(service, client.Failfast, client.RandomSelect, discovery, option(protocol.MsgPack, protocol.None))
	defer x.Close()
	return use(x)
}

func checkXClient(ctx context.Context, addr string) error {
	return withXClient(addr, "Arith", func(x client.XClient) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		var reply Reply
		if err := x.Call(ctx, "Mul", &Args{A: 7, B: 8}, &reply); err != nil {
			return err
		}
		if reply.C != 56 {
			return fmt.Errorf("7 * 8 = %d", reply.C)
		}
		return nil
	})
}

func checkXClientExpires(ctx context.Context, addr string) error {
	return withXClient(addr, "Echo", func(x client.XClient) error {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		err := x.Call(short, "Sleep", &SleepArgs{Ms: 60_000}, &Empty{})
		if err == nil {
			return errors.New("no error")
		}
		// Either the client or the server notices first; both are right.
		if took := time.Since(begin); took > 20*time.Second {
			return fmt.Errorf("the error %q took %v", err, took)
		}
		if err := x.Call(ctx, "Sleep", &SleepArgs{Ms: 1}, &Empty{}); err != nil {
			return fmt.Errorf("the next call: %w", err)
		}
		return nil
	})
}

func checkKeyArrives(ctx context.Context, addr string) error {
	return withXClient(addr, "Echo", func(x client.XClient) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		ctx, response := withMetadata(ctx, map[string]string{"k": "v"})
		if err := x.Call(ctx, "Meta", &Empty{}, &Empty{}); err != nil {
			return err
		}
		if response["k"] != "v" {
			return fmt.Errorf("metadata came back as %v", response)
		}
		ms, err := strconv.Atoi(response[share.ServerTimeout])
		if err != nil || ms <= 0 || ms > 20000 {
			return fmt.Errorf("%s came back as %q", share.ServerTimeout, response[share.ServerTimeout])
		}
		return nil
	})
}

// checkServerStops sends the key by hand and waits without a deadline of its
// own, so the error can only come from the server. rpcx-go cancels the handler's
// context and leaves the rest to the handler, so the text is not fixed.
func checkServerStops(ctx context.Context, addr string) error {
	return withClient(addr, option(protocol.MsgPack, protocol.None), func(c *client.Client) error {
		limited, _ := withMetadata(ctx, map[string]string{share.ServerTimeout: "50"})
		begin := time.Now()
		err := c.Call(limited, "Echo", "Sleep", &SleepArgs{Ms: 60_000}, &Empty{})
		if err == nil {
			return errors.New("no error")
		}
		if _, ok := err.(client.ServiceError); !ok {
			return fmt.Errorf("not an error reply of the server: %w", err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			return fmt.Errorf("the error took %v", took)
		}
		return stillServes(ctx, c)
	})
}

func checkJunkTimeout(ctx context.Context, addr string) error {
	return withClient(addr, option(protocol.MsgPack, protocol.None), func(c *client.Client) error {
		for _, junk := range []string{"", "soon", "1.5", "99999999999999999999"} {
			limited, _ := withMetadata(ctx, map[string]string{share.ServerTimeout: junk})
			if err := mul(limited, c, 7, 8); err != nil {
				return fmt.Errorf("with %q: %w", junk, err)
			}
		}
		return nil
	})
}
