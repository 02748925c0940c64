package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// manyCases are about an XClient: its plugins, and several servers (-addr A,B,C).
func manyCases() []testCase {
	cases := []testCase{
		{"plugins", checkPlugins},
		{"oneclient", checkOneClient},
		{"oneshot", checkOneshot},
		{"wrapcall", checkWrapCall},
		{"limited", checkLimited},
		{"many/broadcast", checkBroadcast},
		{"many/fork", checkFork},
		{"many/inform", checkInform},
		{"many/sticky", checkSticky},
		{"many/weighted", checkWeighted},
		{"many/state", checkOnlyFirst("", "state=inactive")},
		{"many/group", checkOnlyFirst("group=test", "group=other")},
		{"many/breaker", checkBreaker},
	}
	for _, s := range []struct {
		name string
		mode client.SelectMode
	}{{"random", client.RandomSelect}, {"roundrobin", client.RoundRobin}, {"hash", client.ConsistentHash}} {
		cases = append(cases, testCase{"many/select/" + s.name, func(ctx context.Context, addr string) error {
			return withMany(addr, nil, client.Failtry, s.mode, nil, func(x client.XClient) error { return products(ctx, x, 50) })
		}})
	}
	// Beside the servers there is an address where nobody listens.
	for _, f := range []struct {
		name string
		mode client.FailMode
	}{{"failover", client.Failover}, {"failtry", client.Failtry}, {"failbackup", client.Failbackup}} {
		cases = append(cases, testCase{"many/fail/" + f.name, func(ctx context.Context, addr string) error {
			if f.mode == client.Failover {
				gone, err := free()
				if err != nil {
					return err
				}
				addr += "," + gone
			}
			return withMany(addr, nil, f.mode, client.RoundRobin, nil, func(x client.XClient) error { return products(ctx, x, 50) })
		}})
	}
	return cases
}

// withMany runs use with an XClient of several servers; each may have words of a
// registry's.
func withMany(addrs string, words []string, fail client.FailMode, mode client.SelectMode, change func(*client.Option), use func(client.XClient) error) error {
	var pairs []*client.KVPair
	for i, addr := range strings.Split(addrs, ",") {
		pair := &client.KVPair{Key: network() + "@" + addr}
		if i < len(words) {
			pair.Value = words[i]
		}
		pairs = append(pairs, pair)
	}
	discovery, err := client.NewMultipleServersDiscovery(pairs)
	if err != nil {
		return err
	}
	o := option(protocol.MsgPack, protocol.None)
	if change != nil {
		change(&o)
	}
	x := client.NewXClient("Arith", fail, mode, discovery, o)
	defer x.Close()
	return use(x)
}

func products(ctx context.Context, x client.XClient, count int64) error {
	for i := range count {
		var reply Reply
		if err := x.Call(ctx, "Mul", &Args{A: i, B: 3}, &reply); err != nil {
			return err
		}
		if reply.C != 3*i {
			return fmt.Errorf("%d * 3 = %d", i, reply.C)
		}
	}
	return nil
}

func checkBroadcast(ctx context.Context, addr string) error {
	return withMany(addr, nil, client.Failover, client.RoundRobin, nil, func(x client.XClient) error {
		for i := range int64(20) {
			var reply Reply
			if err := x.Broadcast(ctx, "Mul", &Args{A: i, B: 3}, &reply); err != nil || reply.C != 3*i {
				return fmt.Errorf("%v: %v", reply, err)
			}
		}
		// All must have succeeded.
		return wantIn(x.Broadcast(ctx, "Divide", &Args{A: 1}, &Quotient{}), "divide by zero")
	})
}

func checkFork(ctx context.Context, addr string) error {
	return withMany(addr, nil, client.Failover, client.RoundRobin, nil, func(x client.XClient) error {
		for i := range int64(20) {
			var reply Reply
			if err := x.Fork(ctx, "Mul", &Args{A: i, B: 3}, &reply); err != nil || reply.C != 3*i {
				return fmt.Errorf("%v: %v", reply, err)
			}
		}
		return wantIn(x.Fork(ctx, "Divide", &Args{A: 1}, &Quotient{}), "divide by zero")
	})
}

func wantIn(err error, text string) error {
	if err == nil || !strings.Contains(err.Error(), text) {
		return fmt.Errorf("%v, want %q", err, text)
	}
	return nil
}

// fine: the error of a receipt is there in any case, and then says nothing.
func fine(err error) bool {
	return err == nil || err.Error() == "[]"
}

// checkInform wants a receipt of every server. What Inform says beside them is
// never nil.
func checkInform(ctx context.Context, addr string) error {
	return withMany(addr, nil, client.Failover, client.RoundRobin, nil, func(x client.XClient) error {
		receipts, _ := x.Inform(ctx, "Mul", &Args{A: 6, B: 7}, &Reply{})
		from := map[string]bool{}
		for _, receipt := range receipts {
			reply, ok := receipt.Reply.(*Reply)
			if !fine(receipt.Error) || !ok || reply.C != 42 {
				return fmt.Errorf("%v", receipt)
			}
			from[receipt.Address] = true
		}
		if want := len(strings.Split(addr, ",")); len(from) != want {
			return fmt.Errorf("%d receipts, not %d", len(from), want)
		}
		return nil
	})
}

// counted counts the connections of an XClient.
type counted struct{ made, closed, before, after, encoded, decoded atomic.Int64 }

func (c *counted) ConnCreated(conn net.Conn) (net.Conn, error) {
	c.made.Add(1)
	return conn, nil
}

func (c *counted) ClientConnectionClose(net.Conn) error {
	c.closed.Add(1)
	return nil
}

