//! How much memory is in use, and was at most: a target asserts that limits hold whatever lengths
//! its input claims.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    // Targets have one thread.
    if live > PEAK.load(Relaxed) {
        PEAK.store(live, Relaxed);
    }
}

// SAFETY: everything is passed on to the system's allocator as it came; only lengths are counted.
// Each function below has its caller's promise for just that.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: as `System`'s.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as `System`'s.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
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
        // Both may be there at once.
        add(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: see above; the caller keeps to the rules of the allocator.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs something; also the most bytes that it had in use at any time.
pub fn used<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let value = run();
    (value, PEAK.load(Relaxed) - before)
}

/// Runs something, which must not need more than `most` bytes at any time.
pub fn within<T>(most: usize, run: impl FnOnce() -> T) -> T {
    let (value, used) = used(run);
    assert!(used <= most, "{used} bytes of memory in use, at most {most} are allowed");
    value
}
