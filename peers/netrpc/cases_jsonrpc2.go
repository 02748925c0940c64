package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The error codes of the JSON-RPC 2.0 specification.
const (
	parseError     = -32700
	invalidRequest = -32600
	methodNotFound = -32601
	invalidParams  = -32602
)

// jsonrpc2Cases write JSON-RPC 2.0 by hand, to a server that takes it on the same
// connections as 1.0. Go's standard library has only 1.0.
func jsonrpc2Cases() []testCase {
	var cases []testCase
	add := func(name string, run func(*rawJSON) error) {
		cases = append(cases, testCase{"jsonrpc2/" + name, func(ctx context.Context, t target) error {
			return withRawJSON(ctx, t, run)
		}})
	}
	add("call", v2Call)
	add("ids", v2IDs)
	add("params", v2Params)
	add("errors", v2Errors)
	add("notification", v2Notification)
	add("batch", v2Batch)
	add("batch-of-one", v2BatchOfOne)
	add("batch-of-notifications", v2BatchOfNotifications)
	add("batch-empty", v2BatchEmpty)
	add("batch-invalid", v2BatchInvalid)
	add("pipelined", v2Pipelined)
	add("split", v2Split)
	add("mixed-versions", v2MixedVersions)
	for _, junk := range []struct{ name, text string }{
		{"object", `{"jsonrpc":"2.0","method":"Arith.Mul","params":[{"A":7]}`},
		{"batch", `[{"jsonrpc":"2.0","method":"Arith.Mul","id":1},{"jsonrpc" "2.0"}]`},
	} {
		add("parse-error/"+junk.name, func(c *rawJSON) error { return v2ParseError(c, junk.text) })
	}
	return cases
}

func v2Request(id string) string {
	return `{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":7,"B":8},"id":` + id + `}`
}

func v2Response(id string) string {
	return `{"jsonrpc":"2.0","result":{"C":56},"id":` + id + `}`
}

// isV2Error checks the shape and the code of an error; a code of 0 takes any.
func (r response) isV2Error(id string, code int) error {
	var e struct {
		Code    *int
		Message *string
	}
	_, hasResult := r["result"]
	err := json.Unmarshal(r["error"], &e)
	if err != nil || hasResult || string(r["jsonrpc"]) != `"2.0"` || canonical(r["id"]) != id || e.Code == nil || e.Message == nil ||
		code != 0 && *e.Code != code {
		return fmt.Errorf("got %v, want error %d with id %s", r, code, id)
	}
	return nil
}

func (c *rawJSON) wantV2Error(request, id string, code int) error {
	r, err := c.roundTrip(request)
	if err != nil {
		return fmt.Errorf("%.100s: %w", request, err)
	}
	if err := r.isV2Error(id, code); err != nil {
		return fmt.Errorf("%.100s: %w", request, err)
	}
	return nil
}

func (c *rawJSON) mul2(id string) error { return c.want(v2Request(id), v2Response(id)) }

// wantSilence checks that nothing more comes and the connection stays open. It is
// the end of a case: the decoder is of no use afterwards.
func (c *rawJSON) wantSilence() error {
	_ = c.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	var more json.RawMessage
	if err := c.dec.Decode(&more); err == nil {
		return fmt.Errorf("unexpected %.300s", more)
	} else if !isTimeout(err) {
		return fmt.Errorf("the connection did not stay open: %w", err)
	}
	return nil
}

func v2Call(c *rawJSON) error {
	for _, pair := range [][2]string{
		{`"Arith.Mul","params":{"A":7,"B":8}`, `{"C":56}`},
		{`"Arith.Multiply","params":{"A":7,"B":8}`, `56`},
		{`"HelloService.SayHello","params":["gopher"]`, `"Hello World:gopher"`},
		{`"Arith.Divide","params":{"A":17,"B":5}`, `{"Quo":3,"Rem":2}`},
	} {
		request := `{"jsonrpc":"2.0","method":` + pair[0] + `,"id":1}`
		if err := c.want(request, `{"jsonrpc":"2.0","result":`+pair[1]+`,"id":1}`); err != nil {
			return err
		}
	}
	// What a method without a result answers is open, but the member must be there.
	r, err := c.roundTrip(`{"jsonrpc":"2.0","method":"Echo.Sleep","params":{"Ms":0},"id":2}`)
	if err != nil {
		return err
	}
	if _, ok := r["result"]; !ok || len(r) != 3 {
		return fmt.Errorf("got %v, want a result", r)
	}
	return nil
}

