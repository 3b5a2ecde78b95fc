// SPDX-License-Identifier: Apache-2.0

//! Where records outlive the process.

use futures::future::BoxFuture;

use super::memory::Memory;
use super::slot::Page;
use crate::api::Reason;
use crate::plan::Mirror;

/// Where records outlive the process.
pub trait Keep: Send + Sync {
    /// Brings these pages of a mirror to where they outlive the process. They stay to be kept where this fails.
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        owner: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>>;
}

/// Records cannot be brought to where they outlive the process.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct KeepError {
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
    /// The pages that are not kept, each with its error. Empty where nothing is.
    pages: Vec<(Page, Self)>,
}

// === impl KeepError ===

impl KeepError {
    /// Nothing is kept.
    pub fn new(reason: Reason, message: String) -> Self {
        Self {
            reason,
            message,
            pages: Vec::new(),
        }
    }

    /// Some pages are not kept; nothing where all are. The first one is told first.
    pub fn of_pages(mut pages: Vec<(Page, Self)>) -> Option<Self> {
        pages.sort_by(|(left, _), (right, _)| left.cmp(right));
        let (_, first) = pages.first()?;
        Some(Self {
            pages: pages.clone(),
            ..first.clone()
        })
    }

    /// Why a page is not kept; nothing where it is.
    pub fn about(&self, page: &Page) -> Option<&Self> {
        let mut pages = self.pages.iter();
        if self.pages.is_empty() {
            return Some(self);
        }
        pages.find_map(|(known, error)| (known == page).then_some(error))
    }

    /// The pages that are not kept, where it is not all of them.
    pub fn pages(&self) -> impl Iterator<Item = (&Page, &Self)> {
        self.pages.iter().map(|(page, error)| (page, error))
    }
}
