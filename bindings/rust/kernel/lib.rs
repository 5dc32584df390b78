//! A kernel in Rust on the bare-metal port: the port boots and calls `kernel_main`, every `Box`, `Vec`, `Rc`, `String`
//! and `BTreeMap` lives in `ka_kernel`. It tests itself and prints TAP on the serial console.
#![no_std]
#![feature(allocator_api, alloc_error_handler, new_uninit)]
#![allow(stable_features)]

extern crate alloc;

use alloc::{boxed::Box, collections::BTreeMap, rc::Rc, string::String, vec::Vec};
use core::alloc::Layout;
use core::fmt::{self, Write};
use kernel_alloc::{sys, AllocatorRef, KernelAlloc};

#[global_allocator]
static GLOBAL: KernelAlloc = KernelAlloc;

extern "C" {
    fn bare_console_write(text: *const u8, length: usize);
    fn ka_port_panic(message: *const u8, file: *const u8, line: u32) -> !;
    fn ka_alloc_error(size: usize, align: usize) -> !;
}

/// The serial console.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        unsafe { bare_console_write(text.as_ptr(), text.len()) };
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let _ = writeln!(Console, "{info}");
    unsafe { ka_port_panic("a panic in Rust\0".as_ptr(), "lib.rs\0".as_ptr(), line!()) }
}

#[alloc_error_handler]
fn alloc_error(layout: Layout) -> ! {
    unsafe { ka_alloc_error(layout.size(), layout.align()) }
}

fn kernel_heap() -> AllocatorRef<'static> {
    unsafe { AllocatorRef::from_raw(sys::ka_kernel) }
}

fn boxes() -> bool {
    let value = Box::new(41);
    *value == 41 && (&*value as *const i32 as usize) >= 0x4444_4444_0000
}

fn vectors() -> bool {
    let numbers: Vec<u64> = (0..500).collect();
    numbers.iter().sum::<u64>() == 499 * 500 / 2
}

fn counted() -> bool {
    let shared = Rc::new([1, 2, 3]);
    let clone = Rc::clone(&shared);
    Rc::strong_count(&clone) == 2 && {
        drop(shared);
        Rc::strong_count(&clone) == 1
    }
}

fn strings_and_maps() -> bool {
    let mut names = BTreeMap::new();
    for i in 0..300 {
        let mut name = String::new();
        let _ = write!(name, "number {i}");
        names.insert(i * 7 % 300, name);
    }
    names.retain(|key, _| key % 3 == 0);
    names.len() == 100 && names[&21] == "number 3"
}

fn over_aligned() -> bool {
    #[repr(align(8192))]
    struct Table([u8; 100]);
    let table = Box::new(Table([7; 100]));
    &*table as *const Table as usize % 8192 == 0 && table.0[99] == 7
}

/// More than there is: an error where one is asked for, and nothing lost.
fn out_of_memory() -> bool {
    let mut bytes: Vec<u8> = Vec::new();
    bytes.try_reserve(1 << 40).is_err()
        && Box::<[u8; 1 << 40], _>::try_new_uninit_in(KernelAlloc).is_err()
        && bytes.try_reserve(100).is_ok()
}

struct Vmx {
    region: Box<[u64; 512], KernelAlloc>,
    host_stack: Box<[u8; 0x6000], KernelAlloc>,
}

/// A structure of owners: when the last step fails, what the first steps took is back.
fn owners() -> bool {
    let open = || -> Result<Vmx, core::alloc::AllocError> {
        Ok(Vmx {
            region: unsafe { Box::try_new_zeroed_in(KernelAlloc)?.assume_init() },
            host_stack: unsafe { Box::try_new_zeroed_in(KernelAlloc)?.assume_init() },
        })
    };
    match open() {
        Ok(vmx) => vmx.region.iter().all(|&word| word == 0) && vmx.host_stack[0x5FFF] == 0,
        Err(_) => false,
    }
}

/// The kernel's program: called by the port when memory is ready. Returns 0 if all went well.
#[no_mangle]
pub extern "C" fn kernel_main() -> i32 {
    let cases: [(&str, fn() -> bool); 7] = [
        ("Box", boxes),
        ("Vec", vectors),
        ("Rc", counted),
        ("String and BTreeMap", strings_and_maps),
        ("a Box aligned to 8 KiB", over_aligned),
        ("out of memory is an error", out_of_memory),
        ("a structure of owners", owners),
    ];
    let live = kernel_heap().stats().live;
    let mut failed = 0;
    for (i, (name, case)) in cases.iter().enumerate() {
        let good = case() && kernel_heap().stats().live == live && kernel_heap().check().is_ok();
        let _ = writeln!(Console, "{}ok {} - rust: {name}", if good { "" } else { "not " }, i + 1);
        failed += i32::from(!good);
    }
    let _ = writeln!(Console, "1..{}", cases.len());
    i32::from(failed != 0)
}
