// SPDX-License-Identifier: Apache-2.0

//! The command line.
//!
//! ```text
//! args           what was typed
//! documents      the files of -f, checked as a whole -> mirrors
//! secrets trust  how registries are reached, by documents and by the person
//! connect        clients and layouts
//! init sync watch plan prune restore copy bundle delete ls search digest manifest config inspect history diff verify df login convert images
//! crds generate  the commands
//! controller copy_share   the controller of a cluster, and what the pods of its Jobs do
//! kubectl        the commands of the plugin of kubectl
//! address location open image                  registries, repositories and images as people write them
//! template       inspect --format
//! output progress table units summary           what is shown
//! error exit     how it ends
//! ```

mod address;
pub mod args;
mod board;
mod bundle;
mod config;
mod connect;
mod controller;
mod convert;
mod copy;
mod copy_share;
mod crds;
pub mod credentials;
mod delete;
mod df;
mod diff;
mod digest;
mod documents;
mod error;
mod exit;
mod generate;
mod history;
mod image;
mod images;
mod in_use;
mod init;
mod inspect;
mod kubectl;
mod location;
mod login;
mod look;
mod loopback;
mod ls;
mod named_tag;
mod open;
mod output;
mod output_file;
mod output_schema;
mod plan;
mod progress;
mod prune;
mod report;
mod restore;
mod schema;
mod search;
mod secrets;
mod session;
mod summary;
mod sync;
mod table;
mod trust;
mod units;
mod unpruned;
mod verify;
mod watch;
mod words;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};
use tracing::level_filters::LevelFilter;

pub use self::error::Error;
pub use self::exit::Exit;
pub use self::kubectl::PluginError;
pub use self::output_schema::output_schema;

use self::args::{Arguments, Command, CommonArgs, Format, LogFormat, LogLevel, PluginArguments};
use self::kubectl::Guise;
use self::output::Output;
use crate::policy::Duration;
use crate::runtime::telemetry;

/// The commands that only look, and tell by the exit code 2 that something is not as it should be.
const TELL_DRIFT: [&str; 3] = ["diff", "plan", "prune"];

/// Runs the program with the arguments of the process, and says how it ends.
pub async fn run() -> Exit {
    let mut words = std::env::args_os();
    match Guise::of(words.next().as_deref()) {
        Guise::Transship => run_program().await,
        Guise::Plugin => run_plugin().await,
        Guise::Completer => kubectl::complete(words).await,
    }
}

async fn run_program() -> Exit {
    let exit = match Arguments::try_parse() {
        Ok(Arguments { common, command }) => Box::pin(run_command(&common, &command)).await,
        Err(mut error) => {
            words::point(&mut error);
            refuse(&error)
        }
    };
    if tells_drift(std::env::args_os()) {
        exit.beside_drift()
    } else {
        exit
    }
}

async fn run_plugin() -> Exit {
    let arguments = match PluginArguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let output = begin(
        Log::of(&arguments.common, Runs::ToItsEnd),
        &arguments.common,
    );
    let done = Box::pin(kubectl::dispatch(&arguments, &output)).await;
    conclude(done, kubectl::result(&arguments.command), &output)
}

/// Says what is wrong with the arguments, or prints the help that they ask for.
fn refuse(error: &clap::Error) -> Exit {
    // Where even this cannot be printed, the exit code has to do.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Success
    }
}

/// Whether the arguments, right or wrong, are those of a command that tells drift.
fn tells_drift(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let parser = Arguments::command().ignore_errors(true);
    let matches = parser.try_get_matches_from(arguments);
    matches.is_ok_and(|matches| {
        let command = matches.subcommand_name();
        command.is_some_and(|command| TELL_DRIFT.contains(&command))
    })
}

async fn run_command(common: &CommonArgs, command: &Command) -> Exit {
    let output = begin(Log::of(common, Runs::of(command)), common);
    let limit = command.registry().and_then(|registry| registry.timeout);
    let done = match limit.map(Duration::as_std) {
        None => Box::pin(dispatch(command, &output)).await,
        Some(limit) => {
            let in_time = tokio::time::timeout(limit, Box::pin(dispatch(command, &output)));
            in_time.await.unwrap_or(Err(Error::TimedOut(limit)))
        }
    };
    conclude(done, result(command), &output)
}

