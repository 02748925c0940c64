package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

const rpcxModule = "github.com/smallnest/rpcx"

// wireModules are the modules that decide what rpcx puts on the wire.
var wireModules = []string{
	"github.com/apache/thrift",
	"github.com/gogo/protobuf",
	"github.com/golang/snappy",
	"github.com/soheilhy/cmux",
	"github.com/tinylib/msgp",
	"github.com/vmihailenco/msgpack/v5",
	"google.golang.org/protobuf",
}

func runVersions([]string) int {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fail(fmt.Errorf("built without module information"))
	}
	for _, dep := range info.Deps {
		if dep.Path == rpcxModule {
			fmt.Printf("rpcx-go %s (%s)\n", dep.Version, runtime.Version())
		}
	}
	for _, dep := range info.Deps {
		if slices.Contains(wireModules, dep.Path) {
			fmt.Printf("%s %s\n", dep.Path, dep.Version)
		}
	}
	return 0
}
