//! The contract of GlobalAlloc, on the stable language.
mod common;

use kernel_alloc::{sys, Context, Global, KernelAlloc, PhysicalAllocator};
use std::alloc::{GlobalAlloc, Layout};
use std::mem::{size_of, MaybeUninit};

/// A field's offset, without the macro that Rust 1.63 lacks.
macro_rules! offset {
    ($type:ty, $field:ident) => {{
        let place = MaybeUninit::<$type>::uninit();
        let base = place.as_ptr();
        unsafe { std::ptr::addr_of!((*base).$field) as usize - base as usize }
    }};
}

#[test]
fn structures_are_those_of_c() {
    let rust = [
        size_of::<sys::ka_allocator>(),
        size_of::<sys::ka_allocator_ops>(),
        offset!(sys::ka_allocator_ops, resize),
        offset!(sys::ka_allocator_ops, check),
        size_of::<sys::ka_stats>(),
        offset!(sys::ka_stats, free_blocks),
        offset!(sys::ka_stats, fragmentation),
        (sys::KA_NOWAIT | sys::KA_ATOMIC | sys::KA_ANY_CONTEXT | sys::KA_ZERO | sys::KA_PAGEABLE) as usize,
    ];
    assert_eq!(common::layout(), rust);
}

fn every_layout(mut check: impl FnMut(Layout)) {
    for size in (1..=300).chain([1000, 4095, 4096, 4097, 32768, 32769, 1 << 20]) {
        for shift in 0..=16 {
            check(Layout::from_size_align(size, 1 << shift).unwrap());
        }
    }
}

fn keeps_the_contract(a: &impl GlobalAlloc) {
    every_layout(|layout| unsafe {
        let block = a.alloc(layout);
        assert!(!block.is_null() && block as usize % layout.align() == 0, "{layout:?}");
        block.write_bytes(0x5A, layout.size());
        for new_size in [1, layout.size() / 2 + 1, layout.size() * 3] {
            let old = Layout::from_size_align(layout.size(), layout.align()).unwrap();
            let moved = a.realloc(a.alloc(old), old, new_size);
            assert!(!moved.is_null() && moved as usize % layout.align() == 0, "{layout:?} to {new_size}");
            a.dealloc(moved, Layout::from_size_align(new_size, layout.align()).unwrap());
        }
        let grown = a.realloc(block, layout, layout.size() + 5000);
        assert!((0..layout.size()).all(|i| *grown.add(i) == 0x5A));
        a.dealloc(grown, Layout::from_size_align(layout.size() + 5000, layout.align()).unwrap());
        let zeroed = a.alloc_zeroed(layout);
        assert!((0..layout.size()).all(|i| *zeroed.add(i) == 0));
        a.dealloc(zeroed, layout);
    });
}

#[test]
fn alignment_contents_and_zeroes() {
    keeps_the_contract(&Global);
    keeps_the_contract(&KernelAlloc);
    keeps_the_contract(&PhysicalAllocator);
    keeps_the_contract(&common::heap().within(Context::NOWAIT));
}

#[test]
fn what_cannot_be_served_is_null_and_keeps_the_block() {
    let layout = Layout::from_size_align(100, 16).unwrap();
    unsafe {
        let huge = Layout::from_size_align(isize::MAX as usize - 4096, 8).unwrap();
        assert!(Global.alloc(huge).is_null());
        let block = Global.alloc(layout);
        block.write_bytes(7, 100);
        assert!(Global.realloc(block, layout, huge.size()).is_null());
        assert!((0..100).all(|i| *block.add(i) == 7));
        Global.dealloc(block, layout);
        assert!(common::failing(1).alloc(layout).is_null());
    }
}
