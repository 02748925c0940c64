package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// rawCases write frames made by rpcx's protocol package straight to a socket, to
// see what the rpcx client hides: header bits, and frames that must not come.
func rawCases() []testCase {
	var cases []testCase
	add := func(name string, run func(*rawConn) error) {
		cases = append(cases, testCase{"raw/" + name, func(ctx context.Context, addr string) error {
			conn, err := link.dial(ctx, addr)
			if err != nil {
				return err
			}
			defer conn.Close()
			if deadline, ok := ctx.Deadline(); ok {
				_ = conn.SetDeadline(deadline)
			}
			raw := &rawConn{Conn: conn, r: bufio.NewReader(conn)}
			if err := raw.enter(); err != nil {
				return err
			}
			return run(raw)
		}})
	}
	add("header", rawHeader)
	add("oneway-silent", rawOnewaySilent)
	add("heartbeat-echo", rawHeartbeat)
	add("compress-threshold", rawCompressThreshold)
	add("gzip-of-nothing", rawGzipOfNothing)
	add("split-frame", rawSplitFrame)
	add("pipelined", rawPipelined)
	add("unknown-codec", rawUnknownCodec)
	for _, codec := range codecs {
		add("bad-argument/"+codec.name, func(c *rawConn) error { return rawBadArgument(c, codec.id) })
	}
	add("bytes-for-a-struct", rawBytesForStruct)
	return cases
}

type rawConn struct {
	net.Conn
	r *bufio.Reader
}

// enter goes through CONNECT, if this run does.
func (c *rawConn) enter() error {
	if tunnel == "" {
		return nil
	}
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.0\n\n", tunnel); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT: %s", response.Status)
	}
	return nil
}

func (c *rawConn) send(m *protocol.Message) error {
	_, err := c.Write(m.Encode())
	return err
}

func (c *rawConn) receive() (*protocol.Message, error) {
	m, err := protocol.Read(c.r)
	if err != nil {
		return nil, fmt.Errorf("no reply: %w", err)
	}
	return m, nil
}

func (c *rawConn) roundTrip(m *protocol.Message) (*protocol.Message, error) {
	if err := c.send(m); err != nil {
		return nil, err
	}
	return c.receive()
}

// wantProduct does an ordinary call to see that the connection still serves.
func (c *rawConn) wantProduct(seq uint64) error {
	reply, err := c.roundTrip(mulFrame(seq))
	if err != nil {
		return err
	}
	return isProduct(reply, seq)
}

func frame(seq uint64, service, method string, codec protocol.SerializeType, payload []byte) *protocol.Message {
	m := protocol.NewMessage()
	m.SetMessageType(protocol.Request)
	m.SetSerializeType(codec)
	m.SetSeq(seq)
	m.ServicePath = service
	m.ServiceMethod = method
	m.Payload = payload
	return m
}

// mulFrame asks for 7 * 8.
func mulFrame(seq uint64) *protocol.Message {
	payload, _ := share.Codecs[protocol.MsgPack].Encode(&Args{A: 7, B: 8})
	return frame(seq, "Arith", "Mul", protocol.MsgPack, payload)
}

func isProduct(m *protocol.Message, seq uint64) error {
	if m.Seq() != seq {
		return fmt.Errorf("reply to %d, want the one to %d", m.Seq(), seq)
	}
	if m.MessageStatusType() != protocol.Normal {
		return fmt.Errorf("error reply %q", m.Metadata[protocol.ServiceError])
	}
	var reply Reply
	if err := share.Codecs[protocol.MsgPack].Decode(m.Payload, &reply); err != nil {
		return err
	}
	if reply.C != 56 {
		return fmt.Errorf("7 * 8 = %d", reply.C)
	}
	return nil
}

// isError also checks that the text is there: the rpcx client takes an error
// reply without metadata for a success.
func isError(m *protocol.Message, seq uint64) error {
	if m.Seq() != seq {
		return fmt.Errorf("reply to %d, want the one to %d", m.Seq(), seq)
	}
	if m.MessageStatusType() != protocol.Error {
		return errors.New("no error reply")
	}
	if m.Metadata[protocol.ServiceError] == "" {
		return fmt.Errorf("error reply without %s", protocol.ServiceError)
	}
	return nil
}

// rawHeader checks what a reply repeats from the request.
func rawHeader(c *rawConn) error {
	for _, seq := range []uint64{0, 1, math.MaxUint32, math.MaxUint64} {
		reply, err := c.roundTrip(mulFrame(seq))
		if err != nil {
			return err
		}
		if err := isProduct(reply, seq); err != nil {
			return err
		}
		if reply.MessageType() != protocol.Response || reply.IsHeartbeat() || reply.IsOneway() {
			return fmt.Errorf("header %x is not that of a plain response", *reply.Header)
		}
		if reply.SerializeType() != protocol.MsgPack || reply.CompressType() != protocol.None {
			return fmt.Errorf("header %x has another codec or compression", *reply.Header)
		}
		if reply.Version() != 0 {
			return fmt.Errorf("version %d", reply.Version())
		}
		if reply.ServicePath != "Arith" || reply.ServiceMethod != "Mul" {
			return fmt.Errorf("reply of %s.%s", reply.ServicePath, reply.ServiceMethod)
		}
	}
	return nil
}

