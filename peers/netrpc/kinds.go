package main

import "time"

// Kinds has a field of every kind that gob and JSON treat
// differently.
type Kinds struct {
	Bool  bool
	I8    int8
	I16   int16
	I32   int32
	I64   int64
	U8    uint8
	U16   uint16
	U32   uint32
	U64   uint64
	F32   float32
	F64   float64
	Text  string
	Blob  []byte
	Arr   [4]byte
	Ints  []int32
	Names []string
	Map   map[string]int64
	ByID  map[int32]Inner
	Inner Inner
	Ptr   *Inner
	Kids  []Inner
	At    time.Time
	Span  time.Duration
}

// Inner is the struct nested in Kinds.
type Inner struct {
	X int64
	Y string
}

// normalise removes the differences that are no difference to a user: which
// zone a time is shown in (gob carries an offset, not every language keeps it),
// and nil against empty (not every language has a nil list).
func (k Kinds) normalise() Kinds {
	k.At = k.At.UTC()
	if len(k.Blob) == 0 {
		k.Blob = nil
	}
	if len(k.Ints) == 0 {
		k.Ints = nil
	}
	if len(k.Names) == 0 {
		k.Names = nil
	}
	if len(k.Map) == 0 {
		k.Map = nil
	}
	if len(k.ByID) == 0 {
		k.ByID = nil
	}
	if len(k.Kids) == 0 {
		k.Kids = nil
	}
	return k
}
