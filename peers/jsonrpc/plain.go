package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// plainCaller posts the argument itself to /Service/Method with Go's net/http.
type plainCaller struct {
	addr   string
	client *http.Client
}

// plainError is what a failure says: {"error":{"code":"…","message":"…"}}.
type plainError struct {
	status int
	Code   string
	Text   string `json:"message"`
}

func (e *plainError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Code, e.Text) }

func dialPlain(addr string) plainCaller {
	return plainCaller{addr, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

func (p plainCaller) close() { p.client.CloseIdleConnections() }

func (p plainCaller) code(err error) (int64, string) {
	e, ok := err.(*plainError)
	if !ok {
		return 0, err.Error()
	}
	return int64(e.status), e.Text
}

func (p plainCaller) url(method string) string {
	return "http://" + p.addr + "/" + strings.ReplaceAll(method, ".", "/")
}

func (p plainCaller) call(method string, args, reply any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	response, err := p.client.Post(p.url(method), "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return readPlain(response, reply)
}

func (p plainCaller) notify(string, any) error { return fmt.Errorf("HTTP has no notifications") }

func readPlain(response *http.Response, reply any) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		return fmt.Errorf("content type %q: %.100s", got, body)
	}
	if response.StatusCode != http.StatusOK {
		failure := struct{ Error plainError }{Error: plainError{status: response.StatusCode}}
		if err := json.Unmarshal(body, &failure); err != nil {
			return fmt.Errorf("%d: %.100s", response.StatusCode, body)
		}
		return &failure.Error
	}
	return json.Unmarshal(body, reply)
}

// checkedMul posts to Arith.Mul and checks the answer; more changes the request.
func (p plainCaller) checkedMul(body io.Reader, more func(*http.Request)) error {
	request, err := http.NewRequest("POST", p.url("Arith.Mul"), body)
	if err != nil {
		return err
	}
	more(request)
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	var reply Reply
	if err := readPlain(response, &reply); err != nil || reply.C != 42 {
		return fmt.Errorf("%v, %v", reply, err)
	}
	return nil
}

func plainCases() []testCase {
	plain := func(c caller) plainCaller { return c.(plainCaller) }
	const args = `{"A":6,"B":7}`
	return []testCase{
		{"http/keep-alive", func(c caller) error {
			reused := 0
			trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
				if info.Reused {
					reused++
				}
			}}
			for range 50 {
				err := plain(c).checkedMul(strings.NewReader(args), func(r *http.Request) {
					*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
				})
				if err != nil {
					return err
				}
			}
			if reused < 49 {
				return fmt.Errorf("50 calls reused a connection %d times", reused)
			}
			return nil
		}},
		{"http/chunked", func(c caller) error {
			for range 3 {
				reader, writer := io.Pipe()
				go func() {
					for _, piece := range []string{`{"A"`, `:6,`, `"B":`, `7}`} {
						_, _ = io.WriteString(writer, piece)
						time.Sleep(2 * time.Millisecond)
					}
					writer.Close()
				}()
				if err := plain(c).checkedMul(reader, func(*http.Request) {}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"http/expect-continue", func(c caller) error {
			return plain(c).checkedMul(strings.NewReader(args), func(r *http.Request) {
				r.Header.Set("Expect", "100-continue")
			})
		}},
		{"http/close", func(c caller) error {
			for range 3 {
				if err := plain(c).checkedMul(strings.NewReader(args), func(r *http.Request) { r.Close = true }); err != nil {
					return err
				}
			}
			return nil
		}},
		{"http/metadata", func(c caller) error {
			request, _ := http.NewRequest("POST", plain(c).url("Echo.Meta"), nil)
			request.Header.Set("X-Tenant", "blau")
			response, err := plain(c).client.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if got := response.Header.Get("X-Tenant"); got != "blau" {
				return fmt.Errorf("X-Tenant came back as %q", got)
			}
			return nil
		}},
		{"http/statuses", func(c caller) error {
			for method, want := range map[string]int{
				"Nobody.Home": 404, "Arith.Nothing": 404, "Arith.Divide": 400,
			} {
				err := c.call(method, Args{A: 1}, new(any))
				if code, text := c.code(err); code != int64(want) {
					return fmt.Errorf("%s: %d %s", method, code, text)
				}
			}
			response, err := plain(c).client.Get("http://" + plain(c).addr + "/Arith/Mul")
			if err != nil {
				return err
			}
			response.Body.Close()
			if response.StatusCode != 405 {
				return fmt.Errorf("GET: %s", response.Status)
			}
			return nil
		}},
		{"http/large", func(c caller) error {
			sent := bytes.Repeat([]byte("farcall "), 1<<17)
			var reply []byte
			if err := c.call("Echo.Bytes", sent, &reply); err != nil || !bytes.Equal(sent, reply) {
				return fmt.Errorf("%d bytes came back, %v", len(reply), err)
			}
			return nil
		}},
		{"http/concurrent", func(c caller) error {
			return together(32, func(i int) error {
				for round := range 25 {
					args := Args{int64(i), int64(round)}
					var reply Reply
					if err := c.call("Arith.Mul", args, &reply); err != nil || reply.C != args.A*args.B {
						return fmt.Errorf("%v gives %v, %v", args, reply, err)
					}
				}
				return nil
			})
		}},
		{"http/timeout", func(c caller) error {
			request, _ := http.NewRequest("POST", plain(c).url("Echo.Sleep"), strings.NewReader(`{"Ms":5000}`))
			request.Header.Set("X-Timeout-Ms", "50")
			response, err := plain(c).client.Do(request)
			if err != nil {
				return err
			}
			response.Body.Close()
			if response.StatusCode != 504 {
				return fmt.Errorf("%s", response.Status)
			}
			return nil
		}},
		{"http/given-up", func(c caller) error {
			hasty := &http.Client{Timeout: 30 * time.Millisecond}
			response, err := hasty.Post(plain(c).url("Echo.Sleep"), "application/json", strings.NewReader(`{"Ms":5000}`))
			if err == nil {
				response.Body.Close()
				return fmt.Errorf("%s", response.Status)
			}
			return nil
		}},
	}
}
