//! Rust's allocator traits over the kernel-alloc C library.
//!
//! | type | the C allocator behind it |
//! |---|---|
//! | [`Global`] | what the program chose with `KA_GLOBAL_ALLOCATOR` |
//! | [`KernelAlloc`] | `ka_kernel`: resident kernel memory |
//! | [`PhysicalAllocator`] | `ka_physical`: physically contiguous memory |
//! | [`AllocatorRef`] | any `ka_allocator`: a heap, a region, a layer |
//!
//! Each is a [`GlobalAlloc`], so it can be a `#[global_allocator]`; with the feature `allocator_api` each is a
//! `core::alloc::Allocator` too, for `Box::try_new_in` and its relatives.
//!
//! Every failure is a null pointer or an `AllocError`, never a panic and never a call of the allocation error handler:
//! that decision is the caller's (`try_reserve`, `try_new_in`). Nothing unwinds: the C side cannot.
#![doc = concat!("\n\n", include_str!("../../../docs/rust.md"))]
#![no_std]
#![cfg_attr(feature = "allocator_api", feature(allocator_api))]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

#[allow(missing_docs)]
pub mod sys;

use core::alloc::{GlobalAlloc, Layout};
use core::marker::PhantomData;
use core::ptr;

/// What an allocator tells of itself.
pub use sys::ka_stats as Stats;

/// What the caller's context allows. Of several the strictest counts; the C header `ka/types.h` has the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context(sys::ka_flags);

impl Context {
    /// May sleep.
    pub const MAY_SLEEP: Context = Context(0);
    /// Must not sleep.
    pub const NOWAIT: Context = Context(sys::KA_NOWAIT);
    /// Interrupt handler, spin lock held, DISPATCH_LEVEL; may use reserves.
    pub const ATOMIC: Context = Context(sys::KA_ATOMIC);
    /// NMI, any IRQL, VM exit, signal handler.
    pub const ANY: Context = Context(sys::KA_ANY_CONTEXT);
}

/// The allocator that the C program chose with `KA_GLOBAL_ALLOCATOR`. Without that line the link fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

/// `ka_kernel`: resident kernel memory, the same name on every kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelAlloc;

/// `ka_physical`: physically contiguous memory, the same name on every kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhysicalAllocator;

/// Any allocator of the C library, borrowed for as long as it lives, with the context of the calls through it.
#[derive(Clone, Copy, Debug)]
pub struct AllocatorRef<'a> {
    raw: *mut sys::ka_allocator,
    context: Context,
    life: PhantomData<&'a sys::ka_allocator>,
}

// SAFETY: `from_raw` asks for an allocator that any thread may call.
unsafe impl Send for AllocatorRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for AllocatorRef<'_> {}

impl<'a> AllocatorRef<'a> {
    /// An allocator by its address.
    ///
    /// # Safety
    /// `raw` is a `ka_allocator` that is initialised, stays where it is for `'a`, and may be called by every thread
    /// that this value or a copy of it reaches (a bare `region` may not; `locked` over it may).
    pub const unsafe fn from_raw(raw: *mut sys::ka_allocator) -> Self {
        AllocatorRef { raw, context: Context::MAY_SLEEP, life: PhantomData }
    }

    /// The same allocator, called from another context.
    pub const fn within(self, context: Context) -> Self {
        AllocatorRef { context, ..self }
    }

    /// What the allocator knows of itself; all zero if it keeps no statistics.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        // SAFETY: the allocator is initialised, and fills in what it is given.
        unsafe {
            if let Some(fill_in) = (*(*self.raw).ops).stats {
                fill_in(self.raw, &mut stats);
            }
        }
        stats
    }

    /// Proves the allocator's own structures, or says the first broken fact. Nothing else may use it meanwhile.
    pub fn check(&self) -> Result<(), &'static str> {
        // SAFETY: the allocator is initialised; what check returns is a literal.
        unsafe {
            match (*(*self.raw).ops).check.map(|check| check(self.raw)) {
                Some(broken) if !broken.is_null() => Err(literal(broken)),
                _ => Ok(()),
            }
        }
    }
}

/// The words of a zero-terminated literal of the C side.
///
/// # Safety
/// It is one.
unsafe fn literal(words: *const u8) -> &'static str {
    let mut length = 0;
    // SAFETY: up to the terminating zero, all of it is readable and never changes.
    unsafe {
        while *words.add(length) != 0 {
            length += 1;
        }
        core::str::from_utf8(core::slice::from_raw_parts(words, length)).unwrap_or("words that are not UTF-8")
    }
}

/// What the three fixed allocators and `AllocatorRef` have in common.
trait Handle {
    fn raw(&self) -> *mut sys::ka_allocator;
    fn context(&self) -> Context {
        Context::MAY_SLEEP
    }
}

impl Handle for Global {
    fn raw(&self) -> *mut sys::ka_allocator {
        // SAFETY: defined once in the program, without arguments or conditions.
        unsafe { sys::ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file() }
    }
}

