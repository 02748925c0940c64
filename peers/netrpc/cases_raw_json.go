package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// rawJSONCases write JSON-RPC 1.0 by hand, as clients do that are not Go's.
func rawJSONCases() []testCase {
	var cases []testCase
	add := func(name string, run func(*rawJSON) error) {
		cases = append(cases, testCase{"raw/json/" + name, func(ctx context.Context, t target) error {
			return withRawJSON(ctx, t, run)
		}})
	}
	add("reply-shape", rawReplyShape)
	add("concatenated", rawConcatenated)
	add("pipelined", rawJSONPipelined)
	add("split", rawJSONSplit)
	add("white-space", rawWhiteSpace)
	add("ids", rawIDs)
	add("no-id", rawNoID)
	add("params", rawParams)
	add("members", rawMembers)
	add("empty-request", rawEmptyRequest)
	add("half-close", rawJSONHalfClose)
	for _, junk := range []struct{ name, text string }{
		{"syntax", `{"method":"Arith.Mul","params":[{"A":7]}`},
		{"number", `17 `},
		{"text", "hello\r\n"},
		{"method-number", `{"method":7,"params":[{}],"id":1}`},
	} {
		cases = append(cases, testCase{"raw/json/junk/" + junk.name, func(ctx context.Context, t target) error {
			return rawJSONJunk(ctx, t, junk.text, true)
		}})
	}
	cases = append(cases, testCase{"raw/json/junk/deep", func(ctx context.Context, t target) error {
		// Too deep for most parsers; whether the rest can be served is the server's
		// affair.
		return rawJSONJunk(ctx, t, `{"method":"Arith.Mul","params":`+strings.Repeat("[", 100_000), false)
	}})
	return cases
}

// rawJSON is one connection without a client library.
type rawJSON struct {
	conn stream
	dec  *json.Decoder
}

func withRawJSON(ctx context.Context, t target, use func(*rawJSON) error) error {
	conn, err := t.dialRaw(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return use(&rawJSON{conn, json.NewDecoder(conn)})
}

func (c *rawJSON) send(text string) error {
	_, err := io.WriteString(c.conn, text)
	return err
}

// response is an object as it arrived, by its members.
type response map[string]json.RawMessage

func (r response) String() string {
	text, _ := json.Marshal(r)
	return fmt.Sprintf("%.300s", text)
}

func (c *rawJSON) receive() (response, error) {
	var r response
	if err := c.dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("no reply: %w", err)
	}
	return r, nil
}

func (c *rawJSON) roundTrip(text string) (response, error) {
	if err := c.send(text); err != nil {
		return nil, err
	}
	return c.receive()
}

// want does a call and compares the response with its text, member by member.
func (c *rawJSON) want(request, expect string) error {
	r, err := c.roundTrip(request)
	if err != nil {
		return fmt.Errorf("%.100s: %w", request, err)
	}
	if err := r.is(expect); err != nil {
		return fmt.Errorf("%.100s: %w", request, err)
	}
	return nil
}

// is compares with the text of an object. Members must be the same ones, and
// mean the same.
func (r response) is(expect string) error {
	var want response
	if err := json.Unmarshal([]byte(expect), &want); err != nil {
		return err
	}
	same := len(r) == len(want)
	for name, value := range want {
		got, ok := r[name]
		same = same && ok && canonical(got) == canonical(value)
	}
	if !same {
		return fmt.Errorf("got %v, want %s", r, expect)
	}
	return nil
}

// canonical is the one text of all that mean the same: without white space, with
// escapes only where Go writes them. Numbers stay as they are written.
func canonical(text json.RawMessage) string {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return string(text)
	}
	out, err := json.Marshal(value)
	if err != nil {
		return string(text)
	}
	return string(out)
}

// isError checks the shape of a 1.0 error, whatever its text.
func (r response) isError(id string) error {
	var text string
	if err := json.Unmarshal(r["error"], &text); err != nil || text == "" || string(r["result"]) != "null" || canonical(r["id"]) != id {
		return fmt.Errorf("got %v, want an error with id %s", r, id)
	}
	return nil
}

