//! The command line.
//!
//! ```text
//! args           what was typed
//! documents      the files of -f, checked as a whole -> mirrors
//! secrets trust  how registries are reached, by documents and by the person
//! connect        clients and layouts
//! sync watch plan prune restore copy ls df inspect convert crds generate the commands
//! output progress table units summary           what is shown
//! error exit     how it ends
//! ```

mod address;
pub mod args;
mod config;
mod connect;
mod controller;
mod convert;
mod copy;
mod crds;
pub mod credentials;
mod df;
mod documents;
mod error;
mod exit;
mod generate;
mod image;
mod in_use;
mod inspect;
mod ls;
mod named_tag;
mod output;
mod plan;
mod progress;
mod prune;
mod report;
mod restore;
mod secrets;
mod session;
mod summary;
mod sync;
mod table;
mod trust;
mod units;
mod watch;

use clap::Parser;
use tracing::level_filters::LevelFilter;

pub use self::error::Error;
pub use self::exit::Exit;

use self::args::{Arguments, Command, CommonArgs, LogFormat, LogLevel};
use self::output::Output;
use crate::runtime::telemetry;

/// Runs the program with the arguments of the process, and says how it ends.
pub async fn run() -> Exit {
    let Arguments { common, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            // Where even this cannot be printed, the exit code has to do.
            let _ = error.print();
            return exit;
        }
    };
    let output = Output::new(common.quiet);
    start_log(&common, &command, &output);
    match dispatch(&command, &output).await {
        Ok(exit) => exit,
        Err(error) => {
            for line in error.to_string().lines() {
                output.note(&format!("error: {}", table::one_line(line)));
            }
            if let Some(hint) = error.hint() {
                output.note(&format!("hint: {hint}"));
            }
            error.exit()
        }
    }
}

async fn dispatch(command: &Command, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::Sync(args) => sync::run(args, output).await,
        Command::Plan(args) => sync::run_plan(args, output).await,
        Command::Prune(args) => prune::run(args, output).await,
        Command::Restore(args) => restore::run(args, output).await,
        Command::Copy(args) => copy::run(args, output).await,
        Command::Ls(args) => ls::run(args, output).await,
        Command::Df(args) => df::run(args, output).await,
        Command::Inspect(args) => inspect::run(args, output).await,
        Command::Controller(args) => controller::run(args).await,
        Command::Convert(args) => convert::run(args, output),
        Command::Crds(args) => crds::run(args, output),
        Command::Completions(args) => generate::completions(args, output),
        Command::Man(args) => generate::man(args, output),
    }
}

fn start_log(common: &CommonArgs, command: &Command, output: &Output) {
    let is_controller = matches!(command, Command::Controller(_));
    let is_watching = matches!(command, Command::Sync(args) if args.watch);
    let keeps_running = is_controller || is_watching;
    let level = match (common.log_level, common.verbose) {
        (Some(level), _) => level,
        (None, 0) if keeps_running && !common.quiet => LogLevel::Info,
        (None, 0) => LogLevel::Warn,
        (None, 1) => LogLevel::Info,
        (None, 2) => LogLevel::Debug,
        (None, _) => LogLevel::Trace,
    };
    let usual = if is_controller {
        LogFormat::Json
    } else {
        LogFormat::Human
    };
    let format = match common.log_format.unwrap_or(usual) {
        LogFormat::Human => telemetry::Format::Human {
            colours: Output::is_terminal(),
        },
        LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::init(level.into(), format, output.clone());
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
