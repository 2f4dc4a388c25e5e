//! `cargo xtask …`: what one does with the project, on a fresh machine too.

mod api_check;
mod bench;
mod build;
mod demo;
mod deps;
mod torture;
mod wasm;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use tianyin_tests::place;

const HELP: &str = "\
cargo xtask VERB

  demo [--once] [--keep DIR]   build all, start the demo county, run the main job once, keep serving
                               --once  stop after the main job; exit code 0 only if all was verified
                               --keep  data folder (default: a new one below target/)
  test [FILTER …]              install what is missing, build all, run every test
  torture [--minutes N]        build all, run the tests of faults with their loops in full, or for N
                               minutes: kill -9, power cuts, syncs that fail; says what was done
  bench [STEP] [--json FILE]   measure, print a table of what must hold; --json keeps the numbers
                               STEP    only idle, receipt, decode, label, page, mqtt, kernel, register, large, disk or
                                       edit
  api-check [--examples N]     try the API against its own document with schemathesis, N requests an operation
                               (default 100) beside the systematic ones; installs it from PyPI the first time
  plugins                      build the plugin packages into target/plugins
  lint                         formatting and clippy, as the tests of the project expect them
  help                         this text

demo, test, torture and bench install missing Debian packages when run as root; otherwise they print the
command that does, and stop.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let started = Instant::now();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("xtask: {message}\n\n{HELP}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            let after_s = started.elapsed().as_secs_f64();
            eprintln!("xtask: failed after {after_s:.1} s: {error:#}");
            ExitCode::from(1)
        }
    }
}

enum Failure {
    Usage(String),
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let (verb, rest) = arguments.split_first().map_or(("help", &[][..]), |(v, r)| (v.as_str(), r));
    let none = |rest: &[String]| match rest {
        [] => Ok(()),
        [first, ..] => Err(Failure::Usage(format!("{verb} takes no {first:?}"))),
    };
    match verb {
        "demo" => demo::run(&demo_options(rest)?)?,
        "test" => test(rest)?,
        "torture" => torture::run(minutes(rest)?)?,
        "bench" => {
            let (step, file) = bench_options(rest)?;
            bench::run(file.as_deref(), step)?;
        }
        "api-check" => api_check::run(examples(rest)?)?,
        "plugins" => {
            none(rest)?;
            let packages = wasm::build_plugins(&place::root())?;
            packages.iter().for_each(|package| println!("{}", package.display()));
        }
        "lint" => {
            none(rest)?;
            build::cargo("formatting", &["fmt", "--all", "--check"])?;
            let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            build::cargo("clippy", &clippy)?;
        }
        "help" | "--help" | "-h" => {
            none(rest)?;
            print!("{HELP}");
        }
        other => return Err(Failure::Usage(format!("there is no verb {other:?}"))),
    }
    Ok(())
}

fn demo_options(arguments: &[String]) -> Result<demo::Options, Failure> {
    let mut options = demo::Options::default();
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        match argument.as_str() {
            "--once" => options.once = true,
            "--keep" => match left.next() {
                Some(folder) => options.keep = Some(PathBuf::from(folder)),
                None => return Err(Failure::Usage("--keep needs a folder".into())),
            },
            other => return Err(Failure::Usage(format!("demo takes no {other:?}"))),
        }
    }
    Ok(options)
}

fn minutes(arguments: &[String]) -> Result<Option<f64>, Failure> {
    match arguments {
        [] => Ok(None),
        [flag, number] if flag == "--minutes" => match number.parse::<f64>() {
            Ok(minutes) if minutes > 0.0 => Ok(Some(minutes)),
            _ => Err(Failure::Usage(format!("{number:?} is no number of minutes"))),
        },
        _ => Err(Failure::Usage("torture takes only --minutes N".into())),
    }
}

fn examples(arguments: &[String]) -> Result<Option<u32>, Failure> {
    match arguments {
        [] => Ok(None),
        [flag, number] if flag == "--examples" => match number.parse::<u32>() {
            Ok(examples) if examples > 0 => Ok(Some(examples)),
            _ => Err(Failure::Usage(format!("{number:?} is no number of requests"))),
        },
        _ => Err(Failure::Usage("api-check takes only --examples N".into())),
    }
}

fn bench_options(arguments: &[String]) -> Result<(Option<&str>, Option<PathBuf>), Failure> {
    let (step, rest) = match arguments {
        [step, rest @ ..] if !step.starts_with("--") => (Some(step.as_str()), rest),
        all => (None, all),
    };
    match rest {
        [] => Ok((step, None)),
        [flag, file] if flag == "--json" => Ok((step, Some(PathBuf::from(file)))),
        _ => Err(Failure::Usage("bench takes a step and --json FILE".into())),
    }
}

/// Builds everything first: the black-box tests run the binary of the same build.
fn test(filters: &[String]) -> Result<()> {
    deps::ensure(&[deps::BUILD, deps::DEMO, deps::TEST])?;
    build::everything()?;
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    arguments.extend(filters.iter().map(String::as_str));
    build::cargo("tests", &arguments)
}
