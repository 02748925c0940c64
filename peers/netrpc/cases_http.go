package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/rpc"
	"strings"
)

// httpCases are about the way into the RPC stream, and the pages beside it.
func httpCases(t target) []testCase {
	cases := []testCase{
		{"http/split", func(ctx context.Context, t target) error {
			conn, err := t.dialTCP(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			last := len(httpConnect) - 1
			if err := writeSplit(conn, []byte(httpConnect[:last])); err != nil {
				return err
			}
			if err := connectHTTP(conn, httpConnect[last:]); err != nil {
				return err
			}
			return newRawGob(conn).mul(0)
		}},
		// What an HTTP library sends, instead of Go's bare line.
		{"http/crlf", func(ctx context.Context, t target) error {
			conn, err := t.dialTCP(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			request := "CONNECT " + rpc.DefaultRPCPath + " HTTP/1.1\r\nHost: " + t.addr + "\r\nUser-Agent: peer\r\n\r\n"
			if err := connectHTTP(conn, request); err != nil {
				return err
			}
			return newRawGob(conn).mul(0)
		}},
		{"http/wrong-path", func(ctx context.Context, t target) error {
			c, err := rpc.DialHTTPPath("tcp", t.addr, "/no-such-path")
			if err == nil {
				c.Close()
				return fmt.Errorf("connected to a path that is not there")
			}
			if !strings.Contains(err.Error(), "unexpected HTTP response: ") {
				return fmt.Errorf("no HTTP answer: %w", err)
			}
			return withClient(ctx, t, func(c *rpc.Client) error { return stillServes(ctx, c) })
		}},
		{"http/wrong-method", func(ctx context.Context, t target) error {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				status, body, err := fetch(ctx, t, method, rpc.DefaultRPCPath)
				if err != nil {
					return err
				}
				if status != http.StatusMethodNotAllowed || body != "405 must CONNECT\n" {
					return fmt.Errorf("%s gives %d %.100q", method, status, body)
				}
			}
			return nil
		}},
		{"http/debug-page", func(ctx context.Context, t target) error {
			err := withClient(ctx, t, func(c *rpc.Client) error { return stillServes(ctx, c) })
			if err != nil {
				return err
			}
			status, body, err := fetch(ctx, t, http.MethodGet, rpc.DefaultDebugPath)
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return fmt.Errorf("status %d", status)
			}
			for _, part := range []string{"<title>Services</title>", "Service Arith", "Service HelloService", "Service Echo", "Mul(", "SayHello("} {
				if !strings.Contains(body, part) {
					return fmt.Errorf("%q is not in the page %.300q", part, body)
				}
			}
			return nil
		}},
	}
	if !t.strictGo {
		// Go's server loses what is sent before its answer.
		cases = append(cases, testCase{"http/bytes-behind-connect", func(ctx context.Context, t target) error {
			conn, err := t.dialTCP(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			c := newRawGob(conn)
			if err := c.add("Arith.Mul", 3, Args{7, 8}); err != nil {
				return err
			}
			if err := connectHTTP(conn, httpConnect+c.out.String()); err != nil {
				return err
			}
			return c.wantProduct(3)
		}})
	}
	return cases
}

// fetch does a plain HTTP request on a connection of its own.
func fetch(ctx context.Context, t target, method, path string) (status int, body string, err error) {
	conn, err := t.dialTCP(ctx)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	request := method + " " + path + " HTTP/1.1\r\nHost: " + t.addr + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}
