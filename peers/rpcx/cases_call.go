package main

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"

	"farcall.test/rpcxpeer/gg"
)

// testMetadata has what a metadata block can get wrong: an empty value, bytes
// above 0x7f in both places, and a value longer than a small buffer.
func testMetadata() map[string]string {
	return map[string]string{
		"trace":  "0af7651916cd43dd",
		"empty":  "",
		"größe":  "许多往事",
		"long":   strings.Repeat("m", 3000),
		"spaced": " a=b&c;d\r\n ",
	}
}

// callCases are plain calls: every codec, compression and metadata, and the
// values that codecs treat differently.
func callCases() []testCase {
	var cases []testCase
	add := func(name string, o client.Option, run func(context.Context, *client.Client) error) {
		cases = append(cases, testCase{name, func(ctx context.Context, addr string) error {
			return withClient(addr, o, func(c *client.Client) error {
				if err := run(ctx, c); err != nil {
					return err
				}
				// Also tells a server from something that reflects frames.
				return stillServes(ctx, c)
			})
		}})
	}

	for _, codec := range codecs {
		for _, compress := range compressions {
			o := option(codec.id, compress.id)
			variant := codec.name + "/" + compress.name
			add("mul/"+variant+"/plain", o, func(ctx context.Context, c *client.Client) error {
				return mul(ctx, c, 7, 8)
			})
			add("mul/"+variant+"/meta", o, func(ctx context.Context, c *client.Client) error {
				ctx, _ = withMetadata(ctx, testMetadata())
				return mul(ctx, c, 7, 8)
			})
			add("meta/"+variant, o, checkMeta)
			add("echo581/"+variant, o, func(ctx context.Context, c *client.Client) error {
				return checkEcho(ctx, c, benchMessage())
			})
			// Above 1024 bytes, so that gzip is gzip in both directions.
			add("echo-long/"+variant, o, func(ctx context.Context, c *client.Client) error {
				message := benchMessage()
				message.Field1 = strings.Repeat(message.Field1, 100)
				message.Field5 = []uint64{0, 1, math.MaxUint64}
				return checkEcho(ctx, c, message)
			})
		}
	}

	for _, codec := range codecs {
		o := option(codec.id, protocol.None)
		// Zeros make an empty protobuf payload.
		add("mul-zero/"+codec.name, o, func(ctx context.Context, c *client.Client) error {
			return mul(ctx, c, 0, 0)
		})
		add("mul-range/"+codec.name, o, checkRange)
		add("divide/"+codec.name, o, checkDivide)
		add("empty-struct/"+codec.name, o, func(ctx context.Context, c *client.Client) error {
			return c.Call(ctx, "Echo", "Meta", &Empty{}, &Empty{})
		})
	}

	for _, codec := range codecs {
		if codec.id == protocol.ProtoBuffer {
			continue // bare values and Kinds have no protobuf form
		}
		o := option(codec.id, protocol.None)
		add("multiply/"+codec.name, o, checkMultiply)
		add("hello/"+codec.name, o, checkHello)
		for _, sample := range kindsSamples() {
			for _, compress := range compressions {
				name := fmt.Sprintf("kinds/%s/%s/%s", codec.name, compress.name, sample.name)
				add(name, option(codec.id, compress.id), func(ctx context.Context, c *client.Client) error {
					return checkKinds(ctx, c, sample.value)
				})
			}
		}
	}
	// JSON has no such numbers.
	add("kinds/msgpack/none/not-a-number", option(protocol.MsgPack, protocol.None), checkNotANumber)

	cases = append(cases, testCase{"echo581/size", func(context.Context, string) error {
		if size := benchMessage().Size(); size != 581 {
			return fmt.Errorf("the benchmark message has %d bytes", size)
		}
		return nil
	}})
	return cases
}

