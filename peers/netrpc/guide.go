package main

import (
	"fmt"
	"net/rpc"
)

// runGuide makes the call that farcall's guide shows.
func runGuide(args []string) int {
	if len(args) != 1 {
		return wrongUsage("guide needs HOST:PORT")
	}
	if err := guide(args[0]); err != nil {
		return fail(err)
	}
	return 0
}

func guide(addr string) error {
	client, err := rpc.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer client.Close()

	var reply Reply
	if err := client.Call("Arith.Mul", &Args{A: 6, B: 7}, &reply); err != nil {
		return err
	}
	fmt.Println(reply.C) // 42
	return nil
}