// v2IDs: null is an id that is answered, unlike one that is missing.
func v2IDs(c *rawJSON) error {
	for _, id := range []string{`0`, `1`, `-5`, `9007199254740993`, `18446744073709551615`, `"text"`, `""`, `"größe \"1\""`, `null`} {
		if err := c.mul2(id); err != nil {
			return err
		}
	}
	return nil
}

func v2Params(c *rawJSON) error {
	for _, params := range []string{`{"A":7,"B":8}`, `{"B":8,"A":7,"X":{"A":1}}`, `[{"A":7,"B":8}]`} {
		if err := c.want(`{"id":1,"params":`+params+`,"method":"Arith.Mul","jsonrpc":"2.0"}`, v2Response("1")); err != nil {
			return err
		}
	}
	return nil
}

func v2Errors(c *rawJSON) error {
	for _, e := range []struct {
		rest string
		code int
	}{
		{`"method":"Arith.NoSuchMethod","params":{}`, methodNotFound},
		{`"method":"NoSuchService.Mul","params":{}`, methodNotFound},
		{`"method":"Arith","params":{}`, methodNotFound},
		{`"method":"rpc.discover.nothing"`, methodNotFound},
		{`"method":"Arith.Mul","params":{"A":"x"}`, invalidParams},
		{`"method":"HelloService.SayHello","params":[{"A":1}]`, invalidParams},
		{`"method":7,"params":{}`, invalidRequest},
		{`"params":{}`, invalidRequest},
		{`"method":"Arith.Divide","params":{"A":1,"B":0}`, 0},
	} {
		if err := c.wantV2Error(`{"jsonrpc":"2.0",`+e.rest+`,"id":"e"}`, `"e"`, e.code); err != nil {
			// An id need not be read from what is no request.
			if e.code != invalidRequest || !strings.Contains(err.Error(), `"id":null`) {
				return err
			}
		}
	}
	r, err := c.roundTrip(`{"jsonrpc":"2.0","method":"Echo.Fail","params":{"Code":5,"Message":"größer <&>"},"id":1}`)
	if err != nil {
		return err
	}
	var e struct{ Message string }
	if err := json.Unmarshal(r["error"], &e); err != nil || e.Message != "größer <&>" {
		return fmt.Errorf("got %v, want the message of the method", r)
	}
	return c.mul2("1")
}

// v2Notification: no answer of any kind.
func v2Notification(c *rawJSON) error {
	for _, rest := range []string{
		`"method":"Arith.Mul","params":{"A":7,"B":8}`,
		`"method":"Arith.Divide","params":{"A":7,"B":0}`,
		`"method":"Arith.NoSuchMethod"`,
		`"method":"NoSuchService.Mul"`,
		`"method":"Arith.Mul","params":{"A":"x"}`,
	} {
		if err := c.send(`{"jsonrpc":"2.0",` + rest + `}` + "\n"); err != nil {
			return err
		}
	}
	if err := c.mul2("1"); err != nil {
		return err
	}
	return c.wantSilence()
}

// receiveBatch reads an array of responses, by their ids.
func (c *rawJSON) receiveBatch(size int) (map[string]response, error) {
	var all []response
	if err := c.dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("no array of replies: %w", err)
	}
	byID := make(map[string]response)
	for _, r := range all {
		byID[canonical(r["id"])] = r
	}
	if len(all) != size || len(byID) != size {
		return nil, fmt.Errorf("got %v, want %d replies", all, size)
	}
	return byID, nil
}

