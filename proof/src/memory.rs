//! How much memory the program has in use: an allocator that counts. What the system gave the
//! process (`VmRSS`) never shrinks to the byte; what is in use must.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are in use now.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

// SAFETY: everything is passed on to the system's allocator as it came; only lengths are counted.
// Each function below has its caller's promise for just that.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: as `System`'s.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as `System`'s.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: as `System`'s.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.dealloc(at, layout) }
    }

    // SAFETY: as `System`'s.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Relaxed);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.realloc(at, layout, size) }
    }
}
