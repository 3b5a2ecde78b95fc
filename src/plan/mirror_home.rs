// SPDX-License-Identifier: Apache-2.0

//! Where mirrors are kept, and so what a person does about one of them there.

use super::named_mirror::NamedMirror;
use crate::api::Reason;

/// Where mirrors are kept: what people do about them follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorHome {
    /// In a cluster, where the plugin of kubectl is for them.
    Cluster,
    /// In files, which this command line reads.
    Files(MirrorFiles),
}

/// How the command line reads mirrors in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorFiles {
    /// The flags that name them and their state, as they are typed.
    pub flags: String,
    /// Whether a process goes on with them: further rounds come by themselves.
    pub is_watched: bool,
}

/// Something that a person may do about a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorStep {
    /// Ask for a round now.
    Sync,
    /// Let rounds run again.
    Resume,
    /// Look at what waits to be deleted, and approve it.
    Approve,
    /// Read what was logged of it.
    ReadLog,
    /// Look at what can be restored, and how.
    Restore,
    /// Look at all that failed.
    Look,
}

// === impl MirrorHome ===

impl MirrorHome {
    /// How a person does something about a mirror.
    pub fn how_to(&self, step: MirrorStep, mirror: &NamedMirror) -> String {
        match self {
            Self::Cluster => mirror.command(match step {
                MirrorStep::Sync => "sync",
                MirrorStep::Resume => "resume",
                MirrorStep::Approve => "approve",
                MirrorStep::ReadLog => "logs",
                MirrorStep::Restore => "restore",
                MirrorStep::Look => "status",
            }),
            Self::Files(files) => files.how_to(step, mirror),
        }
    }

    /// How a person changes what a mirror asks for.
    pub fn edit(&self, mirror: &NamedMirror) -> String {
        match self {
            Self::Cluster => {
                let NamedMirror { namespace, name } = mirror;
                format!("kubectl -n {namespace} edit imir/{name}")
            }
            Self::Files(_) => format!("change the document of ImageMirror {mirror}"),
        }
    }

    /// How a person changes a policy of a namespace.
    pub fn edit_policy(&self, namespace: &str, policy: &str) -> String {
        match self {
            Self::Cluster => format!("kubectl -n {namespace} edit impol/{policy}"),
            Self::Files(_) => format!("that of ImagePolicy {namespace}/{policy}"),
        }
    }

    /// What to do about a reason for which a mirror comes to nothing, where the message does not say it.
    pub fn mend(&self, mirror: &NamedMirror, reason: &str, is_suspended: bool) -> String {
        let edit = self.edit(mirror);
        if reason == Reason::DependencyNotReady.as_str() {
            return format!("make what is missing, or take it out: {edit}");
        }
        if reason == Reason::NotFound.as_str() {
            return format!("push what is missing to the source, or take it out: {edit}");
        }
        let is_of_spec = reason == Reason::InvalidSpec.as_str()
            || reason == Reason::DestinationConflict.as_str();
        if is_of_spec {
            return edit;
        }
        let round = if is_suspended {
            MirrorStep::Resume
        } else {
            MirrorStep::Sync
        };
        format!("{}, once that is mended", self.how_to(round, mirror))
    }

    /// What is said of a mirror that nobody has looked at.
    pub fn unseen(&self) -> &'static str {
        match self {
            Self::Cluster => {
                "the controller has not looked at it: does it run, and watch this namespace?"
            }
            Self::Files(_) => "no round of it has ended yet",
        }
    }
}

// === impl MirrorFiles ===

impl MirrorFiles {
    fn how_to(&self, step: MirrorStep, mirror: &NamedMirror) -> String {
        match step {
            MirrorStep::Sync if self.is_watched => "wait for its next round".to_owned(),
            MirrorStep::Sync => self.command("sync", mirror),
            MirrorStep::Resume => {
                format!("take spec.suspend out of the document of ImageMirror {mirror}")
            }
            MirrorStep::Approve => self.command("prune", mirror),
            MirrorStep::ReadLog | MirrorStep::Look => "read what transship sync logs".to_owned(),
            MirrorStep::Restore => self.command("restore", mirror),
        }
    }

    /// A command of this program about a mirror. Two processes cannot have one state.
    fn command(&self, command: &str, mirror: &NamedMirror) -> String {
        let first = if self.is_watched {
            "stop transship sync --watch, then "
        } else {
            ""
        };
        format!(
            "{first}transship {command} {} --mirror {mirror}",
            self.flags
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_follows_from_where_mirrors_are() {
        let files = |is_watched| {
            MirrorHome::Files(MirrorFiles {
                flags: "-f mirrors --state state.json".to_owned(),
                is_watched,
            })
        };
        let mirror = NamedMirror::new("shop", "base");
        let told = |home: &MirrorHome| {
            let steps = [
                MirrorStep::Sync,
                MirrorStep::Resume,
                MirrorStep::Approve,
                MirrorStep::ReadLog,
                MirrorStep::Restore,
                MirrorStep::Look,
            ];
            let steps = steps.map(|step| home.how_to(step, &mirror));
            let edits = [home.edit(&mirror), home.edit_policy("shop", "stable")];
            [&steps[..], &edits].concat().join("\n")
        };
        insta::assert_snapshot!(told(&MirrorHome::Cluster), @r"
        kubectl transship -n shop sync base
        kubectl transship -n shop resume base
        kubectl transship -n shop approve base
        kubectl transship -n shop logs base
        kubectl transship -n shop restore base
        kubectl transship -n shop status base
        kubectl -n shop edit imir/base
        kubectl -n shop edit impol/stable
        ");
        insta::assert_snapshot!(told(&files(false)), @r"
        transship sync -f mirrors --state state.json --mirror shop/base
        take spec.suspend out of the document of ImageMirror shop/base
        transship prune -f mirrors --state state.json --mirror shop/base
        read what transship sync logs
        transship restore -f mirrors --state state.json --mirror shop/base
        read what transship sync logs
        change the document of ImageMirror shop/base
        that of ImagePolicy shop/stable
        ");
        insta::assert_snapshot!(told(&files(true)), @r"
        wait for its next round
        take spec.suspend out of the document of ImageMirror shop/base
        stop transship sync --watch, then transship prune -f mirrors --state state.json --mirror shop/base
        read what transship sync logs
        stop transship sync --watch, then transship restore -f mirrors --state state.json --mirror shop/base
        read what transship sync logs
        change the document of ImageMirror shop/base
        that of ImagePolicy shop/stable
        ");
    }
}
