package main

import (
	"fmt"
	"runtime"
)

// runVersions: the standard library has the version of Go.
func runVersions([]string) int {
	fmt.Printf("net/rpc %s (%s/%s)\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return 0
}
