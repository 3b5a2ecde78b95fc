// SPDX-License-Identifier: Apache-2.0

//! Lists of the API server, a page at a time.

use std::fmt::Debug;

use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

/// The pages of a list.
#[derive(Debug)]
pub struct ObjectPages<'a, K> {
    api: &'a Api<K>,
    /// What the next page is asked for with; nothing after the last one.
    next: Option<ListParams>,
}

// === impl ObjectPages ===

impl<'a, K: Clone + DeserializeOwned + Debug> ObjectPages<'a, K> {
    /// The list that `parameters` ask for; their limit is the size of a page.
    pub fn of(api: &'a Api<K>, parameters: ListParams) -> Self {
        let next = Some(parameters);
        Self { api, next }
    }

    /// The objects of the next page; nothing after the last one.
    ///
    /// # Errors
    /// If the API server does not answer with a page.
    pub async fn next(&mut self) -> Result<Option<Vec<K>>, kube::Error> {
        let Some(parameters) = &self.next else {
            return Ok(None);
        };
        let page = self.api.list(parameters).await?;
        let token = page.metadata.continue_.filter(|token| !token.is_empty());
        self.next = token.map(|token| parameters.clone().continue_token(&token));
        Ok(Some(page.items))
    }

    /// Whether there are more.
    pub fn are_more(&self) -> bool {
        self.next.is_some()
    }
}
