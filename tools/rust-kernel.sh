#!/bin/sh
# Builds the Rust kernel of bindings/rust/kernel as a static library, core and alloc included, for a target without an
# operating system. Debian's rustc has no such target's core and alloc ready made, but rust-src has their source.
# Usage: tools/rust-kernel.sh OUT_FOLDER    writes OUT_FOLDER/librust_kernel.a
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rustc=/usr/bin/rustc # Debian's, whatever else is on the PATH: its source must be of the same version
version=$($rustc --version | cut -d ' ' -f 2)
library=/usr/src/rustc-$version/library
[ -d "$library" ] || { echo "rust-kernel: no $library: install rust-src of the version of $rustc" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
export RUSTC_BOOTSTRAP=1 # core, alloc and the Allocator trait use unstable features

crate() # KIND NAME SOURCE OPTIONS...
{
    kind=$1 name=$2 source=$3
    shift 3
    $rustc --edition 2021 --crate-type "$kind" --crate-name "$name" --target x86_64-unknown-none -O -C panic=abort \
        -L . "$@" "$source"
}

if [ ! -f liballoc.rlib ] || [ "$(cat version 2>/dev/null)" != "$version" ]; then
    unstable="--cap-lints allow -Z force-unstable-if-unmarked"
    # What the compiler calls in passing (memcpy and its like) is in the port; nothing else is used.
    printf '#![feature(no_core, compiler_builtins)]\n#![compiler_builtins]\n#![no_core]\n' >compiler_builtins.rs
    # shellcheck disable=SC2086
    {
        crate rlib compiler_builtins compiler_builtins.rs $unstable
        crate rlib core "$library/core/src/lib.rs" $unstable
        crate rlib alloc "$library/alloc/src/lib.rs" $unstable --extern core=libcore.rlib
    }
    echo "$version" >version
fi
crate rlib kernel_alloc "$here/bindings/rust/src/lib.rs" --cfg 'feature="allocator_api"'
# The link-time optimisation leaves out what kernel_main does not reach: arithmetic on floats among it.
crate staticlib rust_kernel "$here/bindings/rust/kernel/lib.rs" --extern kernel_alloc=libkernel_alloc.rlib -C lto
