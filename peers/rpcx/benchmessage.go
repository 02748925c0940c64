package main

import "farcall.test/rpcxpeer/gg"

// benchMessage is the message of the rpcx benchmarks. Its protobuf form has
// 581 bytes.
func benchMessage() *gg.BenchmarkMessage {
	const text = "许多往事在眼前一幕一幕，变的那麼模糊"
	return &gg.BenchmarkMessage{
		Field1:   text,
		Field2:   100000,
		Field3:   100000,
		Field4:   text,
		Field6:   100000,
		Field7:   text,
		Field9:   text,
		Field12:  true,
		Field13:  true,
		Field14:  true,
		Field16:  100000,
		Field17:  true,
		Field18:  text,
		Field22:  100000,
		Field23:  100000,
		Field24:  true,
		Field25:  100000,
		Field29:  100000,
		Field30:  true,
		Field59:  true,
		Field60:  100000,
		Field67:  100000,
		Field68:  100000,
		Field78:  true,
		Field80:  true,
		Field81:  true,
		Field100: 100000,
		Field101: 100000,
		Field102: text,
		Field103: text,
		Field104: 100000,
		Field128: 100000,
		Field129: text,
		Field130: 100000,
		Field131: 100000,
		Field150: 100000,
		Field271: 100000,
		Field272: 100000,
		Field280: 100000,
	}
}