/// The streams of a command, and where its log lines go.
fn begin(log: Log, common: &CommonArgs) -> Output {
    let output = Output::new(common.quiet, log.has_events);
    let format = match log.format {
        LogFormat::Human => telemetry::Format::Human {
            colours: Output::is_terminal(),
        },
        LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::init(log.level.into(), format, output.clone());
    output
}

/// How a command ends, with what machines read of a failure in place of the document that it prints.
fn conclude(
    done: Result<Exit, Error>,
    result: Option<(Format, &'static str, String)>,
    output: &Output,
) -> Exit {
    let error = match done {
        Ok(exit) => return exit,
        Err(error) => error,
    };
    output.give_up(&error);
    if error.exit() == Exit::Failure
        && let Some((format @ (Format::Json | Format::Yaml), kind, subject)) = result
    {
        // Where even this cannot be printed, the exit code has to do.
        let _ = output.print_failure(format, kind, &error.as_failure(&subject));
    }
    error.exit()
}

/// The document that a command about images prints, in which format, and what it is about.
fn result(command: &Command) -> Option<(Format, &'static str, String)> {
    Some(match command {
        Command::Copy(args) => (args.output.output, copy::KIND, args.source()),
        Command::Bundle(args) => bundle::result(&args.command),
        Command::Delete(args) => (args.output.output, delete::KIND, args.subject()),
        Command::Ls(args) => (args.output.output, ls::KIND, args.place.to_string()),
        Command::Search(args) => (
            args.output.output,
            search::KIND,
            args.query.registry.to_string(),
        ),
        Command::Digest(args) => (args.output.output, digest::KIND, args.reference.to_string()),
        Command::Inspect(args) => (
            args.output.output,
            inspect::KIND,
            args.reference.to_string(),
        ),
        Command::History(args) => (
            args.output.output,
            history::KIND,
            args.reference.to_string(),
        ),
        Command::Diff(args) => (args.output.output, diff::KIND, args.left.to_string()),
        Command::Images(args) => (args.output.document(), images::KIND, args.subject()),
        Command::Manifest(_)
        | Command::Config(_)
        | Command::Verify(_)
        | Command::Df(_)
        | Command::Init(_)
        | Command::Sync(_)
        | Command::Plan(_)
        | Command::Prune(_)
        | Command::Restore(_)
        | Command::Controller(_)
        | Command::CopyShare(_)
        | Command::Convert(_)
        | Command::Crds(_)
        | Command::Schema(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Completions(_)
        | Command::Man(_) => return None,
    })
}

async fn dispatch(command: &Command, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::Init(args) => init::run(args, output).await,
        Command::Sync(args) => sync::run(args, output).await,
        Command::Plan(args) => sync::run_plan(args, output).await,
        Command::Prune(args) => prune::run(args, output).await,
        Command::Restore(args) => restore::run(args, output).await,
        Command::Copy(args) => copy::run(args, output).await,
        Command::Bundle(args) => bundle::run(&args.command, output).await,
        Command::Delete(args) => delete::run(args, output).await,
        Command::Ls(args) => ls::run(args, output).await,
        Command::Search(args) => search::run(args, output).await,
        Command::Digest(args) => digest::run(args, output).await,
        Command::Manifest(args) => inspect::raw::print_manifest(args, output).await,
        Command::Config(args) => inspect::raw::print_config(args, output).await,
        Command::Inspect(args) => inspect::run(args, output).await,
        Command::History(args) => history::run(args, output).await,
        Command::Diff(args) => diff::run(args, output).await,
        Command::Verify(args) => verify::run(args, output).await,
        Command::Df(args) => df::run(args, output).await,
        Command::Login(args) => login::login(args, output).await,
        Command::Logout(args) => login::logout(args, output).await,
        Command::Controller(args) => controller::run(args).await,
        Command::CopyShare(args) => copy_share::run(args).await,
        Command::Convert(args) => convert::run(args, output).await,
        Command::Images(args) => images::run(args, output).await,
        Command::Crds(args) => crds::run(args, output),
        Command::Schema(args) => schema::run(args, output),
        Command::Completions(args) => generate::completions(args, output),
        Command::Man(args) => generate::man(args, output),
    }
}

/// For how long a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    ToItsEnd,
    Watching,
    AsController,
}

impl Runs {
    fn of(command: &Command) -> Self {
        if matches!(command, Command::Controller(_) | Command::CopyShare(_)) {
            Self::AsController
        } else if matches!(command, Command::Sync(args) if args.watch) {
            Self::Watching
        } else {
            Self::ToItsEnd
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Log {
    level: LogLevel,
    format: LogFormat,
    /// Whether log lines tell what happens, in place of lines for people.
    has_events: bool,
}

// === impl Log ===

impl Log {
    fn of(common: &CommonArgs, runs: Runs) -> Self {
        let is_controller = runs == Runs::AsController;
        let is_watching = runs == Runs::Watching;
        let is_asked = common.log_format == Some(LogFormat::Json);
        let has_events = is_controller || is_watching || is_asked || common.verbose > 0;
        let usual = if is_controller {
            LogFormat::Json
        } else {
            LogFormat::Human
        };
        Self {
            level: match (common.log_level, common.verbose) {
                (Some(level), _) => level,
                (None, 0) if has_events && !common.quiet => LogLevel::Info,
                (None, 0) => LogLevel::Warn,
                (None, 1) => LogLevel::Info,
                (None, 2) => LogLevel::Debug,
                (None, _) => LogLevel::Trace,
            },
            format: common.log_format.unwrap_or(usual),
            has_events,
        }
    }
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
