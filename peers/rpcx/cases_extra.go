package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// extraCases need a server with more than the three services: they are not
// among all, but asked for by name. "codec" wants the masked codec under its
// number, "handler" a handler Raw.Back, "alias" Calc.Times for Arith.Mul,
// "auth" the token "letmein".
func extraCases() []testCase {
	with := func(o client.Option, check func(ctx context.Context, c *client.Client) error) func(context.Context, string) error {
		return func(ctx context.Context, addr string) error {
			return withClient(addr, o, func(c *client.Client) error { return check(ctx, c) })
		}
	}
	own, plain := option(masked, protocol.None), option(protocol.MsgPack, protocol.None)
	cases := []testCase{
		{"codec/mul", with(own, checkOwnCodec)},
		{"codec/gzip", with(option(masked, protocol.Gzip), checkOwnCodecLong)},
		{"codec/error", with(own, checkOwnCodecError)},
		{"sendraw/call", with(plain, checkSendRaw)},
		{"sendraw/oneway", with(plain, checkSendRawOneway)},
		{"sendraw/error", with(plain, checkSendRawError)},
		{"alias", with(plain, checkAlias)},
		{"auth/right", func(ctx context.Context, addr string) error { return checkAuth(ctx, addr, "letmein") }},
		{"auth/wrong", func(ctx context.Context, addr string) error { return checkAuth(ctx, addr, "guess") }},
		{"auth/none", func(ctx context.Context, addr string) error { return checkAuth(ctx, addr, "") }},
		{"auth/refused", with(plain, checkAuthRefused)},
		{"auth/heartbeat", checkAuthHeartbeat},
	}
	for _, codec := range codecs {
		o := option(codec.id, protocol.None)
		cases = append(cases, testCase{"handler/" + codec.name, with(o, checkHandler)})
	}
	cases = append(cases, testCase{"handler/own", with(own, checkHandler)})
	return append(append(cases, sideCases()...), manyCases()...)
}

func checkOwnCodec(ctx context.Context, c *client.Client) error {
	for i := range int64(20) {
		if err := mul(ctx, c, i-10, 1_000_000_007); err != nil {
			return err
		}
	}
	hello := "<Gö>"
	if err := c.Call(ctx, "HelloService", "SayHello", &hello, &hello); err != nil {
		return err
	}
	if hello != "Hello World:<Gö>" {
		return fmt.Errorf("%q", hello)
	}
	var quotient Quotient
	if err := c.Call(ctx, "Arith", "Divide", &Args{A: 17, B: 5}, &quotient); err != nil {
		return err
	}
	if (quotient != Quotient{Quo: 3, Rem: 2}) {
		return fmt.Errorf("17 / 5 = %v", quotient)
	}
	return stillServes(ctx, c)
}

func checkOwnCodecLong(ctx context.Context, c *client.Client) error {
	long := strings.Repeat("long ", 5000)
	var answer string
	if err := c.Call(ctx, "HelloService", "SayHello", &long, &answer); err != nil {
		return err
	}
	if answer != "Hello World:"+long {
		return fmt.Errorf("%d bytes came back", len(answer))
	}
	return stillServes(ctx, c)
}

func checkOwnCodecError(ctx context.Context, c *client.Client) error {
	err := c.Call(ctx, "Arith", "Divide", &Args{A: 1}, &Quotient{})
	if err := wantError(err, "divide by zero"); err != nil {
		return err
	}
	// An argument of another type: whose words these are is the server's choice.
	text := "no numbers"
	if err := c.Call(ctx, "Arith", "Mul", &text, &Reply{}); err == nil {
		return errors.New("a text was taken for two numbers")
	} else if _, ok := err.(client.ServiceError); !ok {
		return err
	}
	return stillServes(ctx, c)
}

// rawMul is a frame made by hand.
func rawMul(seq uint64) *protocol.Message {
	m := protocol.NewMessage()
	m.SetMessageType(protocol.Request)
	m.SetSeq(seq)
	m.SetSerializeType(protocol.JSON)
	m.ServicePath, m.ServiceMethod = "Arith", "Mul"
	m.Payload = []byte(`{"A":6,"B":7}`)
	return m
}

func checkSendRaw(ctx context.Context, c *client.Client) error {
	for seq := range uint64(10) {
		_, payload, err := c.SendRaw(ctx, rawMul(1<<40+seq))
		if err != nil {
			return err
		}
		var reply Reply
		if err := json.Unmarshal(payload, &reply); err != nil || reply.C != 42 {
			return fmt.Errorf("%q: %v", payload, err)
		}
	}
	m := rawMul(1 << 50)
	m.ServicePath, m.ServiceMethod, m.Payload = "Echo", "Meta", []byte("{}")
	m.Metadata = map[string]string{"k": "v"}
	meta, _, err := c.SendRaw(ctx, m)
	if err != nil {
		return err
	}
	if meta["k"] != "v" {
		return fmt.Errorf("metadata %v", meta)
	}
	return stillServes(ctx, c)
}

