//! What every test links with: see support.c.
#![allow(dead_code)]

use kernel_alloc::{sys, AllocatorRef};

extern "C" {
    fn support_heap() -> *mut sys::ka_allocator;
    fn support_failing(n: u64) -> *mut sys::ka_allocator;
    fn support_layout(out: *mut usize) -> usize;
}

/// The heap under every allocator of these tests.
pub fn heap() -> AllocatorRef<'static> {
    unsafe { AllocatorRef::from_raw(support_heap()) }
}

/// The same heap, with the n-th call from now failing; until this thread's next call of this.
pub fn failing(n: u64) -> AllocatorRef<'static> {
    unsafe { AllocatorRef::from_raw(support_failing(n)) }
}

/// Sizes and offsets as C has them.
pub fn layout() -> Vec<usize> {
    let mut out = vec![0; 8];
    assert_eq!(unsafe { support_layout(out.as_mut_ptr()) }, out.len());
    out
}
