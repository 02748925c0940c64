package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// bodyCases send byte slices through Echo.Bytes, raw (no codec) and in the
// codecs that have them, at the sizes where the wire form changes.
func bodyCases() []testCase {
	sizes := []struct {
		name  string
		bytes int
	}{
		{"0", 0},
		{"1", 1},
		{"1024", 1024}, // the largest that rpcx does not compress
		{"1025", 1025},
		{"2MiB", 2 << 20},
		{"4MiB", 4 << 20},
	}
	types := []struct {
		name string
		id   protocol.SerializeType
	}{
		{"raw", protocol.SerializeNone},
		{"json", protocol.JSON},
		{"msgpack", protocol.MsgPack},
	}
	var cases []testCase
	for _, t := range types {
		for _, compress := range compressions {
			for _, size := range sizes {
				name := fmt.Sprintf("bytes/%s/%s/%s", t.name, compress.name, size.name)
				o := option(t.id, compress.id)
				cases = append(cases, testCase{name, func(ctx context.Context, addr string) error {
					return withClient(addr, o, func(c *client.Client) error {
						return checkBytes(ctx, c, body(size.bytes))
					})
				}})
			}
		}
	}
	return cases
}

// body is half compressible and half random, the same in every run.
func body(size int) []byte {
	b := bytes.Repeat([]byte("farcall "), size/8+1)[:size]
	random := rand.New(rand.NewSource(int64(size)))
	for i := size / 2; i < size; i++ {
		b[i] = byte(random.Intn(256))
	}
	return b
}

// checkBytes sends the body twice, so that the frame after it is checked too.
func checkBytes(ctx context.Context, c *client.Client, want []byte) error {
	for range 2 {
		sent := bytes.Clone(want)
		var got []byte
		if err := c.Call(ctx, "Echo", "Bytes", &sent, &got); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%d bytes came back as %d other bytes", len(want), len(got))
		}
	}
	// Tells a server from something that reflects frames, in any codec.
	var got []byte
	err := c.Call(ctx, "NoSuchService", "Bytes", &want, &got)
	return wantError(err, "rpcx: can't find service NoSuchService")
}