func checkSendRawOneway(ctx context.Context, c *client.Client) error {
	m := rawMul(1 << 41)
	m.SetOneway(true)
	if _, payload, err := c.SendRaw(ctx, m); err != nil || len(payload) != 0 {
		return fmt.Errorf("%q: %v", payload, err)
	}
	return stillServes(ctx, c)
}

func checkSendRawError(ctx context.Context, c *client.Client) error {
	m := rawMul(1 << 42)
	m.ServiceMethod, m.Payload = "Divide", []byte(`{"A":6,"B":0}`)
	_, _, err := c.SendRaw(ctx, m)
	if err := wantError(err, "divide by zero"); err != nil {
		return err
	}
	return stillServes(ctx, c)
}

func checkAlias(ctx context.Context, c *client.Client) error {
	var reply Reply
	if err := c.Call(ctx, "Calc", "Times", &Args{A: 6, B: 7}, &reply); err != nil || reply.C != 42 {
		return fmt.Errorf("%v: %v", reply, err)
	}
	err := c.Call(ctx, "Calc", "Other", &Args{}, &reply)
	// rpcx-go does not know the alias's own service, farcall does.
	if err == nil || !strings.HasPrefix(err.Error(), "rpcx: can't find ") {
		return fmt.Errorf("an unknown method: %v", err)
	}
	return stillServes(ctx, c)
}

// checkHandler wants the second number and the length of the payload back.
func checkHandler(ctx context.Context, c *client.Client) error {
	var reply Args
	if err := c.Call(ctx, "Raw", "Back", &Args{A: 1, B: 77}, &reply); err != nil {
		return err
	}
	if reply.A != 77 || reply.B < 4 {
		return fmt.Errorf("%v came back", reply)
	}
	failing, _ := withMetadata(ctx, map[string]string{"fail": "as asked"})
	err := c.Call(failing, "Raw", "Back", &Args{}, &reply)
	if err := wantError(err, "as asked"); err != nil {
		return err
	}
	// One way.
	if err := c.Call(ctx, "Raw", "Back", &Args{}, nil); err != nil {
		return err
	}
	return stillServes(ctx, c)
}

func checkAuth(ctx context.Context, addr, token string) error {
	return withXClient(addr, "Arith", func(x client.XClient) error {
		if token != "" {
			x.Auth(token)
		}
		for i := range int64(5) {
			var reply Reply
			err := x.Call(ctx, "Mul", &Args{A: i, B: 3}, &reply)
			if token == "letmein" {
				if err != nil || reply.C != 3*i {
					return fmt.Errorf("%v: %v", reply, err)
				}
				continue
			}
			if err == nil {
				return errors.New("a stranger was served")
			}
		}
		return nil
	})
}

// checkAuthRefused: a refusal is answered. rpcx-go then closes the connection;
// a server that does not has to serve who brings the token.
func checkAuthRefused(ctx context.Context, c *client.Client) error {
	err := c.Call(ctx, "Arith", "Mul", &Args{A: 1, B: 2}, &Reply{})
	if _, ok := err.(client.ServiceError); !ok {
		return fmt.Errorf("not an error reply of the server: %w", err)
	}
	known, _ := withMetadata(ctx, map[string]string{"__AUTH": "letmein"})
	err = c.Call(known, "Arith", "Mul", &Args{A: 1, B: 2}, &Reply{})
	if _, refused := err.(client.ServiceError); refused {
		return fmt.Errorf("with the token: %w", err)
	}
	return nil
}

// checkAuthHeartbeat: heartbeats bring no token, and are answered.
func checkAuthHeartbeat(ctx context.Context, addr string) error {
	o := option(protocol.MsgPack, protocol.None)
	c, seen, err := connectObserved(addr, o)
	if err != nil {
		return err
	}
	defer c.Close()
	m := protocol.NewMessage()
	m.SetMessageType(protocol.Request)
	m.SetHeartbeat(true)
	m.SetSeq(7)
	m.SetSerializeType(protocol.MsgPack)
	m.Payload = bytes.Clone([]byte{0xd3, 0, 0, 0, 0, 0, 0, 0, 1})
	if _, _, err := c.SendRaw(ctx, m); err != nil {
		return err
	}
	if seen.answered() != 1 {
		return fmt.Errorf("%d heartbeats answered", seen.answered())
	}
	return nil
}
