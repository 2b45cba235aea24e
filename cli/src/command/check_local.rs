//! `quorate check --local`: may this node be taken away? Its own agent is asked, because no collector answers.

use model::cluster::Cluster;
use model::gate::{self, Verdict};
use model::rule::{self, Scene, Thresholds};
use model::topology::Site;
use proto::v1;

use super::action::Action;
use crate::client::own_node::{self, NoWord, Word};
use crate::{exit, show, verdict};

/// The exit code, and what is said.
pub(super) fn check(action: Action, is_json: bool) -> (u8, String) {
    match judged(action) {
        Ok(given) if is_json => (verdict::code(&given), given.json + "\n"),
        Ok(given) => (verdict::code(&given), verdict::told(&given, show::width())),
        Err(error) => (exit::UNKNOWN, verdict::unknown(&error, None, is_json)),
    }
}

fn judged(action: Action) -> Result<v1::Verdict, Failed> {
    let name = own_node::name()?;
    let Word { report, now } = own_node::word()?;
    let cluster = Cluster::of_one(&name, &report, now);
    // What the operator declared stands in the collector's configuration.
    let (thresholds, site) = (Thresholds::default(), Site::default());
    let scene = Scene::new(&cluster, now, &thresholds, &site);
    let found = rule::findings(&scene);
    let verdict: Verdict = gate::check_local(&scene, &found, &name, action.into());
    Ok(proto::verdict::message(verdict)?)
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    NoWord(#[from] NoWord),
    #[error("the verdict is no JSON")]
    NoJson(#[from] serde_json::Error),
}