func v2Batch(c *rawJSON) error {
	err := c.send("[" + strings.Join([]string{
		v2Request("1"),
		`{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":1,"B":1}}`, // a notification
		`{"jsonrpc":"2.0","method":"Arith.NoSuchMethod","id":"unknown"}`,
		`{"jsonrpc":"2.0","method":"Arith.Divide","params":{"A":1,"B":0},"id":3}`,
		`17`,
		`{"jsonrpc":"2.0","method":"Echo.Sleep","params":{"Ms":50},"id":4}`,
		`{"jsonrpc":"2.0","method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":5}`,
	}, " ,\n") + "]")
	if err != nil {
		return err
	}
	replies, err := c.receiveBatch(6)
	if err != nil {
		return err
	}
	if err := replies[`1`].is(v2Response("1")); err != nil {
		return err
	}
	if err := replies[`5`].is(`{"jsonrpc":"2.0","result":56,"id":5}`); err != nil {
		return err
	}
	if _, ok := replies[`4`]["result"]; !ok {
		return fmt.Errorf("got %v, want a result", replies[`4`])
	}
	return errors.Join(
		replies[`"unknown"`].isV2Error(`"unknown"`, methodNotFound),
		replies[`3`].isV2Error(`3`, 0),
		replies[`null`].isV2Error(`null`, invalidRequest),
		c.mul2("6"),
	)
}

// v2BatchOfOne: the answer to an array is an array.
func v2BatchOfOne(c *rawJSON) error {
	if err := c.send("[" + v2Request("1") + "]"); err != nil {
		return err
	}
	replies, err := c.receiveBatch(1)
	if err != nil {
		return err
	}
	return replies[`1`].is(v2Response("1"))
}

func v2BatchOfNotifications(c *rawJSON) error {
	notification := `{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":1,"B":1}}`
	if err := c.send("[" + notification + "," + notification + "]"); err != nil {
		return err
	}
	if err := c.mul2("1"); err != nil {
		return err
	}
	return c.wantSilence()
}

func v2BatchEmpty(c *rawJSON) error {
	if err := c.wantV2Error(`[]`, `null`, invalidRequest); err != nil {
		return err
	}
	return c.mul2("1")
}

// v2BatchInvalid is the example of the specification.
func v2BatchInvalid(c *rawJSON) error {
	if err := c.send(`[1,2,3]`); err != nil {
		return err
	}
	var all []response
	if err := c.dec.Decode(&all); err != nil {
		return fmt.Errorf("no array of replies: %w", err)
	}
	if len(all) != 3 {
		return fmt.Errorf("got %v, want 3 replies", all)
	}
	for _, r := range all {
		if err := r.isV2Error(`null`, invalidRequest); err != nil {
			return err
		}
	}
	return c.mul2("1")
}

func v2Pipelined(c *rawJSON) error {
	const calls = 200
	var all strings.Builder
	for i := range calls {
		all.WriteString(v2Request(fmt.Sprint(i)))
	}
	if err := c.send(all.String()); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for range calls {
		r, err := c.receive()
		if err != nil {
			return err
		}
		id := canonical(r["id"])
		if err := r.is(v2Response(id)); err != nil {
			return err
		}
		seen[id] = true
	}
	if len(seen) != calls {
		return fmt.Errorf("%d different ids of %d", len(seen), calls)
	}
	return nil
}

func v2Split(c *rawJSON) error {
	if err := writeSplit(c.conn, []byte("["+v2Request("1")+"]")); err != nil {
		return err
	}
	replies, err := c.receiveBatch(1)
	if err != nil {
		return err
	}
	return replies[`1`].is(v2Response("1"))
}

// v2MixedVersions: every request is answered in its own version.
func v2MixedVersions(c *rawJSON) error {
	for range 3 {
		if err := c.mul("1"); err != nil {
			return err
		}
		if err := c.mul2("2"); err != nil {
			return err
		}
	}
	return nil
}

// v2ParseError: the answer, and the end, as nobody knows where the next request
// would begin.
func v2ParseError(c *rawJSON, junk string) error {
	if err := c.mul2("1"); err != nil {
		return err
	}
	if err := c.wantV2Error(junk, `null`, parseError); err != nil {
		return err
	}
	return c.wantEnd()
}