func checkMeta(ctx context.Context, c *client.Client) error {
	request := testMetadata()
	ctx, response := withMetadata(ctx, request)
	if err := c.Call(ctx, "Echo", "Meta", &Empty{}, &Empty{}); err != nil {
		return err
	}
	for k, v := range request {
		got, ok := response[k]
		if !ok {
			return fmt.Errorf("metadata %q did not come back", k)
		}
		if got != v {
			return fmt.Errorf("metadata %q came back as %q, want %q", k, got, v)
		}
	}
	return nil
}

func checkEcho(ctx context.Context, c *client.Client, message *gg.BenchmarkMessage) error {
	var reply gg.BenchmarkMessage
	if err := c.Call(ctx, "Echo", "Echo", message, &reply); err != nil {
		return err
	}
	if len(reply.Field5) == 0 {
		reply.Field5 = nil // an empty list is as good as none
	}
	if !reflect.DeepEqual(&reply, message) {
		return fmt.Errorf("came back as %v", &reply)
	}
	return nil
}

func checkRange(ctx context.Context, c *client.Client) error {
	for _, args := range []Args{
		{-3, 5}, {3, -5}, {-1, math.MaxInt64}, {1, math.MinInt64},
		{1, 127}, {1, 128}, {1, 255}, {1, 256}, {1, 65535}, {1, 65536},
		{1 << 31, 1}, {1 << 32, 1}, {-128, 1}, {-129, 1}, {-32769, 1}, {-1 << 31, 1},
		{1<<53 + 1, 1}, // not representable in a float64
	} {
		if err := mul(ctx, c, args.A, args.B); err != nil {
			return err
		}
	}
	return nil
}

// checkDivide pins the truncation towards zero that Go and Rust share.
func checkDivide(ctx context.Context, c *client.Client) error {
	for args, want := range map[Args]Quotient{
		{17, 5}:  {3, 2},
		{-17, 5}: {-3, -2},
		{17, -5}: {-3, 2},
	} {
		var reply Quotient
		if err := c.Call(ctx, "Arith", "Divide", &args, &reply); err != nil {
			return err
		}
		if reply != want {
			return fmt.Errorf("%v gives %v, want %v", args, reply, want)
		}
	}
	return nil
}

func checkMultiply(ctx context.Context, c *client.Client) error {
	for _, args := range []Args{{7, 8}, {-7, 8}, {0, 1}, {1 << 20, 1 << 20}} {
		var reply int
		if err := c.Call(ctx, "Arith", "Multiply", &args, &reply); err != nil {
			return err
		}
		if int64(reply) != args.A*args.B {
			return fmt.Errorf("%v gives %d", args, reply)
		}
	}
	return nil
}

func checkHello(ctx context.Context, c *client.Client) error {
	for _, request := range []string{"", "gopher", "许多往事 🚀", `<&> "quoted" \ ` + "\u2028\x00\x1f", strings.Repeat("x", 70000)} {
		var reply string
		if err := c.Call(ctx, "HelloService", "SayHello", &request, &reply); err != nil {
			return err
		}
		if reply != "Hello World:"+request {
			return fmt.Errorf("SayHello(%.60q) gives %.80q", request, reply)
		}
	}
	return nil
}

type kindsSample struct {
	name  string
	value Kinds
}

