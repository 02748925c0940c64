package main

// sideCases are about file transfer and streams.
func sideCases() []testCase { return nil }
