// Command rpcx-peer is the other end in farcall's interoperability tests: the
// real rpcx-go server and client, a closed-loop load generator, and a filter
// that runs bytes through the real rpcx codecs.
package main

import (
	"fmt"
	"os"

	"github.com/smallnest/rpcx/log"
)

const usage = `usage: rpcx-peer COMMAND [flags]

  server        serve the example services over rpcx
  client        run the interoperability cases against a server
  bench-server  serve the same services, for load tests
  bench-client  closed-loop load against a server, one JSON line out
  codec         re-encode "<codec> <hex>" lines from stdin
  roll          call through a pool while servers come and go, until stdin closes
  guide         make the call that the guide shows: guide HOST:PORT
  versions      print the versions this program was built with

rpcx-peer COMMAND -h lists the flags of a command.
`

func main() {
	// rpcx logs every refused request; stdout and stderr are for the results.
	log.SetDummyLogger()

	commands := map[string]func(args []string) int{
		"server":       runServer,
		"client":       runClient,
		"bench-server": runBenchServer,
		"bench-client": runBenchClient,
		"codec":        runCodec,
		"guide":        runGuide,
		"roll":         runRoll,
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
		fmt.Fprintf(os.Stderr, "rpcx-peer: unknown command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	os.Exit(run(os.Args[2:]))
}

// fail reports a fatal error of the program itself (not of a test case).
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "rpcx-peer:", err)
	return 1
}
