//! Loaded with `LD_PRELOAD` before libc, so that a program's calls for files come here first. Below one
//! folder, every call that changes something is written into a log, from which a test rebuilds what a
//! disk may hold after a power cut; and syncs and writes can be made to fail.
//!
//! | variable | meaning |
//! |---|---|
//! | `RECORDER_ROOT` | the folder, absolute and without symbolic links; without it nothing is done |
//! | `RECORDER_LOG` | the log, outside the folder; see `format.rs` |
//! | `RECORDER_DATA` | `0` leaves out the bytes that are written |
//! | `RECORDER_FAULTS` | up to 8 faults, see `faults.rs` |
//!
//! A call is logged after it was made and before it returns, a sync also before it is made: what the
//! log has before the beginning of a sync was there when the sync began.
//!
//! Unsafe: the functions of a C library are replaced, and system calls are made directly, because the
//! replaced functions are the ones a library would use. It allocates nothing and takes no lock.
#![allow(unsafe_code)]

mod calls;
mod faults;
mod files;
pub mod format;
mod log;
mod path;

use core::ffi::{CStr, c_char};

/// Value of a variable, as long as the process lives.
fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: called once, before `main`, when nothing changes the environment.
    let value: *const c_char = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: a C string of the environment, which nobody removes.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

extern "C" fn load() {
    let (Some(root), Some(log)) = (variable(c"RECORDER_ROOT"), variable(c"RECORDER_LOG")) else {
        return;
    };
    let with_data = variable(c"RECORDER_DATA").is_none_or(|v| v.to_bytes() != b"0");
    if let Some(rules) = variable(c"RECORDER_FAULTS") {
        faults::load(rules.to_bytes());
    }
    log::open(log, with_data);
    path::set_root(root);
    log::record(format::LOADED, 0, (0, 0), b"", &[]);
}

/// Run when the library is loaded, before the program's `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn() = load;
