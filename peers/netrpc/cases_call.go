package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand"
	"net/rpc"
	"reflect"
	"strings"
	"time"
)

// callCases are plain calls with every kind of value.
func callCases(t target) []testCase {
	var cases []testCase
	add := func(name string, run func(context.Context, *rpc.Client) error) {
		cases = append(cases, testCase{name, func(ctx context.Context, t target) error {
			return withClient(ctx, t, func(c *rpc.Client) error {
				if err := run(ctx, c); err != nil {
					return err
				}
				// Also tells a server from something that reflects messages.
				return stillServes(ctx, c)
			})
		}})
	}
	codec := t.codec

	add("mul/"+codec, checkMul)
	add("multiply/"+codec, checkMultiply)
	add("divide/"+codec, checkDivide)
	add("hello/"+codec, checkHello)
	add("echo581/"+codec, func(ctx context.Context, c *rpc.Client) error {
		// The second message finds its types defined.
		for range 2 {
			if err := checkEcho(ctx, c, benchMessage()); err != nil {
				return err
			}
		}
		return nil
	})
	add("echo-long/"+codec, func(ctx context.Context, c *rpc.Client) error {
		message := benchMessage()
		message.Field1 = strings.Repeat(message.Field1, 100)
		message.Field5 = []uint64{0, 1, math.MaxUint64}
		return checkEcho(ctx, c, message)
	})
	add("echo-empty/"+codec, func(ctx context.Context, c *rpc.Client) error {
		return checkEcho(ctx, c, new(BenchmarkMessage))
	})
	add("unit/"+codec, func(ctx context.Context, c *rpc.Client) error {
		return call(ctx, c, "Echo.Sleep", &SleepArgs{}, &Empty{})
	})
	if !t.strictGo {
		// There is no metadata to come back, and it is an answer all the same.
		add("meta/"+codec, func(ctx context.Context, c *rpc.Client) error {
			return call(ctx, c, "Echo.Meta", &Empty{}, &Empty{})
		})
	}
	// Without a place for it, the client reads past the reply.
	add("nil-reply/"+codec, func(ctx context.Context, c *rpc.Client) error {
		if err := call(ctx, c, "Echo.Kinds", &Kinds{Map: map[string]int64{"a": 1}}, nil); err != nil {
			return err
		}
		return call(ctx, c, "Arith.Multiply", &Args{A: 7, B: 8}, nil)
	})
	for _, sample := range kindsSamples() {
		add("kinds/"+codec+"/"+sample.name, func(ctx context.Context, c *rpc.Client) error {
			return checkKinds(ctx, c, sample.value)
		})
	}
	add("kinds/"+codec+"/in-turn", func(ctx context.Context, c *rpc.Client) error {
		for range 2 {
			for _, sample := range kindsSamples() {
				if err := checkKinds(ctx, c, sample.value); err != nil {
					return fmt.Errorf("%s: %w", sample.name, err)
				}
			}
		}
		return nil
	})
	if codec == "gob" {
		// JSON has no such numbers and no such times.
		add("kinds/gob/not-a-number", checkNotANumber)
		add("own/gob", checkOwn)
		add("kinds/gob/far-times", func(ctx context.Context, c *rpc.Client) error {
			for _, at := range []time.Time{
				time.Date(36812, 2, 20, 0, 36, 16, 5, time.UTC),
				time.Date(-44, 3, 15, 12, 0, 0, 999999999, time.UTC),
			} {
				if err := checkKinds(ctx, c, Kinds{At: at}); err != nil {
					return err
				}
			}
			return nil
		})
		// An offset with seconds has a form of its own.
		add("kinds/gob/second-offset", func(ctx context.Context, c *rpc.Client) error {
			return checkKinds(ctx, c, Kinds{At: time.Date(1880, 1, 1, 0, 0, 0, 0, time.FixedZone("", 53*60+28))})
		})
	}
	return cases
}

func checkMul(ctx context.Context, c *rpc.Client) error {
	for _, args := range []Args{
		{7, 8}, {0, 0}, {0, 5}, {5, 0}, {-3, 5}, {3, -5}, {-3, -5}, {-1, math.MaxInt64}, {1, math.MinInt64},
		{math.MaxInt64, 1}, {math.MinInt64, 1}, {math.MinInt64, 0},
		// Where gob's integers get another byte: the value is doubled first.
		{1, 63}, {1, 64}, {-64, 1}, {-65, 1}, {1, 127}, {1, 128}, {-128, 1}, {-129, 1}, {1, 255}, {1, 256},
		{1, 32767}, {1, 32768}, {-32768, 1}, {-32769, 1}, {1, 65535}, {1, 65536},
		{1<<31 - 1, 1}, {1 << 31, 1}, {-1 << 31, 1}, {-1<<31 - 1, 1}, {1 << 32, 1}, {1 << 40, 1}, {1 << 55, 1},
		{1<<53 + 1, 1}, // not representable in a float64
	} {
		if err := mul(ctx, c, args.A, args.B); err != nil {
			return err
		}
	}
	return nil
}

func checkMultiply(ctx context.Context, c *rpc.Client) error {
	for _, args := range []Args{{7, 8}, {-7, 8}, {0, 1}, {1 << 20, 1 << 20}, {1, math.MaxInt64}, {1, math.MinInt64}} {
		reply := -1 // a zero that does not arrive would go unnoticed
		if err := call(ctx, c, "Arith.Multiply", &args, &reply); err != nil {
			return err
		}
		if int64(reply) != args.A*args.B {
			return fmt.Errorf("%v gives %d", args, reply)
		}
	}
	return nil
}

