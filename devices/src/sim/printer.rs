//! A network label printer: takes TSPL on a TCP port and writes what would come out as
//! `label-0001.png`, `label-0002.png`, … Like most real ones it serves one connection at a time.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::picture::png_bytes;
use crate::tspl::interpreter::{Event, Interpreter, PrintedLabel, Refusal};
use crate::tspl::status::{Problem, Status};

/// How often waiting code looks up.
const POLL: Duration = Duration::from_millis(3);
/// A connection without a byte for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// How long a change of [`Fault`] may take.
const CHANGE: Duration = Duration::from_secs(3);

/// How the printer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// All is well.
    #[default]
    None,
    /// Switched off: nothing listens.
    Off,
    /// Answers this to a status query; takes jobs, but holds labels back until the problem is gone.
    Status(Problem),
    /// Takes about so many bytes a second.
    Slow {
        /// Bytes a second, at least 50.
        bytes_per_s: u32,
    },
    /// Resets the connection after so many bytes of it, if more follow.
    ResetAfter {
        /// Bytes read before.
        bytes: usize,
    },
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub addr: SocketAddr,
    /// Resolution of the head.
    pub dpi: u32,
    /// Where pictures go; created when missing. `None` writes none.
    pub folder: Option<PathBuf>,
    /// Behaviour at first.
    pub fault: Fault,
}

/// What the printer did.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A label came out.
    Printed {
        /// Its picture, when a folder was given.
        path: Option<PathBuf>,
        /// The label and how many of it.
        label: PrintedLabel,
    },
    /// A command was not carried out.
    Refused(Refusal),
    /// A label came out, but its picture could not be written.
    NotWritten {
        /// The label.
        label: PrintedLabel,
        /// Why.
        error: String,
    },
}

/// A running printer. Dropping it switches it off and waits for its thread.
#[derive(Debug)]
pub struct PrinterSim {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    stop: bool,
    listening: bool,
    bind_error: Option<String>,
}

impl PrinterSim {
    /// Starts the printer on a thread of its own; `on_report` runs there. Fails when the address is taken
    /// or the folder cannot be made. With [`Fault::Off`] and port 0 the port is chosen, then closed again.
    pub fn start(
        options: Options,
        on_report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let mut next_label = 1;
        if let Some(folder) = &options.folder {
            fs::create_dir_all(folder)?;
            next_label = first_free_number(folder)?;
        }
        let listener = listen(options.addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared {
            fault: options.fault,
            stop: false,
            listening: true,
            bind_error: None,
        }));
        let mut machine = Machine {
            shared: Arc::clone(&shared),
            interpreter: Interpreter::new(options.dpi),
            dpi: options.dpi,
            folder: options.folder,
            next_label,
            on_report: Box::new(on_report),
        };
        let thread = thread::Builder::new()
            .name("printer-sim".into())
            .spawn(move || machine.run(addr, Some(listener)))?;
        let sim = Self { addr, shared, thread: Some(thread) };
        sim.await_fault(options.fault)?;
        Ok(sim)
    }

    /// Where it listens (or did, while switched off).
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes the behaviour and returns once it holds. Fails when the port was taken by someone else while
    /// the printer was off.
    pub fn set_fault(&self, fault: Fault) -> io::Result<()> {
        lock(&self.shared).fault = fault;
        self.await_fault(fault)
    }

    /// Switches off and waits for the thread; the same as dropping it.
    pub fn stop(self) {}

    fn await_fault(&self, fault: Fault) -> io::Result<()> {
        let deadline = Instant::now() + CHANGE;
        loop {
            {
                let mut shared = lock(&self.shared);
                if shared.listening == (fault != Fault::Off) {
                    return Ok(());
                }
                if let Some(error) = shared.bind_error.take() {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, error));
                }
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the printer is still busy"));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for PrinterSim {
    fn drop(&mut self) {
        lock(&self.shared).stop = true;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the printer's report function panicked");
        }
    }
}

/// A panic in the report function must not make the state unreadable: it is plain data.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    // So that the thread can look for a stop between connections.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The thread's side.
struct Machine {
    shared: Arc<Mutex<Shared>>,
    interpreter: Interpreter,
    dpi: u32,
    folder: Option<PathBuf>,
    next_label: u32,
    on_report: Box<dyn FnMut(Report) + Send>,
}