func rawOnewaySilent(c *rawConn) error {
	for i, target := range [][2]string{
		{"Arith", "Mul"}, {"Arith", "Divide"}, {"Arith", "NoSuchMethod"}, {"NoSuchService", "Mul"}, {"Echo", "Panic"},
	} {
		payload, _ := share.Codecs[protocol.MsgPack].Encode(&Args{A: 1})
		m := frame(uint64(i+1), target[0], target[1], protocol.MsgPack, payload)
		m.SetOneway(true)
		if err := c.send(m); err != nil {
			return err
		}
	}
	if err := c.wantProduct(100); err != nil {
		return err
	}
	// A reply to a one-way request may still be under way.
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	m, err := c.receive()
	if err == nil {
		return fmt.Errorf("a reply to %d, which was one-way", m.Seq())
	}
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		return fmt.Errorf("the connection did not stay open: %w", err)
	}
	return nil
}

func rawHeartbeat(c *rawConn) error {
	payload := []byte{0xd3}
	payload = binary.BigEndian.AppendUint64(payload, 0x0102030405060708)
	m := frame(77, "", "", protocol.MsgPack, payload)
	m.SetHeartbeat(true)
	m.Metadata = map[string]string{"beat": "1"}
	reply, err := c.roundTrip(m)
	if err != nil {
		return err
	}
	if !reply.IsHeartbeat() || reply.MessageType() != protocol.Response || reply.Seq() != 77 {
		return fmt.Errorf("header %x is not that of a heartbeat response", *reply.Header)
	}
	if reply.MessageStatusType() != protocol.Normal || reply.SerializeType() != protocol.MsgPack {
		return fmt.Errorf("header %x has another status or codec", *reply.Header)
	}
	if !bytes.Equal(reply.Payload, payload) {
		return fmt.Errorf("payload %x came back as %x", payload, reply.Payload)
	}
	if reply.Metadata["beat"] != "1" {
		return fmt.Errorf("metadata came back as %v", reply.Metadata)
	}
	return c.wantProduct(78)
}

// rawCompressThreshold: a reply is compressed when the request was and the
// encoded reply is above 1024 bytes.
func rawCompressThreshold(c *rawConn) error {
	for i, size := range []int{0, 1, 1024, 1025} {
		want := protocol.None
		if size > 1024 {
			want = protocol.Gzip
		}
		m := frame(uint64(i), "Echo", "Bytes", protocol.SerializeNone, body(size))
		m.SetCompressType(protocol.Gzip)
		reply, err := c.roundTrip(m)
		if err != nil {
			return err
		}
		if reply.CompressType() != want {
			return fmt.Errorf("a reply of %d bytes has compression %d", size, reply.CompressType())
		}
		if !bytes.Equal(reply.Payload, body(size)) {
			return fmt.Errorf("%d bytes came back changed", size)
		}
	}
	return nil
}

// rawGzipOfNothing sends the bytes Go makes of an empty payload: a gzip member
// with nothing in it. An empty protobuf message arrives like this when a client
// compresses everything.
func rawGzipOfNothing(c *rawConn) error {
	m := frame(1, "Arith", "Mul", protocol.ProtoBuffer, nil)
	m.SetCompressType(protocol.Gzip)
	if len(m.Encode()) < 60 {
		return errors.New("the frame has no gzip member in it")
	}
	reply, err := c.roundTrip(m)
	if err != nil {
		return err
	}
	if reply.MessageStatusType() != protocol.Normal || len(reply.Payload) != 0 {
		return fmt.Errorf("status %d, payload %x", reply.MessageStatusType(), reply.Payload)
	}
	return c.wantProduct(2)
}

func rawSplitFrame(c *rawConn) error {
	for _, b := range mulFrame(5).Encode() {
		if _, err := c.Write([]byte{b}); err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // a segment each
	}
	reply, err := c.receive()
	if err != nil {
		return err
	}
	return isProduct(reply, 5)
}

func rawPipelined(c *rawConn) error {
	const frames = 200
	var all []byte
	for seq := range uint64(frames) {
		all = append(all, mulFrame(seq).Encode()...)
	}
	if _, err := c.Write(all); err != nil {
		return err
	}
	seen := make(map[uint64]bool)
	for range frames {
		reply, err := c.receive()
		if err != nil {
			return err
		}
		if err := isProduct(reply, reply.Seq()); err != nil {
			return err
		}
		if reply.Seq() >= frames || seen[reply.Seq()] {
			return fmt.Errorf("unexpected reply to %d", reply.Seq())
		}
		seen[reply.Seq()] = true
	}
	return nil
}

func rawUnknownCodec(c *rawConn) error {
	m := mulFrame(1)
	m.SetSerializeType(9)
	reply, err := c.roundTrip(m)
	if err != nil {
		return err
	}
	if err := isError(reply, 1); err != nil {
		return err
	}
	return c.wantProduct(2)
}

func rawBadArgument(c *rawConn, codec protocol.SerializeType) error {
	// The first bytes of a longer value in each of the three codecs.
	payload := map[protocol.SerializeType][]byte{
		protocol.JSON:        []byte(`{"A":`),
		protocol.MsgPack:     {0x82, 0xa1, 'A', 0xd3, 0},
		protocol.ProtoBuffer: {0x08, 0xff},
	}[codec]
	reply, err := c.roundTrip(frame(1, "Arith", "Mul", codec, payload))
	if err != nil {
		return err
	}
	if err := isError(reply, 1); err != nil {
		return err
	}
	return c.wantProduct(2)
}

// rawBytesForStruct sends a payload without a codec to a method that takes a
// struct.
func rawBytesForStruct(c *rawConn) error {
	reply, err := c.roundTrip(frame(1, "Arith", "Mul", protocol.SerializeNone, []byte("bytes")))
	if err != nil {
		return err
	}
	if err := isError(reply, 1); err != nil {
		return err
	}
	return c.wantProduct(2)
}
