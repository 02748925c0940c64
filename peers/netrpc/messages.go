package main

// The messages travel under gob and JSON with the Go field names as they are.

// Args is the argument of every Arith method.
type Args struct {
	A int64
	B int64
}

// Reply is the result of Arith.Mul.
type Reply struct {
	C int64
}

// Quotient is the result of Arith.Divide.
type Quotient struct {
	Quo int64
	Rem int64
}

// SleepArgs is the argument of Echo.Sleep.
type SleepArgs struct {
	Ms int64
}

// FailArgs is the argument of Echo.Fail.
type FailArgs struct {
	Code    int64
	Message string
}

// Empty is a message without fields: {} in JSON, which is also the only reply
// without content that a jsonrpc client accepts.
type Empty struct{}
