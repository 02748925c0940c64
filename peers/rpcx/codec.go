package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/smallnest/rpcx/codec"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// runCodec is the reference side of differential codec tests. Every input line
// "<codec> <hex>" is decoded into Kinds by rpcx's own codec.
//
//	-dir encode  prints the value encoded by the same codec: what Go writes.
//	             msgpack writes the entries of a map in random order.
//	-dir decode  prints the value as JSON, whatever the input codec: what Go
//	             understood, in a form without a random order, times in UTC.
//
// Both outputs are hex. A value that cannot be decoded or encoded gives
// "error: text".
func runCodec(args []string) int {
	flags := flag.NewFlagSet("codec", flag.ExitOnError)
	dir := flags.String("dir", "encode", "encode (print in the same codec) or decode (print as JSON)")
	_ = flags.Parse(args)
	if *dir != "encode" && *dir != "decode" {
		fmt.Fprintln(os.Stderr, "rpcx-peer: -dir is encode or decode")
		return 2
	}

	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		// ReadString has no line length limit; a Scanner has.
		line, err := in.ReadString('\n')
		if line == "" && err == io.EOF {
			return 0
		}
		if err != nil && err != io.EOF {
			return fail(err)
		}
		result, err := recode(strings.TrimSpace(line), *dir == "decode")
		if err != nil {
			// One line out per line in, whatever the error text holds.
			fmt.Fprintf(out, "error: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintln(out, hex.EncodeToString(result))
		}
		if err := out.Flush(); err != nil {
			return fail(err)
		}
	}
}

func recode(line string, toJSON bool) (result []byte, err error) {
	name, digits, _ := strings.Cut(line, " ")
	var c codec.Codec
	switch name {
	case "json":
		c = share.Codecs[protocol.JSON]
	case "msgpack":
		c = share.Codecs[protocol.MsgPack]
	default:
		return nil, fmt.Errorf("unknown codec %q", name)
	}
	data, err := hex.DecodeString(digits)
	if err != nil {
		return nil, err
	}
	// A server turns a panic in a codec into an error reply.
	defer func() {
		if r := recover(); r != nil {
			result, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	var value Kinds
	if err := c.Decode(data, &value); err != nil {
		return nil, err
	}
	if toJSON {
		value.At = value.At.UTC() // msgpack times decode to the local zone
		c = share.Codecs[protocol.JSON]
	}
	return c.Encode(&value)
}
