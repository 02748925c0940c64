package main

// BenchmarkMessage is the message of the rpcx benchmarks as a plain struct. The
// tags are those of the generated one, so its JSON is the same everywhere.
type BenchmarkMessage struct {
	Field1   string   `json:"field1,omitempty"`
	Field9   string   `json:"field9,omitempty"`
	Field18  string   `json:"field18,omitempty"`
	Field80  bool     `json:"field80,omitempty"`
	Field81  bool     `json:"field81,omitempty"`
	Field2   int32    `json:"field2,omitempty"`
	Field3   int32    `json:"field3,omitempty"`
	Field280 int32    `json:"field280,omitempty"`
	Field6   int32    `json:"field6,omitempty"`
	Field22  int64    `json:"field22,omitempty"`
	Field4   string   `json:"field4,omitempty"`
	Field5   []uint64 `json:"field5,omitempty"`
	Field59  bool     `json:"field59,omitempty"`
	Field7   string   `json:"field7,omitempty"`
	Field16  int32    `json:"field16,omitempty"`
	Field130 int32    `json:"field130,omitempty"`
	Field12  bool     `json:"field12,omitempty"`
	Field17  bool     `json:"field17,omitempty"`
	Field13  bool     `json:"field13,omitempty"`
	Field14  bool     `json:"field14,omitempty"`
	Field104 int32    `json:"field104,omitempty"`
	Field100 int32    `json:"field100,omitempty"`
	Field101 int32    `json:"field101,omitempty"`
	Field102 string   `json:"field102,omitempty"`
	Field103 string   `json:"field103,omitempty"`
	Field29  int32    `json:"field29,omitempty"`
	Field30  bool     `json:"field30,omitempty"`
	Field60  int32    `json:"field60,omitempty"`
	Field271 int32    `json:"field271,omitempty"`
	Field272 int32    `json:"field272,omitempty"`
	Field150 int32    `json:"field150,omitempty"`
	Field23  int32    `json:"field23,omitempty"`
	Field24  bool     `json:"field24,omitempty"`
	Field25  int32    `json:"field25,omitempty"`
	Field78  bool     `json:"field78,omitempty"`
	Field67  int32    `json:"field67,omitempty"`
	Field68  int32    `json:"field68,omitempty"`
	Field128 int32    `json:"field128,omitempty"`
	Field129 string   `json:"field129,omitempty"`
	Field131 int32    `json:"field131,omitempty"`
}

// benchMessage is the message of the rpcx benchmarks. In protobuf
// it has 581 bytes.
func benchMessage() *BenchmarkMessage {
	const text = "许多往事在眼前一幕一幕，变的那麼模糊"
	return &BenchmarkMessage{
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
