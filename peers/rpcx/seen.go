package main

import (
	"context"
	"flag"
	"net"
	"sync/atomic"

	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
)

// hooks are plugins of a server: what they see is asked for by calls of Seen.
type hooks struct {
	refuse, wrap                   bool
	most                           int64
	connections, closed, heartbeat atomic.Int64
	read, handled, written         atomic.Int64
}

func (h *hooks) flags(flags *flag.FlagSet) {
	flags.BoolVar(&h.refuse, "refuse", false, "close every connection but the first as it comes")
	flags.BoolVar(&h.wrap, "wrap", false, "change arguments and replies of HelloService")
	flags.Int64Var(&h.most, "most", 0, "refuse calls of Arith beyond so many")
}

func (h *hooks) add(s *server.Server) error {
	s.Plugins.Add(h)
	return s.RegisterName("Seen", &Seen{hooks: h}, "")
}

// HandleConnAccept is rpcx's PostConnAcceptPlugin.
func (h *hooks) HandleConnAccept(conn net.Conn) (net.Conn, bool) {
	return conn, h.connections.Add(1) == 1 || !h.refuse
}

// HandleConnClose is rpcx's PostConnClosePlugin.
func (h *hooks) HandleConnClose(net.Conn) bool {
	h.closed.Add(1)
	return true
}

// HeartbeatRequest is rpcx's HeartbeatPlugin.
func (h *hooks) HeartbeatRequest(context.Context, *protocol.Message) error {
	h.heartbeat.Add(1)
	return nil
}

// PostReadRequest is rpcx's PostReadRequestPlugin: this error refuses the call, as
// that of rpcx's own limit of requests does.
func (h *hooks) PostReadRequest(_ context.Context, m *protocol.Message, _ error) error {
	if m != nil && m.ServicePath == "Arith" {
		if n := h.read.Add(1); h.most > 0 && n > h.most {
			return server.ErrReqReachLimit
		}
	}
	return nil
}

// PreCall is rpcx's PreCallPlugin, which may change the argument.
func (h *hooks) PreCall(_ context.Context, service, _ string, args any) (any, error) {
	if name, ok := args.(*string); ok && h.wrap && service == "HelloService" && *name == "jack" {
		other := "rose"
		return &other, nil
	}
	return args, nil
}

// PostCall is rpcx's PostCallPlugin, which may change the reply.
func (h *hooks) PostCall(_ context.Context, service, _ string, _, reply any, err error) (any, error) {
	if service == "Arith" {
		h.handled.Add(1)
	}
	if text, ok := reply.(*string); ok && h.wrap && service == "HelloService" && err == nil {
		louder := *text + "!"
		return &louder, nil
	}
	return reply, err
}

// PostWriteResponse is rpcx's PostWriteResponsePlugin.
func (h *hooks) PostWriteResponse(_ context.Context, m, _ *protocol.Message, _ error) error {
	if m != nil && m.ServicePath == "Arith" {
		h.written.Add(1)
	}
	return nil
}

// Seen tells what the plugins saw.
type Seen struct{ hooks *hooks }

// Counts are what was seen of connections, heartbeats, and calls of Arith.
type Counts struct {
	Connections, Closed, Heartbeats, Read, Handled, Written int64
}

// Counts tells all of it.
func (s *Seen) Counts(_ context.Context, _ *Empty, counts *Counts) error {
	h := s.hooks
	*counts = Counts{
		Connections: h.connections.Load(), Closed: h.closed.Load(), Heartbeats: h.heartbeat.Load(),
		Read: h.read.Load(), Handled: h.handled.Load(), Written: h.written.Load(),
	}
	return nil
}