func mulRequest(id string) string {
	return `{"method":"Arith.Mul","params":[{"A":7,"B":8}],"id":` + id + `}`
}

func mulResponse(id string) string {
	return `{"id":` + id + `,"result":{"C":56},"error":null}`
}

func (c *rawJSON) mul(id string) error { return c.want(mulRequest(id), mulResponse(id)) }

// rawReplyShape: all three members are always there, results are never null, and
// every response ends with a newline.
func rawReplyShape(c *rawJSON) error {
	for _, pair := range [][2]string{
		{mulRequest("1"), mulResponse("1")},
		{`{"method":"Arith.Multiply","params":[{"A":7,"B":0}],"id":2}`, `{"id":2,"result":0,"error":null}`},
		{`{"method":"HelloService.SayHello","params":["x"],"id":3}`, `{"id":3,"result":"Hello World:x","error":null}`},
		{`{"method":"Echo.Sleep","params":[{"Ms":0}],"id":4}`, `{"id":4,"result":{},"error":null}`},
		{`{"method":"Echo.Bytes","params":["AAEC/w=="],"id":5}`, `{"id":5,"result":"AAEC/w==","error":null}`},
		{`{"method":"Echo.Bytes","params":[""],"id":6}`, `{"id":6,"result":"","error":null}`},
		{`{"method":"Arith.Divide","params":[{"A":1,"B":0}],"id":7}`, `{"id":7,"result":null,"error":"divide by zero"}`},
		{`{"method":"Arith.X","params":[{}],"id":8}`, `{"id":8,"result":null,"error":"rpc: can't find method Arith.X"}`},
		{`{"method":"X.Mul","params":[{}],"id":9}`, `{"id":9,"result":null,"error":"rpc: can't find service X.Mul"}`},
		{`{"method":"X","params":[{}],"id":10}`, `{"id":10,"result":null,"error":"rpc: service/method request ill-formed: X"}`},
	} {
		if err := c.want(pair[0], pair[1]); err != nil {
			return err
		}
	}
	if err := c.send(mulRequest("11")); err != nil {
		return err
	}
	all, _ := io.ReadAll(io.LimitReader(io.MultiReader(c.dec.Buffered(), c.conn), int64(len("\n"+mulResponse("11")+"\n"))))
	if !bytes.HasSuffix(all, []byte("}\n")) {
		return fmt.Errorf("%q does not end with a newline", all)
	}
	return nil
}

func rawConcatenated(c *rawJSON) error {
	if err := c.send(mulRequest("1") + mulRequest("2")); err != nil {
		return err
	}
	return c.wantProducts(`1`, `2`)
}

// wantProducts reads the replies to these ids, in any order.
func (c *rawJSON) wantProducts(ids ...string) error {
	left := make(map[string]bool)
	for _, id := range ids {
		left[id] = true
	}
	for range ids {
		r, err := c.receive()
		if err != nil {
			return err
		}
		id := canonical(r["id"])
		if !left[id] {
			return fmt.Errorf("unexpected reply %v", r)
		}
		delete(left, id)
		if err := r.is(mulResponse(id)); err != nil {
			return err
		}
	}
	return nil
}

func rawJSONPipelined(c *rawJSON) error {
	var all strings.Builder
	var ids []string
	for i := range 200 {
		id := fmt.Sprint(i)
		ids = append(ids, id)
		all.WriteString(mulRequest(id))
		if i%2 == 0 {
			all.WriteString("\n")
		}
	}
	if err := c.send(all.String()); err != nil {
		return err
	}
	return c.wantProducts(ids...)
}

func rawJSONSplit(c *rawJSON) error {
	if err := writeSplit(c.conn, []byte(mulRequest(`"größe"`))); err != nil {
		return err
	}
	return c.wantProducts(`"größe"`)
}

func rawWhiteSpace(c *rawJSON) error {
	request := " \r\n\t{ \"id\" :\n1 , \"params\" : [ { \"B\":8,\r\n\"A\" : 7 } ] , \"method\":\"Arith\\u002eMul\" }\r\n\r\n "
	if err := c.want(request, mulResponse("1")); err != nil {
		return err
	}
	return c.mul("2")
}

