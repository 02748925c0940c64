// Command jsonrpc-peer holds the JSON-RPC 2.0 libraries of Go that farcall is tested
// against: github.com/powerman/rpc-codec (TCP and HTTP), github.com/sourcegraph/jsonrpc2
// (TCP) and github.com/gorilla/rpc (an HTTP server); and net/http for plain JSON.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
)

const usage = `usage: jsonrpc-peer COMMAND [flags]

  server    -lib powerman|powerman-http|sourcegraph|gorilla -addr 127.0.0.1:0 [-until-stdin-closes]
  client    -lib powerman|powerman-http|sourcegraph|net/http -addr HOST:PORT [-path /jsonrpc]
  versions  print the versions this program was built with
`

func main() {
	log.SetOutput(io.Discard) // the libraries log what peers do wrong
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "server":
		os.Exit(runServer(os.Args[2:]))
	case "client":
		os.Exit(runClient(os.Args[2:]))
	case "versions":
		versions()
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

func versions() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		fmt.Println(dep.Path, dep.Version)
	}
	fmt.Printf("%s (%s/%s)\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// fail reports a fatal error of the program itself.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "jsonrpc-peer:", err)
	return 1
}
