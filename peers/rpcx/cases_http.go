package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/codec"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
)

// httpCases are about what HTTP carries: the gateway, JSON-RPC 2.0, and frames
// behind a CONNECT. rpcx-go serves the last on a port of its own only. They are
// no cases behind a CONNECT.
func httpCases() []testCase {
	if tunnel != "" {
		return nil
	}
	cases := []testCase{
		{"http/gateway/oneway", gatewayOneway},
		{"http/gateway/metadata", gatewayMetadata},
		{"http/gateway/path", gatewayPath},
		{"http/jsonrpc/call", jsonrpcCall},
		{"http/jsonrpc/error", jsonrpcError},
		{"http/jsonrpc/notification", jsonrpcNotification},
	}
	if !link.unix {
		// rpcx-go dials TCP for it.
		cases = append(cases, testCase{"http/connect", httpConnect})
	}
	for _, c := range codecs {
		cases = append(cases, testCase{"http/gateway/mul/" + c.name, func(ctx context.Context, addr string) error {
			return gatewayMul(ctx, addr, c.id)
		}})
	}
	for _, c := range []struct{ name, header, value, text string }{
		{"no-service", server.XServicePath, "Nobody", "rpcx: can't find service Nobody"},
		{"no-method", server.XServiceMethod, "Nothing", "rpcx: can't find method Nothing"},
		{"empty-method", server.XServiceMethod, "", "empty servicemethod"},
		{"empty-type", server.XSerializeType, "", "empty serialized type"},
		{"bad-type", server.XSerializeType, "json", "strconv.Atoi: parsing \"json\": invalid syntax"},
		{"bad-id", server.XMessageID, "x", "strconv.ParseUint: parsing \"x\": invalid syntax"},
		{"no-codec", server.XSerializeType, "9", "can not find codec for 9"},
	} {
		cases = append(cases, testCase{"http/gateway/" + c.name, func(ctx context.Context, addr string) error {
			return gatewayRefuses(ctx, addr, c.header, c.value, c.text)
		}})
	}
	return cases
}

func httpConnect(ctx context.Context, addr string) error {
	c := client.NewClient(option(protocol.MsgPack, protocol.None))
	if err := c.Connect("http", addr); err != nil {
		return err
	}
	defer c.Close()
	for i := range int64(10) {
		if err := mul(ctx, c, 6, i); err != nil {
			return err
		}
	}
	return nil
}

// gateway posts a payload with the headers of rpcx's HTTP gateway.
func gateway(ctx context.Context, addr, path string, headers map[string]string, payload []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://peer"+path, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	// rpcx-go tells its two faces apart once per connection.
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return link.dial(ctx, addr)
		},
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

func mulHeaders(id protocol.SerializeType) map[string]string {
	return map[string]string{
		server.XMessageID:     "10000",
		server.XServicePath:   "Arith",
		server.XServiceMethod: "Mul",
		server.XSerializeType: strconv.Itoa(int(id)),
	}
}

func coder(id protocol.SerializeType) codec.Codec {
	switch id {
	case protocol.JSON:
		return &codec.JSONCodec{}
	case protocol.ProtoBuffer:
		return &codec.PBCodec{}
	default:
		return &codec.MsgpackCodec{}
	}
}

