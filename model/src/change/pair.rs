//! Two lists of the same things at two moments, laid beside each other.

use std::collections::HashMap;
use std::hash::Hash;

/// One thing at two moments.
#[derive(Debug)]
pub(super) enum Pair<'a, T> {
    Came(&'a T),
    Went(&'a T),
    Stayed(&'a T, &'a T),
}

/// In the order of `before`, with what came behind it.
pub(super) fn pairs<'a, T, K: Eq + Hash>(
    before: &'a [T],
    after: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> Vec<Pair<'a, T>> {
    let mut there: HashMap<K, &T> = after.iter().map(|thing| (key(thing), thing)).collect();
    let mut pairs: Vec<Pair<'a, T>> = before
        .iter()
        .map(|was| match there.remove(&key(was)) {
            Some(is) => Pair::Stayed(was, is),
            None => Pair::Went(was),
        })
        .collect();
    // What is left has come, in the order of the list.
    let came = after.iter().filter(|thing| there.contains_key(&key(thing)));
    pairs.extend(came.map(Pair::Came));
    pairs
}
