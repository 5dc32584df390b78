//! The contract of the unstable Allocator, and the owners of the standard library over it.
#![cfg(feature = "allocator_api")]
#![feature(allocator_api, new_uninit)]
#![allow(stable_features)]
mod common;

use kernel_alloc::{Context, Global, KernelAlloc, PhysicalAllocator};
use std::alloc::{Allocator, Layout};
use std::ptr::NonNull;

const SIZES: [usize; 10] = [0, 1, 15, 16, 64, 500, 4096, 5000, 40_000, 200_000];
const ALIGNS: [usize; 6] = [1, 8, 64, 4096, 8192, 1 << 16];

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn start(block: NonNull<[u8]>, layout: Layout) -> *mut u8 {
    let first = block.as_ptr() as *mut u8;
    assert!(block.len() >= layout.size() && first as usize % layout.align() == 0, "{layout:?}");
    first
}

/// Every pair of layouts: grow and shrink, with the alignment going either way.
fn keeps_the_contract(a: &impl Allocator) {
    for old in SIZES.iter().flat_map(|&size| ALIGNS.map(|align| layout(size, align))) {
        for new in SIZES.iter().flat_map(|&size| ALIGNS.map(|align| layout(size, align))) {
            unsafe {
                let first = start(a.allocate(old).unwrap(), old);
                for i in 0..old.size() {
                    first.add(i).write(i as u8);
                }
                let first = NonNull::new_unchecked(first);
                let block = if new.size() >= old.size() {
                    a.grow_zeroed(first, old, new).unwrap()
                } else {
                    a.shrink(first, old, new).unwrap()
                };
                let first = start(block, new);
                let kept = old.size().min(new.size());
                assert!((0..kept).all(|i| *first.add(i) == i as u8), "{old:?} to {new:?}");
                assert!((kept..new.size()).all(|i| *first.add(i) == 0), "{old:?} to {new:?}");
                a.deallocate(NonNull::new_unchecked(first), new);
            }
        }
    }
}

#[test]
fn grow_and_shrink_with_every_alignment() {
    keeps_the_contract(&Global);
    keeps_the_contract(&PhysicalAllocator);
    keeps_the_contract(&&common::heap().within(Context::ATOMIC));
}

#[test]
fn an_error_keeps_the_block() {
    let old = layout(200, 16);
    unsafe {
        let block: NonNull<u8> = common::heap().allocate(old).unwrap().cast();
        block.as_ptr().write_bytes(9, 200);
        assert!(common::failing(1).grow(block, old, layout(5000, 16)).is_err());
        assert!(common::failing(1).grow_zeroed(block, old, layout(5000, 4096)).is_err());
        assert!(common::failing(1).shrink(block, old, layout(20, 16)).is_err());
        assert!((0..200).all(|i| *block.as_ptr().add(i) == 9));
        common::heap().deallocate(block, old);
    }
}

#[test]
fn owners_free_what_they_own() {
    let before = common::heap().stats().live_blocks;
    {
        let mut numbers = Vec::new_in(KernelAlloc);
        for i in 0..1000u64 {
            numbers.try_reserve(1).unwrap();
            numbers.push(i);
        }
        let copy = numbers.clone();
        assert_eq!(copy.iter().sum::<u64>(), 499_500);
        let nested = Box::try_new_in([numbers, copy], common::heap()).unwrap();
        assert_eq!(nested[0], nested[1]);
    }
    assert!(Box::try_new_in([0u8; 64], common::failing(1)).is_err());
    // What the thread's magazines keep is not live; other tests run beside this one, so only growth is looked at.
    assert!(common::heap().stats().live_blocks < before + 1000);
}
