// Command gob-peer is encoding/gob as the judge in farcall's tests. The types are
// named in the questions, in Go's own notation (see types.go), so that a test can
// make them up; values are told in JSON that loses nothing (see values.go).
package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"
)

// question is one line of the judge's input.
type question struct {
	Do     string   // describe, decode or encode
	Types  []string // of the values in turn; the last one is also that of all that follow
	Hex    string   // decode: a gob stream
	Values []any    // encode: see judge_values.go
}

// answer is one line of its output; Error is empty if all went well.
type answer struct {
	Type   any    `json:",omitempty"`
	Values []any  `json:",omitempty"`
	Hex    string `json:",omitempty"`
	Error  string `json:",omitempty"`
}

func main() {
	if len(os.Args) != 2 || os.Args[1] != "judge" && os.Args[1] != "versions" {
		fmt.Fprintln(os.Stderr, "usage: gob-peer judge|versions")
		os.Exit(2)
	}
	if os.Args[1] == "versions" {
		fmt.Printf("encoding/gob %s (%s/%s)\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return
	}
	registerTypes()
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "gob-peer:", err)
		os.Exit(1)
	}
}

// serve answers every line of JSON by one, until stdin ends.
func serve() error {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err == io.EOF {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		result, err := judge(line)
		if err != nil {
			// What went well until then is told too.
			result.Error = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		text, err := json.Marshal(result)
		if err != nil {
			return err
		}
		_, _ = out.Write(append(text, '\n'))
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

func judge(line []byte) (result answer, err error) {
	defer catchPanic(&err)
	var q question
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&q); err != nil {
		return result, err
	}
	var types []reflect.Type
	for _, text := range q.Types {
		t, err := parseType(text)
		if err != nil {
			return result, err
		}
		types = append(types, t)
	}
	if len(types) == 0 {
		return result, fmt.Errorf("no type")
	}
	typeOf := func(i int) reflect.Type { return types[min(i, len(types)-1)] }
	switch q.Do {
	case "describe":
		result.Type = describe(types[0], nil)
	case "decode":
		err = judgeDecode(&q, typeOf, &result)
	case "encode":
		err = judgeEncode(&q, typeOf, &result)
	default:
		err = fmt.Errorf("unknown question %q", q.Do)
	}
	return result, err
}

func judgeDecode(q *question, typeOf func(int) reflect.Type, result *answer) error {
	data, err := hex.DecodeString(q.Hex)
	if err != nil {
		return err
	}
	in := bytes.NewReader(data)
	dec := gob.NewDecoder(in)
	for i := 0; ; i++ {
		into := reflect.New(typeOf(i))
		err := dec.DecodeValue(into)
		if err == io.EOF && in.Len() == 0 && i > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		result.Values = append(result.Values, toJSON(into.Elem()))
	}
}

func judgeEncode(q *question, typeOf func(int) reflect.Type, result *answer) error {
	var out bytes.Buffer
	enc := gob.NewEncoder(&out)
	for i, value := range q.Values {
		from := reflect.New(typeOf(i))
		if err := fromJSON(from.Elem(), value); err != nil {
			return err
		}
		if err := enc.EncodeValue(from); err != nil {
			return err
		}
	}
	result.Hex = hex.EncodeToString(out.Bytes())
	return nil
}

func catchPanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}
