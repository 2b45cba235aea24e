//! Holding a node against its peers: what a clear majority of them says alike.

use std::collections::BTreeMap;

/// So many must agree until they are a measure for another.
const MIN_AGREE: usize = 3;

/// What most of the peers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed<T> {
    pub(super) value: T,
    pub(super) agree: usize,
    pub(super) of: usize,
}

/// What at least three of them, and more than two thirds, say alike. The node that is judged is not among them.
pub(super) fn majority<T: Ord>(said: impl IntoIterator<Item = T>) -> Option<Agreed<T>> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    let mut of = 0;
    for value in said {
        of += 1;
        *counts.entry(value).or_default() += 1;
    }
    let (value, agree) = counts.into_iter().max_by_key(|(_, agree)| *agree)?;
    (agree >= MIN_AGREE && agree * 3 > of * 2).then_some(Agreed { value, agree, of })
}

/// Which of them differ from what a clear majority of the others says, by their places.
pub(super) fn odd<T: Ord + Copy>(said: &[T]) -> Vec<(usize, Agreed<T>)> {
    let first = said.first();
    if said.iter().all(|value| Some(value) == first) {
        return Vec::new();
    }
    let judged = said.iter().enumerate();
    let against = |(place, value): (usize, &T)| {
        let others = said.iter().enumerate().filter(|(other, _)| *other != place);
        let agreed = majority(others.map(|(_, value)| *value))?;
        (agreed.value != *value).then_some((place, agreed))
    };
    judged.filter_map(against).collect()
}

/// Whether what `lack` nodes lack and `have` nodes have is missing there, and not just elsewhere: at least three have it,
/// and hardly anybody lacks it: one, or of more than eleven nodes a sixth.
pub(super) fn is_missing(have: usize, lack: usize) -> bool {
    have >= MIN_AGREE && lack > 0 && lack <= ((have + lack) / 6).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_that_agree_and_two_thirds_are_a_clear_majority() {
        assert_eq!(majority([1, 1]), None);
        let agreed = |value, agree, of| Some(Agreed { value, agree, of });
        assert_eq!(majority([1, 1, 1]), agreed(1, 3, 3));
        assert_eq!(majority([1, 1, 1, 2]), agreed(1, 3, 4));
        assert_eq!(majority([1, 1, 1, 1, 2, 2]), None);
        assert_eq!(majority([1, 1, 1, 1, 1, 2, 2]), agreed(1, 5, 7));
    }

    #[test]
    fn the_odd_one_out_is_named_and_of_two_camps_nobody() {
        let places = |said: &[u32]| {
            odd(said)
                .into_iter()
                .map(|(place, _)| place)
                .collect::<Vec<_>>()
        };
        assert_eq!(places(&[1, 1, 2, 1]), [2]);
        assert!(places(&[1, 1, 1, 1]).is_empty());
        assert!(places(&[1, 1, 2, 2]).is_empty());
        assert!(places(&[1, 1, 2]).is_empty());
        assert!(places(&[]).is_empty());
    }

    #[test]
    fn what_hardly_anybody_lacks_is_missing() {
        assert!(is_missing(3, 1));
        assert!(is_missing(10, 2));
        assert!(!is_missing(2, 1));
        assert!(!is_missing(6, 2));
        assert!(!is_missing(8, 0));
    }
}