func (c *counted) PreCall(_ context.Context, service, _ string, _ any) error {
	if c.before.Add(1) > 20 {
		return errors.New("the plugin says no")
	}
	return nil
}

func (c *counted) PostCall(context.Context, string, string, any, any, error) error {
	c.after.Add(1)
	return nil
}

func (c *counted) ClientBeforeEncode(m *protocol.Message) error {
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	m.Metadata["from"] = "a plugin"
	c.encoded.Add(1)
	return nil
}

func (c *counted) ClientAfterDecode(*protocol.Message) error {
	c.decoded.Add(1)
	return nil
}

func checkPlugins(ctx context.Context, addr string) error {
	seen := new(counted)
	plugins := client.NewPluginContainer()
	plugins.Add(seen)
	err := withXClient(addr, "Arith", func(x client.XClient) error {
		x.SetPlugins(plugins)
		if err := products(ctx, x, 20); err != nil {
			return err
		}
		return wantIn(x.Call(ctx, "Mul", &Args{}, &Reply{}), "the plugin says no")
	})
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"made", seen.made.Load(), 1}, {"before", seen.before.Load(), 21},
		{"encoded", seen.encoded.Load(), 20}, {"decoded", seen.decoded.Load(), 20},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s: %d, not %d", c.name, c.got, c.want)
		}
	}
	return nil
}

// checkSticky: all calls go where the first went, over one connection.
func checkSticky(ctx context.Context, addr string) error {
	seen := new(counted)
	sticky := func(o *client.Option) { o.Sticky = true }
	return withMany(addr, nil, client.Failtry, client.RandomSelect, sticky, func(x client.XClient) error {
		plugins := client.NewPluginContainer()
		plugins.Add(seen)
		x.SetPlugins(plugins)
		if err := products(ctx, x, 20); err != nil {
			return err
		}
		if made := seen.made.Load(); made != 1 {
			return fmt.Errorf("%d connections", made)
		}
		return nil
	})
}

func checkWeighted(ctx context.Context, addr string) error {
	words := []string{"weight=7", "weight=3", "weight=1"}
	return withMany(addr, words, client.Failtry, client.WeightedRoundRobin, nil, func(x client.XClient) error {
		return products(ctx, x, 50)
	})
}

// checkOnlyFirst: the second and later servers are not called, by the words of
// the registry.
func checkOnlyFirst(first, others string) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		group := func(o *client.Option) {
			if first != "" {
				o.Group = "test"
			}
		}
		return withMany(addr, []string{first, others, others}, client.Failover, client.RoundRobin, group, func(x client.XClient) error {
			receipts, _ := x.Inform(ctx, "Mul", &Args{A: 6, B: 7}, &Reply{})
			if len(receipts) != 1 || !fine(receipts[0].Error) {
				return fmt.Errorf("%v", receipts)
			}
			return products(ctx, x, 20)
		})
	}
}

// checkBreaker: the breaker is closed while all goes well.
func checkBreaker(ctx context.Context, addr string) error {
	breaker := func(o *client.Option) {
		o.GenBreaker = func() client.Breaker { return client.NewConsecCircuitBreaker(5, o.ConnectTimeout) }
	}
	return withMany(addr, nil, client.Failfast, client.RoundRobin, breaker, func(x client.XClient) error {
		for range 20 {
			if err := wantIn(x.Call(ctx, "Divide", &Args{A: 1}, &Quotient{}), "divide by zero"); err != nil {
				return err
			}
		}
		return products(ctx, x, 20)
	})
}

func checkOneClient(ctx context.Context, addr string) error {
	discovery, err := client.NewPeer2PeerDiscovery(network()+"@"+addr, "")
	if err != nil {
		return err
	}
	one := client.NewOneClient(client.Failtry, client.RandomSelect, discovery, option(protocol.JSON, protocol.None))
	defer one.Close()
	hello, reply, product := "Gö", "", Reply{}
	if err := one.Call(ctx, "Arith", "Mul", &Args{A: 6, B: 7}, &product); err != nil || product.C != 42 {
		return fmt.Errorf("%v: %v", product, err)
	}
	if err := one.Call(ctx, "HelloService", "SayHello", &hello, &reply); err != nil || reply != "Hello World:Gö" {
		return fmt.Errorf("%q: %v", reply, err)
	}
	return nil
}

func checkOneshot(ctx context.Context, addr string) error {
	return withXClient(addr, "Arith", func(x client.XClient) error {
		for range 20 {
			if err := x.Oneshot(ctx, "Mul", &Args{A: 6, B: 7}); err != nil {
				return err
			}
		}
		return products(ctx, x, 5)
	})
}

// checkWrapCall: the server changes argument and reply.
func checkWrapCall(ctx context.Context, addr string) error {
	return withXClient(addr, "HelloService", func(x client.XClient) error {
		for name, want := range map[string]string{"jack": "Hello World:rose!", "jill": "Hello World:jill!"} {
			var reply string
			if err := x.Call(ctx, "SayHello", &name, &reply); err != nil || reply != want {
				return fmt.Errorf("%q: %v", reply, err)
			}
		}
		return nil
	})
}

// checkLimited: the server lets five calls in, and refuses what comes then.
func checkLimited(ctx context.Context, addr string) error {
	return withXClient(addr, "Arith", func(x client.XClient) error {
		if err := products(ctx, x, 5); err != nil {
			return err
		}
		for range 5 {
			err := x.Call(ctx, "Mul", &Args{}, &Reply{})
			if _, ok := err.(client.ServiceError); !ok {
				return fmt.Errorf("not an error reply of the server: %v", err)
			}
		}
		return nil
	})
}
