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

/// Longer words are no names of ours, and the table of distances grows with both lengths.
const LONGEST: usize = 64;

/// Letters to change, add, remove or swap with their neighbour to get from `from` to `to`,
/// ignoring case and taking `-` for `_`.
fn distance(from: &str, to: &str) -> usize {
    let letters = |word: &str| -> Vec<char> {
        word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (from, to) = (letters(from), letters(to));
    if from.len() > LONGEST || to.len() > LONGEST {
        return LONGEST;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let mut best = (at(&above, column) + usize::from(a != b))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column.checked_sub(1).and_then(|left| to.get(left)) == Some(a);
            if swapped && previous == Some(b) {
                best = best.min(at(&before, column - 1).saturating_add(1));
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
        previous = Some(a);
    }
    above.last().copied().unwrap_or_default()
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
