module farcall.test/gobpeer

go 1.26.0
