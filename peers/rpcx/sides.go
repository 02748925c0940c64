package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/share"
)

// sides are the services whose bytes go over connections of their own: file
// transfer, and streams.
type sides struct {
	folder string
}

func (t *sides) flags(flags *flag.FlagSet) {
	flags.StringVar(&t.folder, "files", "", "take and give files of this folder, and echo streams")
}

// free is an address nobody listens on: rpcx listens itself, and says no port
// but the one it was told.
func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// listening waits for what rpcx opens in the background.
func listening(addr string) error {
	for range 1000 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
	}
	return errors.New("nobody listens on " + addr)
}

func (t *sides) add(s *server.Server) error {
	if t.folder == "" {
		return nil
	}
	files, err := free()
	if err != nil {
		return err
	}
	s.EnableFileTransfer("", server.NewFileTransfer(files, t.take, t.give, 1000))
	streams, err := free()
	if err != nil {
		return err
	}
	accept := func(_ context.Context, args *share.StreamServiceArgs) bool { return args.Meta["refuse"] == "" }
	s.EnableStreamService("", server.NewStreamService(streams, echoStream, accept, 1000))
	return errors.Join(listening(files), listening(streams))
}

// take saves an upload under its name, and then what came with it beside it.
func (t *sides) take(conn net.Conn, args *share.FileTransferArgs) {
	defer conn.Close()
	name := filepath.Join(t.folder, filepath.Base(args.FileName))
	file, err := os.Create(name + ".part")
	if err != nil {
		return
	}
	size, err := io.Copy(file, conn)
	if errors.Join(err, file.Close()) != nil || size != args.FileSize {
		return
	}
	_ = os.WriteFile(name+".meta", fmt.Appendf(nil, "%d %s", args.FileSize, args.Meta["note"]), 0o600)
	_ = os.Rename(name+".part", name)
}

func (t *sides) give(conn net.Conn, args *share.DownloadFileArgs) {
	defer conn.Close()
	file, err := os.Open(filepath.Join(t.folder, filepath.Base(args.FileName)))
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = io.Copy(conn, file)
}

// echoStream greets, and then sends back what it reads until the other end has
// said all.
func echoStream(conn net.Conn, args *share.StreamServiceArgs) {
	defer conn.Close()
	fmt.Fprintf(conn, "hello %s\n", args.Meta["name"])
	_, _ = io.Copy(conn, conn)
}
