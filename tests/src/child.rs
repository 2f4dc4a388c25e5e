//! Child processes whose output is kept and which never outlive this program.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Lines of output kept of one child.
const LINES_MAX: usize = 5_000;
/// Sends a signal to the child when the thread that started it ends, also after `kill -9`.
const SETPRIV: &str = "/usr/bin/setpriv";

/// A running program. Killed when dropped.
pub struct Running {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<String>,
    /// Lines that were there before the first one kept.
    forgotten: usize,
    ended: usize,
}

/// What a program has said is read to the end within this time of its own.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Running {
    /// Starts a program. Variables `TIANYIN_…` of this process are not handed on.
    pub fn start(name: &str, program: &Path, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("TIANYIN_") {
                command.env_remove(key);
            }
        }
        command.env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = spawn(command).with_context(|| format!("start {}", program.display()))?;
        let output = Arc::new(Output::default());
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as _),
            child.stderr.take().map(|pipe| Box::new(pipe) as _),
        ];
        for pipe in pipes.into_iter().flatten() {
            let output = output.clone();
            std::thread::spawn(move || output.collect(pipe));
        }
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written, as far as it is kept.
    pub fn output(&self) -> String {
        let lines = self.output.lock();
        lines.kept.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Number of lines it has written so far, a place to wait from.
    pub fn line_count(&self) -> usize {
        let lines = self.output.lock();
        lines.forgotten + lines.kept.len()
    }

    /// Waits for a line of its output, from line `from` on, of which `find` makes something.
    pub fn line<T>(
        &self,
        what: &str,
        from: usize,
        timeout: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        let mut next = from;
        let mut lines = self.output.lock();
        loop {
            let skip = next.saturating_sub(lines.forgotten);
            if let Some(found) = lines.kept.iter().skip(skip).find_map(|line| find(line)) {
                return Ok(found);
            }
            next = lines.forgotten + lines.kept.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended == 2 || left.is_zero() {
                let why = if lines.ended == 2 { "it ended" } else { "time is up" };
                drop(lines);
                bail!("{}: no {what}: {why}. Its output:\n{}", self.name, self.output());
            }
            let waited = self.output.grown.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether it still runs. If not, what it said is here.
    pub fn is_running(&mut self) -> bool {
        let runs = matches!(self.child.try_wait(), Ok(None));
        if !runs {
            let lines = self.output.lock();
            let _ = self.output.grown.wait_timeout_while(lines, LAST_WORDS, |l| l.ended < 2);
        }
        runs
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits until it has; an error if it must be killed.
    pub fn stop(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        ensure!(told.is_ok_and(|told| told.success()), "{}: cannot be signalled", self.name);
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > timeout {
                self.kill();
                bail!("{}: did not end within {timeout:?}:\n{}", self.name, self.output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, pipe: impl Read) {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            let mut lines = self.lock();
            if lines.kept.len() == LINES_MAX {
                lines.kept.pop_front();
                lines.forgotten += 1;
            }
            lines.kept.push_back(String::from_utf8_lossy(&line).into_owned());
            self.grown.notify_all();
        }
        self.lock().ended += 1;
        self.grown.notify_all();
    }
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts the child on a thread that lives as long as this program: the death signal follows the
/// thread, and threads of tests end before what they share.
fn spawn(command: Command) -> Result<Child> {
    static NURSERY: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (orders, taken) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in taken {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = channel();
    let orders = nursery.lock().unwrap_or_else(PoisonError::into_inner).clone();
    orders.send((command, answer)).context("the thread that starts programs is gone")?;
    Ok(answered.recv().context("the thread that starts programs is gone")??)
}

/// Runs a program to its end and returns its standard output; fails when it fails or takes too long.
pub fn run(
    program: &Path,
    prepare: impl FnOnce(&mut Command),
    timeout: Duration,
) -> Result<String> {
    let done = finish(program, prepare, timeout)?;
    ensure!(
        done.code == Some(0),
        "{} ended with {:?}\n{}{}",
        program.display(),
        done.code,
        done.stdout,
        done.stderr
    );
    Ok(done.stdout)
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program to its end, whatever it ends with; fails only when it takes too long.
pub fn finish(
    program: &Path,
    prepare: impl FnOnce(&mut Command),
    timeout: Duration,
) -> Result<Finished> {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("TIANYIN_") {
            command.env_remove(key);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    prepare(&mut command);
    let mut child = spawn(command).with_context(|| format!("start {}", program.display()))?;
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > timeout {
            let threads = threads_of(child.id());
            let _ = child.kill();
            let _ = child.wait();
            bail!(
                "{} did not end within {timeout:?}; its threads: {threads}\n{}{}",
                program.display(),
                text(stdout),
                text(stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    Ok(Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) })
}

/// Names of a process's threads, each with the kernel function it waits in.
fn threads_of(process: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let told = tasks.map(|task| {
        let of = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        format!("{} {}", of("comm").trim(), of("wchan").trim())
    });
    told.collect::<Vec<_>>().join(", ")
}