func gatewayMul(ctx context.Context, addr string, id protocol.SerializeType) error {
	payload, err := coder(id).Encode(&Args{A: 6, B: 7})
	if err != nil {
		return err
	}
	response, body, err := gateway(ctx, addr, "/", mulHeaders(id), payload)
	if err != nil {
		return err
	}
	reply := &Reply{}
	if err := coder(id).Decode(body, reply); err != nil {
		return fmt.Errorf("status %d, %q: %w", response.StatusCode, body, err)
	}
	if response.StatusCode != 200 || reply.C != 42 {
		return fmt.Errorf("status %d, %d", response.StatusCode, reply.C)
	}
	for _, name := range []string{server.XMessageID, server.XServicePath, server.XServiceMethod, server.XSerializeType} {
		if got, want := response.Header.Get(name), mulHeaders(id)[name]; got != want {
			return fmt.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if response.Header.Get(server.XMessageStatusType) != "" {
		return fmt.Errorf("a success has a status")
	}
	if _, there := response.Header[http.CanonicalHeaderKey(server.XMeta)]; !there {
		return fmt.Errorf("there is no %s", server.XMeta)
	}
	return nil
}

func gatewayRefuses(ctx context.Context, addr, header, value, text string) error {
	headers := mulHeaders(protocol.JSON)
	headers[header] = value
	response, body, err := gateway(ctx, addr, "/", headers, []byte(`{"A":6,"B":7}`))
	if err != nil {
		return err
	}
	status := 500
	if strings.HasPrefix(text, "empty") || strings.HasPrefix(text, "strconv") {
		status = 200
	}
	if response.StatusCode != status || len(body) != 0 {
		return fmt.Errorf("status %d and %q, not %d and nothing", response.StatusCode, body, status)
	}
	if got := response.Header.Get(server.XMessageStatusType); got != "Error" {
		return fmt.Errorf("the status is %q", got)
	}
	if got := response.Header.Get(server.XErrorMessage); got != text {
		return fmt.Errorf("the error is %q, not %q", got, text)
	}
	return nil
}

func gatewayOneway(ctx context.Context, addr string) error {
	headers := mulHeaders(protocol.JSON)
	headers[server.XOneway] = "true"
	response, body, err := gateway(ctx, addr, "/", headers, []byte(`{"A":6,"B":7}`))
	if err != nil {
		return err
	}
	if response.StatusCode != 200 || len(body) != 0 {
		return fmt.Errorf("status %d and %q", response.StatusCode, body)
	}
	return nil
}

// gatewayMetadata asks Echo.Meta to send back what came.
func gatewayMetadata(ctx context.Context, addr string) error {
	headers := mulHeaders(protocol.JSON)
	headers[server.XServicePath], headers[server.XServiceMethod] = "Echo", "Meta"
	headers[server.XMeta] = url.Values{"tenant": {"a&b =c"}}.Encode()
	response, body, err := gateway(ctx, addr, "/", headers, []byte(`{}`))
	if err != nil {
		return err
	}
	meta, err := url.ParseQuery(response.Header.Get(server.XMeta))
	if err != nil || meta.Get("tenant") != "a&b =c" {
		return fmt.Errorf("status %d, %v (%v), %q", response.StatusCode, meta, err, body)
	}
	return nil
}

func gatewayPath(ctx context.Context, addr string) error {
	headers := mulHeaders(protocol.JSON)
	delete(headers, server.XServicePath)
	response, body, err := gateway(ctx, addr, "/Arith", headers, []byte(`{"A":6,"B":7}`))
	if err != nil {
		return err
	}
	var reply Reply
	if err := json.Unmarshal(body, &reply); err != nil || reply.C != 42 {
		return fmt.Errorf("status %d, %q (%v)", response.StatusCode, body, err)
	}
	if got := response.Header.Get(server.XServicePath); got != "Arith" {
		return fmt.Errorf("the service is %q", got)
	}
	return nil
}

type jsonrpcAnswer struct {
	Version string          `json:"jsonrpc"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	ID json.RawMessage `json:"id"`
}

func jsonrpc(ctx context.Context, addr, body string) (*jsonrpcAnswer, string, error) {
	response, text, err := gateway(ctx, addr, "/", map[string]string{"X-JSONRPC-2.0": "true"}, []byte(body))
	if err != nil {
		return nil, "", err
	}
	if response.StatusCode != 200 {
		return nil, "", fmt.Errorf("status %d, %q", response.StatusCode, text)
	}
	answer := &jsonrpcAnswer{}
	if len(bytes.TrimSpace(text)) == 0 {
		return answer, "", nil
	}
	return answer, string(text), json.Unmarshal(text, answer)
}

func jsonrpcCall(ctx context.Context, addr string) error {
	for _, version := range []string{`"jsonrpc":"2.0",`, ""} {
		for _, id := range []string{"1", `"a"`} {
			body := `{` + version + `"method":"Arith.Mul","params":{"A":6,"B":7},"id":` + id + `}`
			answer, text, err := jsonrpc(ctx, addr, body)
			if err != nil {
				return err
			}
			var reply Reply
			if json.Unmarshal(answer.Result, &reply) != nil || reply.C != 42 || string(answer.ID) != id || answer.Version != "2.0" {
				return fmt.Errorf("%s gives %s", body, text)
			}
		}
	}
	return nil
}

func jsonrpcError(ctx context.Context, addr string) error {
	for _, c := range []struct {
		body, text string
		code       int
	}{
		{`{"jsonrpc":"2.0","method":"Nobody.Mul","params":{},"id":1}`, "rpcx: can't find service Nobody", -32603},
		{`{"jsonrpc":"2.0","method":"Arith.Nothing","params":{},"id":1}`, "rpcx: can't find method Nothing", -32603},
		{`{"jsonrpc":"2.0","method":"Mul","params":{},"id":1}`, "must contains servicepath and method", -32601},
		{`{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":"six"},"id":1}`, "", -32603},
		{`{"jsonrpc":`, "", -32700},
	} {
		answer, text, err := jsonrpc(ctx, addr, c.body)
		if err != nil {
			return err
		}
		if answer.Error == nil || answer.Error.Code != c.code || c.text != "" && answer.Error.Message != c.text {
			return fmt.Errorf("%s gives %s", c.body, text)
		}
	}
	return nil
}

func jsonrpcNotification(ctx context.Context, addr string) error {
	_, text, err := jsonrpc(ctx, addr, `{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7}}`)
	if err == nil && text != "" {
		err = fmt.Errorf("a notification is answered: %s", text)
	}
	return err
}
