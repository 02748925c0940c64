package main

import (
	"encoding/gob"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"reflect"
	"time"
)

// The types of the recorded gob streams that name or imply them. In an interface
// they have the names of package main, as in the recordings.
type (
	Point struct{ X, Y int }
	Named struct {
		Name string
		P    Point
	}
	ZeroNested struct {
		A int
		P Point
		B int
	}
	Inner struct {
		A int
		S string
	}
	Outer struct {
		I   Inner
		Ptr *Inner
		N   int
	}
	Deep3    struct{ V int }
	Deep2    struct{ D3 Deep3 }
	Deep1    struct{ D2 Deep2 }
	AllBasic struct {
		B    bool
		I    int
		I8   int8
		I16  int16
		I32  int32
		I64  int64
		U    uint
		U8   uint8
		U16  uint16
		U32  uint32
		U64  uint64
		Up   uintptr
		F32  float32
		F64  float64
		C64  complex64
		C128 complex128
		S    string
		By   []byte
	}
	MyByte      uint8
	MyInt       int
	MyString    string
	MyBytes     []byte
	Celsius     float64
	NamedBasics struct {
		I MyInt
		S MyString
		B MyBytes
		C Celsius
		D time.Duration
	}
	Empty      struct{}
	Unexported struct {
		A      int
		hidden int //nolint:unused // it takes no number
		B      string
		Ch     chan int
		Fn     func()
		C      bool
	}
	Base      struct{ ID int }
	EmbedsPtr struct {
		*Base
		Name string
	}
	Embeds struct {
		Base
		Name string
	}
	Pointers struct {
		P  *int
		PP **int
		N  *int
		Z  *int
		S  *string
	}
	Pair[A, B any] struct {
		First  A
		Second B
	}
	Person struct {
		Name    string
		Age     int
		Emails  []string
		Attrs   map[string]string
		Boss    *Person
		Tags    [2]string
		Score   float64
		Active  bool
		Blob    []byte
		Balance int64
	}
	Node struct {
		Name     string
		Children []Node
	}
	PNode struct {
		Name     string
		Children []*PNode
	}
	RecMap   map[string]RecMap
	RecSlice []RecSlice
	MutA     struct {
		N int
		B *MutB
	}
	MutB struct {
		S string
		A *MutA
	}
	MapStruct struct {
		M map[string]*MapStruct
		V int
	}
	Box  struct{ V any }
	Box2 struct {
		V any
		T int
	}
	Shape interface{ Area() int }
	Rect  struct{ W, H int }
	// Holder has an interface with methods.
	Holder struct {
		Name string
		Sh   Shape
	}
	Tree struct {
		Left, Right *Tree
		Val         int
	}
	Skip1 struct {
		A int
		V any
		Z int
	}
	ShapeBox struct{ V Shape }
)

// Area makes a Rect a Shape.
func (r *Rect) Area() int { return r.W * r.H }

// GobVal writes itself, by value.
type GobVal struct{ s string }

func (g GobVal) GobEncode() ([]byte, error) { return []byte("g:" + g.s), nil }

func (g *GobVal) GobDecode(data []byte) error {
	if len(data) < 2 {
		return fmt.Errorf("GobVal of %d bytes", len(data))
	}
	g.s = string(data[2:])
	return nil
}

// GobPtr writes itself, by pointer.
type GobPtr struct{ s string }

func (g *GobPtr) GobEncode() ([]byte, error) { return []byte("p:" + g.s), nil }

func (g *GobPtr) GobDecode(data []byte) error {
	if len(data) < 2 {
		return fmt.Errorf("GobPtr of %d bytes", len(data))
	}
	g.s = string(data[2:])
	return nil
}

// BinVal is a BinaryMarshaler of one byte.
type BinVal struct{ b byte }

func (b BinVal) MarshalBinary() ([]byte, error) { return []byte{b.b}, nil }

func (b *BinVal) UnmarshalBinary(data []byte) error {
	if len(data) != 1 {
		return fmt.Errorf("BinVal of %d bytes", len(data))
	}
	b.b = data[0]
	return nil
}

// GobHolder has all of them.
type GobHolder struct {
	A GobVal
	B *GobPtr
	C GobPtr
	D BinVal
	E int
}

// TxtVal is a TextMarshaler, which gob does not ask.
type TxtVal struct{ T string }

func (t TxtVal) MarshalText() ([]byte, error) { return []byte(t.T), nil }

// Std has types of the standard library.
type Std struct {
	IP  net.IP
	URL url.URL
	Big *big.Int
	Txt TxtVal
}

// vectorTypes are the types by name.
var vectorTypes = map[string]reflect.Type{}

func init() {
	for _, value := range []any{
		Point{}, Named{}, ZeroNested{}, Inner{}, Outer{}, Deep1{}, AllBasic{}, MyInt(0), MyByte(0), NamedBasics{},
		Empty{}, Unexported{}, EmbedsPtr{}, Embeds{}, Pointers{}, Person{}, Node{}, PNode{}, RecMap{}, RecSlice{},
		MutA{}, MapStruct{}, Box{}, Box2{}, Holder{}, Tree{}, Skip1{}, ShapeBox{}, GobVal{}, GobPtr{}, BinVal{},
		GobHolder{}, Std{},
	} {
		t := reflect.TypeOf(value)
		vectorTypes[t.Name()] = t
	}
	vectorTypes["PairStringInt"] = reflect.TypeFor[Pair[string, int]]()
	vectorTypes["PairPointInts"] = reflect.TypeFor[Pair[Point, []int]]()
}

// registerTypes makes known what interfaces in the recordings hold.
func registerTypes() {
	for _, value := range []any{
		Point{}, Inner{}, Empty{}, Box2{}, Named{}, Tree{}, GobVal{}, &Rect{},
		map[string]int{}, map[string]any{}, []any{}, time.Time{},
	} {
		gob.Register(value)
	}
	gob.RegisterName("custom/Name", Deep3{})
}
