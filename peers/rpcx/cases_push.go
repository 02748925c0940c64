package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// pushCases are about what a server sends without being asked.
func pushCases() []testCase {
	var cases []testCase
	for _, codec := range codecs {
		o := option(codec.id, protocol.None)
		// Nothing is dropped: the channel is short, and the reader waits for it.
		o.BidirectionalBlock = true
		cases = append(cases, testCase{"push/" + codec.name, func(ctx context.Context, addr string) error {
			return withClient(addr, o, func(c *client.Client) error { return checkPush(ctx, c) })
		}})
	}
	return cases
}

// checkPush asks for messages and looks at every part of them.
func checkPush(ctx context.Context, c *client.Client) error {
	const count = 200
	messages := make(chan *protocol.Message, 16)
	c.RegisterServerMessageChan(messages)
	called := make(chan error, 1)
	go func() { called <- c.Call(ctx, "Echo", "Push", &PushArgs{N: count}, &Empty{}) }()
	var last uint64
	for i := range count {
		select {
		case m := <-messages:
			if err := checkMessage(m, i); err != nil {
				return err
			}
			if m.Seq() <= last {
				return fmt.Errorf("number %d after %d", m.Seq(), last)
			}
			last = m.Seq()
		case <-ctx.Done():
			return fmt.Errorf("%d of %d messages came", i, count)
		}
	}
	if err := <-called; err != nil {
		return fmt.Errorf("Echo.Push: %w", err)
	}
	return stillServes(ctx, c)
}

func checkMessage(m *protocol.Message, i int) error {
	if m.ServicePath != "Echo" || m.ServiceMethod != "Pushed" {
		return fmt.Errorf("a message of %s.%s", m.ServicePath, m.ServiceMethod)
	}
	if m.MessageType() != protocol.Request || m.IsHeartbeat() || !m.IsOneway() {
		return fmt.Errorf("the flags are %08b", m.Header[2])
	}
	if m.SerializeType() != protocol.SerializeNone || m.CompressType() != protocol.None {
		return fmt.Errorf("serialize type %d, compression %d", m.SerializeType(), m.CompressType())
	}
	if number := m.Metadata["number"]; number != strconv.Itoa(i) || len(m.Metadata) != 1 {
		return fmt.Errorf("metadata %v, want number %d", m.Metadata, i)
	}
	if text := fmt.Sprintf("message %d", i); string(m.Payload) != text {
		return fmt.Errorf("%q, want %q", m.Payload, text)
	}
	return nil
}
