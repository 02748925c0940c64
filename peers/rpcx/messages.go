package main

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages below travel under JSON, msgpack and protobuf. JSON and msgpack
// use the Go field names as they are. rpcx's protobuf codec takes any type with
// gogo's Marshal/Unmarshal pair, so the pairs are written by hand: the fields
// are numbered in declaration order, and zero values are left out as in proto3.
//
// Reset is there because rpcx recycles arguments and replies that have it,
// which is what it does with generated types.

// Args is the argument of every Arith method: int64 A = 1, int64 B = 2.
type Args struct {
	A int64
	B int64
}

// Reply is the result of Arith.Mul: int64 C = 1.
type Reply struct {
	C int64
}

// Quotient is the result of Arith.Divide: int64 Quo = 1, int64 Rem = 2.
type Quotient struct {
	Quo int64
	Rem int64
}

// SleepArgs is the argument of Echo.Sleep: int64 Ms = 1.
type SleepArgs struct {
	Ms int64
}

// PushArgs is the argument of Echo.Push: int64 N = 1.
type PushArgs struct {
	N int64
}

// FailArgs is the argument of Echo.Fail: int64 Code = 1, string Message = 2.
type FailArgs struct {
	Code    int64
	Message string
}

// Empty is a message without fields.
type Empty struct{}

func (m *Args) Reset() { *m = Args{} }

func (m *Args) Marshal() ([]byte, error) {
	return appendInt(appendInt(newBuffer(), 1, m.A), 2, m.B), nil
}

func (m *Args) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		switch num {
		case 1:
			v.int(&m.A)
		case 2:
			v.int(&m.B)
		}
	})
}

func (m *Reply) Reset() { *m = Reply{} }

func (m *Reply) Marshal() ([]byte, error) {
	return appendInt(newBuffer(), 1, m.C), nil
}

func (m *Reply) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		if num == 1 {
			v.int(&m.C)
		}
	})
}

func (m *Quotient) Reset() { *m = Quotient{} }

func (m *Quotient) Marshal() ([]byte, error) {
	return appendInt(appendInt(newBuffer(), 1, m.Quo), 2, m.Rem), nil
}

func (m *Quotient) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		switch num {
		case 1:
			v.int(&m.Quo)
		case 2:
			v.int(&m.Rem)
		}
	})
}

func (m *SleepArgs) Reset() { *m = SleepArgs{} }

func (m *SleepArgs) Marshal() ([]byte, error) {
	return appendInt(newBuffer(), 1, m.Ms), nil
}

func (m *SleepArgs) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		if num == 1 {
			v.int(&m.Ms)
		}
	})
}

func (m *PushArgs) Reset() { *m = PushArgs{} }

func (m *PushArgs) Marshal() ([]byte, error) {
	return appendInt(newBuffer(), 1, m.N), nil
}

func (m *PushArgs) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		if num == 1 {
			v.int(&m.N)
		}
	})
}

func (m *FailArgs) Reset() { *m = FailArgs{} }

func (m *FailArgs) Marshal() ([]byte, error) {
	b := appendInt(newBuffer(), 1, m.Code)
	if m.Message != "" {
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendString(b, m.Message)
	}
	return b, nil
}

func (m *FailArgs) Unmarshal(data []byte) error {
	return eachField(data, func(num protowire.Number, v field) {
		switch num {
		case 1:
			v.int(&m.Code)
		case 2:
			v.string(&m.Message)
		}
	})
}

func (m *Empty) Reset() {}

func (m *Empty) Marshal() ([]byte, error) { return nil, nil }

func (m *Empty) Unmarshal(data []byte) error {
	return eachField(data, func(protowire.Number, field) {})
}

// newBuffer has room for two fields of the longest varint form, which keeps
// the small messages at one allocation, as generated code does.
func newBuffer() []byte { return make([]byte, 0, 24) }

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
}

// field is the value of one protobuf field. A value of another wire type than
// the one asked for is ignored like an unknown field.
type field struct {
	wire   protowire.Type
	varint uint64
	bytes  []byte
}

func (f field) int(to *int64) {
	if f.wire == protowire.VarintType {
		*to = int64(f.varint)
	}
}

func (f field) string(to *string) {
	if f.wire == protowire.BytesType {
		*to = string(f.bytes)
	}
}

var errTruncated = errors.New("malformed protobuf message")

// eachField calls use for every field of a protobuf message, in wire order.
func eachField(data []byte, use func(protowire.Number, field)) error {
	for len(data) > 0 {
		num, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errTruncated
		}
		data = data[n:]
		f := field{wire: wire}
		switch wire {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(num, wire, data)
		}
		if n < 0 {
			return errTruncated
		}
		data = data[n:]
		use(num, f)
	}
	return nil
}
