//! What happened while nobody heard of it. Facts tell of now, and never find it: it is built of journal lines as they
//! arrive, by [`crate::incident::late`].

use super::Scene;
use crate::finding::Finding;

pub(super) fn look(_: &Scene<'_>) -> Vec<Finding> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::incident::late;
    use crate::rule;

    #[test]
    fn its_page_stands_under_the_name_of_its_incidents() {
        assert!(rule::named(late::RULE).is_some());
    }
}
