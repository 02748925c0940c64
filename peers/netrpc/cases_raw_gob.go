package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/rpc"
	"time"
)

// rawGobCases write headers and bodies made by encoding/gob straight to a socket,
// to see what the client of net/rpc hides.
func rawGobCases() []testCase {
	var cases []testCase
	add := func(name string, run func(*rawGob) error) {
		cases = append(cases, testCase{"raw/gob/" + name, func(ctx context.Context, t target) error {
			return withRawGob(ctx, t, run)
		}})
	}
	add("header", rawGobHeader)
	add("error-body", rawGobErrorBody)
	add("unit-body", rawGobUnitBody)
	add("pipelined", rawGobPipelined)
	add("split", rawGobSplit)
	add("definitions-first", rawGobDefinitionsFirst)
	add("half-close", rawGobHalfClose)
	for _, junk := range []struct {
		name  string
		bytes string
	}{
		{"huge-length", "f8ffffffffffffffff"},
		{"undefined-type", "027e00"},
		{"truncated", "13ff8201"},
		// Type 5000 is a struct without fields; the same definition again.
		{"defined-twice", "0cfe270f030102fe2710000000" + "0cfe270f030102fe2710000000"},
	} {
		cases = append(cases, testCase{"raw/gob/junk/" + junk.name, func(ctx context.Context, t target) error {
			return rawGobJunk(ctx, t, junk.bytes)
		}})
	}
	cases = append(cases, testCase{"raw/gob/junk/body-as-header", rawGobBodyAsHeader})
	return cases
}

// rawGob is one connection without net/rpc's client.
type rawGob struct {
	conn stream
	out  bytes.Buffer
	enc  *gob.Encoder
	dec  *gob.Decoder
}

