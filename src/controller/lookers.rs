// SPDX-License-Identifier: Apache-2.0

//! Who looks at the objects of which namespace: whoever learns something between two looks asks for another one.

use tokio::sync::mpsc::UnboundedSender;

/// Those who look at objects of one kind: of a namespace each, or one at those of all.
pub(super) struct Lookers<R>(Vec<(Option<String>, UnboundedSender<R>)>);

// === impl Lookers ===

impl<R> Default for Lookers<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Lookers<R> {
    /// Takes note of who looks at the objects of a namespace, or of all.
    pub(super) fn add(&mut self, namespace: Option<&str>, looker: UnboundedSender<R>) {
        self.0.push((namespace.map(str::to_owned), looker));
    }

    /// Who looks at those of a namespace.
    pub(super) fn of(&self, namespace: &str) -> Option<&UnboundedSender<R>> {
        let mut lookers = self.0.iter();
        let looker = lookers.find(|(own, _)| own.as_deref().is_none_or(|own| own == namespace));
        looker.map(|(_, looker)| looker)
    }
}
