package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"

	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/reflection"
	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/share"
)

// masked is the number of a codec that both ends must have been given.
const masked protocol.SerializeType = 11

// maskedCodec is JSON, every byte of it changed: what knows no such codec
// cannot read it by chance.
type maskedCodec struct{}

func mask(data []byte) []byte {
	for i := range data {
		data[i] ^= 0x55
	}
	return data
}

func (maskedCodec) Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return mask(data), err
}

func (maskedCodec) Decode(data []byte, v any) error {
	return json.Unmarshal(mask(append([]byte(nil), data...)), v)
}

func init() {
	share.RegisterCodec(masked, maskedCodec{})
}

// extras is what a server is asked to have beside the services.
type extras struct {
	token, path string
	reflect     bool
	sides       sides
	hooks       hooks
}

func (e *extras) flags(flags *flag.FlagSet) {
	flags.StringVar(&e.token, "token", "", "serve only callers that bring it")
	flags.StringVar(&e.path, "path", "", "frames behind CONNECT to this path, and nothing else")
	flags.BoolVar(&e.reflect, "reflect", false, "tell of the services, as Reflection")
	e.sides.flags(flags)
	e.hooks.flags(flags)
}

func (e *extras) add(s *server.Server) error {
	if e.token != "" {
		s.AuthFunc = func(_ context.Context, _ *protocol.Message, token string) error {
			if token != e.token {
				return errors.New("invalid token")
			}
			return nil
		}
	}
	// A handler sees the message as it is, and answers in its codec.
	s.AddHandler("Raw", "Back", func(c *server.Context) error {
		if text := c.Metadata()["fail"]; text != "" {
			return c.WriteError(errors.New(text))
		}
		var args Args
		if err := c.Bind(&args); err != nil {
			return c.WriteError(err)
		}
		return c.Write(&Args{A: args.B, B: int64(len(c.Payload()))})
	})
	s.Plugins.Add(alias{})
	if e.reflect {
		// A plugin is told of what is registered after it.
		teller := reflection.New()
		s.Plugins.Add(teller)
		if err := s.RegisterName("Reflection", teller, ""); err != nil {
			return err
		}
	}
	return errors.Join(e.hooks.add(s), e.sides.add(s))
}

// mux serves frames behind CONNECT to one path.
func (e *extras) mux(s *server.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(e.path, s)
	return mux
}

// alias does what rpcx's own alias plugin does; the package that one is in would
// bring clients of every registry along.
type alias struct{}

func (alias) PostReadRequest(_ context.Context, m *protocol.Message, _ error) error {
	if m != nil && m.ServicePath == "Calc" && m.ServiceMethod == "Times" {
		m.ServicePath, m.ServiceMethod = "Arith", "Mul"
	}
	return nil
}
