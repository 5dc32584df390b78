//! The C interface, as `ka/types.h`, `ka/alloc.h`, `ka/kernel.h`, `ka/physical.h` and `ka/global.h` have it. What is
//! inline there is written out in the crate's root: a C header cannot be called.

#![allow(non_camel_case_types)]

use core::ffi::c_void;

pub type ka_flags = u32;
pub const KA_NOWAIT: ka_flags = 1;
pub const KA_ATOMIC: ka_flags = 2;
pub const KA_ANY_CONTEXT: ka_flags = 4;
pub const KA_ZERO: ka_flags = 8;
pub const KA_PAGEABLE: ka_flags = 16;

/// `ka_stats`: what an allocator tells of itself; bytes, but where said.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ka_stats {
    pub total: usize,
    pub live: usize,
    pub peak: usize,
    pub free: usize,
    pub overhead: usize,
    pub largest_free: usize,
    /// A count.
    pub live_blocks: usize,
    /// A count.
    pub free_blocks: usize,
    /// 0 to 1000: the share of the free bytes outside the largest free block.
    pub fragmentation: u32,
}

pub type ka_visit = unsafe extern "C" fn(*mut c_void, *const c_void, usize, bool) -> bool;

#[repr(C)]
pub struct ka_allocator_ops {
    /// Zero-terminated.
    pub name: *const u8,
    pub alloc: unsafe extern "C" fn(*mut ka_allocator, usize, usize, ka_flags) -> *mut c_void,
    pub free: unsafe extern "C" fn(*mut ka_allocator, *mut c_void, usize, usize),
    pub resize: Option<
        unsafe extern "C" fn(*mut ka_allocator, *mut c_void, usize, usize, usize, usize, ka_flags) -> *mut c_void,
    >,
    pub usable: Option<unsafe extern "C" fn(*mut ka_allocator, *const c_void, usize, usize) -> usize>,
    pub walk: Option<unsafe extern "C" fn(*mut ka_allocator, ka_visit, *mut c_void) -> bool>,
    pub stats: Option<unsafe extern "C" fn(*mut ka_allocator, *mut ka_stats)>,
    pub check: Option<unsafe extern "C" fn(*mut ka_allocator) -> *const u8>,
}

/// The first member of every allocator of the C library.
#[repr(C)]
pub struct ka_allocator {
    pub ops: *const ka_allocator_ops,
}

extern "C" {
    pub static ka_kernel: *mut ka_allocator;
    pub static ka_physical: *mut ka_allocator;

    pub fn ka_resize(
        a: *mut ka_allocator,
        block: *mut c_void,
        old_size: usize,
        old_align: usize,
        new_size: usize,
        new_align: usize,
        flags: ka_flags,
    ) -> *mut c_void;

    pub fn ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file() -> *mut ka_allocator;
}
