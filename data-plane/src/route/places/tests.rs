use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Places;

proptest! {
    #[test]
    fn it_has_what_was_added_and_nothing_else(added in prop::collection::vec(0_usize..300, 0..40)) {
        let places: Places = added.iter().copied().collect();
        let added: BTreeSet<usize> = added.into_iter().collect();
        for position in 0..400 {
            prop_assert_eq!(places.has(position), added.contains(&position), "{}", position);
        }
    }
}