func withRawGob(ctx context.Context, t target, use func(*rawGob) error) error {
	conn, err := t.dialRaw(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return use(newRawGob(conn))
}

func newRawGob(conn stream) *rawGob {
	c := &rawGob{conn: conn, dec: gob.NewDecoder(bufio.NewReader(conn))}
	c.enc = gob.NewEncoder(&c.out)
	return c
}

// add puts a request behind those that wait in out.
func (c *rawGob) add(method string, seq uint64, body any) error {
	if err := c.enc.Encode(&rpc.Request{ServiceMethod: method, Seq: seq}); err != nil {
		return err
	}
	return c.enc.Encode(body)
}

func (c *rawGob) flush() error {
	_, err := c.out.WriteTo(c.conn)
	return err
}

func (c *rawGob) send(method string, seq uint64, body any) error {
	if err := c.add(method, seq, body); err != nil {
		return err
	}
	return c.flush()
}

// receive reads a response header, and its body into reply.
func (c *rawGob) receive(reply any) (*rpc.Response, error) {
	var header rpc.Response
	if err := c.dec.Decode(&header); err != nil {
		return nil, fmt.Errorf("no reply: %w", err)
	}
	if header.Error != "" {
		reply = nil
	}
	if err := c.dec.Decode(reply); err != nil {
		return nil, fmt.Errorf("the body of %+v: %w", header, err)
	}
	return &header, nil
}

// wantProduct reads the reply to Args{7, 8}.
func (c *rawGob) wantProduct(seq uint64) error {
	var reply Reply
	header, err := c.receive(&reply)
	if err != nil {
		return err
	}
	return isProduct(header, reply, seq)
}

func isProduct(header *rpc.Response, reply Reply, seq uint64) error {
	if header.Seq != seq || header.ServiceMethod != "Arith.Mul" {
		return fmt.Errorf("reply to %d, %q, want the one to %d, Arith.Mul", header.Seq, header.ServiceMethod, seq)
	}
	if header.Error != "" {
		return fmt.Errorf("error reply %q", header.Error)
	}
	if reply.C != 56 {
		return fmt.Errorf("7 * 8 = %d", reply.C)
	}
	return nil
}

// mul does an ordinary call to see that the connection still serves.
func (c *rawGob) mul(seq uint64) error {
	if err := c.send("Arith.Mul", seq, Args{7, 8}); err != nil {
		return err
	}
	return c.wantProduct(seq)
}

// rawGobHeader checks what a reply repeats from the request. A number may be used
// again, and need not count up.
func rawGobHeader(c *rawGob) error {
	for _, seq := range []uint64{0, 1, math.MaxUint32, math.MaxUint64, 5, 5, 0} {
		if err := c.mul(seq); err != nil {
			return err
		}
	}
	for _, method := range []string{"Arith.NoSuchMethod", "NoSuchService.Mul", "Arith", "", "Arith.Divide"} {
		if err := c.send(method, 9, Args{A: 1}); err != nil {
			return err
		}
		header, err := c.receive(nil)
		if err != nil {
			return err
		}
		if header.Seq != 9 || header.ServiceMethod != method || header.Error == "" {
			return fmt.Errorf("the answer to %q is %+v", method, *header)
		}
	}
	return c.mul(10)
}

// rawGobErrorBody: an error reply has a body too, which is an empty struct.
func rawGobErrorBody(c *rawGob) error {
	for range 2 {
		if err := c.send("Arith.Divide", 1, Args{A: 1}); err != nil {
			return err
		}
		var header rpc.Response
		if err := c.dec.Decode(&header); err != nil {
			return fmt.Errorf("no reply: %w", err)
		}
		if header.Error != "divide by zero" {
			return fmt.Errorf("header %+v", header)
		}
		if err := c.dec.Decode(&struct{}{}); err != nil {
			return fmt.Errorf("the body is no struct: %w", err)
		}
		if err := c.mul(2); err != nil {
			return err
		}
	}
	return nil
}

// rawGobUnitBody: a reply without content is an empty struct.
func rawGobUnitBody(c *rawGob) error {
	for range 2 {
		if err := c.send("Echo.Sleep", 1, SleepArgs{}); err != nil {
			return err
		}
		header, err := c.receive(&Empty{})
		if err != nil {
			return err
		}
		if header.Error != "" {
			return fmt.Errorf("error reply %q", header.Error)
		}
	}
	return c.mul(2)
}

func rawGobPipelined(c *rawGob) error {
	const requests = 200
	for seq := range uint64(requests) {
		if err := c.add("Arith.Mul", seq, Args{7, 8}); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	seen := make(map[uint64]bool)
	for range requests {
		var reply Reply
		header, err := c.receive(&reply)
		if err != nil {
			return err
		}
		if err := isProduct(header, reply, header.Seq); err != nil {
			return err
		}
		if header.Seq >= requests || seen[header.Seq] {
			return fmt.Errorf("unexpected reply to %d", header.Seq)
		}
		seen[header.Seq] = true
	}
	return nil
}

func rawGobSplit(c *rawGob) error {
	if err := c.add("Arith.Mul", 5, Args{7, 8}); err != nil {
		return err
	}
	if err := writeSplit(c.conn, c.out.Next(c.out.Len())); err != nil {
		return err
	}
	if err := c.wantProduct(5); err != nil {
		return err
	}
	return c.mul(6)
}

// writeSplit sends every byte in a segment of its own.
func writeSplit(conn net.Conn, data []byte) error {
	for _, b := range data {
		if _, err := conn.Write([]byte{b}); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// rawGobDefinitionsFirst sends all type definitions before the first value, the
// one of the argument before the one of the header.
func rawGobDefinitionsFirst(c *rawGob) error {
	if err := c.add("Arith.Mul", 5, Args{7, 8}); err != nil {
		return err
	}
	messages, err := splitMessages(bytes.Clone(c.out.Next(c.out.Len())))
	if err != nil {
		return err
	}
	if len(messages) != 4 {
		return fmt.Errorf("a request has %d messages", len(messages))
	}
	for _, i := range []int{2, 0, 1, 3} {
		c.out.Write(messages[i])
	}
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.wantProduct(5); err != nil {
		return err
	}
	return c.mul(6)
}

// splitMessages cuts a gob stream before every length.
func splitMessages(stream []byte) ([][]byte, error) {
	var messages [][]byte
	for len(stream) > 0 {
		size, n := uint64(stream[0]), 1
		if stream[0] > 0x7f {
			n += int(-int8(stream[0]))
			if n > len(stream) {
				return nil, errors.New("a length is cut off")
			}
			size = 0
			for _, b := range stream[1:n] {
				size = size<<8 | uint64(b)
			}
		}
		if size > uint64(len(stream)-n) {
			return nil, errors.New("a message is cut off")
		}
		messages = append(messages, stream[:n+int(size)])
		stream = stream[n+int(size):]
	}
	return messages, nil
}

// rawGobHalfClose: a client that has nothing more to say still wants its answers.
func rawGobHalfClose(c *rawGob) error {
	if err := c.add("Echo.Sleep", 1, SleepArgs{Ms: 300}); err != nil {
		return err
	}
	if err := c.add("Arith.Mul", 2, Args{7, 8}); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.conn.CloseWrite(); err != nil {
		return err
	}
	if err := c.wantProduct(2); err != nil {
		return err
	}
	if header, err := c.receive(&Empty{}); err != nil {
		return fmt.Errorf("the call that was running: %w", err)
	} else if header.Seq != 1 || header.Error != "" {
		return fmt.Errorf("reply %+v", *header)
	}
	var header rpc.Response
	if err := c.dec.Decode(&header); err != io.EOF {
		return fmt.Errorf("after all replies: %v, want the end of the stream", err)
	}
	return nil
}

// rawGobJunk sends bytes that no gob stream goes on with, and expects the server
// to hang up and to serve the next client.
func rawGobJunk(ctx context.Context, t target, digits string) error {
	junk, err := hex.DecodeString(digits)
	if err != nil {
		return err
	}
	err = withRawGob(ctx, t, func(c *rawGob) error {
		if err := c.mul(0); err != nil {
			return err
		}
		if _, err := c.conn.Write(junk); err != nil {
			return err
		}
		if digits == "13ff8201" { // more might come otherwise
			if err := c.conn.CloseWrite(); err != nil {
				return err
			}
		}
		return wantHangUp(c.conn)
	})
	if err != nil {
		return err
	}
	return withRawGob(ctx, t, func(c *rawGob) error { return c.mul(0) })
}

// rawGobBodyAsHeader sends a value of a known type where a header should be.
func rawGobBodyAsHeader(ctx context.Context, t target) error {
	err := withRawGob(ctx, t, func(c *rawGob) error {
		if err := c.mul(0); err != nil {
			return err
		}
		if err := c.enc.Encode(Args{7, 8}); err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
		return wantHangUp(c.conn)
	})
	if err != nil {
		return err
	}
	return withRawGob(ctx, t, func(c *rawGob) error { return c.mul(0) })
}

// wantHangUp reads until the server ends the connection; what it says before is
// its own affair.
func wantHangUp(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return errors.New("the connection stays open")
	}
	return nil
}
