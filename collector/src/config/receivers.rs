//! What each row of a receiver alone is right about, and all together are not.

use std::collections::BTreeMap;

use settings::Contradiction;

use super::Config;
use crate::notify::receivers::named;

pub(super) fn contradictions(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut kinds = BTreeMap::new();
    for named in named(config) {
        let name = named.receiver.name();
        if name.is_empty() {
            continue;
        }
        if let Some(other) = kinds.insert(name.to_owned(), named.kind) {
            let why = format!("{name:?} is the name of another one, of [[receiver.{other}]]");
            found.push(Contradiction::new(named.name_key, why).in_row(named.row));
        }
    }
    found
}
