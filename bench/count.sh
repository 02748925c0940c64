#!/bin/sh
# Instructions per message of everyone, by callgrind. Run from this folder; needs valgrind.
set -eu
cargo build --release -p codec
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/codec "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*Collected : //p'
}
for op in encode decode; do
    for who in ours-protobuf prost ours-json serde_json ours-msgpack rmp-serde; do
        few=$(count "$who" "$op" 100)
        many=$(count "$who" "$op" 600)
        printf '%-14s %s %7d\n' "$who" "$op" $(((many - few) / 500))
    done
done
