package main

import (
	"context"
	"fmt"

	"github.com/smallnest/rpcx/client"
)

// runGuide makes the call that farcall's guide shows.
func runGuide(args []string) int {
	if len(args) != 1 {
		return fail(fmt.Errorf("guide needs HOST:PORT"))
	}
	if err := guide(args[0]); err != nil {
		return fail(err)
	}
	return 0
}

func guide(addr string) error {
	discovery, err := client.NewPeer2PeerDiscovery("tcp@"+addr, "")
	if err != nil {
		return err
	}
	arith := client.NewXClient("Arith", client.Failtry, client.RandomSelect, discovery, client.DefaultOption)
	defer arith.Close()

	var reply Reply
	if err := arith.Call(context.Background(), "Mul", &Args{A: 6, B: 7}, &reply); err != nil {
		return err
	}
	fmt.Println(reply.C) // 42
	return nil
}
