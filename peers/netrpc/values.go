package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"net/rpc"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Box has an interface field.
type Box struct {
	V any
}

// FloatBits is a float64 whose JSON is the number of its bits: NaN and the
// infinities have none otherwise.
type FloatBits float64

func (f FloatBits) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Float64bits(float64(f)))
}

func (f *FloatBits) UnmarshalJSON(data []byte) error {
	var bits uint64
	err := json.Unmarshal(data, &bits)
	*f = FloatBits(math.Float64frombits(bits))
	return err
}

// Complex is a complex128 whose JSON is [real, imaginary].
type Complex complex128

func (c Complex) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]float64{real(c), imag(c)})
}

func (c *Complex) UnmarshalJSON(data []byte) error {
	var parts [2]float64
	err := json.Unmarshal(data, &parts)
	*c = Complex(complex(parts[0], parts[1]))
	return err
}

// valueTypes are the types that the values command knows.
var valueTypes = map[string]func() any{
	// The messages of the services.
	"args":      func() any { return new(Args) },
	"reply":     func() any { return new(Reply) },
	"quotient":  func() any { return new(Quotient) },
	"empty":     func() any { return new(Empty) },
	"inner":     func() any { return new(Inner) },
	"kinds":     func() any { return new(Kinds) },
	"benchmark": func() any { return new(BenchmarkMessage) },
	"request":   func() any { return new(rpc.Request) },
	"response":  func() any { return new(rpc.Response) },
	// One of each sort.
	"bool":       func() any { return new(bool) },
	"int":        func() any { return new(int) },
	"int8":       func() any { return new(int8) },
	"int16":      func() any { return new(int16) },
	"int32":      func() any { return new(int32) },
	"int64":      func() any { return new(int64) },
	"uint":       func() any { return new(uint) },
	"uint8":      func() any { return new(uint8) },
	"uint16":     func() any { return new(uint16) },
	"uint32":     func() any { return new(uint32) },
	"uint64":     func() any { return new(uint64) },
	"float":      func() any { return new(float64) },
	"float32":    func() any { return new(float32) },
	"floatbits":  func() any { return new(FloatBits) },
	"complex":    func() any { return new(Complex) },
	"string":     func() any { return new(string) },
	"bytes":      func() any { return new([]byte) },
	"time":       func() any { return new(time.Time) },
	"duration":   func() any { return new(time.Duration) },
	"slice":      func() any { return new([]int64) },
	"strings":    func() any { return new([]string) },
	"structs":    func() any { return new([]Inner) },
	"slices":     func() any { return new([][]int64) },
	"array":      func() any { return new([4]byte) },
	"intarray":   func() any { return new([3]int64) },
	"map":        func() any { return new(map[string]int64) },
	"structmap":  func() any { return new(map[int32]Inner) },
	"slicemap":   func() any { return new(map[string][]Inner) },
	"pointermap": func() any { return new(map[string]*Inner) },
	// What is in an interface: JSON's own types, and a struct.
	"box":      func() any { return new(Box) },
	"boxinner": func() any { return &Box{V: new(Inner)} },
}

// runValues is the reference side of differential codec tests. Every input line
// "<type> <hex of a gob stream>" is decoded by encoding/gob and printed as JSON;
// with -encode, every line "<type> <JSON>" is printed as the hex of a gob stream.
// gob writes the entries of a map in random order.
//
// Types joined by + are values that follow each other in one stream; their JSON is
// an array. The type skip reads past a value of any type, as net/rpc does with
// what it discards.
func runValues(args []string) int {
	flags := flag.NewFlagSet("values", flag.ExitOnError)
	encode := flags.Bool("encode", false, "read JSON, print gob")
	list := flags.Bool("list", false, "print the names of the types and exit")
	_ = flags.Parse(args)
	if *list {
		for _, name := range slices.Sorted(maps.Keys(valueTypes)) {
			fmt.Println(name)
		}
		return 0
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
		names, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		var result string
		if *encode {
			result, err = encodeValues(strings.Split(names, "+"), text)
		} else {
			result, err = decodeValues(strings.Split(names, "+"), text)
		}
		if err != nil {
			// One line out per line in, whatever the error text holds.
			result = "error: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintln(out, result)
		if err := out.Flush(); err != nil {
			return fail(err)
		}
	}
}

func decodeValues(names []string, digits string) (result string, err error) {
	defer catchPanic(&err)
	data, err := hex.DecodeString(digits)
	if err != nil {
		return "", err
	}
	// A bytes.Reader is not read ahead, so it knows what the decoder left.
	in := bytes.NewReader(data)
	dec := gob.NewDecoder(in)
	var values []any
	for _, name := range names {
		if name == "skip" {
			if err := dec.DecodeValue(reflect.Value{}); err != nil {
				return "", err
			}
			values = append(values, nil)
			continue
		}
		value, err := newValue(name)
		if err != nil {
			return "", err
		}
		if err := dec.Decode(value); err != nil {
			return "", err
		}
		values = append(values, value)
	}
	if in.Len() > 0 {
		return "", fmt.Errorf("%d bytes left after the value", in.Len())
	}
	var all any = values
	if len(values) == 1 {
		all = values[0]
	}
	text, err := json.Marshal(all)
	return string(text), err
}

func encodeValues(names []string, text string) (result string, err error) {
	defer catchPanic(&err)
	parts := []json.RawMessage{json.RawMessage(text)}
	if len(names) > 1 {
		if err := json.Unmarshal([]byte(text), &parts); err != nil {
			return "", err
		}
		if len(parts) != len(names) {
			return "", fmt.Errorf("%d types and %d values", len(names), len(parts))
		}
	}
	var out bytes.Buffer
	enc := gob.NewEncoder(&out)
	for i, name := range names {
		value, err := newValue(name)
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(parts[i], value); err != nil {
			return "", err
		}
		if err := enc.Encode(value); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(out.Bytes()), nil
}

func newValue(name string) (any, error) {
	create, ok := valueTypes[name]
	if !ok {
		return nil, fmt.Errorf("unknown type %q", name)
	}
	return create(), nil
}

func catchPanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}