// checkDivide pins the truncation towards zero that Go and Rust share.
func checkDivide(ctx context.Context, c *rpc.Client) error {
	for args, want := range map[Args]Quotient{
		{17, 5}:  {3, 2},
		{-17, 5}: {-3, -2},
		{17, -5}: {-3, 2},
		{0, 5}:   {0, 0},
	} {
		var reply Quotient
		if err := call(ctx, c, "Arith.Divide", &args, &reply); err != nil {
			return err
		}
		if reply != want {
			return fmt.Errorf("%v gives %v, want %v", args, reply, want)
		}
	}
	return wantError(call(ctx, c, "Arith.Divide", &Args{A: 1}, &Quotient{}), "divide by zero")
}

func checkHello(ctx context.Context, c *rpc.Client) error {
	for _, request := range []string{"", "gopher", "许多往事 🚀", `<&> "quoted" \ ` + "\u2028\x00\x1f", strings.Repeat("x", 70000)} {
		var reply string
		if err := call(ctx, c, "HelloService.SayHello", request, &reply); err != nil {
			return err
		}
		if reply != "Hello World:"+request {
			return fmt.Errorf("SayHello(%.60q) gives %.80q", request, reply)
		}
	}
	return nil
}

func checkEcho(ctx context.Context, c *rpc.Client, message *BenchmarkMessage) error {
	var reply BenchmarkMessage
	if err := call(ctx, c, "Echo.Echo", message, &reply); err != nil {
		return err
	}
	if len(reply.Field5) == 0 {
		reply.Field5 = nil // an empty list is as good as none
	}
	if !reflect.DeepEqual(&reply, message) {
		return fmt.Errorf("came back as %+v", reply)
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
			Kids: make([]Inner, 70000),
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
			// Beyond 2^32 seconds.
			At: time.Unix(1<<33, 999999999).UTC(), Span: -time.Nanosecond,
		}},
		{"seconds", Kinds{At: time.Unix(1700000000, 0).UTC(), F32: -0.1, F64: 1e21}},
		{"nil-pointer", Kinds{I64: 1, Inner: Inner{1, "one"}, Ptr: nil}},
		{"pointer-to-zero", Kinds{I64: 1, Ptr: &Inner{}}},
		{"nil-collections", Kinds{I64: 1, Blob: nil, Ints: nil, Names: nil, Map: nil, ByID: nil, Kids: nil}},
		{"empty-collections", Kinds{
			I64: 1, Blob: []byte{}, Ints: []int32{}, Names: []string{}, Map: map[string]int64{}, ByID: map[int32]Inner{}, Kids: []Inner{},
		}},
		{"zeros-in-collections", Kinds{
			Blob: []byte{0, 0}, Arr: [4]byte{0, 0, 0, 1}, Ints: []int32{0, 0}, Names: []string{"", ""}, Map: map[string]int64{"": 0},
			ByID: map[int32]Inner{0: {}}, Kids: []Inner{{}, {}},
		}},
		{"offset", Kinds{At: time.Date(2024, 2, 29, 23, 30, 0, 5, time.FixedZone("", -(5*60+30)*60))}},
	}
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func checkKinds(ctx context.Context, c *rpc.Client, value Kinds) error {
	var reply Kinds
	if err := call(ctx, c, "Echo.Kinds", &value, &reply); err != nil {
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

// checkNotANumber leaves out -0.0, which gob takes for an ordinary zero.
func checkNotANumber(ctx context.Context, c *rpc.Client) error {
	for _, f := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		value := Kinds{F32: float32(f), F64: f}
		var reply Kinds
		if err := call(ctx, c, "Echo.Kinds", &value, &reply); err != nil {
			return err
		}
		if math.IsNaN(f) {
			if !math.IsNaN(reply.F64) || !math.IsNaN(float64(reply.F32)) {
				return fmt.Errorf("NaN came back as %v, %v", reply.F32, reply.F64)
			}
			continue
		}
		if reply.F64 != f || reply.F32 != float32(f) {
			return fmt.Errorf("%v came back as %v, %v", f, reply.F32, reply.F64)
		}
	}
	return nil
}

// bodyCases send byte slices through Echo.Bytes.
func bodyCases(t target) []testCase {
	var cases []testCase
	for _, size := range []struct {
		name  string
		bytes int
	}{
		{"0", 0},
		{"1", 1},
		{"1024", 1024},
		{"65536", 65536},
		{"2MiB", 2 << 20},
	} {
		cases = append(cases, testCase{"bytes/" + t.codec + "/" + size.name, func(ctx context.Context, t target) error {
			return withClient(ctx, t, func(c *rpc.Client) error {
				// Twice, so that the message after it is checked too.
				for range 2 {
					var got []byte
					if err := call(ctx, c, "Echo.Bytes", body(size.bytes), &got); err != nil {
						return err
					}
					if !bytes.Equal(got, body(size.bytes)) {
						return fmt.Errorf("%d bytes came back as %d other bytes", size.bytes, len(got))
					}
				}
				return stillServes(ctx, c)
			})
		}})
	}
	return append(cases, testCase{"bytes/" + t.codec + "/nil", func(ctx context.Context, t target) error {
		return withClient(ctx, t, func(c *rpc.Client) error {
			var got []byte
			if err := call(ctx, c, "Echo.Bytes", []byte(nil), &got); err != nil {
				return err
			}
			if len(got) != 0 {
				return fmt.Errorf("nothing came back as %d bytes", len(got))
			}
			return stillServes(ctx, c)
		})
	}})
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