// rawIDs: an id comes back as it was.
func rawIDs(c *rawJSON) error {
	for _, id := range []string{
		`0`, `-1`, `1.5`, `18446744073709551615`, `123456789012345678901234567890`, `"text"`, `""`, `"\"\\\n"`, `{"k":[1,null]}`, `[]`, `true`,
	} {
		if err := c.mul(id); err != nil {
			return err
		}
	}
	return nil
}

// rawNoID: 1.0 as Go speaks it has no notifications.
func rawNoID(c *rawJSON) error {
	if err := c.want(`{"method":"Arith.Mul","params":[{"A":7,"B":8}]}`, mulResponse("null")); err != nil {
		return err
	}
	return c.mul("null")
}

func rawParams(c *rawJSON) error {
	request := func(params string) string { return `{"method":"Arith.Mul",` + params + `"id":1}` }
	zero := `{"id":1,"result":{"C":0},"error":null}`
	for params, want := range map[string]string{
		`"params":[],`:                         zero,
		`"params":[null],`:                     zero,
		`"params":[{}],`:                       zero,
		`"params":[{"A":7,"B":8},{"A":1}, 5],`: mulResponse("1"),
		`"params":[{"A":7,"B":8,"X":[{}]}],`:   mulResponse("1"),
		`"params":[{"A":null,"B":8}],`:         zero,
	} {
		if err := c.want(request(params), want); err != nil {
			return err
		}
	}
	for _, params := range []string{``, `"params":null,`, `"params":[7],`, `"params":["x"],`, `"params":[[7,8]],`, `"params":"x",`, `"params":[{"A":7.5}],`, `"params":[{"A":9223372036854775808}],`} {
		r, err := c.roundTrip(request(params))
		if err != nil {
			return err
		}
		if err := r.isError("1"); err != nil {
			return fmt.Errorf("%s %w", params, err)
		}
	}
	return c.mul("2")
}

// rawMembers: unknown members are read past.
func rawMembers(c *rawJSON) error {
	return c.want(`{"version":"1.1","x":{"method":"X.Y","id":2},"method":"Arith.Mul","params":[{"A":7,"B":8}],"y":[[]],"id":1,"z":null}`, mulResponse("1"))
}

// rawEmptyRequest: an object without a method has an ill-formed one.
func rawEmptyRequest(c *rawJSON) error {
	want := `"result":null,"error":"rpc: service/method request ill-formed: "}`
	if err := c.want(`{}`, `{"id":null,`+want); err != nil {
		return err
	}
	if err := c.want(`{"id":1}`, `{"id":1,`+want); err != nil {
		return err
	}
	return c.mul("2")
}

func rawJSONHalfClose(c *rawJSON) error {
	if err := c.send(`{"method":"Echo.Sleep","params":[{"Ms":300}],"id":1}` + mulRequest("2")); err != nil {
		return err
	}
	if err := c.conn.CloseWrite(); err != nil {
		return err
	}
	if err := c.wantProducts("2"); err != nil {
		return err
	}
	r, err := c.receive()
	if err != nil {
		return fmt.Errorf("the call that was running: %w", err)
	}
	if err := r.is(`{"id":1,"result":{},"error":null}`); err != nil {
		return err
	}
	return c.wantEnd()
}

func (c *rawJSON) wantEnd() error {
	var more json.RawMessage
	if err := c.dec.Decode(&more); err == nil {
		return fmt.Errorf("unexpected %.300s", more)
	} else if isTimeout(err) {
		return errors.New("the connection stays open")
	}
	return nil
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// rawJSONJunk sends what is no request in the middle of a connection.
func rawJSONJunk(ctx context.Context, t target, junk string, hangUp bool) error {
	err := withRawJSON(ctx, t, func(c *rawJSON) error {
		if err := c.mul("1"); err != nil {
			return err
		}
		// A server may hang up before all of it is written.
		if err := c.send(junk); err != nil || !hangUp {
			return nil
		}
		return wantHangUp(c.conn)
	})
	if err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond) // time for a server to break
	return withRawJSON(ctx, t, func(c *rawJSON) error { return c.mul("2") })
}