func kindsSamples() []kindsSample {
	return []kindsSample{
		{"zero", Kinds{}},
		{"typical", Kinds{
			Bool: true, I8: 1, I16: 300, I32: 70000, I64: 5e9, U8: 1, U16: 300, U32: 70000, U64: 5e9,
			F32: 1.5, F64: 0.1, Text: "farcall", Blob: []byte{0, 1, 254, 255}, Arr: [4]byte{1, 2, 3, 4},
			Ints: []int32{1, -1, 40, -40, 200, -200, 70000}, Names: []string{"", "a", "许多往事"},
			Map:   map[string]int64{"one": 1, "minus one": -1, "": 0},
			ByID:  map[int32]Inner{1: {1, "one"}, -1: {-1, "minus one"}},
			Inner: Inner{7, "seven"}, Ptr: &Inner{8, "eight"}, Kids: []Inner{{}, {9, "nine"}},
			At: time.Date(2024, 2, 29, 12, 34, 56, 789, time.UTC), Span: 90 * time.Second,
		}},
		{"max", Kinds{
			Bool: true, I8: math.MaxInt8, I16: math.MaxInt16, I32: math.MaxInt32, I64: math.MaxInt64,
			U8: math.MaxUint8, U16: math.MaxUint16, U32: math.MaxUint32, U64: math.MaxUint64,
			F32: math.MaxFloat32, F64: math.MaxFloat64,
			Text: `<&>"\/` + "\u2028\u2029\x00\x1f\x7f\U0010FFFF", Blob: allBytes(), Arr: [4]byte{255, 255, 255, 255},
			Ints: []int32{math.MaxInt32, math.MinInt32}, Names: []string{strings.Repeat("n", 70000)},
			Map:   map[string]int64{"max": math.MaxInt64, "min": math.MinInt64},
			ByID:  map[int32]Inner{math.MaxInt32: {math.MaxInt64, "max"}, math.MinInt32: {math.MinInt64, "min"}, 0: {}},
			Inner: Inner{math.MaxInt64, "max"}, Ptr: &Inner{math.MaxInt64, "max"},
			Kids: make([]Inner, 70000), // above the 16-bit length form
			// The last instant that JSON can carry.
			At: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), Span: math.MaxInt64,
		}},
		{"min", Kinds{
			I8: math.MinInt8, I16: math.MinInt16, I32: math.MinInt32, I64: math.MinInt64,
			F32: math.SmallestNonzeroFloat32, F64: math.SmallestNonzeroFloat64,
			Blob: []byte{}, Ints: []int32{}, Names: []string{}, Map: map[string]int64{},
			ByID: map[int32]Inner{}, Ptr: &Inner{}, Kids: []Inner{},
			Inner: Inner{math.MinInt64, ""},
			// Before 1970, with a fraction.
			At: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Span: math.MinInt64,
		}},
		// Floats whose shortest decimal form a parser must round exactly.
		{"floats", Kinds{
			F32: 16777216.5 / 3, F64: 9007199254740993.0 / 7,
			Ptr: &Inner{X: -1},
			// Fits the 8-byte and the 4-byte timestamp form respectively.
			At: time.Unix(1<<33, 999999999).UTC(), Span: -time.Nanosecond,
		}},
		{"seconds", Kinds{At: time.Unix(1700000000, 0).UTC(), F32: -0.1, F64: 1e21}},
	}
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func checkKinds(ctx context.Context, c *client.Client, value Kinds) error {
	var reply Kinds
	if err := c.Call(ctx, "Echo", "Kinds", &value, &reply); err != nil {
		return err
	}
	return sameKinds(value.normalise(), reply.normalise())
}

// sameKinds names the first field that differs: the whole value is too long for
// a report line.
func sameKinds(want, got Kinds) error {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		if !reflect.DeepEqual(w.Field(i).Interface(), g.Field(i).Interface()) {
			return fmt.Errorf("field %s: %s, want %s", w.Type().Field(i).Name, brief(g.Field(i)), brief(w.Field(i)))
		}
	}
	return nil
}

func brief(v reflect.Value) string {
	return fmt.Sprintf("%.200s", fmt.Sprintf("%+v", v))
}

func checkNotANumber(ctx context.Context, c *client.Client) error {
	for _, f := range []float64{math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.NaN()} {
		value := Kinds{F32: float32(f), F64: f}
		var reply Kinds
		if err := c.Call(ctx, "Echo", "Kinds", &value, &reply); err != nil {
			return err
		}
		if math.IsNaN(f) {
			if !math.IsNaN(reply.F64) || !math.IsNaN(float64(reply.F32)) {
				return fmt.Errorf("NaN came back as %v, %v", reply.F32, reply.F64)
			}
			continue
		}
		if math.Float64bits(reply.F64) != math.Float64bits(f) || math.Float32bits(reply.F32) != math.Float32bits(float32(f)) {
			return fmt.Errorf("%v came back as %v, %v", f, reply.F32, reply.F64)
		}
	}
	return nil
}
