//! What verbs print. Whoever reads it may stop before its end (`| head`, a closed window): then nobody wants the
//! rest, the verb does all the same what it was told to do, and its exit code is the true one. Output that is
//! lost for any other reason, such as a full disk, is an error of the verb.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use anyhow::bail;

/// Why output was lost.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to stdout as `println!` does, but never panics.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::out::line(format_args!($($text)*))
    };
}
pub(crate) use say;

/// What [`say`] calls.
pub(crate) fn line(text: Arguments<'_>) {
    keep(write(&mut io::stdout().lock(), text));
}

/// Prints a line to stderr as `eprintln!` does. When nobody reads that, there is nobody to tell.
pub(crate) fn complain(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// At the end of a verb: that what it printed came out, as far as anybody wanted it.
///
/// # Errors
/// Why output was lost.
pub(super) fn finish() -> anyhow::Result<()> {
    keep(wanted(io::stdout().lock().flush()));
    match LOST.get() {
        Some(error) => bail!("输出没有写完 / output was lost: {error}"),
        None => Ok(()),
    }
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        // The first one tells why.
        let _ = LOST.set(error);
    }
}

fn write(to: &mut impl Write, text: Arguments<'_>) -> io::Result<()> {
    wanted(writeln!(to, "{text}"))
}

fn wanted(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let mut read = Vec::new();
        assert!(write(&mut read, format_args!("{} 行", 3)).is_ok());
        assert_eq!(read, "3 行\n".as_bytes());
        assert!(write(&mut Failing(ErrorKind::BrokenPipe), format_args!("x")).is_ok());
        let full = write(&mut Failing(ErrorKind::StorageFull), format_args!("x"));
        assert_eq!(full.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
    }
}