impl Machine {
    fn run(&mut self, addr: SocketAddr, mut listener: Option<TcpListener>) {
        while let Some(fault) = self.fault() {
            if fault == Fault::Off {
                listener = None;
            } else if listener.is_none() {
                match listen(addr) {
                    Ok(opened) => listener = Some(opened),
                    Err(error) => lock(&self.shared).bind_error = Some(error.to_string()),
                }
            }
            lock(&self.shared).listening = listener.is_some();
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((stream, peer))) => {
                    if let Err(error) = self.serve(stream) {
                        tracing::debug!(%peer, %error, "printer connection ended");
                    }
                    if let Some(refusal) = self.interpreter.abort() {
                        (self.on_report)(Report::Refused(refusal));
                    }
                }
                _ => thread::sleep(POLL),
            }
        }
    }

    /// The behaviour now, or `None` when it is time to stop.
    fn fault(&self) -> Option<Fault> {
        let shared = lock(&self.shared);
        (!shared.stop).then_some(shared.fault)
    }

    fn is_powered(&self) -> bool {
        self.fault().is_some_and(|fault| fault != Fault::Off)
    }

    /// Reads one connection to its end.
    fn serve(&mut self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        let mut buffer = vec![0; 16 * 1024];
        let (mut total, mut last_byte) = (0, Instant::now());
        while last_byte.elapsed() < IDLE {
            let limit = match self.fault() {
                None | Some(Fault::Off) => return Ok(()),
                Some(Fault::Slow { bytes_per_s }) => {
                    thread::sleep(Duration::from_millis(20));
                    (bytes_per_s as usize / 50).max(1)
                }
                Some(Fault::ResetAfter { bytes }) if total >= bytes => return self.reset(&stream),
                Some(Fault::ResetAfter { bytes }) => bytes - total,
                Some(_) => buffer.len(),
            };
            let limit = limit.min(buffer.len());
            match stream.read(&mut buffer[..limit]) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    total += n;
                    last_byte = Instant::now();
                    self.take(&buffer[..n], &mut stream)?;
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for a byte that stays unread: closing then makes the system send a reset.
    fn reset(&self, stream: &TcpStream) -> io::Result<()> {
        let started = Instant::now();
        while self.is_powered() && started.elapsed() < IDLE {
            match stream.peek(&mut [0]) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                other => return other.map(|_| ()),
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], stream: &mut TcpStream) -> io::Result<()> {
        let status = match self.fault() {
            Some(Fault::Status(problem)) => problem.into(),
            _ => Status::READY,
        };
        self.interpreter.set_status(status);
        for event in self.interpreter.feed(bytes) {
            match event {
                Event::Reply(answer) => stream.write_all(&answer)?,
                Event::Refused(refusal) => (self.on_report)(Report::Refused(refusal)),
                Event::Label(label) => self.print(label),
            }
        }
        Ok(())
    }

    /// Burns a label as soon as nothing hinders it; switching off loses it, as it does in a real printer.
    fn print(&mut self, label: PrintedLabel) {
        while matches!(self.fault(), Some(Fault::Status(_))) {
            thread::sleep(POLL);
        }
        if !self.is_powered() {
            return;
        }
        let report = match self.write_picture(&label) {
            Ok(path) => Report::Printed { path, label },
            Err(error) => Report::NotWritten { label, error: error.to_string() },
        };
        (self.on_report)(report);
    }

    fn write_picture(&mut self, label: &PrintedLabel) -> io::Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let name = format!("label-{:04}.png", self.next_label);
        let (path, part) = (folder.join(&name), folder.join(format!(".{name}.part")));
        let png = png_bytes(&label.bitmap, self.dpi).map_err(io::Error::other)?;
        // Renamed into place, so that whoever watches the folder never reads half a picture.
        fs::write(&part, png)?;
        fs::rename(&part, &path)?;
        self.next_label += 1;
        Ok(Some(path))
    }
}

/// One more than the highest label number there, so that earlier runs are kept.
fn first_free_number(folder: &Path) -> io::Result<u32> {
    let mut highest = 0_u32;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("label-")?.strip_suffix(".png")?.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest.saturating_add(1))
}

#[cfg(test)]
mod tests;
