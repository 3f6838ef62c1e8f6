//! The word that was probably meant.

/// The candidate nearest to `word`, if one is near enough to have been meant.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters may differ: more suggests words that have nothing in common.
    let furthest = (word.chars().count() / 3).clamp(1, 4);
    let measured = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    measured.filter(|(far, _)| *far <= furthest).min_by_key(|(far, _)| *far).map(|(_, near)| near)
}

/// Longer words are no names of ours, and the cost grows with both lengths.
const LONGEST: usize = 64;

/// Letters to change, add, remove or swap with their neighbour to get from `from` to `to`,
/// ignoring case and taking `-` for `_`.
fn distance(from: &str, to: &str) -> usize {
    let plain = |word: &str| word.to_ascii_lowercase().replace('-', "_");
    if from.len().max(to.len()) > LONGEST {
        return LONGEST;
    }
    strsim::osa_distance(&plain(from), &plain(to))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_miss_finds_the_word_that_was_meant() {
        let words = ["cooldown", "warm", "max", "run_untagged"];
        assert_eq!(nearest("cooldwon", words), Some("cooldown"));
        assert_eq!(nearest("run-untagged", words), Some("run_untagged"));
        assert_eq!(nearest("Warm", words), Some("warm"));
        assert_eq!(nearest("mx", words), Some("max"));
    }

    #[test]
    fn what_is_far_from_all_finds_none() {
        assert_eq!(nearest("volumes", ["cooldown", "warm"]), None);
    }
}
