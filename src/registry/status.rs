// SPDX-License-Identifier: Apache-2.0

//! An answer with a status that is not the hoped-for one, in words.

use std::fmt;

use jiff::Timestamp;
use reqwest::StatusCode;

use super::class::Class;
use super::error_body::Code;
use super::kind::{Kind, Side};
use super::meaning::{Meaning, Wire};
use super::retry;
use super::said::Said;

/// An answer with a status that is not the hoped-for one.
#[derive(Debug)]
pub(super) struct Unexpected {
    pub(super) status: StatusCode,
    pub(super) code: Option<Code>,
    pub(super) said: Option<Said>,
    pub(super) class: Class,
    /// Whose registry it is, where that is known.
    pub(super) side: Option<Side>,
    /// Who answers, where it is not the registry itself but a host that it redirects to.
    pub(super) storage: Option<String>,
    /// Whether the body is a web page.
    pub(super) is_web_page: bool,
    /// When the registry may be asked again.
    pub(super) retry_at: Option<Timestamp>,
}

// === impl Unexpected ===

impl Unexpected {
    fn has_code(&self, wanted: &str) -> bool {
        self.code
            .as_ref()
            .is_some_and(|code| code.as_str() == wanted)
    }

    fn meaning(&self) -> Meaning {
        let code = self.code.as_ref().map_or("", Code::as_str);
        let said = self.said.as_ref().map_or("", Said::as_str);
        Meaning::of(&Wire {
            status: self.status.as_u16(),
            code,
            words: &format!("{code} {said}").to_lowercase(),
            class: self.class,
            is_storage: self.storage.is_some(),
        })
    }

    /// What it means for the one who asked.
    pub(super) fn kind(&self) -> Kind {
        self.meaning().kind()
    }

    /// Whether it may pass.
    pub(super) fn is_transient(&self) -> bool {
        self.is_passing_status() || matches!(self.kind(), Kind::RateLimited | Kind::Interrupted)
    }

    /// Whether the very same request may well be answered otherwise in a moment: by its status, unless
    /// the words with it say that somebody has to do something first.
    pub(super) fn is_passing_status(&self) -> bool {
        let is_final = matches!(
            self.kind(),
            Kind::QuotaExceeded | Kind::TagImmutable | Kind::RepositoryMissing | Kind::Rejected
        );
        retry::is_transient(self.status) && !is_final
    }

    /// Whether the registry has forgotten the upload, which is no fault of the blob.
    pub(super) fn is_lost_upload(&self) -> bool {
        self.meaning() == Meaning::LostUpload
    }

    /// Whether the registry misses what a manifest names: it takes none before its content.
    pub(super) fn lacks_content(&self) -> bool {
        self.meaning() == Meaning::LacksContent
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(storage) = &self.storage {
            write!(
                formatter,
                "{storage}, where the registry redirects to, answers "
            )?;
        }
        write!(formatter, "{}", self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(formatter, " {reason}")?;
        }
        if let Some(code) = &self.code
            && !self.has_code(self.status.as_str())
        {
            write!(formatter, " ({})", code.as_str())?;
        }
        let says = self.said.is_some();
        let advice = self.meaning().advice(self.class, self.side, says);
        write!(formatter, ": {advice}")?;
        if self.is_web_page && matches!(self.status.as_u16(), 400..=405) {
            formatter.write_str(
                ", but the answer is a web page: check that the host is a registry, and whether a proxy, \
                 firewall or login page answers in its place",
            )?;
        }
        if let Some(until) = self.retry_at {
            write!(formatter, ", it may be asked again at {until:.0}")?;
        }
        match &self.said {
            Some(said) => write!(formatter, "; it says \"{said}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
