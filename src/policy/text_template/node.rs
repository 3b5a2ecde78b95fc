// SPDX-License-Identifier: Apache-2.0

//! What a template is made of.

/// Part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    Show(Vec<String>),
    Each(Vec<String>, Vec<Self>, Vec<Self>),
    When(Vec<String>, Vec<Self>, Vec<Self>),
}
