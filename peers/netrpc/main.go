// Command netrpc-peer is the other end in farcall's interoperability tests: the
// real net/rpc and net/rpc/jsonrpc server and client of Go's standard library, a
// closed-loop load generator, and a filter that runs bytes through encoding/gob.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
)

const usage = `usage: netrpc-peer COMMAND [flags]

  server        serve the example services over net/rpc
  client        run the interoperability cases against a server
  bench-server  serve the same services, for load tests
  bench-client  closed-loop load against a server, one JSON line out
  values        turn "<type> <hex of gob>" lines from stdin into JSON, or back
  guide         make the call that the guide shows: guide HOST:PORT
  drain         slow calls to a server that is being stopped, and what becomes of them
  versions      print the versions this program was built with

netrpc-peer COMMAND -h lists the flags of a command.
`

func main() {
	// net/rpc logs some refused requests; stdout and stderr are for the results.
	log.SetOutput(io.Discard)

	commands := map[string]func(args []string) int{
		"server":       runServer,
		"client":       runClient,
		"bench-server": runBenchServer,
		"bench-client": runBenchClient,
		"values":       runValues,
		"guide":        runGuide,
		"drain":        runDrain,
		"versions":     runVersions,
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if os.Args[1] == "-h" || os.Args[1] == "--help" || os.Args[1] == "help" {
		fmt.Print(usage)
		return
	}
	run, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "netrpc-peer: unknown command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	os.Exit(run(os.Args[2:]))
}

// fail reports a fatal error of the program itself (not of a test case).
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "netrpc-peer:", err)
	return 1
}

// wrongUsage reports flags that cannot be meant.
func wrongUsage(text string) int {
	fmt.Fprintln(os.Stderr, "netrpc-peer:", text)
	return 2
}
