// SPDX-License-Identifier: Apache-2.0

//! A file that was not there before.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::error::Error;
use crate::cli::output::Output;
use crate::cli::output_file::check_writable;

/// The path that means standard output.
const STDOUT: &str = "-";

/// Where something is written that may not be there yet.
pub(super) struct NewFile<'a> {
    path: &'a Path,
    /// Whether what is there goes.
    is_forced: bool,
}

// === impl NewFile ===

impl<'a> NewFile<'a> {
    /// A file; or why it may not be written, before anybody is asked anything.
    pub(super) fn at(path: &'a Path, is_forced: bool) -> Result<Self, Error> {
        let file = Self { path, is_forced };
        if !file.is_stdout() && !is_forced && path.exists() {
            return Err(file.is_there());
        }
        if !file.is_stdout() {
            check_writable(path)?;
        }
        Ok(file)
    }

    /// Whether it is printed.
    pub(super) fn is_stdout(&self) -> bool {
        self.path == Path::new(STDOUT)
    }

    /// Writes it.
    pub(super) fn write(&self, text: &str, output: &Output) -> Result<(), Error> {
        if self.is_stdout() {
            return output.print(text);
        }
        let opened = if self.is_forced {
            File::create(self.path)
        } else {
            // Not over what somebody else wrote meanwhile.
            File::create_new(self.path)
        };
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return self.is_there();
            }
            Error::Usage(format!("cannot write {}: {error}", self.path.display()))
        })
    }

    fn is_there(&self) -> Error {
        let path = self.path.display();
        Error::Usage(format!(
            "{path} is there already: name another file, or write over it with --force"
        ))
    }
}