impl Handle for KernelAlloc {
    fn raw(&self) -> *mut sys::ka_allocator {
        // SAFETY: a constant of the port.
        unsafe { sys::ka_kernel }
    }
}

impl Handle for PhysicalAllocator {
    fn raw(&self) -> *mut sys::ka_allocator {
        // SAFETY: a constant of the port.
        unsafe { sys::ka_physical }
    }
}

impl Handle for AllocatorRef<'_> {
    fn raw(&self) -> *mut sys::ka_allocator {
        self.raw
    }
    fn context(&self) -> Context {
        self.context
    }
}

/// `ka_alloc` for a layout that Rust has checked: of its rules only the one of size 0 is left.
///
/// # Safety
/// The handle's allocator is initialised.
unsafe fn alloc(handle: &impl Handle, layout: Layout, content: sys::ka_flags) -> *mut u8 {
    if layout.size() == 0 {
        return layout.align() as *mut u8; // belongs to nobody; C says at least 16, Rust only asks for the alignment
    }
    let raw = handle.raw();
    // SAFETY: by the caller; the request is valid by the invariants of Layout.
    unsafe { ((*(*raw).ops).alloc)(raw, layout.size(), layout.align(), handle.context().0 | content).cast() }
}

/// `ka_free`.
///
/// # Safety
/// The block came from this allocator with a layout that fits, and nobody uses it any more.
unsafe fn free(handle: &impl Handle, block: *mut u8, layout: Layout) {
    if layout.size() != 0 {
        let raw = handle.raw();
        // SAFETY: by the caller.
        unsafe { ((*(*raw).ops).free)(raw, block.cast(), layout.size(), layout.align()) }
    }
}

/// `ka_resize`.
///
/// # Safety
/// As for `free`, unless it fails: then the block is untouched and still the caller's.
unsafe fn resize(handle: &impl Handle, block: *mut u8, old: Layout, new: Layout, content: sys::ka_flags) -> *mut u8 {
    if new.size() == 0 {
        // SAFETY: by the caller.
        unsafe { free(handle, block, old) };
        return new.align() as *mut u8;
    }
    let flags = handle.context().0 | content;
    let (raw, block) = (handle.raw(), if old.size() == 0 { ptr::null_mut() } else { block.cast() });
    // SAFETY: by the caller; NULL stands for the block of size 0.
    unsafe { sys::ka_resize(raw, block, old.size(), old.align(), new.size(), new.align(), flags).cast() }
}

macro_rules! implement {
    ($type:ty) => {
        // SAFETY: blocks come from the C library, whose contract (ka/alloc.h) is GlobalAlloc's and more: aligned, not
        // shared, kept on failure. Nothing here or there unwinds or calls the allocation error handler.
        unsafe impl GlobalAlloc for $type {
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                // SAFETY: by the caller.
                unsafe { alloc(self, layout, 0) }
            }
            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                // SAFETY: by the caller. Memory known to be zero is not cleared again.
                unsafe { alloc(self, layout, sys::KA_ZERO) }
            }
            unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
                // SAFETY: by the caller.
                unsafe { free(self, block, layout) }
            }
            unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
                // SAFETY: by the caller, who says that the new size is valid for the alignment.
                unsafe {
                    let new = Layout::from_size_align_unchecked(new_size, layout.align());
                    resize(self, block, layout, new, 0)
                }
            }
        }

        // SAFETY: as above. Copies of a handle are the same allocator.
        #[cfg(feature = "allocator_api")]
        unsafe impl core::alloc::Allocator for $type {
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                // SAFETY: the handle's allocator is initialised.
                slice(unsafe { alloc(self, layout, 0) }, layout.size())
            }
            fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                // SAFETY: as above.
                slice(unsafe { alloc(self, layout, sys::KA_ZERO) }, layout.size())
            }
            unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                // SAFETY: by the caller.
                unsafe { free(self, block.as_ptr(), layout) }
            }
            unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                // SAFETY: by the caller.
                slice(unsafe { resize(self, block.as_ptr(), old, new, 0) }, new.size())
            }
            unsafe fn grow_zeroed(
                &self,
                block: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, AllocError> {
                // SAFETY: by the caller. Exactly the new bytes are cleared.
                slice(unsafe { resize(self, block.as_ptr(), old, new, sys::KA_ZERO) }, new.size())
            }
            unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                // SAFETY: by the caller. May fail, as the trait allows: the block is kept.
                slice(unsafe { resize(self, block.as_ptr(), old, new, 0) }, new.size())
            }
        }
    };
}

implement!(Global);
implement!(KernelAlloc);
implement!(PhysicalAllocator);
implement!(AllocatorRef<'_>);

#[cfg(feature = "allocator_api")]
use core::{alloc::AllocError, ptr::NonNull};

#[cfg(feature = "allocator_api")]
fn slice(block: *mut u8, size: usize) -> Result<NonNull<[u8]>, AllocError> {
    NonNull::new(ptr::slice_from_raw_parts_mut(block, size)).ok_or(AllocError)
}
