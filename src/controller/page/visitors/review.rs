// SPDX-License-Identifier: Apache-2.0

//! What the API server says of somebody: who it is (`TokenReview`), and where they may get mirrors
//! (`SubjectAccessReview`).

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::api::ImageMirror;
use crate::controller::page::collected::Visible;

/// Questions that are on their way at once, of all visitors.
const AT_ONCE: usize = 8;
/// Most namespaces that are asked about for one visitor; of further ones they see nothing.
const NAMESPACES: usize = 1_000;

/// Asks the API server.
pub(super) struct Reviewer {
    client: Client,
    turns: Semaphore,
}

impl Reviewer {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// What the owner of a token may see of these namespaces. None: nobody has it.
    pub(super) async fn visible(
        &self,
        token: &SecretString,
        namespaces: &BTreeSet<String>,
    ) -> Result<Option<Visible>, kube::Error> {
        let Some(user) = self.user(token).await? else {
            return Ok(None);
        };
        if self.may_get(&user, None).await? {
            return Ok(Some(Visible::All));
        }
        let (user, asked) = (&user, namespaces.iter().take(NAMESPACES).cloned());
        let asked = stream::iter(asked).map(|namespace| async move {
            let may_get = self.may_get(user, Some(&namespace)).await;
            may_get.map(|is_visible| is_visible.then_some(namespace))
        });
        let visible: BTreeSet<Option<String>> =
            asked.buffer_unordered(AT_ONCE).try_collect().await?;
        let visible = visible.into_iter().flatten().collect();
        Ok(Some(Visible::Namespaces(visible)))
    }

    /// Who has a token; nobody may.
    async fn user(&self, token: &SecretString) -> Result<Option<UserInfo>, kube::Error> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.expose_secret().to_owned()),
                audiences: None,
            },
            ..TokenReview::default()
        };
        let _turn = self.turns.acquire().await.ok();
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let reviewed = api.create(&PostParams::default(), &review).await?;
        let status = reviewed.status.unwrap_or_default();
        let is_known = status.authenticated == Some(true);
        Ok(status.user.filter(|_| is_known))
    }

    /// Whether somebody may get the mirrors of a namespace, or of all.
    async fn may_get(&self, user: &UserInfo, namespace: Option<&str>) -> Result<bool, kube::Error> {
        let UserInfo {
            username,
            uid,
            groups,
            extra,
        } = user.clone();
        let what = ResourceAttributes {
            group: Some(ImageMirror::group(&()).into_owned()),
            resource: Some(ImageMirror::plural(&()).into_owned()),
            verb: Some("get".to_owned()),
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: username,
                uid,
                groups,
                extra,
                resource_attributes: Some(what),
                non_resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        let _turn = self.turns.acquire().await.ok();
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let reviewed = api.create(&PostParams::default(), &review).await?;
        Ok(reviewed.status.is_some_and(|status| status.allowed))
    }
}
