//! A set of the cluster's nodes, by their places in the order of node ids.

/// Up to 256 nodes ([`crate::cluster::MAX_NODES`]); places beyond are in no set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mask([u64; 4]);

impl Mask {
    pub(crate) fn of(places: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = Self::default();
        for place in places {
            mask.set(place);
        }
        mask
    }

    pub(crate) fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub(crate) fn has(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn each(mut self, other: &Self, act: impl Fn(u64, u64) -> u64) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word = act(*word, other);
        }
        self
    }

    #[must_use]
    pub(crate) fn and(self, other: &Self) -> Self {
        self.each(other, |one, other| one & other)
    }

    #[must_use]
    pub(crate) fn or(self, other: &Self) -> Self {
        self.each(other, |one, other| one | other)
    }

    #[must_use]
    pub(crate) fn minus(self, other: &Self) -> Self {
        self.each(other, |one, other| one & !other)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.minus(self).is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let words = self.0;
        (0..4).flat_map(move |index| {
            let mut left = words.get(index).copied().unwrap_or(0);
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }

    /// The lowest places of it, as many as that.
    #[must_use]
    pub(crate) fn lowest(&self, many: usize) -> Self {
        Self::of(self.iter().take(many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_set_of_places() {
        let mask = Mask::of([0, 63, 64, 255, 300]);
        assert_eq!(mask.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert_eq!((mask.len(), mask.has(64), mask.has(65)), (4, true, false));
        assert_eq!(mask.lowest(2), Mask::of([0, 63]));
        assert!(mask.holds(&Mask::of([255])) && !Mask::of([255]).holds(&mask));
        assert!(mask.minus(&mask).is_empty());
    }
}
