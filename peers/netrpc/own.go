package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/rpc"
	"net/url"
	"reflect"
	"strings"
)

// Own has what JSON has no form for, or another one: complex numbers, types
// that marshal themselves, and maps with any keys.
type Own struct {
	C64     complex64
	C128    complex128
	Many    []complex128
	Big     *big.Int
	Bigs    []*big.Int
	Addr    netip.Addr
	URL     *url.URL
	ByInner map[Inner]string
	ByPair  map[[2]int64]bool
	ByAddr  map[netip.Addr]complex128
	Nested  map[Inner]map[[2]int64][]Inner
}

func (*Echo) Own(args *Own, reply *Own) error {
	*reply = *args
	return nil
}

func ownSamples() map[string]Own {
	huge, _ := new(big.Int).SetString("-"+strings.Repeat("1234567890", 40), 10)
	link, err := url.Parse("https://u:p@h:8/p?q=1#f")
	if err != nil {
		panic(err)
	}
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	return map[string]Own{
		"zero": {},
		"typical": {
			C64: 1 + 2i, C128: -3.5i, Many: []complex128{0, 1, 2i, complex(math.MaxFloat64, math.Inf(-1))},
			Big: huge, Bigs: []*big.Int{big.NewInt(0), big.NewInt(-1), huge}, Addr: v6, URL: link,
			ByInner: map[Inner]string{{1, "one"}: "a", {}: ""},
			ByPair:  map[[2]int64]bool{{1, -2}: true, {}: false},
			ByAddr:  map[netip.Addr]complex128{v4: 1i, v6: 0},
			Nested:  map[Inner]map[[2]int64][]Inner{{2, "x"}: {{3, 4}: {{5, "y"}, {}}}},
		},
		"zeros-inside": {
			Big: new(big.Int), URL: new(url.URL), Many: []complex128{0},
			ByAddr: map[netip.Addr]complex128{{}: 0}, ByInner: map[Inner]string{{}: ""},
		},
	}
}

// normalise makes nil of what is empty, as not every language has a nil map.
func (o *Own) normalise() {
	fields := reflect.ValueOf(o).Elem()
	for i := range fields.NumField() {
		field := fields.Field(i)
		if kind := field.Kind(); (kind == reflect.Map || kind == reflect.Slice) && field.Len() == 0 {
			field.SetZero()
		}
	}
}

func checkOwn(ctx context.Context, c *rpc.Client) error {
	// The second time both ends know all types.
	for range 2 {
		for name, value := range ownSamples() {
			var reply Own
			if err := call(ctx, c, "Echo.Own", &value, &reply); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			reply.normalise()
			if err := sameOwn(value, reply); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	// A type that is marshaled in another way is refused, and costs its call alone.
	wrong := struct{ Addr *big.Int }{big.NewInt(1)}
	if err := call(ctx, c, "Echo.Own", &wrong, &Own{}); err == nil {
		return errors.New("a GobEncoder was taken for a BinaryMarshaler")
	}
	return nil
}

// sameOwn names the first field that differs. Numbers of package big are
// compared by what they say: the same may be stored in two ways.
func sameOwn(want, got Own) error {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		a, b := w.Field(i).Interface(), g.Field(i).Interface()
		same := reflect.DeepEqual(a, b)
		switch a.(type) {
		case *big.Int, []*big.Int:
			same = fmt.Sprint(a) == fmt.Sprint(b)
		}
		if !same {
			return fmt.Errorf("field %s: %v, want %v", w.Type().Field(i).Name, b, a)
		}
	}
	return nil
}
