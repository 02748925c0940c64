package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/smallnest/rpcx/client"
)

// sideCases are about what goes over connections of its own: file transfer and
// streams, of a server that has them. Over TLS and Unix sockets the calls do, the
// bytes go over plain TCP.
func sideCases() []testCase {
	var cases []testCase
	for _, size := range []int{0, 1, 1024, 1025, 100_000, 5 << 20} {
		cases = append(cases, testCase{fmt.Sprintf("files/%d", size), func(ctx context.Context, addr string) error {
			return withXClient(addr, "_filetransfer", func(x client.XClient) error {
				return checkFile(ctx, x, fmt.Sprintf("go-%d.bin", size), size)
			})
		}})
	}
	return append(cases,
		testCase{"files/missing", checkMissing},
		testCase{"files/outside", checkOutside},
		testCase{"files/taken", checkTaken},
		testCase{"stream/echo", checkStream},
		testCase{"reflection", checkReflection},
		testCase{"stream/refused", checkStreamRefused},
	)
}

// checkFile sends a file and fetches it back.
func checkFile(ctx context.Context, x client.XClient, name string, size int) error {
	folder, err := os.MkdirTemp("", "rpcx-peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sent := make([]byte, size)
	_, _ = rand.Read(sent)
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, sent, 0o600); err != nil {
		return err
	}
	if err := x.SendFile(ctx, path, 0, map[string]string{"note": "from Go"}); err != nil {
		return fmt.Errorf("SendFile: %w", err)
	}
	// SendFile is done when the bytes are on their way: nobody says that they
	// were kept.
	for {
		var back bytes.Buffer
		err := x.DownloadFile(ctx, name, &back, nil)
		if err == nil && bytes.Equal(back.Bytes(), sent) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d bytes of %d came back: %v", back.Len(), size, err)
		}
	}
}

func checkMissing(ctx context.Context, addr string) error {
	return withXClient(addr, "_filetransfer", func(x client.XClient) error {
		var back bytes.Buffer
		err := x.DownloadFile(ctx, "nothing-of-this-name", &back, nil)
		// rpcx-go's handler learns of it too late to say so.
		if err == nil && back.Len() > 0 {
			return fmt.Errorf("%q came", back.String())
		}
		return nil
	})
}

func checkOutside(ctx context.Context, addr string) error {
	return withXClient(addr, "_filetransfer", func(x client.XClient) error {
		for _, name := range []string{"../go.mod", "/etc/passwd", "..", ".", "", "a/b"} {
			var back bytes.Buffer
			if err := x.DownloadFile(ctx, name, &back, nil); err == nil || back.Len() > 0 {
				return fmt.Errorf("%q came of %q: %v", back.String(), name, err)
			}
		}
		return nil
	})
}

// checkTaken: what is there is not written over.
func checkTaken(ctx context.Context, addr string) error {
	return withXClient(addr, "_filetransfer", func(x client.XClient) error {
		if err := checkFile(ctx, x, "taken.bin", 10); err != nil {
			return err
		}
		folder, err := os.MkdirTemp("", "rpcx-peer")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		path := filepath.Join(folder, "taken.bin")
		if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
			return err
		}
		if err := x.SendFile(ctx, path, 0, nil); err == nil {
			return errors.New("a name was taken twice")
		}
		return nil
	})
}

func checkStream(ctx context.Context, addr string) error {
	return withXClient(addr, "_streamservice", func(x client.XClient) error {
		conn, err := x.Stream(ctx, map[string]string{"name": "Gö"})
		if err != nil {
			return err
		}
		defer conn.Close()
		want := "hello Gö\n" + strings.Repeat("every word comes back. ", 10_000)
		failed := make(chan error, 1)
		go func() {
			_, err := io.WriteString(conn, want[len("hello Gö\n"):])
			failed <- err
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			return fmt.Errorf("%.40q came back: %v", got, err)
		}
		return <-failed
	})
}

func checkStreamRefused(ctx context.Context, addr string) error {
	return withXClient(addr, "_streamservice", func(x client.XClient) error {
		_, err := x.Stream(ctx, map[string]string{"refuse": "server refused the connection"})
		return wantError(err, "server refused the connection")
	})
}

// checkReflection reads what a server says of itself.
func checkReflection(ctx context.Context, addr string) error {
	return withXClient(addr, "Reflection", func(x client.XClient) error {
		name, all := "Arith", ""
		var told string
		if err := x.Call(ctx, "GetService", &name, &told); err != nil {
			return err
		}
		if !strings.Contains(told, "type Arith struct") || strings.Contains(told, "SayHello") {
			return errors.New(told)
		}
		if err := x.Call(ctx, "GetServices", &all, &told); err != nil {
			return err
		}
		if !strings.Contains(told, "type Arith struct") || !strings.Contains(told, "SayHello") {
			return errors.New(told)
		}
		nobody := "Nobody"
		return wantError(x.Call(ctx, "GetService", &nobody, &told), "not found service Nobody")
	})
}
